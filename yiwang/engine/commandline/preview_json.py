"""``preview --json``: one document that says what an ``up`` would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yiwang.engine import checkpoint
from yiwang.engine.commandline.events_json import LOGICAL, internal, prefix_of
from yiwang.engine.events import Diagnostic, Event, StepEvent, StepFinished, StepStarted
from yiwang.engine.passphrase import Sealed
from yiwang.engine.resource import Resource
from yiwang.engine.urn import STACK_TYPE

_REPLACING = frozenset({"create-replacement", "delete-replaced", "read-replacement", "discard-replaced", "import-replacement"})
_NEW = frozenset({"create", "create-replacement", "import"})
_MASKED = Sealed(instead=lambda _value: "[secret]")


class Digest:
    """Gathers the events of a preview. ``sames``, ``replacements``: what ``--show-sames`` and ``--show-replacement-steps`` add."""

    def __init__(self, *, sames: bool = False, replacements: bool = False) -> None:
        self._sames = sames
        self._replacements = replacements
        self._steps: list[dict[str, Any]] = []
        self._refreshed: dict[str, int] = {}
        self._diagnostics: list[dict[str, Any]] = []

    def of(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Diagnostic):
            urn = {"urn": event.urn} if event.urn else {}
            self._diagnostics.append({**urn, "message": f"{prefix_of(event.severity)}{event.message}\n", "severity": event.severity})
        elif isinstance(event, StepStarted) and self._shown(event):
            if event.op == "refresh":
                self._refreshed[event.urn] = len(self._steps)
            self._steps.append(_step(event, event.op))
        elif isinstance(event, StepFinished) and event.urn in self._refreshed and event.outcome in {"update", "delete"}:
            self._steps[self._refreshed[event.urn]] = _step(event, event.outcome)

    def _shown(self, event: StepEvent) -> bool:
        if internal(event):
            return False
        if event.op == "same":
            changed = event.old is not None and event.new is not None and event.old.protect != event.new.protect
            return changed or self._sames or event.type == STACK_TYPE
        return self._replacements or event.op in LOGICAL or event.op not in _REPLACING

    def document(self, *, config: Mapping[str, str], changes: Mapping[str, int], seconds: float) -> str:
        """The whole as JSON; the duration is in nanoseconds."""
        found: dict[str, Any] = {"config": dict(config)} if config else {}
        found["steps"] = self._steps
        if self._diagnostics:
            found["diagnostics"] = self._diagnostics
        found["duration"] = int(seconds * 1e9)
        found["changeSummary"] = dict(changes)
        return json.dumps(found, ensure_ascii=False, indent=4)


def _step(event: StepEvent, op: str) -> dict[str, Any]:
    of = event.new or event.old
    found: dict[str, Any] = {"op": op, "urn": event.urn}
    if of is not None and of.provider:
        found["provider"] = of.provider
    if event.old is not None:
        found["oldState"] = _state(event.old)
    if event.new is not None:
        new = _state(event.new)
        if op in _NEW:
            # It is not there yet.
            new = {key: value for key, value in new.items() if key not in {"created", "modified"}}
        found["newState"] = new
    if event.diffs and event.detailed:
        found["diffReasons"] = list(event.diffs)
    if event.keys:
        found["replaceReasons"] = list(event.keys)
    found["detailedDiff"] = {path: {"kind": kind, "inputDiff": path in event.input_diffs} for path, kind in event.detailed.items()} or None
    return found


def _state(resource: Resource) -> dict[str, Any]:
    return checkpoint.encode_resource(resource, _MASKED)
