"""Words in Chinese and English, and where a rule comes from: what every code, table and data set carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]
Confidence = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Label:
    """One text in both languages."""

    zh: str
    en: str

    def text(self, language: Language = "en") -> str:
        """The text in ``language``."""
        return self.zh if language == "zh" else self.en


def said(words: str | Label, language: Language) -> str:
    """The ``words`` in ``language``; those that are one text are the same in both."""
    return words.text(language) if isinstance(words, Label) else words


def numbered(table: int, row: int | None = None) -> Label:
    """A table of a standard, or a row of one, by its number."""
    return Label(f"表 {table}" + (f" 第 {row} 行" if row else ""), f"Table {table}" + (f" row {row}" if row else ""))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule is written. ``clause`` is None where it is not known for sure; it is never a guess.

    Documents go by their own number or title, which is one text; what has none is described in both languages.
    ``confidence``: ``high`` = the text was read, or recomputed, or nobody disputes it; ``medium`` = second-hand; ``low`` = to be confirmed.
    """

    document: str | Label
    clause: str | Label | None = None
    confidence: Confidence = "high"

    def text(self, language: Language = "en") -> str:
        """Document and clause."""
        document, clause = said(self.document, language), said(self.clause or "", language)
        return (", " if language == "en" else " ").join(filter(None, (document, clause)))

    def __str__(self) -> str:
        """``document, clause`` in English."""
        return self.text()


# A rule of this kit where the national texts say nothing.
KIT = Source("yiwang")
