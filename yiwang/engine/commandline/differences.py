"""How the inputs of a resource differ, property by property, for people; what is secret stays so."""

from __future__ import annotations

import json
from typing import Any

from yiwang.engine.events import StepEvent
from yiwang.engine.values import equal, mask, reveal

# Sign, property, and the values before and after; for what is not there, None.
Change = tuple[str, str, Any, Any]


def changed_properties(event: StepEvent) -> list[Change]:
    """The properties that a step changes, by name: all of them where something is made; none where it is deleted or read."""
    if event.op in {"delete", "delete-replaced", "discard", "discard-replaced", "read", "same"} or event.new is None:
        return []
    before = event.old.inputs if event.old is not None else {}
    after = event.new.inputs
    shown_before, shown_after = mask(before), mask(after)
    plain_before, plain_after = reveal(before), reveal(after)
    found: list[Change] = []
    for key in sorted({*before, *after}):
        # What the SDK keeps for itself.
        if key.startswith("__"):
            continue
        if key not in before:
            found.append(("+", key, None, shown_after[key]))
        elif key not in after:
            found.append(("-", key, shown_before[key], None))
        elif not equal(plain_before[key], plain_after[key]):
            found.append(("~", key, shown_before[key], shown_after[key]))
    return found


def property_lines(changes: list[Change]) -> list[str]:
    """A line a property: ``+ key: value``, ``- key: value`` or ``~ key: before => after``."""
    lines = []
    for sign, key, before, after in changes:
        values = f"{_text(before)} => {_text(after)}" if sign == "~" else _text(after if sign == "+" else before)
        lines.append(f"      {sign} {key}: {values}")
    return lines


def _text(value: Any) -> str:
    return value if value in ("[secret]", "[unknown]") else json.dumps(value, ensure_ascii=False)
