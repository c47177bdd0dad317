"""Code of an administrative division: GB/T 2260 with 6 digits, or the statistical form with 12 (统计用区划代码)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from yiwang.standard import divisions
from yiwang.standard.checks import DIGITS
from yiwang.standard.code import Code, Part, Piece, refuse, wrong_character
from yiwang.standard.divisions import Division, Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import Label, Source

KIND = "division"
SOURCE = divisions.SOURCE
STATISTICAL_SOURCE = Source("GB/T 10114, 统计用区划代码和城乡划分代码编制规则")

Tier = Literal["province", "prefecture", "county", "township", "village"]
TIERS: dict[Tier, Label] = {
    "province": Label("省级", "province"),
    "prefecture": Label("地级", "prefecture"),
    "county": Label("县级", "county"),
    "township": Label("乡级", "township"),
    "village": Label("村级", "village"),
}
# Where each tier's digits are in a code of 12.
_STRETCHES: tuple[tuple[Tier, int, int], ...] = (
    ("province", 0, 2),
    ("prefecture", 2, 4),
    ("county", 4, 6),
    ("township", 6, 9),
    ("village", 9, 12),
)
_shape = re.compile("[0-9]{6}(?:[0-9]{6})?").fullmatch
_NAME = Label("行政区划代码", "division code")


@dataclass(frozen=True, slots=True)
class DivisionCode(Code):
    """A division by its code: 2 digits province, 2 prefecture, 2 county, and in the long form 3 township and 3 village.

    GB/T 2260, GB/T 10114 (confidence high); there is no check digit. The long form pads the levels below with zeros. ``entry`` is the row
    of the table the code was looked up in, None for one that is not there.
    """

    entry: Division | None = field(default=None, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, table: Divisions | None = None) -> DivisionCode:
        """The code in ``text``. Raises CodeError, also where no province begins with its first two digits.

        A code that the table (the national one, or ``table``) does not have is accepted with a warning: abolished codes are in use for
        years, and provinces have codes of their own.
        """
        if _shape(text) is None:
            _refuse(text)
        known = table or divisions.national()
        if not known.has_province(text[:2]):
            raise CodeError(KIND, Finding(Problem.NO_PROVINCE, SOURCE, 1, {"found": text[:2]}))
        entry = known.lookup(text[:6])
        if entry is None:
            return cls(text, (Finding(Problem.UNKNOWN_DIVISION, SOURCE, 1, {"found": text[:6]}, Severity.WARNING),), table=table)
        return cls(text, (), entry, table=table)

    @property
    def tier(self) -> Tier:
        """The level: that of the table for a code it has, else by the last digits that are not all zero."""
        padded = self.padded
        lowest = [tier for tier, start, end in _STRETCHES if padded[start:end].strip("0")]
        if self.entry is not None and padded.endswith("000000"):
            return self.entry.level
        return lowest[-1] if lowest else "province"

    @property
    def padded(self) -> str:
        """The form with 12 digits."""
        return self.text.ljust(12, "0")

    @property
    def short(self) -> str:
        """The six digits of GB/T 2260: the county or higher division it is or lies in."""
        return self.text[:6]

    @property
    def parent(self) -> str | None:
        """The code one level up, as long as this one: by the table where it has it, else by the digits. None for a province."""
        if self.tier == "province":
            return None
        padded = self.padded
        if self.entry is not None and padded.endswith("000000"):
            return (self.entry.parent or "").ljust(len(self.text), "0")
        *above, last = [end for _, start, end in _STRETCHES if padded[start:end].strip("0")]
        return padded[: above[-1] if above else last].ljust(12, "0")[: len(self.text)]

    def parts(self) -> tuple[Part, ...]:
        """The digits of each level that the code has."""
        names = {0: self.text[:2] + "0000", 2: self.text[:4] + "00", 4: self.text[:6]}
        found = []
        for tier, start, end in _STRETCHES:
            if end <= len(self.text):
                digits = self.text[start:end]
                meaning = self._division(names.get(start, "")) if digits.strip("0") else None
                found.append(Part(tier, TIERS[tier], digits, start + 1, meaning))
        return tuple(found)


def _refuse(text: str) -> None:
    """Raise the CodeError for a text that is neither form."""
    for length in (6, 12):
        if len(text) == length:
            refuse(KIND, text, (Piece(_NAME, length, DIGITS, "0-9"),), SOURCE if length == 6 else STATISTICAL_SOURCE)
    for position, character in enumerate(text[:12], 1):
        if character not in DIGITS:
            raise CodeError(KIND, wrong_character(_NAME, "0-9", character, position, SOURCE))
    problem = Problem.LENGTH if text else Problem.EMPTY
    raise CodeError(KIND, Finding(problem, SOURCE, None, {"expected": Label("6 或 12", "6 or 12"), "found": len(text)}))
