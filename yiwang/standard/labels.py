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


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule is written. ``clause`` is None where it is not known for sure; it is never a guess.

    ``confidence``: ``high`` = the text was read, or recomputed, or nobody disputes it; ``medium`` = second-hand; ``low`` = to be confirmed.
    """

    document: str
    clause: str | None = None
    confidence: Confidence = "high"

    def __str__(self) -> str:
        """``document, clause``."""
        return f"{self.document}, {self.clause}" if self.clause else self.document


# A rule of this kit where the national texts say nothing.
KIT = Source("yiwang")
