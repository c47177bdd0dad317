"""A run as it is told on a terminal or in a pipe: what happens as it happens, then diagnostics, outputs and counts."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any

from yiwang.engine import urn as urns
from yiwang.engine.commandline.differences import changed_properties, property_lines
from yiwang.engine.commandline.events_json import internal, prefix_of
from yiwang.engine.commandline.place import out
from yiwang.engine.events import Diagnostic, Event, InFlight, StepEvent, StepFinished
from yiwang.engine.state import show

# Operation -> sign, what is being done, what was done, what would be done.
_WORDS = {
    "create": ("+", "creating", "created", "create"),
    "update": ("~", "updating", "updated", "update"),
    "delete": ("-", "deleting", "deleted", "delete"),
    "replace": ("+-", "replacing", "replaced", "replace"),
    "create-replacement": ("++", "creating replacement", "created replacement", "create replacement"),
    "delete-replaced": ("--", "deleting original", "deleted original", "delete original"),
    "read": (">", "reading", "read", "read"),
    "refresh": ("~", "refreshing", "", "refresh"),
    "discard": ("<", "discarding", "discarded", "discard"),
    "import": ("=", "importing", "imported", "import"),
}
_ORDER = tuple(_WORDS)
_TITLES = {"up": "Updating", "preview": "Previewing update", "refresh": "Refreshing", "destroy": "Destroying"}
# What is not told: whether anything is the same is in the counts.
_SILENT = frozenset({"same"})


class Display:
    """One run. ``dry``: nothing is changed. ``sames``: tell of what stays the same too. ``whole``: whole URNs as names.

    ``diff``: tell of each property. ``details``: the lines that tells, whether it does or not.
    """

    def __init__(self, kind: str, stack: str, *, dry: bool, sames: bool = False, whole: bool = False, diff: bool = False) -> None:
        self._diff = diff
        self.details: list[str] = []
        self._dry = dry
        self._sames = sames
        self._whole = whole
        self._diagnostics: list[Diagnostic] = []
        self._errored = 0
        self._stack = stack
        title = _TITLES[kind] if not dry or kind == "preview" else f"Previewing {kind}"
        out(f"{title} ({stack}):")

    def of(self, event: Event) -> None:
        """One event."""
        if isinstance(event, Diagnostic):
            self._diagnostics.append(event)
        elif isinstance(event, InFlight):
            self._diagnostics += [Diagnostic("warning", f"an earlier run was interrupted: {line}") for line in event.operations]
        elif not internal(event) and (event.op not in _SILENT or self._sames):
            self._step(event)

    def _step(self, event: StepEvent) -> None:
        sign, doing, done, plan = _WORDS.get(event.op, (" ", event.op, event.op, event.op))
        outcome = ""
        if isinstance(event, StepFinished):
            if event.result == "failed":
                self._errored += 1
                outcome = f"**{doing} failed**"
            elif event.outcome:
                sign, _, done, _ = _WORDS.get(event.outcome, (" ", "", "", ""))
                outcome = done
            else:
                outcome = done
            text = f"{outcome} ({event.seconds:.2f}s)" if outcome else ""
            if not text or self._dry:
                return
        else:
            text = plan if self._dry else f"{doing} (0s)"
        name = event.urn if self._whole else f"{event.type} {event.name}"
        changes = changed_properties(event)
        # Where no input differs, what the provider says does.
        names = [f"{mark}{key}" for mark, key, *_ in changes] or [f"~{key}" for key in event.diffs]
        reason = f" [diff: {','.join(names)}]" if names and event.old is not None else ""
        out(f" {sign:2} {name} {text}{reason}")
        if not isinstance(event, StepFinished) and (self._dry or self._diff):
            lines = property_lines(changes)
            self.details += [f" {sign:2} {name} {plan}", *lines]
            if self._diff and lines:
                out("\n".join(lines))

    def end(self, *, changes: Mapping[str, int], seconds: float, outputs: Mapping[str, Any] | None, secrets: bool = False) -> None:
        """Diagnostics, outputs (None: not to be shown), counts."""
        self._tell_diagnostics()
        if outputs:
            shown = show(dict(outputs), secrets=secrets)
            lines = [f"    {key}: {_value(shown[key])}" for key in sorted(shown)]
            out("\n".join(["Outputs:", *lines, ""]))
        out("\n".join(["Resources:", *self._counts(changes)]))
        if not self._dry:
            out(f"\nDuration: {_duration(seconds)}")

    def _tell_diagnostics(self) -> None:
        if not self._diagnostics:
            return
        by_urn: dict[str, list[Diagnostic]] = {}
        for entry in self._diagnostics:
            by_urn.setdefault(entry.urn, []).append(entry)
        lines = ["Diagnostics:"]
        for urn, entries in by_urn.items():
            lines.append(f"  {urns.type_of(urn)} ({urns.name_of(urn)}):" if urn else f"  {urns.STACK_TYPE} ({self._stack}):")
            for entry in entries:
                text = f"{prefix_of(entry.severity)}{entry.message}"
                lines += [f"    {line}" for line in text.splitlines()]
            lines.append("")
        out("\n".join(lines))

    def _counts(self, changes: Mapping[str, int]) -> list[str]:
        found = [(op, changes[op]) for op in _ORDER if changes.get(op) and op not in {"read", "refresh"}]
        lines = [f"    {_WORDS[op][0]} {count} {'to ' + _WORDS[op][3] if self._dry else _WORDS[op][2]}" for op, count in found]
        total = sum(count for _, count in found)
        pieces = [f"{total} change{'s' if total > 1 else ''}"] if len(found) > 1 else []
        pieces += [f"{changes['same']} unchanged"] if changes.get("same") else []
        lines += [f"    {'. '.join(pieces)}"] if pieces else []
        return [*lines, f"    {self._errored} errored"] if self._errored else lines


def _duration(seconds: float) -> str:
    whole = math.ceil(seconds)
    return time.strftime("%Mm%Ss" if whole < 3600 else "%Hh%Mm%Ss", time.gmtime(whole)).lstrip("0") if whole >= 60 else f"{whole}s"


def _value(value: Any) -> str:
    return str(value) if isinstance(value, str) and value in {"[secret]", "[unknown]"} else json.dumps(value, ensure_ascii=False)
