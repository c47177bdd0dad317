"""The table of administrative divisions of China at county level and above, by their GB/T 2260 codes.

The national table is ``data/divisions.csv`` (source and date in its first line); it is read on first use. A province adds its own
rows, development zones or 兵团, from a file of the same form: ``national().extended(path)``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from yiwang.standard import rows
from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import Label, Source
from yiwang.standard.names import PROVINCES

Level = Literal["province", "prefecture", "county"]

SOURCE = Source("GB/T 2260")
KIND = "divisions"
COLUMNS = ("code", "name", "level", "parent")

_TABLE = Path(__file__).parent / "data" / "divisions.csv"
_SIX_DIGITS = re.compile("[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Division:
    """One division: ``code`` has six digits, ``parent`` is the code of the next level up (``None`` for a province)."""

    code: str
    name: str
    level: Level
    parent: str | None

    @property
    def label(self) -> Label:
        """The name; in English that of a province, for the others there is none but the Chinese one."""
        return Label(self.name, PROVINCES.get(self.code, self.name))


class Divisions:
    """Divisions by code: the national ones, or those and a province's own."""

    def __init__(self, given: Iterable[Division]) -> None:
        self._by_code = {division.code: division for division in sorted(given, key=lambda division: division.code)}
        grouped: dict[str, list[Division]] = {}
        for division in self._by_code.values():
            if division.parent is not None:
                grouped.setdefault(division.parent, []).append(division)
        self._by_parent = {parent: tuple(found) for parent, found in grouped.items()}
        self._prefixes = frozenset(division.code[:2] for division in self.provinces())

    @property
    def table(self) -> Mapping[str, Division]:
        """All divisions by code, in the order of their codes."""
        return self._by_code

    def lookup(self, code: str) -> Division | None:
        """The division with this code, or ``None``."""
        return self._by_code.get(code)

    def children(self, code: str) -> tuple[Division, ...]:
        """The divisions directly under ``code``, in the order of their codes (none for an unknown code).

        Those of a province are the kit's cities: its prefectures, the districts of a 直辖市, counties that the province governs itself.
        """
        return self._by_parent.get(code, ())

    def provinces(self) -> tuple[Division, ...]:
        """All divisions at province level, in the order of their codes."""
        return tuple(division for division in self._by_code.values() if division.level == "province")

    def has_province(self, digits: str) -> bool:
        """Whether ``digits`` (two) are how the code of a province begins."""
        return digits in self._prefixes

    def extended(self, path: Path) -> Divisions:
        """These and the rows of the file at ``path``, which win over those with the same code.

        The file is UTF-8, with the columns code, name, level, parent in its first line; lines that begin with # are left out. Raises
        CodeError with line, column and what was expected; OSError where the file cannot be read.
        """
        own = _read(path)
        known = self._by_code.keys() | {division.code for _, division in own}
        for line, division in own:
            if division.parent is not None and division.parent not in known:
                raise CodeError(KIND, Finding(Problem.TABLE_PARENT, SOURCE, None, {"found": division.parent, "line": line}))
        return Divisions({**self._by_code, **{division.code: division for _, division in own}}.values())


@functools.cache
def national() -> Divisions:
    """The national table."""
    return Divisions(division for _, division in _read(_TABLE))


def table() -> Mapping[str, Division]:
    """All divisions of the national table by code, in the order of their codes."""
    return national().table


def lookup(code: str) -> Division | None:
    """The division with this code in the national table, or ``None``."""
    return national().lookup(code)


def label(code: str) -> Label | None:
    """The name of the division with this code in the national table, or ``None``."""
    found = lookup(code)
    return found.label if found else None


def children(code: str) -> tuple[Division, ...]:
    """The divisions directly under ``code`` in the national table, in the order of their codes (none for an unknown code)."""
    return national().children(code)


def provinces() -> tuple[Division, ...]:
    """All divisions at province level, in the order of their codes."""
    return national().provinces()


def _read(path: Path) -> list[tuple[int, Division]]:
    """The rows of a file, each with its line from 1."""
    found: dict[str, tuple[int, Division]] = {}
    for number, cells in rows.read(path, COLUMNS, KIND, SOURCE):
        division = _row(number, cells)
        if division.code in found:
            raise rows.twice(KIND, SOURCE, number, division.code)
        found[division.code] = (number, division)
    return list(found.values())


def _row(number: int, cells: list[str]) -> Division:
    """One row. Raises CodeError."""
    code, name, level, parent = cells
    top = level == "province"
    above = Label("空（省级）", "nothing, for a province") if top else Label("上级的六位代码", "the six digits of the level above")
    has_above = not parent if top else bool(_SIX_DIGITS.fullmatch(parent)) and parent != code
    for column, expected, cell, right in (
        ("code", Label("六位数字", "six digits"), code, bool(_SIX_DIGITS.fullmatch(code))),
        ("name", Label("名称", "a name"), name, bool(name.strip())),
        ("level", ", ".join(get_args(Level)), level, level in get_args(Level)),
        ("parent", above, parent, has_above),
    ):
        if not right:
            raise rows.wrong(KIND, SOURCE, number, Label(f" {column} ", column), expected, repr(cell))
    return Division(code, name, cast("Level", level), parent or None)
