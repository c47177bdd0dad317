"""Unified social credit code (统一社会信用代码), GB 32100-2015, with the organisation code of GB 11714 inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yiwang.standard import checks, divisions
from yiwang.standard.checks import CREDIT_ALPHABET, DIGITS
from yiwang.standard.code import CREDIT_CHARACTERS, Code, Part, Piece, expect_length, refuse
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import Label, Source
from yiwang.standard.tables.bodies import CreditAuthority, CreditCategory

KIND = "uscc"
SOURCE = Source("GB 32100-2015")
ORGANISATION_SOURCE = Source("GB 11714")

AUTHORITY = Label("登记管理部门代码", "registering authority")
CATEGORY = Label("机构类别代码", "category")
DIVISION = Label("登记管理机关行政区划码", "division of the authority")
SUBJECT = Label("主体标识码", "subject code")
CHECK = Label("校验码", "check character")
PIECES = (
    Piece(AUTHORITY, 1, CREDIT_ALPHABET, CREDIT_CHARACTERS),
    Piece(CATEGORY, 1, CREDIT_ALPHABET, CREDIT_CHARACTERS),
    Piece(DIVISION, 6, DIGITS, "0-9"),
    Piece(SUBJECT, 9, CREDIT_ALPHABET, CREDIT_CHARACTERS),
    Piece(CHECK, 1, CREDIT_ALPHABET, CREDIT_CHARACTERS),
)
_shape = re.compile(f"[{CREDIT_ALPHABET}]{{2}}[0-9]{{6}}[{CREDIT_ALPHABET}]{{10}}").fullmatch


@dataclass(frozen=True, slots=True)
class Uscc(Code):
    """A unified social credit code: 18 characters of 0-9 and A-Z without I O S V Z.

    GB 32100-2015 (confidence high): 1 registering authority, 2 category, 3-8 division by GB/T 2260, 9-17 subject code, which is an
    organisation code by GB 11714 with its own check character, 18 check character.
    """

    @classmethod
    def parse(cls, text: str, *, mismatch: Severity = Severity.ERROR, table: Divisions | None = None) -> Uscc:
        """The code in ``text``. Raises CodeError.

        ``mismatch``: what a wrong check character is. Some codes in use fail, so data that comes from outside is read with a
        warning; what a person configures is an error. ``table``: the divisions that name the authority's, the national ones else.
        """
        if _shape(text) is None:
            refuse(KIND, text, PIECES, SOURCE)
        if checks.credit_matches(text) and checks.organisation(text[8:16]) == text[16]:
            return cls(text, table=table)
        found = mismatches(text, mismatch)
        if mismatch is Severity.ERROR:
            raise CodeError(KIND, *found)
        return cls(text, found, table=table)

    @classmethod
    def generate(cls, authority: str, category: str, division: str, subject: str, *, table: Divisions | None = None) -> Uscc:
        """The code of a body: ``subject`` is the organisation code, 8 characters without its check character or 9 with it.

        Only the registering authorities issue such codes. Raises CodeError.
        """
        inner = subject
        if len(subject) == 8 and all(character in CREDIT_ALPHABET for character in subject):
            inner += checks.organisation(subject)
        for piece, text in zip(PIECES, (authority, category, division, inner), strict=False):
            expect_length(KIND, piece, text, SOURCE)
        first = f"{authority}{category}{division}{inner}"
        if _shape(f"{first}0") is None:
            refuse(KIND, f"{first}0", PIECES, SOURCE)
        return cls.parse(first + checks.credit(first), table=table)

    @property
    def authority(self) -> str:
        """Registering authority, 1 character."""
        return self.text[0]

    @property
    def category(self) -> str:
        """Category, 1 character that means something together with the authority."""
        return self.text[1]

    @property
    def division(self) -> str:
        """Division of the registering authority, 6 digits."""
        return self.text[2:8]

    @property
    def subject(self) -> str:
        """Subject code: the organisation code with its check character, 9 characters."""
        return self.text[8:17]

    @property
    def check(self) -> str:
        """Check character."""
        return self.text[17]

    def parts(self) -> tuple[Part, ...]:
        """The five parts; a division is named where the table has it."""
        return (
            Part("authority", AUTHORITY, self.authority, 1, CreditAuthority.label_of(self.authority)),
            Part("category", CATEGORY, self.category, 2, CreditCategory.label_of(self.text[:2])),
            Part("division", DIVISION, self.division, 3, self._division(self.division)),
            Part("subject", SUBJECT, self.subject, 9),
            Part("check", CHECK, self.check, 18),
        )


def is_valid(text: str) -> bool:
    """Whether ``text`` is a social credit code with both check characters right: what is fast enough for millions."""
    return _shape(text) is not None and checks.credit_matches(text) and checks.organisation(text[8:16]) == text[16]


def words(text: str, table: Divisions | None = None) -> Label | None:
    """What a code of the right shape says in words, category and division; None where neither is known."""
    place = (table or divisions.national()).lookup(text[2:8])
    known = [each for each in (CreditCategory.label_of(text[:2]), place.label if place else None) if each is not None]
    return Label("，".join(each.zh for each in known), ", ".join(each.en for each in known)) if known else None


def mismatches(text: str, severity: Severity = Severity.WARNING, offset: int = 0) -> tuple[Finding, ...]:
    """The findings on the check characters of a ``text`` of the right shape; ``offset``: characters before it in a longer code."""
    found = []
    inner = checks.organisation(text[8:16])
    if inner != text[16]:
        part = Label("主体标识码的校验码", "check character of the subject code")
        values = {"part": part, "expected": inner, "found": text[16]}
        found.append(Finding(Problem.CHECK, ORGANISATION_SOURCE, offset + 17, values, severity))
    if not checks.credit_matches(text):
        part = Label("统一社会信用代码的校验码", "check character of the social credit code")
        values = {"part": part, "expected": checks.credit(text[:17]), "found": text[17]}
        found.append(Finding(Problem.CHECK, SOURCE, offset + 18, values, severity))
    return tuple(found)
