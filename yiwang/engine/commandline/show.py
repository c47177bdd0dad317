"""Values and tables for people, as the CLI shows them."""

from __future__ import annotations

import datetime
import json
from typing import Any


def aligned(rows: list[list[str]], header: list[str]) -> str:
    """Columns two spaces apart."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [header, *rows])


def one_line(value: Any) -> str:
    """A value in one line: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def outputs_text(outputs: dict[str, Any]) -> str:
    """The outputs of a stack."""
    head = f"Current stack outputs ({len(outputs)}):"
    if not outputs:
        return f"{head}\n    No output values currently in this stack"
    rows = [[key, one_line(outputs[key])] for key in sorted(outputs)]
    return "\n".join([head, *(f"    {line}" for line in aligned(rows, ["OUTPUT", "VALUE"]).splitlines())])


_UNITS = ((365 * 86400, "year"), (30 * 86400, "month"), (7 * 86400, "week"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def age(moment: str) -> str:
    """How long ago a time (RFC 3339, UTC) was; ``n/a`` for none, and for what is no time."""
    try:
        then = datetime.datetime.fromisoformat(moment[:19]).replace(tzinfo=datetime.UTC)
    except ValueError:
        return "n/a"
    seconds = int((datetime.datetime.now(datetime.UTC) - then).total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"
