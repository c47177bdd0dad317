"""What all codes have in common: a value with its text, its parts and what is doubtful about it; and where a wrong text goes wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from yiwang.standard import divisions
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, quoted, shown
from yiwang.standard.labels import Label, Source


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a code: ``key`` for programs, ``name`` for people, ``position`` of its first character from 1, what ``text`` means."""

    key: str
    name: Label
    text: str
    position: int
    meaning: Label | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was parsed; made by the ``parse`` and ``generate`` of its class, which see to it that ``text`` is right.

    Two codes of one class are equal when their texts are. ``warnings``: what is doubtful about it, none for most. ``table``: the divisions
    that it was read by, None for the national ones.
    """

    text: str
    warnings: tuple[Finding, ...] = field(default=(), compare=False, repr=False)
    table: Divisions | None = field(default=None, compare=False, repr=False, kw_only=True)

    def __str__(self) -> str:
        """The code itself."""
        return self.text

    def parts(self) -> tuple[Part, ...]:
        """The parts in their order."""
        raise NotImplementedError

    def _division(self, digits: str) -> Label | None:
        """The name of the division with these six digits; None where the table has it not."""
        entry = (self.table or divisions.national()).lookup(digits)
        return entry.label if entry else None


# How people are told what checks.CREDIT_ALPHABET is.
CREDIT_CHARACTERS = Label("0-9 或 A-Z（不含 I、O、S、V、Z）", "0-9 or A-Z without I, O, S, V, Z")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a code: ``length`` characters, each one of ``alphabet``, which is written ``expected`` for people."""

    name: Label
    length: int
    alphabet: str
    expected: str | Label


def refuse(kind: str, text: str, pieces: Iterable[Piece], source: Source) -> NoReturn:
    """Raise the CodeError for a ``text`` that is not made of ``pieces``.

    What is told: a character that belongs to no code of the kind, else a wrong length, else the first character that is wrong at its place.
    """
    pieces = tuple(pieces)
    whole = sum(piece.length for piece in pieces)
    if not text:
        raise CodeError(kind, Finding(Problem.EMPTY, source))
    if len(text) != whole:
        # A space or a full-width digit is what is wrong, more than the length that it makes.
        known = frozenset("".join(piece.alphabet for piece in pieces))
        for place, character in enumerate(text[: whole + 1], 1):
            if character not in known:
                raise CodeError(kind, Finding(Problem.STRAY, source, place, {"found": quoted(character)}))
        raise CodeError(kind, Finding(Problem.LENGTH, source, None, {"expected": whole, "found": len(text)}))
    position = 0
    for piece in pieces:
        for character in text[position : position + piece.length]:
            position += 1
            if character not in piece.alphabet:
                raise CodeError(kind, wrong_character(piece.name, piece.expected, character, position, source))
    message = f"{shown(text)} is made of these pieces"
    raise AssertionError(message)


def wrong_character(name: Label, expected: str | Label, character: str, position: int, source: Source) -> Finding:
    """The finding for one character of the part ``name``."""
    return Finding(Problem.CHARACTER, source, position, {"part": name, "expected": expected, "found": quoted(character)})


def characters(count: int) -> Label:
    """So many characters, in words."""
    return Label(f"{count} 个字符", f"{count} character{'' if count == 1 else 's'}")


def expect_length(kind: str, piece: Piece, text: str, source: Source) -> None:
    """Raise the CodeError for a part, given on its own, that is not as long as ``piece``: wrong lengths could make up a right one."""
    if len(text) != piece.length:
        expected = characters(piece.length)
        found = Label(f"{len(text)} 个", str(len(text)))
        raise CodeError(kind, Finding(Problem.VALUE, source, None, {"part": piece.name, "expected": expected, "found": found}))
