"""Replacements: the new object first and the old one at the end, or the old one and what depends on it first."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence

from yiwang.engine import planner
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider
from yiwang.engine.context import Context, StepError
from yiwang.engine.planner import Decision, Difference, PlanError
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource
from yiwang.engine.steps import Steps
from yiwang.engine.values import UNKNOWN, Properties
from yiwang.messages import t


class Replacer:
    """Performs the replacements of one run."""

    def __init__(self, context: Context, steps: Steps, registry: Registry) -> None:
        self._context = context
        self._steps = steps
        self._registry = registry
        # What was deleted first, because it depends on what was: which of its properties would have forced a replacement.
        self._keys: dict[str, tuple[str, ...]] = {}

    async def replace(self, new: Resource, old: Resource, provider: Provider | None, decision: Decision) -> None:
        """Replace ``old`` by ``new``. Raises PlanError, StepError, HaltedError."""
        found = decision.difference
        if decision.delete_first and new.custom:
            await self._delete_first(old, provider)
            self._registry.replaced.add(new.urn)
            self._logical(new, old, found)
            await self._make(new, old, provider, found, keep_old=False)
            return
        self._registry.replaced.add(new.urn)
        await self._make(new, old, provider, found, keep_old=True)
        self._logical(new, old, found)

    async def recreate(self, new: Resource, old: Resource, provider: Provider | None) -> None:
        """Make again what was deleted before, in the place of its state."""
        self._registry.replaced.add(new.urn)
        self._logical(new, old, Difference())
        await self._make(new, old, provider, Difference(keys=self._keys.get(old.urn, ())), keep_old=False)

    def _logical(self, new: Resource, old: Resource, found: Difference) -> None:
        with self._context.reporter.step("replace", new, old, found):
            pass

    async def _make(self, new: Resource, old: Resource, provider: Provider | None, found: Difference, *, keep_old: bool) -> None:
        if provider is not None:
            async with self._steps.performing("create-replacement", new, old, found):
                await self._steps.create(provider, new, replaces=old, keep_old=keep_old)
            return
        with self._context.reporter.step("create-replacement", new, old, found):
            settle_provider(self._context, new)
            self._steps.place(new, old, keep_old=keep_old)

    async def _delete_first(self, old: Resource, provider: Provider | None) -> None:
        """Delete ``old`` and the dependents that have to go before it; their states stay until they are made again."""
        dependents = await self._choose(old)
        leaving = self._registry.leaving
        # What another replacement is deleting is left to it. Both go backwards through the same order, so neither waits for the other.
        foreign = {resource.urn: leaving[resource.urn] for resource in dependents if resource.urn in leaving}
        own = [resource for resource in dependents if resource.urn not in {*foreign, *self._registry.deleted}]
        leaving.update({resource.urn: asyncio.get_running_loop().create_future() for resource in own})
        try:
            await self._delete_all(old, provider, dependents, foreign)
        finally:
            for resource in own:
                self._ended(resource.urn)

    async def _delete_all(
        self, root: Resource, provider: Provider | None, dependents: Sequence[Resource], foreign: Mapping[str, asyncio.Future[None]]
    ) -> None:
        going = {root.urn, *(dependent.urn for dependent in dependents)}
        for position, dependent in reversed(list(enumerate(dependents))):
            if dependent.urn in foreign:
                await asyncio.wait([foreign[dependent.urn]])
                if dependent in self._context.snapshot and not dependent.pending_replacement:
                    # It failed there, and what it depends on has to stay.
                    raise StepError
            elif dependent.urn in self._registry.leaving:
                its = None if dependent.is_provider else await self._registry.provider(dependent.provider)
                await self._delete(dependent, its, going)
                if all(other.urn != dependent.urn for other in dependents[:position]):
                    self._ended(dependent.urn)
        if not root.pending_replacement:
            await self._delete(root, provider, going)

    def _ended(self, urn: str) -> None:
        end = self._registry.leaving.pop(urn, None)
        if end is not None:
            end.set_result(None)

    async def _choose(self, root: Resource) -> list[Resource]:
        """What has to be deleted before ``root``. Raises PlanError when one of it is protected.

        The caller marks it before it awaits anything: a registration that comes later finds the mark, one that came
        while providers were asked is left alone, and so is what depends on it alone.
        """
        found = await self._dependents(root)
        while any(self._registry.claimed(resource.urn) for resource in found):
            found = await self._dependents(root)
        for resource in found:
            if resource.protect and not resource.delete:
                raise PlanError(t("engine.protected_dependent", urn=resource.urn, root=root.urn))
        return found

    async def _delete(self, old: Resource, provider: Provider | None, going: set[str]) -> None:
        if old.delete:
            # Replaced by an earlier run that could not delete it.
            async with self._steps.performing("delete", old, old):
                await self._steps.delete(provider, old, going=going)
            return
        # The CLI deletes a dependent again that an earlier run deleted already; providers' deletes are idempotent.
        was_deleted, old.pending_replacement = old.pending_replacement, False
        try:
            async with self._steps.performing("delete-replaced", old, old):
                await self._steps.delete(provider, old, going=going, pending_replacement=True)
        except BaseException:
            old.pending_replacement = was_deleted
            raise
        self._registry.deleted.add(old.urn)

    async def _dependents(self, root: Resource) -> list[Resource]:
        """What has to be deleted before ``root``, transitively, dependencies first.

        Those are the ones whose provider says "replace" when the inputs that come from there are unknown.
        """
        gone, found = {root.urn}, []
        # Of what is not registered yet the order is that of the checkpoint, for every root the same.
        for resource in list(self._context.snapshot):
            if not self._may_go(resource) or resource is root:
                continue
            certain, inputs = planner.affected(resource, gone, root.urn)
            keys = () if inputs is None else await self._forcing_keys(resource, inputs)
            if certain or (inputs is not None and keys is not None):
                gone.add(resource.urn)
                found.append(resource)
                self._keys[resource.urn] = keys or ()
        return found

    async def _forcing_keys(self, resource: Resource, inputs: Properties) -> tuple[str, ...] | None:
        """The properties by which these inputs force a replacement; None when they do not."""
        if resource.is_provider:
            package = urns.package_of(resource.type)
            provider = await self._context.providers.for_config(resource.urn, package)
            answer = await self._steps.ask(provider.diff_config(resource.urn, resource, inputs))
        else:
            its = await self._registry.provider(resource.provider)
            answer = await self._steps.ask(its.diff(resource.urn, resource, inputs, resource.ignore_changes))
        changes = planner.difference(answer, resource.inputs, inputs, resource.replace_on_changes)
        return changes.keys if changes.changes and changes.replaces else None

    def _may_go(self, resource: Resource) -> bool:
        return resource.custom and not resource.external and not self._registry.claimed(resource.urn)


def settle_provider(context: Context, new: Resource) -> None:
    """What a provider resource has after its step: an id of ours, and its configuration as outputs."""
    if new.is_provider:
        new.id = new.id or (UNKNOWN if context.dry else str(uuid.uuid4()))
        new.outputs = {key: value for key, value in new.inputs.items() if key != "__internal"}
