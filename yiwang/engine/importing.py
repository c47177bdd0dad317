"""Import: an object that exists is read and recorded as if it had been made here; then it is brought to what the program says."""

from __future__ import annotations

import copy

from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context
from yiwang.engine.resource import Goal, Resource, now
from yiwang.engine.steps import Steps, finished
from yiwang.messages import t


def wanted(goal: Goal, old: Resource | None) -> bool:
    """Whether the object the program names is another one than is recorded. Some providers import by another id than they give."""
    return bool(goal.import_id) and (old is None or old.external or (old.import_id or old.id) != goal.import_id)


async def bring_in(context: Context, steps: Steps, provider: Provider, new: Resource, old: Resource | None) -> Resource:
    """Read the object ``new.import_id`` and record it: its state. ``old`` is deleted at the end. Raises StepError, HaltedError."""
    state = copy.copy(new)
    state.created = state.modified = now()
    async with steps.performing("import-replacement" if old is not None else "import", state, old):
        reading = await provider.read(new.urn, new.import_id, None, None, seconds=new.timeout("read"))
        if not reading.exists:
            raise ProviderError(t("engine.does_not_exist", id=new.import_id))
        if reading.inputs is None:
            raise ProviderError(t("engine.cannot_import", package=urns.package_of(new.type)))
        state.id = reading.id or new.import_id
        state.inputs, state.init_errors = reading.inputs, list(reading.init_errors)
        state.outputs = finished(state, reading.outputs)
        steps.place(state, old, keep_old=True)
    if old is not None:
        with context.reporter.step("replace", new, old):
            pass
    return state
