"""Reads: of objects that are not managed here, and of those that a killed run left half changed."""

from __future__ import annotations

from yiwang.engine import planner
from yiwang.engine.client import Provider, ProviderError, Reading, UnsupportedError
from yiwang.engine.context import Context
from yiwang.engine.resource import Goal, Resource, now
from yiwang.engine.steps import Steps, finished
from yiwang.engine.values import has_unknown
from yiwang.messages import t


async def external(context: Context, steps: Steps, provider: Provider, goal: Goal, new: Resource, old: Resource | None) -> None:
    """Read the object ``new.id``, which is not managed here, and record it. Raises StepError, HaltedError."""
    async with steps.performing("read", new, old):
        if not has_unknown(new.id):
            reading = await provider.read(new.urn, new.id, goal.inputs, {})
            if not reading.outputs and not context.dry:
                raise ProviderError(t("engine.does_not_exist", id=new.id))
            new.outputs, new.inputs = finished(new, reading.outputs), reading.inputs or goal.inputs
        if old is None or old not in context.snapshot:
            context.snapshot.put(new)
        elif planner.must_write(old, new):
            context.snapshot.replace(old, new)
        else:
            context.snapshot.adopt(old, new)


async def back(context: Context, steps: Steps, provider: Provider, old: Resource) -> Resource | None:
    """What ``old`` is after an operation on it that a kill interrupted; None when it is gone.

    The state says what was there before. What is there now is recorded, so that Diff and Update see it: with the inputs as
    they were, nothing else would tell them that there is anything to do. Raises ProviderError.
    """
    try:
        reading = await steps.ask(provider.read(old.urn, old.id, old.inputs, old.outputs))
    except UnsupportedError:
        # It cannot look: the update is done again all the same.
        return old
    if not reading.id:
        context.snapshot.drop(old)
        return None
    record(context, old, reading)
    return old


def record(context: Context, resource: Resource, reading: Reading) -> str:
    """Record what was read of ``resource`` where it differs; whether it does (``update``) or not (``same``)."""
    inputs = resource.inputs if reading.inputs is None else reading.inputs
    outputs = finished(resource, reading.outputs)
    differs = bool(planner.changed_keys(resource.outputs, outputs) or planner.changed_keys(resource.inputs, inputs))
    if differs or resource.id != reading.id or resource.init_errors != list(reading.init_errors):
        resource.id, resource.inputs, resource.outputs = reading.id, inputs, outputs
        resource.init_errors = list(reading.init_errors)
        if differs and not resource.external:
            resource.modified = now()
        context.snapshot.put(resource)
    return "update" if differs else "same"
