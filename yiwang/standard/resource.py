"""Code of a government information resource (政务信息资源代码), 发改高技〔2017〕1272号."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from yiwang.standard.checks import DIGITS
from yiwang.standard.code import Code, Part, wrong_character
from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import Label, Source
from yiwang.standard.tables.resources import GUIDE, DepartmentItem, ResourceClass

KIND = "resource"
SOURCE = GUIDE
SLASH_SOURCE = Source(GUIDE.document, None, "medium")

CLASS = Label("类", "class")
ITEM = Label("项", "item")
SUBJECT = Label("目", "subject")
DETAIL = Label("细目", "detail")
SERIAL = Label("顺序码", "serial")
FRONT = 6
_shape = re.compile("[123][0-9]{5,}(?:/[0-9]+)?").fullmatch


@dataclass(frozen=True, slots=True)
class ResourceCode(Code):
    """类 1 digit, 项 2, 目 3, 细目 any number of digits; then, after a slash, a serial of any length.

    发改高技〔2017〕1272号 (confidence high; that the serial follows a slash: medium). There is no check digit.
    """

    @classmethod
    def parse(cls, text: str) -> ResourceCode:
        """The code in ``text``. Raises CodeError."""
        if _shape(text) is None:
            _refuse(text)
        return cls(text)

    @classmethod
    def generate(cls, classification: str, serial: str) -> ResourceCode:
        """The code of a resource of a class (类-项-目-细目 in a row) with its serial. Raises CodeError."""
        return cls.parse(f"{classification}/{serial}")

    @property
    def classification(self) -> str:
        """分类码: all before the slash."""
        return self.text.partition("/")[0]

    @property
    def resource_class(self) -> ResourceClass:
        """类."""
        return ResourceClass.of(self.text[0])

    @property
    def item(self) -> str:
        """项, 2 digits."""
        return self.text[1:3]

    @property
    def subject(self) -> str:
        """目, 3 digits."""
        return self.text[3:FRONT]

    @property
    def detail(self) -> str:
        """细目, any number of digits."""
        return self.classification[FRONT:]

    @property
    def serial(self) -> str | None:
        """顺序码; None in the code of a class."""
        return self.text.partition("/")[2] or None

    def parts(self) -> tuple[Part, ...]:
        """类, 项, 目, and 细目 and 顺序码 where there are any."""
        kind = self.resource_class
        found = [
            Part("class", CLASS, kind.code, 1, kind.label),
            Part("item", ITEM, self.item, 2, DepartmentItem.label_of(self.text[:3])),
            Part("subject", SUBJECT, self.subject, 4),
        ]
        if self.detail:
            found.append(Part("detail", DETAIL, self.detail, FRONT + 1))
        if self.serial:
            found.append(Part("serial", SERIAL, self.serial, len(self.classification) + 2))
        return tuple(found)


def _refuse(text: str) -> NoReturn:
    """Raise the CodeError for a text of the wrong shape."""
    if not text:
        raise CodeError(KIND, Finding(Problem.EMPTY, SOURCE))
    front, slash, serial = text.partition("/")
    for position, character in enumerate(front, 1):
        if character not in ("123" if position == 1 else DIGITS):
            name = CLASS if position == 1 else ITEM if position <= 3 else SUBJECT if position <= FRONT else DETAIL
            raise CodeError(KIND, wrong_character(name, "1-3" if position == 1 else "0-9", character, position, SOURCE))
    if len(front) < FRONT:
        raise CodeError(KIND, Finding(Problem.TOO_SHORT, SOURCE, None, {"expected": FRONT, "found": len(front)}))
    for position, character in enumerate(serial, len(front) + 2):
        if character not in DIGITS:
            raise CodeError(KIND, wrong_character(SERIAL, "0-9", character, position, SLASH_SOURCE))
    raise CodeError(KIND, Finding(Problem.REQUIRED, SLASH_SOURCE, len(front) + len(slash), {"part": SERIAL}))
