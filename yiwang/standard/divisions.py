"""The table of administrative divisions of China at county level and above, by their GB/T 2260 codes.

The national table is ``data/divisions.csv`` (source and date in its first line); it is read on first use. A province adds its own
rows, development zones or 兵团, from a file of the same form: ``national().extended(path)``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from yiwang.standard import rows
from yiwang.standard.labels import Label, Source
from yiwang.standard.names import PROVINCES

Level = Literal["province", "prefecture", "county"]

SOURCE = Source("GB/T 2260")
KIND = "divisions"
COLUMNS = ("code", "name", "level", "parent")

_TABLE = Path(__file__).parent / "data" / "divisions.csv"
_SIX_DIGITS = re.compile("[0-9]{6}").fullmatch
_RANK: dict[Level, int] = {level: rank for rank, level in enumerate(get_args(Level))}
# How the code of each level looks, here and in the national table: no province begins with 00, and zeros stand for the levels below.
_CODES: dict[Level, tuple[Callable[[str], object], Label]] = {
    "province": (
        re.compile("(?!00)[0-9]{2}0000").fullmatch,
        Label("六位数字，以 0000 结尾，不以 00 开头", "six digits, the last four 0000, not the first two"),
    ),
    "prefecture": (
        re.compile("(?!00)[0-9]{2}(?!00)[0-9]{2}00").fullmatch,
        Label("六位数字，只有末两位为 00", "six digits, of the three pairs only the last 00"),
    ),
    "county": (
        re.compile("(?!00)[0-9]{4}(?!00)[0-9]{2}").fullmatch,
        Label("六位数字，前两位和末两位不为 00", "six digits, neither the first nor the last two 00"),
    ),
}


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
        CodeError with line, column and what was expected, also for a row that does not fit the others (its parent is not there, no higher,
        or of another province); OSError where the file cannot be read.
        """
        with rows.named(path):
            own = _read(path)
            merged = Divisions({**self._by_code, **{division.code: division for _, division in own}}.values())
            for line, division in own:
                _fit(merged, line, division)
        return merged


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
    for number, cells in rows.read(path, COLUMNS, KIND):
        division = _row(number, cells)
        if division.code in found:
            raise rows.twice(KIND, number, division.code)
        found[division.code] = (number, division)
    return list(found.values())


def _row(number: int, cells: list[str]) -> Division:
    """One row. Raises CodeError."""
    code, name, level, parent = cells
    if level not in get_args(Level):
        raise rows.wrong(KIND, number, "level", ", ".join(get_args(Level)), repr(level))
    shape, code_expected = _CODES[cast("Level", level)]
    if level == "province":
        above, has_above = Label("空（省级）", "nothing, for a province"), not parent
    else:
        above = Label(f"以 {code[:2]} 开头的六位代码", f"six digits that begin with {code[:2]}")
        has_above = bool(_SIX_DIGITS(parent)) and parent[:2] == code[:2]
    for column, expected, cell, right in (
        ("code", code_expected, code, bool(shape(code))),
        ("name", Label("可显示的名称，首尾无空格", "a name that prints, without blanks around it"), name, _is_name(name)),
        ("parent", above, parent, has_above),
    ):
        if not right:
            raise rows.wrong(KIND, number, column, expected, repr(cell))
    return Division(code, name, cast("Level", level), parent or None)


def _fit(table: Divisions, line: int, division: Division) -> None:
    """Raise the CodeError for a ``division`` of a ``line`` that is not below a higher one of the ``table``.

    By that nothing is below itself; and as the code tells the level, a row of one's own changes none of what is below it.
    """
    levels, rank = get_args(Level), _RANK[division.level]
    above = table.lookup(division.parent or "")
    if division.parent is not None and (above is None or _RANK[above.level] >= rank):
        expected = Label(f"表中{' 或 '.join(levels[:rank])} 级的代码", f"the code of a {' or '.join(levels[:rank])} in the table")
        found = Label(f"{above.code}（{above.level}）", f"{above.code} ({above.level})") if above else repr(division.parent)
        raise rows.wrong(KIND, line, "parent", expected, found)


def _is_name(text: str) -> bool:
    return bool(text) and text.isprintable() and text == text.strip()
