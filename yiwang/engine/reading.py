"""Reads: of objects that are not managed here, and of those that a killed run left half changed."""

from __future__ import annotations

from yiwang.engine import planner
from yiwang.engine.client import InitError, Provider, ProviderError, Reading, UnsupportedError
from yiwang.engine.context import Context
from yiwang.engine.planner import PlanError
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Resource, now
from yiwang.engine.steps import Steps, finished
from yiwang.engine.values import has_unknown
from yiwang.messages import t


async def external(context: Context, steps: Steps, registry: Registry, provider: Provider, new: Resource, old: Resource | None) -> None:
    """Read the object ``new.id``, which is not managed here, and record it. Raises PlanError, StepError, HaltedError.

    One that was managed under this URN is deleted at the end, where it is another object.
    """
    if not new.id:
        raise PlanError(t("engine.no_id", urn=new.urn))
    replaces = old is not None and not old.external and old.id != new.id
    async with steps.performing("read-replacement" if replaces else "read", new, old):
        if not has_unknown(new.id):
            reading = await provider.read(new.urn, new.id, new.inputs, new.inputs, seconds=new.timeout("read"))
            if not reading.exists:
                raise ProviderError(t("engine.does_not_exist", id=new.id))
            new.init_errors = list(reading.init_errors)
            new.outputs, new.id = finished(new, reading.outputs), reading.id or new.id
        _record_external(context, steps, new, old, replaces=replaces)
        if new.init_errors:
            raise InitError("", new.id, new.outputs, new.inputs, new.init_errors)
    if replaces and old is not None:
        registry.replaced.add(new.urn)
        with context.reporter.step("replace", new, old):
            pass


def _record_external(context: Context, steps: Steps, new: Resource, old: Resource | None, *, replaces: bool) -> None:
    if old is None or old not in context.snapshot:
        context.snapshot.put(new)
    elif replaces:
        steps.place(new, old, keep_old=True)
    else:
        new.created, new.modified = old.created, old.modified
        if planner.changed_keys(old.inputs, new.inputs) or planner.changed_keys(old.outputs, new.outputs):
            new.modified = now()
        if planner.must_write(old, new):
            context.snapshot.replace(old, new)
        else:
            context.snapshot.adopt(old, new)


async def back(context: Context, steps: Steps, provider: Provider, old: Resource) -> Resource | None:
    """What ``old`` is after an operation on it that a kill interrupted; None when it is gone.

    The state says what was there before. What is there now is recorded, so that Diff and Update see it: with the inputs as
    they were, nothing else would tell them that there is anything to do. Raises ProviderError.
    """
    try:
        reading = await steps.ask(provider.read(old.urn, old.id, old.inputs, old.outputs, seconds=old.timeout("read")))
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
        if differs:
            resource.modified = now()
        context.snapshot.put(resource)
    return "update" if differs else "same"
