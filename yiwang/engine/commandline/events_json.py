"""Engine events in the CLI's JSON form (``apitype.EngineEvent``): of ``--event-log``, and of ``--json`` in an up, refresh or destroy."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from yiwang.engine import urn as urns
from yiwang.engine.events import Diagnostic, Event, InFlight, StepEvent, StepFinished
from yiwang.engine.resource import Resource
from yiwang.engine.values import SECRET, SIGNATURE, Value, is_secret

# Steps that the program asked for, in contrast to the parts of a replacement and to what a refresh finds.
LOGICAL = frozenset({"same", "create", "update", "delete", "replace", "read", "discard", "import"})
_BLIND = {SIGNATURE: SECRET, "ciphertext": "[secret]"}
_NEVER = "never"


def blind(value: Value) -> Value:
    """A copy of ``value`` with each secret as an encrypted one that cannot be opened, as the CLI logs it."""
    if isinstance(value, dict):
        return _BLIND if is_secret(value) else {key: blind(item) for key, item in value.items()}
    return [blind(item) for item in value] if isinstance(value, list) else value


class Events:
    """Numbers and stamps the events of one run. ``planning``: it is a preview."""

    def __init__(self, *, planning: bool) -> None:
        self._planning = planning
        self._numbers = itertools.count()

    def prelude(self, config: Mapping[str, str]) -> str:
        """The first event: the configuration, secrets blinded."""
        return self._line("preludeEvent", {"config": dict(config)})

    def of(self, event: Event) -> str | None:
        """One of the engine's events, None for what the CLI has no event for."""
        if isinstance(event, Diagnostic):
            return self._line("diagnosticEvent", _diagnostic(event))
        if isinstance(event, InFlight):
            return None
        metadata = _metadata(event)
        if not isinstance(event, StepFinished):
            if event.op == "same" and metadata["new"] is not None:
                # With the CLI, what stays as it is gets its id when the step ends.
                metadata["new"]["id"] = ""
            return self._line("resourcePreEvent", {"metadata": metadata, **self._plan()})
        if event.result == "failed":
            return self._line("resOpFailedEvent", {"metadata": metadata, "status": 0, "steps": 0})
        # A refresh ends under the name of what it found.
        metadata["op"] = event.outcome or event.op
        return self._line("resOutputsEvent", {"metadata": metadata, **self._plan()})

    def end(self, *, changes: Mapping[str, int], seconds: float, ok: bool) -> Iterator[str]:
        """The last two events: the summary, and that nothing more comes."""
        summary = {
            "maybeCorrupt": False,
            "durationSeconds": math.ceil(seconds),
            "resourceChanges": dict(changes),
            "PolicyPacks": {},
            "isPreview": self._planning,
            "result": "succeeded" if ok else "failed",
        }
        yield self._line("summaryEvent", summary)
        yield self._line("cancelEvent", {})

    def _plan(self) -> dict[str, bool]:
        return {"planning": True} if self._planning else {}

    def _line(self, kind: str, content: Mapping[str, Any]) -> str:
        found = {"sequence": next(self._numbers), "timestamp": int(time.time()), kind: content}
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def prefix_of(severity: str) -> str:
    """What stands before a message."""
    return f"{severity}: " if severity in {"error", "warning"} else ""


def _diagnostic(event: Diagnostic) -> dict[str, Any]:
    found: dict[str, Any] = {"urn": event.urn} if event.urn else {}
    if prefix_of(event.severity):
        found["prefix"] = prefix_of(event.severity)
    return {**found, "message": f"{event.message}\n", "color": _NEVER, "severity": event.severity}


def _metadata(event: StepEvent) -> dict[str, Any]:
    of = event.new or event.old
    found: dict[str, Any] = {
        "op": event.op,
        "urn": event.urn,
        "type": event.type,
        "old": _state(event.old),
        "new": _state(event.new),
    }
    if event.keys:
        found["keys"] = list(event.keys)
    if event.diffs and event.detailed:
        found["diffs"] = list(event.diffs)
    found["detailedDiff"] = {
        path: {"diffKind": kind, "inputDiff": path in event.input_diffs} for path, kind in event.detailed.items()
    } or None
    if event.op in LOGICAL:
        found["logical"] = True
    found["provider"] = of.provider if of is not None else ""
    return found


def _state(resource: Resource | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    marks = {
        "custom": resource.custom,
        "delete": resource.delete,
        "protect": resource.protect,
        "taint": resource.taint,
        "external": resource.external,
        "retainOnDelete": resource.retain_on_delete,
    }
    found: dict[str, Any] = {"type": resource.type, "urn": resource.urn, "id": resource.id, "parent": resource.parent}
    found |= {key: value for key, value in marks.items() if value}
    found["inputs"] = blind({key: value for key, value in resource.inputs.items() if key != "__internal"})
    found["outputs"] = blind(resource.outputs)
    found["provider"] = resource.provider
    if resource.init_errors:
        found["initErrors"] = list(resource.init_errors)
    return found


def internal(event: StepEvent) -> bool:
    """Whether a step is about a provider nobody declared: logged, but shown to nobody."""
    return urns.is_default_provider(event.urn)
