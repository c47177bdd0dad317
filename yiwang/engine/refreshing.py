"""Refresh: read every recorded object back from its provider and record what is found."""

from __future__ import annotations

import asyncio

from yiwang.engine import urn as urns
from yiwang.engine.checkpoint import in_order
from yiwang.engine.client import ProviderError, Reading
from yiwang.engine.context import Context
from yiwang.engine.reading import record
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource
from yiwang.engine.steps import describe
from yiwang.messages import t


async def refresh(context: Context, registry: Registry, *, outcomes: bool) -> None:
    """Read all resources. ``outcomes``: report and count what was found (a refresh of its own, not one before an ``up``)."""
    todo = [resource for resource in in_order(context.snapshot) if not resource.delete and _wanted(context, resource)]
    gone = await asyncio.gather(*(_one(context, registry, resource, outcomes=outcomes) for resource in todo))
    missing = {resource.urn for resource, is_gone in zip(todo, gone, strict=True) if is_gone}
    if not context.reporter.failed:
        _forget(context, missing)


def _wanted(context: Context, resource: Resource) -> bool:
    targets = context.options.targets
    return not targets or urns.matches(resource.urn, targets)


async def _one(context: Context, registry: Registry, resource: Resource, *, outcomes: bool) -> bool:
    """Refresh one resource; whether it is gone."""
    async with context.slots:
        if context.halted:
            return False
        reporter = context.reporter
        step = reporter.start("refresh", resource, resource)
        try:
            outcome = await _read(context, registry, resource)
        except ProviderError as error:
            reporter.finish(step, error=describe(error))
            return False
    reporter.finish(step, new_id=resource.id, outcome=outcome if outcomes else "", count=outcomes)
    return outcome == "delete"


async def _read(context: Context, registry: Registry, resource: Resource) -> str:
    if not resource.custom or resource.is_provider:
        return "same"
    provider = await registry.provider(resource.provider)
    reading = await provider.read(resource.urn, resource.id, resource.inputs, resource.outputs)
    if not reading.id:
        context.snapshot.drop(resource)
        return "delete"
    if not resource.external:
        # As the CLI does. The answer is not needed: what was found is recorded, and the next `up` asks again with its own inputs.
        found = _found(resource, reading)
        await provider.diff(resource.urn, found, resource.inputs, resource.ignore_changes)
    if reading.init_errors:
        lines = "".join(f"* {reason}\n" for reason in reading.init_errors)
        context.reporter.diagnostic("warning", f"{t('engine.unhealthy')}\n{lines}".rstrip(), resource.urn)
    return record(context, resource, reading)


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


def _forget(context: Context, missing: set[str]) -> None:
    """Let nothing refer to what is gone, and write dependencies as the CLI does after a refresh: without empty entries."""
    for resource in context.snapshot:
        dependencies = [urn for urn in resource.dependencies if urn not in missing]
        by_property = {
            key: kept
            for key, sources in resource.property_dependencies.items()
            if (kept := [urn for urn in sources or () if urn not in missing])
        }
        parent = "" if resource.parent in missing else resource.parent
        deleted_with = "" if resource.deleted_with in missing else resource.deleted_with
        before = (resource.dependencies, resource.property_dependencies, resource.parent, resource.deleted_with)
        if before != (dependencies, by_property, parent, deleted_with):
            resource.dependencies, resource.property_dependencies = dependencies, by_property
            resource.parent, resource.deleted_with = parent, deleted_with
            context.snapshot.put(resource)
