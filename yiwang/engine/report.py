"""Keeps what happened in a run, counts it, and tells the observer."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from yiwang.engine import urn as urns
from yiwang.engine.events import Diagnostic, OnEvent, Severity, StepEvent, StepFinished, StepStarted
from yiwang.engine.planner import Difference
from yiwang.engine.resource import Resource

# Parts of a replacement; `replace` stands for all of them in the counts.
_PARTS = (
    "create-replacement",
    "import-replacement",
    "read-replacement",
    "delete-replaced",
    "discard-replaced",
    "remove-pending-replace",
)
# Steps after which there is no state.
_ENDS = frozenset({"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"})
# What the event of a step and its entry in the result have in common: the states are for the observer only.
_COMMON = tuple(entry.name for entry in dataclasses.fields(StepEvent) if entry.name not in {"old", "new"})


@dataclass
class _Open:
    """A step that began."""

    event: StepStarted
    began: float
    old: Resource | None
    new: Resource | None
    finished: StepFinished | None = None


class Reporter:
    """The steps, counts and diagnostics of one run. ``failed`` once a step failed or something could not be planned."""

    def __init__(self, on_event: OnEvent) -> None:
        self._emit = on_event
        self._steps: list[_Open] = []
        # Told of each step before it begins; they may raise.
        self.watchers: list[Callable[[str, str], None]] = []
        self.diagnostics: list[Diagnostic] = []
        self.counts: Counter[str] = Counter()
        self.failed = False
        self.step_failed = False
        self.unplanned = False

    def start(self, op: str, resource: Resource, old: Resource | None = None, found: Difference | None = None) -> _Open:
        """A step begins; to be ended by ``finish``. Raises PlanError when a plan does not allow it."""
        for watch in self.watchers:
            watch(op, resource.urn)
        found = found or Difference()
        event = StepStarted(
            op=op,
            urn=resource.urn,
            type=resource.type,
            name=resource.name,
            diffs=found.diffs,
            keys=found.keys,
            detailed=found.detailed,
            input_diffs=found.input_diffs,
            old_id=old.id if old is not None else "",
        )
        ends = op in _ENDS
        step = _Open(event, time.monotonic(), old or resource if ends else old, None if ends else resource)
        self._steps.append(step)
        self._emit(dataclasses.replace(event, old=step.old, new=step.new))
        return step

    def finish(self, step: _Open, *, new_id: str = "", outcome: str = "", error: str | None = None, count: bool = True) -> None:
        """A step ended; with ``error`` it failed, and the run with it."""
        common = {name: getattr(step.event, name) for name in _COMMON}
        finished = StepFinished(
            **{**common, "new_id": new_id or step.event.new_id},
            result="done" if error is None else "failed",
            outcome=outcome,
            seconds=time.monotonic() - step.began,
            error=error,
        )
        step.finished = finished
        if error is not None:
            self.failed = self.step_failed = True
            self.diagnostic("error", error, step.event.urn)
        elif count and step.event.op not in _PARTS and not urns.is_default_provider(step.event.urn):
            self.counts[outcome or step.event.op] += 1
        self._emit(dataclasses.replace(finished, old=step.old, new=None if outcome == "delete" else step.new))

    def leave_open(self, step: _Open) -> None:
        """Count a component's step, which ends when the component registers its outputs (some never do)."""
        self.counts[step.event.op] += 1

    def close(self, step: _Open) -> None:
        """End a step that was left open."""
        if step.finished is None:
            self.finish(step, count=False)

    @contextmanager
    def step(self, op: str, resource: Resource, old: Resource | None = None, found: Difference | None = None) -> Iterator[_Open]:
        """A step that ends with the block, as failed when an exception leaves it."""
        step = self.start(op, resource, old, found)
        try:
            yield step
        except BaseException as error:
            self.finish(step, error=str(error) or type(error).__name__)
            raise
        self.finish(step, new_id=resource.id)

    def diagnostic(self, severity: Severity, message: str, urn: str = "") -> None:
        """A message for a person."""
        found = Diagnostic(severity, message, urn)
        self.diagnostics.append(found)
        self._emit(found)

    def error(self, message: str, urn: str = "") -> None:
        """An error outside a step; the run has failed."""
        self.failed = True
        self.diagnostic("error", message, urn)

    def plan_error(self, message: str, urn: str) -> None:
        """What cannot be done, found in a preview that goes on; it fails at its end as if a step had."""
        self.unplanned = True
        self.diagnostic("error", message, urn)

    def steps(self) -> tuple[StepFinished, ...]:
        """All steps in the order in which they began; those never ended have the result ``none``."""
        found = []
        for step in self._steps:
            if step.finished is not None:
                found.append(step.finished)
            else:
                common = {name: getattr(step.event, name) for name in _COMMON}
                found.append(StepFinished(**common, result="none"))
        return tuple(found)
