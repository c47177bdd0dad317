"""What is registered in a run, and how it relates to what is recorded: URNs, aliases, providers, targets, leftovers."""

from __future__ import annotations

import asyncio

from yiwang.engine import planner
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context
from yiwang.engine.planner import PlanError, Situation
from yiwang.engine.project import DYNAMIC
from yiwang.engine.resource import Goal, Resource
from yiwang.engine.targets import Targets
from yiwang.messages import t


class Registry:
    """What this run registered (``new``) and what became of it.

    ``failed``: URNs that failed, or that depend on one that did. ``skipped``: new ones that this run is not about.
    ``replaced``, ``deleted``: URNs of objects that were replaced, or deleted to be made again.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._old: dict[str, Resource] = {}
        self._pending: dict[str, set[str]] = {}
        for entry in context.snapshot.pending:
            self._pending.setdefault(entry.resource.urn, set()).add(entry.type)
        self._claimed: set[str] = set()
        # What resources may have been called; and the new names of those that an alias found in the state.
        self._earlier: dict[str, list[str]] = {}
        self._renamed: dict[str, str] = {}
        self.new: dict[str, Resource] = {}
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.replaced: set[str] = set()
        self.deleted: set[str] = set()
        # What is being deleted before something that it depends on: done when that has ended, well or not.
        self.leaving: dict[str, asyncio.Future[None]] = {}
        self.stack_urn = ""
        self.targets = Targets(context.options)
        self.look_again()

    def look_again(self) -> None:
        """Take the recorded states as they are now (they change when a refresh comes before the program)."""
        self._old = {resource.urn: resource for resource in self._context.snapshot if not resource.delete}

    def urn_of(self, goal: Goal) -> str:
        """The URN of a goal."""
        context = self._context
        return urns.make(context.stack.name, context.project.name, goal.parent, goal.type, goal.name)

    async def settled(self, urn: str, goal: Goal) -> None:
        """Wait while what a registration is about is being deleted, before something else: then it is to be made again."""
        names = (urn, *urns.earlier(urn, goal.parent, goal.aliases, self._earlier))
        while ends := [self.leaving[name] for name in names if name in self.leaving]:
            await asyncio.wait(ends)

    def claim(self, urn: str, goal: Goal) -> Resource | None:
        """The recorded state this registration is about, under its URN or one of its aliases; None when it is new.

        Raises PlanError when the URN, or the one in the state, was registered before in this run, or its parent was not.
        """
        if goal.parent and goal.parent not in self._claimed:
            raise PlanError(t("engine.no_parent", parent=goal.parent))
        if urn in self._renamed:
            raise PlanError(t("engine.duplicate_aliased", urn=urn, other=self._renamed[urn]))
        if urn in self._claimed:
            raise PlanError(t("engine.duplicate", urn=urn))
        self._claimed.add(urn)
        if goal.type == urns.STACK_TYPE:
            self.stack_urn = urn
        # Also of a parent that has its new name already: a run that failed may not have come to its children.
        self._earlier[urn] = urns.earlier(urn, goal.parent, goal.aliases, self._earlier)
        if urn in self._old:
            return self._old[urn]
        former = next((found for found in self._earlier[urn] if found in self._old), None)
        if former is None:
            return None
        if former in self._claimed:
            raise PlanError(t("engine.duplicate_alias", alias=former, urn=urn, other=self._renamed.get(former, urn)))
        self._claimed.add(former)
        self._renamed[former] = urn
        if former in self._pending:
            self._pending.setdefault(urn, set()).update(self._pending[former])
        return self._old[former]

    def claimed(self, urn: str) -> bool:
        """Whether the program registered ``urn``, or what it was called before."""
        return urn in self._claimed

    def recorded_as_needing(self, urn: str, need: str) -> bool:
        """Whether ``urn`` needs ``need``, itself or by others, by what is recorded now."""
        seen, frontier = {urn}, [urn]
        while frontier:
            found = frontier.pop()
            state = self.new.get(found) or self._old.get(found)
            fresh = state.needs() - seen if state is not None else set()
            if need in fresh:
                return True
            seen |= fresh
            frontier += fresh
        return False

    def known(self) -> set[str]:
        """All URNs that are recorded or were registered."""
        return {*self._old, *self._claimed}

    async def provider(self, reference: str) -> Provider:
        """The provider of a reference: registered in this run, or as it is recorded. Raises ProviderError when there is none."""
        urn = urns.provider_urn(reference)
        registered = self.new.get(urn)
        if registered is None or registered.reference() != reference:
            recorded = (resource for resource in self._context.snapshot if resource.urn == urn)
            registered = next((resource for resource in recorded if resource.reference() == reference), None)
        if registered is not None:
            return await self._context.providers.configured(registered)
        raise ProviderError(t("engine.unknown_provider", provider=reference))

    def _interrupted(self, resource: Resource) -> bool:
        """Whether an earlier run was killed in an operation on ``resource`` that has to be done again."""
        # A create that was to replace something may have changed what its provider finds again by the same inputs.
        redo = {"updating", "deleting"} if urns.package_of(resource.type) == DYNAMIC else {"updating", "deleting", "creating"}
        return bool(self._pending.get(resource.urn, set()) & redo)

    def half_done(self, new: Resource, old: Resource) -> bool:
        """Whether the object of ``old``, which is to be ``new``, may be other than recorded: a run was killed in an operation on it."""
        # One that was deleted to be replaced is made again, whatever is there.
        return self._interrupted(new) and not old.external and not old.pending_replacement

    async def forced(self, new: Resource, old: Resource) -> str:
        """The property that stands for a replacement whatever the inputs are; see ``planner.forced_key``."""
        asked = new.urn in self.targets.to_replace
        # What this run tainted is for a later one: this one looks at what the program says.
        tainted = old.taint and id(old) not in self._context.snapshot.tainted
        provider_replaces = False
        if not asked and not tainted and new.provider and old.provider and old.provider != new.provider:
            provider_replaces = await self._other_provider(new, old)
        return planner.forced_key(new, old, replaced=self.replaced, asked=asked or tainted, provider_replaces=provider_replaces)

    async def _other_provider(self, new: Resource, old: Resource) -> bool:
        """Whether the provider of ``new`` cannot manage what that of ``old`` made: it is asked about the two configurations."""
        urn, former = urns.provider_urn(new.provider), self._old.get(urns.provider_urn(old.provider))
        if former is None or urn not in self.new:
            return False
        if urn == former.urn:
            return urn in self.replaced
        config = {key: value for key, value in self.new[urn].inputs.items() if key != "__internal"}
        answer = await (await self.provider(new.provider)).diff_config(urn, former, config)
        return planner.difference(answer, {}, {}).replaces

    def situation(self, goal: Goal, new: Resource, old: Resource | None) -> Situation:
        """What the planner has to know besides the states."""
        return Situation(
            recreating=self.recreating(new, old),
            must_redo=bool(old is not None and old.init_errors) or self._interrupted(new),
            triggered=old is not None and planner.triggered(new.replacement_trigger, old.replacement_trigger),
            delete_before_replace=goal.delete_before_replace,
        )

    def recreating(self, new: Resource, old: Resource | None) -> bool:
        """Whether the object of ``new`` was deleted earlier in this run, before something it depended on."""
        return old is not None and not self.deleted.isdisjoint({new.urn, old.urn})
