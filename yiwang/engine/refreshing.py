"""Refresh: read every recorded object back from its provider and record what is found."""

from __future__ import annotations

import asyncio

from yiwang.engine import planner
from yiwang.engine.checkpoint import in_order
from yiwang.engine.client import Provider, ProviderError, Reading
from yiwang.engine.context import Context, all_ended
from yiwang.engine.reading import record
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource
from yiwang.engine.steps import Steps, describe
from yiwang.messages import t


async def refresh(context: Context, registry: Registry, *, outcomes: bool) -> None:
    """Read all resources that were not registered. ``outcomes``: report and count what was found (a refresh, not an ``up``)."""
    todo = [resource for resource in in_order(context.snapshot) if _wanted(registry, resource)]
    before = {resource.urn for resource in todo}
    await all_ended([asyncio.create_task(_one(context, registry, resource, outcomes=outcomes)) for resource in todo])
    if not context.reporter.failed:
        forget(context, before)


def _wanted(registry: Registry, resource: Resource) -> bool:
    return not resource.delete and registry.targets.includes(resource) and not registry.claimed(resource.urn)


async def refresh_registered(context: Context, registry: Registry, steps: Steps, new: Resource, old: Resource) -> Resource | None:
    """Read ``old`` by the provider the program gives it now; None when it is gone. Raises StepError, HaltedError."""
    if not new.custom or new.is_provider:
        return old
    provider = await registry.provider(new.provider)
    outcomes = context.mode == "refresh"
    async with steps.performing("refresh", old, old, count=outcomes) as outcome:
        outcome.text = await _read(context, provider, old)
    return None if outcome.text == "delete" else old


async def _one(context: Context, registry: Registry, resource: Resource, *, outcomes: bool) -> None:
    """Refresh one resource."""
    async with context.slots:
        if context.halted:
            return
        reporter = context.reporter
        step = reporter.start("refresh", resource, resource)
        try:
            provider = await registry.provider(resource.provider) if _changes(resource) else None
            outcome = await _read(context, provider, resource)
        except ProviderError as error:
            reporter.finish(step, error=describe(error))
            return
    reporter.finish(step, new_id=resource.id, outcome=outcome if outcomes else "", count=outcomes)


def _changes(resource: Resource) -> bool:
    """Whether the outside world can change ``resource``."""
    return resource.custom and not resource.is_provider and not resource.pending_replacement


async def _read(context: Context, provider: Provider | None, resource: Resource) -> str:
    if provider is None:
        return "same"
    reading = await provider.read(resource.urn, resource.id, resource.inputs, resource.outputs, seconds=resource.timeout("read"))
    if not reading.id:
        context.snapshot.drop(resource)
        return "delete"
    differs = None
    if not resource.external:
        # What an `up` with the recorded inputs would have to change is what is told.
        found = _found(resource, reading)
        answer = await provider.diff(resource.urn, found, resource.inputs, resource.ignore_changes)
        differs = planner.difference(answer, found.inputs, resource.inputs).changes
    if reading.init_errors:
        lines = "".join(f"* {reason}\n" for reason in reading.init_errors)
        context.reporter.diagnostic("warning", f"{t('engine.unhealthy')}\n{lines}".rstrip(), resource.urn)
    outcome = record(context, resource, reading)
    return outcome if differs is None else "update" if differs else "same"


def _found(resource: Resource, reading: Reading) -> Resource:
    """The state as the provider found it, to ask how it differs from what was asked for."""
    return Resource(
        urn=resource.urn,
        type=resource.type,
        custom=True,
        id=reading.id,
        inputs=resource.inputs if reading.inputs is None else reading.inputs,
        outputs=reading.outputs,
    )


def forget(context: Context, earlier: set[str]) -> None:
    """Let nothing refer to what is gone of ``earlier``, and write dependencies as the CLI does after a refresh: without empty entries."""
    missing = earlier - {resource.urn for resource in context.snapshot}
    for resource in context.snapshot:
        before = resource.refers_to()
        resource.forget(missing)
        resource.property_dependencies = {key: sources for key, sources in resource.property_dependencies.items() if sources}
        if resource.refers_to() != before:
            context.snapshot.put(resource)
