"""What is registered in a run, and how it relates to what is recorded: URNs, aliases, providers, targets, leftovers."""

from __future__ import annotations

from yiwang.engine import planner
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context
from yiwang.engine.planner import PlanError, Situation
from yiwang.engine.project import DYNAMIC
from yiwang.engine.resource import Goal, Resource
from yiwang.messages import t


class Registry:
    """``new``: what this run registered. ``failed``: URNs that failed, or that depend on one that did."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._old: dict[str, Resource] = {}
        self._pending: dict[str, set[str]] = {}
        for entry in context.snapshot.pending:
            self._pending.setdefault(entry.resource.urn, set()).add(entry.type)
        self._claimed: set[str] = set()
        self._earlier: dict[str, list[str]] = {}
        self.new: dict[str, Resource] = {}
        self.failed: set[str] = set()
        self.skipped: set[str] = set()
        self.replaced: set[str] = set()
        self.deleted: set[str] = set()
        self.stack_urn = ""
        self._targets: set[str] | None = None
        self.look_again()

    def look_again(self) -> None:
        """Take the recorded states as they are now (they change when a refresh comes before the program)."""
        self._old = {resource.urn: resource for resource in self._context.snapshot if not resource.delete}
        self._targets = self._closed_targets()

    def _closed_targets(self) -> set[str] | None:
        """The recorded URNs among the targets (with their dependents where wanted), None when there are no targets."""
        options = self._context.options
        if not options.targets:
            return None
        named = {urn for urn in self._old if urns.matches(urn, options.targets)}
        return planner.closure(self._context.snapshot, named) if options.target_dependents else named

    def urn_of(self, goal: Goal) -> str:
        """The URN of a goal."""
        context = self._context
        return urns.make(context.stack.name, context.project.name, goal.parent, goal.type, goal.name)

    def claim(self, urn: str, goal: Goal) -> Resource | None:
        """The recorded state this registration is about, under its URN or one of its aliases; None when it is new.

        Raises PlanError when the URN was registered before in this run.
        """
        if urn in self._claimed:
            raise PlanError(t("engine.duplicate", urn=urn))
        self._claimed.add(urn)
        if goal.type == urns.STACK_TYPE:
            self.stack_urn = urn
        inherited = self._earlier.get(goal.parent, [])
        self._earlier[urn] = urns.earlier(urn, goal.parent, self.stack_urn, goal.aliases, inherited)
        if urn in self._old:
            return self._old[urn]
        for former in self._earlier[urn]:
            if former in self._old and former not in self._claimed:
                self._claimed.add(former)
                self._rename(former, urn)
                return self._old[former]
        return None

    def claimed(self, urn: str) -> bool:
        """Whether the program registered ``urn``, or what it was called before."""
        return urn in self._claimed

    def _rename(self, former: str, urn: str) -> None:
        """Let everything that refers to ``former`` refer to ``urn``."""
        prefix = f"{former}::"
        if former in self._pending:
            self._pending.setdefault(urn, set()).update(self._pending.pop(former))
        for entry in self._context.snapshot.pending:
            if entry.resource.urn == former:
                entry.resource.urn = urn
        for resource in self._context.snapshot:
            if former not in resource.needs():
                continue
            resource.parent = urn if resource.parent == former else resource.parent
            resource.deleted_with = urn if resource.deleted_with == former else resource.deleted_with
            resource.dependencies = [urn if entry == former else entry for entry in resource.dependencies]
            resource.replace_with = [urn if entry == former else entry for entry in resource.replace_with]
            resource.property_dependencies = {
                key: [urn if entry == former else entry for entry in entries or ()]
                for key, entries in resource.property_dependencies.items()
            }
            if resource.provider.startswith(prefix):
                resource.provider = f"{urn}::{resource.provider.removeprefix(prefix)}"
            self._context.snapshot.put(resource)

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

    def situation(self, goal: Goal, new: Resource, old: Resource | None) -> Situation:
        """What the planner has to know besides the states."""
        moved = old is not None and old.provider != new.provider
        same_urn = moved and old is not None and urns.provider_urn(old.provider) == urns.provider_urn(new.provider)
        return Situation(
            recreating=new.urn in self.deleted,
            must_redo=bool(old is not None and old.init_errors) or self._interrupted(new),
            provider_replaced=same_urn and urns.provider_urn(new.provider) in self.replaced,
            replace_trigger=not self.replaced.isdisjoint(goal.replace_with),
            delete_before_replace=goal.delete_before_replace,
        )

    def targeted(self, urn: str) -> bool:
        """Whether the run is about ``urn``: one of the targets, or there are none."""
        return self._targets is None or urn in self._targets or urns.matches(urn, self._context.options.targets)

    def left_alone(self, new: Resource) -> bool:
        """Whether targets were given and ``new`` is none of them."""
        return not self.targeted(new.urn) and new.custom and not urns.is_default_provider(new.urn)

    def refuse_blocked(self, new: Resource) -> None:
        """Raise PlanError when ``new`` needs something new that is not among the targets."""
        missing = sorted(new.needs() & self.skipped)
        if missing:
            raise PlanError(t("engine.not_targeted", urn=new.urn, missing=missing[0]))
