"""What the Pulumi CLI tells while it runs, as the events and the result of this kit's engine."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any

from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

from yiwang import engine
from yiwang.deployment.engines.interface import OnEvent
from yiwang.errors import UserError

_COLOUR = re.compile(r"<\{%[^%]*%\}>")
_FOR_PEOPLE = f"{UserError.__module__}.{UserError.__qualname__}: "
_KEPT = frozenset({"info", "info#err", "warning", "error"})


class Told:
    """Collects one operation of the CLI. ``event`` may be called from any thread; what it makes goes to ``on_event``."""

    def __init__(self, on_event: OnEvent) -> None:
        self._emit = on_event
        self._open: dict[tuple[str, str], tuple[engine.StepStarted, float]] = {}
        self._steps: dict[int, engine.StepFinished] = {}
        self._order: dict[tuple[str, str], int] = {}
        self.diagnostics: list[engine.Diagnostic] = []
        self.counts: dict[str, int] = {}

    def event(self, event: EngineEvent) -> None:
        """One event of the CLI's log."""
        if event.diagnostic_event is not None:
            self._diagnostic(event.diagnostic_event)
        elif event.resource_pre_event is not None:
            self._started(event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._finished(event.res_outputs_event.metadata, failed=False)
        elif event.res_op_failed_event is not None:
            self._finished(event.res_op_failed_event.metadata, failed=True)
        elif event.summary_event is not None:
            self.counts = {_text(op): int(number) for op, number in event.summary_event.resource_changes.items()}

    def error(self, message: str) -> None:
        """An error that no event told of."""
        self._tell(engine.Diagnostic("error", message))

    def tell(self, event: engine.Event) -> None:
        """Pass an event on that is not the CLI's."""
        self._emit(event)

    @property
    def steps(self) -> tuple[engine.StepFinished, ...]:
        """The steps in the order in which they began."""
        return tuple(self._steps[number] for number in sorted(self._steps))

    def _tell(self, diagnostic: engine.Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        self._emit(diagnostic)

    def _diagnostic(self, found: DiagnosticEvent) -> None:
        if found.severity in _KEPT and not found.ephemeral:
            message = _COLOUR.sub("", (found.prefix or "") + found.message).rstrip("\n").removeprefix(f"{found.severity}: ")
            # The CLI shows the trace of whatever a program raises; of an error made for people only its own words are for people.
            message = message.rpartition(_FOR_PEOPLE)[2].strip() if _FOR_PEOPLE in message else message
            self._tell(engine.Diagnostic(found.severity, message, found.urn or ""))  # type: ignore[arg-type]

    def _started(self, found: StepEventMetadata) -> None:
        event = engine.StepStarted(**_common(found))
        key = (event.op, event.urn)
        self._open[key] = event, time.monotonic()
        number = len(self._order)
        self._order[key] = number
        self._steps[number] = engine.StepFinished(**_common(found), result="none")
        self._emit(event)

    def _finished(self, found: StepEventMetadata, *, failed: bool) -> None:
        key = (_text(found.op), found.urn)
        # A refresh ends under the name of what it found.
        refreshed = key not in self._open and ("refresh", found.urn) in self._open
        key = ("refresh", found.urn) if refreshed else key
        if key not in self._open:
            return
        started, began = self._open.pop(key)
        new = found.new.id if found.new is not None else ""
        reasons = [entry.message for entry in self.diagnostics if entry.urn == found.urn and entry.severity == "error"]
        finished = engine.StepFinished(
            **{field.name: getattr(started, field.name) for field in dataclasses.fields(engine.StepEvent)} | {"new_id": new or ""},
            result="failed" if failed else "done",
            outcome=_text(found.op) if refreshed else "",
            seconds=time.monotonic() - began,
            error=(reasons[-1] if reasons else "") if failed else None,
        )
        self._steps[self._order[key]] = finished
        self._emit(finished)


def _common(found: StepEventMetadata) -> dict[str, Any]:
    detailed = {path: _text(entry.diff_kind) for path, entry in (found.detailed_diff or {}).items()}
    return {
        "op": _text(found.op),
        "urn": found.urn,
        "type": found.type,
        "name": found.urn.rpartition("::")[2],
        "diffs": tuple(found.diffs or ()),
        "keys": tuple(found.keys or ()),
        "detailed": detailed,
        "old_id": (found.old.id or "") if found.old is not None else "",
    }


def _text(word: Any) -> str:
    """The CLI's word, whether or not the SDK has a name for it."""
    return str(getattr(word, "value", word))
