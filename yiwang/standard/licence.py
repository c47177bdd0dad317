"""Identifier of an e-licence (电子证照标识), GB/T 36904-2018."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from yiwang.standard import checks, divisions, item, uscc
from yiwang.standard.checks import ALPHANUMERIC, CREDIT_ALPHABET, DIGITS
from yiwang.standard.code import CREDIT_CHARACTERS, Code, Part, Piece, characters, wrong_character
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import Label, Source

KIND = "licence"
SOURCE = Source("GB/T 36904-2018")
ROOT = "1.2.156.3005.2"

TYPE = Label("证照类型代码", "licence type")
ISSUER = Label("证照颁发机构代码", "issuer")
SERIAL = Label("流水号", "serial")
VERSION = Label("版本号", "version")
CHECK = Label("校验位", "check character")
# What each part after the root is made of; 0 characters: any number of them but none.
_PARTS: tuple[tuple[Piece, ...], ...] = (
    (Piece(TYPE, 18, CREDIT_ALPHABET, CREDIT_CHARACTERS), Piece(TYPE, 3, DIGITS, "0-9")),
    (Piece(ISSUER, 18, CREDIT_ALPHABET, CREDIT_CHARACTERS),),
    (Piece(SERIAL, 0, ALPHANUMERIC, "0-9 A-Z"),),
    (Piece(VERSION, 3, DIGITS, "0-9"),),
    (Piece(CHECK, 1, ALPHANUMERIC, "0-9 A-Z"),),
)
_CREDIT = f"[{CREDIT_ALPHABET}]{{18}}"
_shape = re.compile(rf"{re.escape(ROOT)}\.{_CREDIT}[0-9]{{3}}\.{_CREDIT}\.[0-9A-Z]+\.(?!000)[0-9]{{3}}\.[0-9A-Z]").fullmatch


@dataclass(frozen=True, slots=True)
class LicenceId(Code):
    """``1.2.156.3005.2.`` type ``.`` issuer ``.`` serial ``.`` version ``.`` check character.

    GB/T 36904-2018 (confidence high): the type is the social credit code of the body that defines it and three digits, the issuer a
    social credit code, the serial digits and capital letters, the version three digits from 001; the check is ISO/IEC 7064 MOD 37,36 over
    the four parts without dots.
    """

    @classmethod
    def parse(cls, text: str, *, mismatch: Severity = Severity.ERROR, table: Divisions | None = None) -> LicenceId:
        """The identifier in ``text``. Raises CodeError.

        ``mismatch``: what a wrong check character is, a warning where licences of others are taken in. Where a faulty routine in
        circulation gives the character that is there, the finding says so. Wrong check characters of the two bodies are warnings.
        ``table``: the divisions that name those of the bodies, the national ones else.
        """
        if _shape(text) is None:
            _refuse(text, table)
        kind, issuer, serial, version, check = text.split(".")[5:]
        found = _mismatch(kind + issuer + serial + version, check, len(text), mismatch)
        if found and mismatch is Severity.ERROR:
            raise CodeError(KIND, *found)
        start = len(ROOT) + 1
        return cls(text, (*found, *item.body_findings(text, start), *item.body_findings(text, start + 22)), table=table)

    @classmethod
    def generate(cls, kind: str, issuer: str, serial: str, version: str = "001", *, table: Divisions | None = None) -> LicenceId:
        """The identifier of a licence: type (21 characters), issuer (18), serial (the issuer's own, never used twice). Raises CodeError."""
        covered = f"{kind}{issuer}{serial}{version}"
        start = f"{ROOT}.{kind}.{issuer}.{serial}.{version}."
        if _shape(f"{start}0") is None:
            _refuse(f"{start}0", table)
        return cls.parse(start + checks.licence(covered), table=table)

    def _part(self, index: int) -> str:
        return self.text.split(".")[5 + index]

    @property
    def kind(self) -> str:
        """Licence type, 21 characters."""
        return self._part(0)

    @property
    def definer(self) -> str:
        """Social credit code of the body that defines the type."""
        return self.kind[:18]

    @property
    def issuer(self) -> str:
        """Social credit code of the issuer."""
        return self._part(1)

    @property
    def serial(self) -> str:
        """The issuer's serial."""
        return self._part(2)

    @property
    def version(self) -> str:
        """Version, 3 digits from 001."""
        return self._part(3)

    @property
    def check(self) -> str:
        """Check character."""
        return self._part(4)

    def parts(self) -> tuple[Part, ...]:
        """Root, type, issuer, serial, version, check character."""
        root = Part("root", Label("电子证照根代码", "root"), ROOT, 1)
        found, position = [root], len(ROOT) + 2
        for key, (piece, *_), text in zip(("type", "issuer", "serial", "version", "check"), _PARTS, self.text.split(".")[5:], strict=True):
            body = key in {"type", "issuer"}
            found.append(Part(key, piece.name, text, position, uscc.words(text, self.table) if body else None))
            position += len(text) + 1
        return tuple(found)


def _mismatch(covered: str, check: str, position: int, severity: Severity) -> tuple[Finding, ...]:
    expected = checks.licence(covered)
    if check == expected:
        return ()
    faulty = check == checks.licence_by_faulty_routine(covered)
    problem = Problem.CHECK_FAULTY_LETTERS if faulty else Problem.CHECK
    return (Finding(problem, SOURCE, position, {"part": CHECK, "expected": expected, "found": check}, severity),)


def _refuse(text: str, table: Divisions | None) -> NoReturn:
    """Raise the CodeError for a text of the wrong shape: the first thing that is wrong from the left."""
    if not text:
        raise CodeError(KIND, Finding(Problem.EMPTY, SOURCE))
    if not text.startswith(f"{ROOT}."):
        raise CodeError(KIND, Finding(Problem.ROOT, SOURCE, 1, {"expected": f"{ROOT}."}))
    texts = text[len(ROOT) + 1 :].split(".")
    if len(texts) != len(_PARTS):
        expected = len(_PARTS)
        raise CodeError(KIND, Finding(Problem.PARTS, SOURCE, None, {"expected": expected, "found": len(texts)}))
    position = len(ROOT) + 2
    for pieces, part in zip(_PARTS, texts, strict=True):
        _refuse_part(pieces, part, position, table or divisions.national())
        position += len(part) + 1
    raise CodeError(KIND, Finding(Problem.VERSION_ZERO, SOURCE, position - 6))


def _refuse_part(pieces: tuple[Piece, ...], text: str, position: int, known: Divisions) -> None:
    """Raise the CodeError for a part that is wrong; ``position`` of its first character."""
    name, whole = pieces[0].name, sum(piece.length for piece in pieces)
    if name is ISSUER and known.lookup(text) is not None:
        raise CodeError(KIND, Finding(Problem.DIVISION_AS_BODY, SOURCE, position, {"part": name, "found": text}))
    if len(text) != (whole or len(text) or 1):
        found = Label(f"{len(text)} 个", str(len(text)))
        values = {"part": name, "expected": characters(whole) if whole else Label("至少 1 个字符", "at least 1 character"), "found": found}
        raise CodeError(KIND, Finding(Problem.VALUE, SOURCE, position, values))
    start = 0
    for piece in pieces:
        for character in text[start : start + (piece.length or len(text))]:
            if character not in piece.alphabet:
                raise CodeError(KIND, wrong_character(piece.name, piece.expected, character, position + start, SOURCE))
            start += 1
