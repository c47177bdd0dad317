"""Case number (办件编号): the key of a case in all data sets, and how this kit makes one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from yiwang.standard import dates
from yiwang.standard.checks import ALPHANUMERIC
from yiwang.standard.code import Code, Part, characters, wrong_character
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.item import FORMS, ItemCode
from yiwang.standard.labels import KIT, Label, Source, numbered

KIND = "case"
SOURCE = Source("GB/T 39046-2020", numbered(5, row=1))
# As used in Guangdong; no national structure was confirmed.
LAYOUT_SOURCE = Source(Label("广东的做法", "Guangdong practice"))
LONGEST = 50
LAST_SERIAL = 999_999

DATE = Label("日期", "date")
SERIAL = Label("顺序号", "serial")
_NAME = Label("办件编号", "case number")
_shape = re.compile(f"[0-9A-Z]{{1,{LONGEST}}}").fullmatch
_layout = re.compile("([0-9A-Z]{31})([0-9]{8})([0-9]{4,6})").fullmatch

# Gives the next number for a key, from 1, and never the same one twice for a key: whoever asks, in whichever process, after any crash.
# A database sequence for each key will do, and so will `serials.SerialFile`.
SerialSource = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class CaseNumber(Code):
    """Up to 50 digits and capital letters.

    GB/T 39046-2020 has the length (an..50, confidence high); that they are digits and capital letters is this kit's rule. A number in the
    layout of this kit is an implementing code (31), a date YYYYMMDD and a serial of 4 to 6 digits; other layouts are as valid, and have
    no parts.
    """

    @classmethod
    def parse(cls, text: str, *, table: Divisions | None = None) -> CaseNumber:
        """The number in ``text``. Raises CodeError.

        One that only looks like the layout comes with a warning, and so does one whose implementing body has a wrong check character.
        ``table``: divisions whose provinces have items, the national ones else; a number of another province has no parts.
        """
        if _shape(text) is None:
            _refuse(text)
        match = _layout(text)
        item = _item(match[1], table) if match else None
        if match is None or item is None:
            return cls(text, table=table)
        if dates.compact(match[2]) is not None:
            return cls(text, item.warnings, table=table)
        return cls(text, (Finding(Problem.LAYOUT, LAYOUT_SOURCE, 32, {"found": match[2]}, Severity.WARNING),), table=table)

    @classmethod
    def generate(cls, implementing: str, day: datetime.date, serials: SerialSource, *, table: Divisions | None = None) -> CaseNumber:
        """A new number for a case of an item on a day (of a time: the day in China). Raises CodeError.

        It is unique where all who make numbers share ``serials``. ``table``: divisions whose provinces have items, the national ones else.
        """
        code = ItemCode.parse(implementing, table=table)
        if code.form != "implementing":
            values = {"part": FORMS["implementing"], "expected": characters(31), "found": len(implementing)}
            raise CodeError(KIND, Finding(Problem.VALUE, LAYOUT_SOURCE, None, values))
        date = dates.china_day(day)
        key = f"{implementing}{date.year:04d}{date:%m%d}"
        serial = serials(key)
        if not 1 <= serial <= LAST_SERIAL:
            raise CodeError(KIND, Finding(Problem.SERIAL, KIT, None, {"expected": LAST_SERIAL, "found": serial}))
        return cls(f"{key}{serial:04d}", code.warnings, table=table)

    def _split(self) -> tuple[str, str, str] | None:
        match = _layout(self.text)
        if match is None or _item(match[1], self.table) is None or dates.compact(match[2]) is None:
            return None
        return match[1], match[2], match[3]

    @property
    def implementing(self) -> str | None:
        """Implementing code of the item; None in another layout."""
        parts = self._split()
        return parts[0] if parts else None

    @property
    def date(self) -> datetime.date | None:
        """The day on which the number was made; None in another layout."""
        parts = self._split()
        return dates.compact(parts[1]) if parts else None

    @property
    def serial(self) -> int | None:
        """Serial of the day and item; None in another layout."""
        parts = self._split()
        return int(parts[2]) if parts else None

    def parts(self) -> tuple[Part, ...]:
        """Implementing code and its parts, date and serial, or the number as a whole where it has another layout."""
        found = self._split()
        if found is None:
            return (Part("case", _NAME, self.text, 1, Label("其他编号规则", "another layout")),)
        day = datetime.date(int(found[1][:4]), int(found[1][4:6]), int(found[1][6:])).isoformat()
        return (
            Part("implementing", FORMS["implementing"], found[0], 1),
            *ItemCode.parse(found[0], table=self.table).parts(),
            Part("date", DATE, found[1], 32, Label(day, day)),
            Part("serial", SERIAL, found[2], 40),
        )


def _item(text: str, table: Divisions | None) -> ItemCode | None:
    try:
        return ItemCode.parse(text, table=table)
    except CodeError:
        return None


def _refuse(text: str) -> NoReturn:
    """Raise the CodeError for a text of the wrong shape."""
    if not text:
        raise CodeError(KIND, Finding(Problem.EMPTY, SOURCE))
    for position, character in enumerate(text[:LONGEST], 1):
        if character not in ALPHANUMERIC:
            raise CodeError(KIND, wrong_character(_NAME, "0-9 A-Z", character, position, KIT))
    raise CodeError(KIND, Finding(Problem.TOO_LONG, SOURCE, None, {"expected": LONGEST, "found": len(text)}))
