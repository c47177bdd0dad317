"""Codes of items (政务服务事项): basic code (基本编码), implementing code (实施编码), code of a handling item (业务办理项编码)."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Literal

from yiwang.standard import checks, divisions, uscc
from yiwang.standard.checks import ALPHANUMERIC, CREDIT_ALPHABET, DIGITS
from yiwang.standard.code import CREDIT_CHARACTERS, Code, Part, Piece, expect_length, refuse, wrong_character
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import Label, Source
from yiwang.standard.tables.items import ExerciseLevel, type_label

KIND = "item"
# The text of the standard was not read; the structure agrees with six codes in use.
SOURCE = Source("GB/T 39554.1-2020 / ZWFW C0109.1-2018")
LEGACY_SOURCE = Source("国办函〔2016〕108号 / GB/T 39046-2020", None, "medium")

Profile = Literal["zwfw-2018", "108-2016"]
Form = Literal["basic", "implementing", "handling"]
FORMS: dict[Form, Label] = {
    "basic": Label("基本编码", "basic code"),
    "implementing": Label("实施编码", "implementing code"),
    "handling": Label("业务办理项编码", "handling item code"),
}
LENGTHS: dict[Form, int] = {"basic": 12, "implementing": 31, "handling": 33}
LEGACY_BASIC, LEGACY_IMPLEMENTING = 10, 24

BODY = Label("实施主体代码", "implementing body")
LEVEL = Label("行使层级代码", "level of exercise")
BASIC = FORMS["basic"]
HANDLING = Label("业务办理项序号", "serial of the handling item")
_PIECES = (
    Piece(BODY, 18, CREDIT_ALPHABET, CREDIT_CHARACTERS),
    Piece(LEVEL, 1, "1234567", "1-7"),
    Piece(BASIC, 12, DIGITS, "0-9"),
    Piece(HANDLING, 2, DIGITS, "0-9"),
)
_LENGTH_PIECES = {12: _PIECES[2:3], 31: _PIECES[:3], 33: _PIECES}
_shape = re.compile(f"(?:[{CREDIT_ALPHABET}]{{18}}[1-7])?[0-9]{{12}}|[{CREDIT_ALPHABET}]{{18}}[1-7][0-9]{{14}}").fullmatch
_legacy_shape = re.compile("[0-9A-Z]{1,24}").fullmatch


@dataclass(frozen=True, slots=True)
class ItemCode(Code):
    """A code of an item in one of its three forms.

    Profile ``zwfw-2018`` (confidence high): a basic code is 12 digits, 1-2 are 00 for the national catalogue or begin a province's code,
    3-4 the type; how the other eight split is not confirmed and not checked. An implementing code (31) is a social credit code, a digit
    for the level, a basic code. A handling item's code (33) adds a serial of two digits.

    Profile ``108-2016``, of older systems (confidence medium): a basic code of up to 10, an implementing code of up to 24 digits and
    capital letters; nothing inside is checked.
    """

    profile: Profile = field(default="zwfw-2018", compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, profile: Profile = "zwfw-2018", table: Divisions | None = None) -> ItemCode:
        """The code in ``text``. Raises CodeError.

        A wrong check character of the implementing body is a warning: some bodies in use have one. ``table``: divisions whose provinces
        count, the national ones else.
        """
        if profile == "108-2016":
            return _legacy(text)
        if _shape(text) is None:
            _refuse(text)
        basic = text if len(text) == LENGTHS["basic"] else text[19:31]
        start = 0 if len(text) == LENGTHS["basic"] else 19
        if basic[:2] != "00" and not (table or divisions.national()).has_province(basic[:2]):
            raise CodeError(KIND, Finding(Problem.NO_PROVINCE, SOURCE, start + 1, {"found": basic[:2]}))
        if type_label(basic[2:4]) is None:
            raise CodeError(KIND, Finding(Problem.NO_ITEM_TYPE, SOURCE, start + 3, {"found": basic[2:4]}))
        return cls(text, body_findings(text, 0) if start else (), table=table)

    @classmethod
    def generate(cls, basic: str, body: str = "", level: str = "", handling: str = "", *, table: Divisions | None = None) -> ItemCode:
        """The code made of its parts, of the form they make up. Raises CodeError."""
        if bool(body) != bool(level) or (handling and not body):
            lacking = LEVEL if body else BODY
            raise CodeError(KIND, Finding(Problem.REQUIRED, SOURCE, None, {"part": lacking}))
        for piece, text in zip(_PIECES, (body, level, basic, handling), strict=True):
            if text or piece.name is BASIC:
                expect_length(KIND, piece, text, SOURCE)
        return cls.parse(f"{body}{level}{basic}{handling}", table=table)

    @property
    def form(self) -> Form:
        """Which of the three codes it is."""
        if self.profile == "108-2016":
            return "basic" if len(self.text) <= LEGACY_BASIC else "implementing"
        return next(form for form, length in LENGTHS.items() if length == len(self.text))

    @property
    def body(self) -> str | None:
        """Social credit code of the implementing body; None in a basic code and in an older one."""
        return self.text[:18] if self.profile == "zwfw-2018" and self.form != "basic" else None

    @property
    def level(self) -> ExerciseLevel | None:
        """Level at which the item is exercised; None in a basic code and in an older one."""
        return ExerciseLevel.of(self.text[18]) if self.body else None

    @property
    def basic(self) -> str | None:
        """The basic code, which all levels share; None in an older implementing code."""
        if self.form == "basic":
            return self.text
        return self.text[19:31] if self.body else None

    @property
    def implementing(self) -> str | None:
        """The implementing code; None in a basic code."""
        return self.text[:31] if self.form != "basic" else None

    @property
    def handling(self) -> str | None:
        """Serial of the handling item; None where the code has none."""
        return self.text[31:33] if self.form == "handling" else None

    @property
    def province(self) -> str | None:
        """Where the item is catalogued: 00 for the nation, else the first two digits of a province's code; None in older codes."""
        return self.basic[:2] if self.basic and self.profile == "zwfw-2018" else None

    @property
    def type(self) -> str | None:
        """Code of the item's type; None in older codes."""
        return self.basic[2:4] if self.basic and self.profile == "zwfw-2018" else None

    def parts(self) -> tuple[Part, ...]:
        """The parts that the form has."""
        if self.profile == "108-2016" or self.basic is None:
            return (Part(self.form, FORMS[self.form], self.text, 1),)
        start, found = 1, []
        if self.body and self.level:
            found.append(Part("body", BODY, self.body, 1, uscc.words(self.body, self.table)))
            found.append(Part("level", LEVEL, self.level.code, 19, self.level.label))
            start = 20
        found.append(Part("basic", BASIC, self.basic, start))
        scope = Label("国家目录", "national catalogue") if self.basic[:2] == "00" else self._division(f"{self.basic[:2]}0000")
        found.append(Part("province", Label("目录归属", "catalogue of"), self.basic[:2], start, scope))
        found.append(Part("type", Label("事项类型代码", "type of item"), self.basic[2:4], start + 2, type_label(self.basic[2:4])))
        if self.handling:
            found.append(Part("handling", HANDLING, self.handling, 32))
        return tuple(found)


def body_findings(text: str, start: int) -> tuple[Finding, ...]:
    """Warnings on the social credit code inside ``text`` that begins after ``start`` characters."""
    body = text[start : start + 18]
    if not all(digit in DIGITS for digit in body[2:8]):
        position = next(place for place in range(2, 8) if body[place] not in DIGITS)
        found = wrong_character(uscc.DIVISION, "0-9", body[position], start + position + 1, uscc.SOURCE)
        return (dataclasses.replace(found, severity=Severity.WARNING),)
    if checks.credit_matches(body) and checks.organisation(body[8:16]) == body[16]:
        return ()
    return uscc.mismatches(body, offset=start)


def _legacy(text: str) -> ItemCode:
    if not text:
        raise CodeError(KIND, Finding(Problem.EMPTY, LEGACY_SOURCE))
    if len(text) > LEGACY_IMPLEMENTING:
        values = {"expected": LEGACY_IMPLEMENTING, "found": len(text)}
        raise CodeError(KIND, Finding(Problem.TOO_LONG, LEGACY_SOURCE, None, values))
    if _legacy_shape(text) is None:
        name = FORMS["basic" if len(text) <= LEGACY_BASIC else "implementing"]
        refuse(KIND, text, (Piece(name, len(text), ALPHANUMERIC, "0-9 A-Z"),), LEGACY_SOURCE)
    return ItemCode(text, (), "108-2016")


def _refuse(text: str) -> None:
    """Raise the CodeError for a text that has none of the three forms."""
    if not text:
        raise CodeError(KIND, Finding(Problem.EMPTY, SOURCE))
    pieces = _LENGTH_PIECES.get(len(text))
    if pieces is None:
        expected = Label(
            "12（基本编码）、31（实施编码）或 33（业务办理项编码）", "12 (basic code), 31 (implementing code) or 33 (handling item code)"
        )
        raise CodeError(KIND, Finding(Problem.LENGTH, SOURCE, None, {"expected": expected, "found": len(text)}))
    refuse(KIND, text, pieces, SOURCE)
