"""Deletions at the end of a run, and all of them in a destroy: dependents first, independent ones side by side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from yiwang.engine import planner
from yiwang.engine import urn as urns
from yiwang.engine.checkpoint import Pending, in_order
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context, HaltedError, StepError, all_ended
from yiwang.engine.planner import PlanError
from yiwang.engine.project import DYNAMIC
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource
from yiwang.engine.steps import Steps
from yiwang.messages import t


async def delete_leftovers(context: Context, registry: Registry) -> None:
    """Delete what the program did not register, and replaced states that are still there; in a destroy that is everything.

    With targets only they, and what needs them, which has to be named too (or asked for) before anything is deleted.
    Raises PlanError when a plan does not allow it.
    """
    states = list(context.snapshot)
    allowed, everything = registry.targets.deletable(states), context.mode == "destroy"
    todo, kept = [], []
    for state in states:
        if state.urn not in allowed:
            kept += [] if registry.claimed(state.urn) else [state]
        elif state.delete or everything or not registry.claimed(state.urn):
            todo.append(state)
    unspecified = registry.targets.unspecified(state.urn for state in todo)
    for urn in unspecified:
        context.reporter.plan_error(t("engine.not_targeted_delete", urn=urn), urn)
    still = _still_needed(registry, states, todo)
    for need, urn in still:
        context.reporter.plan_error(t("engine.still_needed", urn=urn, need=need), urn)
    if (unspecified or still) and not context.dry:
        return
    if context.constraint is not None:
        # All of them, before the first one.
        for op, state in [*(("same", state) for state in kept), *((planner.delete_op(state), state) for state in todo)]:
            context.constraint.grant(op, state.urn)
    for state in kept:
        _keep(context, state)
    await _delete(context, registry, todo)


def _still_needed(registry: Registry, states: Sequence[Resource], todo: Sequence[Resource]) -> list[tuple[str, str]]:
    """Pairs of URNs: one that would be gone, and one the program has whose state, untouched by this run, is recorded as needing it."""
    going = {state.urn for state in todo if not registry.claimed(state.urn)}
    staying = [state for state in states if registry.claimed(state.urn) and not state.delete] if registry.targets.limited else []
    return sorted((need, state.urn) for state in staying for need in state.needs() & going)


def _keep(context: Context, resource: Resource) -> None:
    step = context.reporter.start("same", resource, resource)
    if resource.type == urns.STACK_TYPE:
        context.reporter.leave_open(step)
    else:
        context.reporter.finish(step, new_id=resource.id)


async def _delete(context: Context, registry: Registry, resources: Sequence[Resource]) -> None:
    """Delete ``resources``. A failed one stays, and so does what it depends on.

    After a failure nothing new starts but what could have been in flight with it: the rest of its wave.
    """
    todo = in_order(resources)
    waits = planner.waits(todo)
    wave = planner.levels(waits)
    going = {resource.urn for resource in todo}
    steps = Steps(context)
    tasks: list[asyncio.Task[bool]] = []
    last = max(wave, default=0)

    async def one(position: int) -> bool:
        nonlocal last
        gone = await asyncio.gather(*(tasks[dependent] for dependent in waits[position]))
        if not all(gone) or wave[position] > last:
            return False
        try:
            done = await _one(context, registry, steps, todo[position], going)
        except BaseException:
            last = -1
            raise
        # A protected one that is refused was not touched: what else is wrong is found in the same run.
        if not done and not context.options.continue_on_error and not todo[position].protect:
            last = min(last, wave[position])
        return done

    # A task looks up the tasks it waits for when it runs, after all are made.
    tasks.extend(asyncio.create_task(one(position)) for position in range(len(todo)))
    await all_ended(tasks)


async def _one(context: Context, registry: Registry, steps: Steps, resource: Resource, going: set[str]) -> bool:
    op = planner.delete_op(resource)
    try:
        async with steps.performing(op, resource, resource, in_flight=True):
            provider = await _provider(context, registry, resource, going)
            await steps.delete(provider, resource, going=going)
    except (HaltedError, StepError):
        return False
    except PlanError as error:
        context.reporter.error(str(error), resource.urn)
        return False
    return True


async def _provider(context: Context, registry: Registry, resource: Resource, going: set[str]) -> Provider | None:
    """The provider to call, None when there is nothing to call. Raises ProviderError for a protected resource."""
    if resource.protect and not resource.delete:
        raise ProviderError(t("engine.protected", urn=resource.urn))
    if context.dry or planner.without_call(resource, going):
        return None
    return await registry.provider(resource.provider)


async def orphans(context: Context, registry: Registry) -> None:
    """Remove what a killed run may have begun to create and nobody wants any more.

    Only where the provider finds its objects by their inputs (any but pulumi.dynamic): its delete is called without an id.
    Updates and deletes whose state is gone are done.
    """
    steps = Steps(context)
    recorded = {resource.urn for resource in context.snapshot}
    for entry in context.snapshot.pending:
        package = urns.package_of(entry.resource.type)
        if entry.type == "creating" and package != DYNAMIC and not registry.claimed(entry.resource.urn) and not context.halted:
            await _orphan(context, registry, steps, entry)
        elif entry.type in {"updating", "deleting"} and entry.resource.urn not in recorded:
            context.snapshot.settle(entry.resource.urn)


async def _orphan(context: Context, registry: Registry, steps: Steps, entry: Pending) -> None:
    resource = entry.resource
    if not resource.custom or resource.is_provider:
        context.snapshot.settle(resource.urn)
        return
    with contextlib.suppress(HaltedError, StepError):
        async with steps.performing("delete", resource):
            if not context.dry:
                await (await registry.provider(resource.provider)).delete(resource)
            context.snapshot.settle(resource.urn)
