"""Citizen identity number (公民身份号码), GB 11643-1999, and the numbers of the same form for other residents."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Literal

from yiwang.standard import checks, dates, divisions
from yiwang.standard.checks import DIGITS
from yiwang.standard.code import Code, Part, Piece, refuse
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import Label, Source

KIND = "idcard"
SOURCE = Source("GB 11643-1999")
RESIDENT_SOURCE = Source(Label("港澳台居民居住证", "residence permit of Hong Kong, Macao or Taiwan"), None, "medium")
FOREIGN_SOURCE = Source(Label("外国人永久居留身份证（2023）", "identity card of foreign permanent residents (2023)"), None, "medium")

Form = Literal["citizen", "resident", "foreign"]
FORMS: dict[Form, Label] = {
    "citizen": Label("公民", "citizen"),
    "resident": Label("港澳台居民居住证", "residence permit of Hong Kong, Macao or Taiwan"),
    "foreign": Label("外国人永久居留身份证", "foreign permanent resident"),
}
# How the number of a foreign permanent resident begins.
FOREIGN = "9"
RESIDENTS = {
    "810000": Label("香港特别行政区", "Hong Kong"),
    "820000": Label("澳门特别行政区", "Macao"),
    "830000": Label("台湾地区", "Taiwan"),
}
DIVISION = Label("地址码", "division")
BIRTH = Label("出生日期码", "birth date")
SEQUENCE = Label("顺序码", "sequence")
CHECK = Label("校验码", "check character")
PIECES = (
    Piece(DIVISION, 6, DIGITS, "0-9"),
    Piece(BIRTH, 8, DIGITS, "0-9"),
    Piece(SEQUENCE, 3, DIGITS, "0-9"),
    Piece(CHECK, 1, f"{DIGITS}X", "0-9 X"),
)
_shape = re.compile("[0-9]{17}[0-9X]").fullmatch


@dataclass(frozen=True, slots=True)
class IdCard(Code):
    """A number of 18 characters: 6 division, 8 birth date, 3 sequence (odd for men), 1 check character (ISO 7064 MOD 11-2).

    GB 11643-1999 (confidence high). Residents of Hong Kong, Macao and Taiwan have numbers of the same form that begin with 810000,
    820000, 830000; those of foreign permanent residents since 2023 begin with 9 (both: confidence medium). Date and check character are
    required of all alike: so a first digit misread as 9 is an error like any. Numbers are issued by the police alone, so there is no
    ``generate``.
    """

    @classmethod
    def parse(cls, text: str, *, today: datetime.date | None = None, table: Divisions | None = None) -> IdCard:
        """The number in ``text``. Raises CodeError.

        The birth date must be one of the calendar and not after ``today``, where that is given. Whether the division is in the table
        (the national one, or ``table``) is a warning only: people keep the number of a division that was abolished since.
        """
        if _shape(text) is None:
            refuse(KIND, text, PIECES, SOURCE)
        found = [finding for finding in (_birth(text, today), _check(text)) if finding is not None]
        if found:
            raise CodeError(KIND, *found)
        return cls(text, () if text[0] == FOREIGN else _doubts(text[:6], table or divisions.national()), table=table)

    @property
    def form(self) -> Form:
        """Whose number it is."""
        return "foreign" if self.text[0] == FOREIGN else "resident" if self.division in RESIDENTS else "citizen"

    @property
    def division(self) -> str:
        """Division where the number was first given, 6 digits; in a foreign resident's number no division."""
        return self.text[:6]

    @property
    def birth(self) -> datetime.date:
        """Birth date."""
        return datetime.date(int(self.text[6:10]), int(self.text[10:12]), int(self.text[12:14]))

    @property
    def sequence(self) -> str:
        """Sequence among those born on one day in one division, 3 digits."""
        return self.text[14:17]

    @property
    def male(self) -> bool:
        """Whether the sequence is odd, which is how the numbers of men are."""
        return int(self.text[16]) % 2 == 1

    @property
    def check(self) -> str:
        """Check character."""
        return self.text[17]

    def masked(self) -> str:
        """The number as it may be shown: the first six and the last characters only."""
        return f"{self.text[:6]}{'*' * 11}{self.text[17]}"

    def parts(self) -> tuple[Part, ...]:
        """The four parts."""
        meaning = FORMS["foreign"] if self.form == "foreign" else RESIDENTS.get(self.division) or self._division(self.division)
        born = self.birth.isoformat()
        return (
            Part("division", DIVISION, self.division, 1, meaning),
            Part("birth", BIRTH, self.text[6:14], 7, Label(born, born)),
            Part("sequence", SEQUENCE, self.sequence, 15, Label("男", "male") if self.male else Label("女", "female")),
            Part("check", CHECK, self.check, 18),
        )


def _source(text: str) -> Source:
    return FOREIGN_SOURCE if text[0] == FOREIGN else SOURCE


def _birth(text: str, today: datetime.date | None) -> Finding | None:
    born = dates.compact(text[6:14])
    if born is None:
        return Finding(Problem.DATE, _source(text), 7, {"part": BIRTH, "found": text[6:14]})
    if today is not None and born > today:
        return Finding(Problem.DATE_FUTURE, _source(text), 7, {"part": BIRTH, "found": text[6:14]})
    return None


def _check(text: str) -> Finding | None:
    expected = checks.identity(text[:17])
    if expected == text[17]:
        return None
    return Finding(Problem.CHECK, _source(text), 18, {"part": CHECK, "expected": expected, "found": text[17]})


def _doubts(code: str, known: Divisions) -> tuple[Finding, ...]:
    if code in RESIDENTS or known.lookup(code) is not None:
        return ()
    if code[:2] in {"81", "82", "83"}:
        return (Finding(Problem.RESIDENT_FORM, RESIDENT_SOURCE, 1, {"found": code}, Severity.WARNING),)
    return (Finding(Problem.UNKNOWN_DIVISION, SOURCE, 1, {"found": code}, Severity.WARNING),)
