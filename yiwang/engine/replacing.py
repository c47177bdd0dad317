"""Replacements: the new object first and the old one at the end, or the old one and what depends on it first."""

from __future__ import annotations

import uuid

from yiwang.engine import planner
from yiwang.engine.checkpoint import in_order
from yiwang.engine.client import Provider
from yiwang.engine.context import Context
from yiwang.engine.planner import Decision, Difference, PlanError
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource
from yiwang.engine.steps import Steps
from yiwang.engine.values import UNKNOWN
from yiwang.messages import t


class Replacer:
    """Performs the replacements of one run."""

    def __init__(self, context: Context, steps: Steps, registry: Registry) -> None:
        self._context = context
        self._steps = steps
        self._registry = registry

    async def replace(self, new: Resource, old: Resource, provider: Provider | None, decision: Decision) -> None:
        """Replace ``old`` by ``new``. Raises PlanError, StepError, HaltedError."""
        if decision.delete_first and provider is not None:
            await self._delete_first(old, provider)
            self._registry.replaced.add(new.urn)
            await self.recreate(new, old, provider, decision.difference)
            return
        self._registry.replaced.add(new.urn)
        await self._make("create-replacement", new, old, provider, decision.difference, keep_old=True)
        self._logical(new, old, decision.difference)

    async def recreate(self, new: Resource, old: Resource, provider: Provider | None, found: Difference) -> None:
        """Make again what was deleted before, in the place of its state."""
        self._registry.replaced.add(new.urn)
        self._logical(new, old, found)
        await self._make("create-replacement", new, old, provider, found, keep_old=False)

    def _logical(self, new: Resource, old: Resource, found: Difference) -> None:
        with self._context.reporter.step("replace", new, old, found):
            pass

    async def _make(self, op: str, new: Resource, old: Resource, provider: Provider | None, found: Difference, *, keep_old: bool) -> None:
        if provider is not None:
            async with self._steps.performing(op, new, old, found):
                await self._steps.create(provider, new, replaces=old, keep_old=keep_old)
            return
        with self._context.reporter.step(op, new, old, found):
            settle_provider(self._context, new)
            old.delete = True
            self._context.snapshot.put(old)
            self._context.snapshot.put(new)

    async def _delete_first(self, old: Resource, provider: Provider) -> None:
        """Delete ``old`` and the dependents that have to go before it; their states stay until they are made again."""
        dependents = await self._dependents(old)
        for dependent in dependents:
            if dependent.protect:
                raise PlanError(t("engine.protected_dependent", urn=dependent.urn, root=old.urn))
        going = {old.urn, *(dependent.urn for dependent in dependents)}
        for dependent in reversed(dependents):
            its = await self._registry.provider(dependent.provider)
            await self._delete(dependent, its, going)
        if not old.pending_replacement:
            await self._delete(old, provider, going)

    async def _delete(self, old: Resource, provider: Provider, going: set[str]) -> None:
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
        for resource in in_order(self._context.snapshot):
            if not self._may_go(resource):
                continue
            certain, inputs = planner.affected(resource, gone)
            if not certain and inputs is None:
                continue
            if not certain and inputs is not None:
                provider = await self._registry.provider(resource.provider)
                answer = await self._steps.ask(provider.diff(resource.urn, resource, inputs, resource.ignore_changes))
                changes = planner.difference(answer, resource.inputs, inputs, resource.replace_on_changes)
                if not (changes.changes and changes.replaces):
                    continue
            gone.add(resource.urn)
            found.append(resource)
        return found

    def _may_go(self, resource: Resource) -> bool:
        managed = resource.custom and not resource.external and not resource.delete and not resource.is_provider
        return managed and not self._registry.claimed(resource.urn)


def settle_provider(context: Context, new: Resource) -> None:
    """What a provider resource has after its step: an id of ours, and its configuration as outputs."""
    if new.is_provider:
        new.id = new.id or (UNKNOWN if context.dry else str(uuid.uuid4()))
        new.outputs = {key: value for key, value in new.inputs.items() if key != "__internal"}
