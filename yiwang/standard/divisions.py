"""Administrative divisions of China at county level and above, by their GB/T 2260 codes.

The table is ``data/divisions.csv`` (source and date in its first line); it is read on first use.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Level = Literal["province", "prefecture", "county"]

_TABLE = Path(__file__).parent / "data" / "divisions.csv"


@dataclass(frozen=True, slots=True)
class Division:
    """One division: ``code`` has six digits, ``parent`` is the code of the next level up (``None`` for a province)."""

    code: str
    name: str
    level: Level
    parent: str | None


@functools.cache
def table() -> Mapping[str, Division]:
    """All divisions by code, in the order of their codes."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(line for line in file if not line.startswith("#"))
        next(rows)
        found = (Division(code, name, cast("Level", level), parent or None) for code, name, level, parent in rows)
        return {division.code: division for division in sorted(found, key=lambda division: division.code)}


@functools.cache
def _by_parent() -> Mapping[str, tuple[Division, ...]]:
    grouped: dict[str, list[Division]] = {}
    for division in table().values():
        if division.parent is not None:
            grouped.setdefault(division.parent, []).append(division)
    return {parent: tuple(children) for parent, children in grouped.items()}


def lookup(code: str) -> Division | None:
    """The division with this code, or ``None``."""
    return table().get(code)


def children(code: str) -> tuple[Division, ...]:
    """The divisions directly under ``code``, in the order of their codes (none for an unknown code)."""
    return _by_parent().get(code, ())


def provinces() -> tuple[Division, ...]:
    """All divisions at province level, in the order of their codes."""
    return tuple(division for division in table().values() if division.level == "province")
