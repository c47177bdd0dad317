"""Findings: what is wrong in an inventory, one line each, all at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from yiwang.errors import ExitCode, UserError, with_fix
from yiwang.messages import t

KeyPath = tuple[str | int, ...]

HIDDEN = "***"
SHOWN_CHARACTERS = 60
SHOWN_FINDINGS = 200


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``file`` is relative to the inventory, ``.`` itself; ``line`` counts from 1, 0 where there is none.

    ``value`` is the text to show for the value (never one of a secret), empty where there is none to show.
    """

    file: str
    line: int
    key: KeyPath
    value: str
    expected: str
    fix: str

    def text(self, directory: str = "") -> str:
        """``file:line: key.path: value: expected …; fix`` in one line."""
        name = str(Path(directory) / self.file)
        where = f"{name}:{self.line}" if self.line else name
        parts = (where, dotted(self.key), self.value, self.expected)
        return one_line(with_fix(": ".join(part for part in parts if part), self.fix))


class InventoryError(UserError):
    """An inventory that cannot be used; ``findings`` holds everything that was found, in the order of files and lines."""

    def __init__(self, directory: Path, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(findings, key=lambda finding: (finding.file != "province.yml", finding.file, finding.line)))
        shown = [finding.text(display(directory)) for finding in self.findings[:SHOWN_FINDINGS]]
        if len(self.findings) > SHOWN_FINDINGS:
            shown.append(t("inventory.more_findings", count=len(self.findings) - SHOWN_FINDINGS))
        super().__init__(shown[0], code=ExitCode.INPUT, lines=tuple(shown[1:]))


@dataclass
class Findings:
    """Collects findings, at most one for each place: the first is the most specific one."""

    found: dict[tuple[str, KeyPath, str], Finding] = field(default_factory=dict)
    silenced: set[tuple[str, KeyPath]] = field(default_factory=set)
    secret_places: set[tuple[str, KeyPath]] = field(default_factory=set)

    def add(self, finding: Finding) -> None:
        """Record ``finding`` unless its place, or one above it, has one that says all."""
        for length in range(len(finding.key) + 1):
            if (finding.file, finding.key[:length]) in self.silenced:
                return
        self.found.setdefault((finding.file, finding.key, finding.expected), finding)

    def add_final(self, finding: Finding) -> None:
        """Record ``finding`` and drop later ones at or below its place."""
        self.add(finding)
        self.silenced.add((finding.file, finding.key))

    def add_secret(self, file: str, line: int, path: KeyPath, value: str = HIDDEN, fix: str = "") -> None:
        """Record that a secret lies at ``path``; no finding shows a value that holds it."""
        self.secret_places.add((file, path))
        self.add_final(Finding(file, line, path, value, t("inventory.secret"), fix or t("inventory.secret_fix")))

    def all(self) -> tuple[Finding, ...]:
        """Everything that was found, without the values of secrets."""
        return tuple(
            dataclasses.replace(finding, value=HIDDEN) if finding.value and self._hides(finding) else finding
            for finding in self.found.values()
        )

    def _hides(self, finding: Finding) -> bool:
        return any(finding.file == file and path[: len(finding.key)] == finding.key for file, path in self.secret_places)

    def meant(self, file: str, path: KeyPath) -> None:
        """``path`` is given under a misspelt key that has its finding: that it is missing needs no other."""
        self.found = {place: finding for place, finding in self.found.items() if place[:2] != (file, path)}
        self.silenced.add((file, path))

    def __bool__(self) -> bool:
        return bool(self.found)


def display(directory: Path) -> str:
    """``directory`` as a person would write it: relative where it lies below the current directory."""
    try:
        return str(directory.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(directory)


def one_line(text: str) -> str:
    """``text`` with everything that is not printable escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode() for character in text
    )


def dotted(path: KeyPath) -> str:
    """``("paths", 0, "ports")`` as ``paths[0].ports``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{one_line(part)}" if text else one_line(part)
    return text


def shown(value: object) -> str:
    """A value as it is shown in a finding: JSON in one line, cut after 60 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    text = one_line(text)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
