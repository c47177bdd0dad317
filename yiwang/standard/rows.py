"""Small tables in files that people keep: CSV in UTF-8 with the columns in the first line; lines that begin with # are left out."""

from __future__ import annotations

from pathlib import Path

from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import Label, Source


def read(path: Path, columns: tuple[str, ...], kind: str, source: Source) -> list[tuple[int, list[str]]]:
    """The rows of a file, each with its line from 1 and a cell for each column.

    Raises CodeError for a file that is no text, lacks the columns, or has a row of another length; OSError where it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise CodeError(kind, Finding(Problem.NOT_TEXT_FILE, source)) from None
    kept = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    first = kept[0] if kept else (1, [])
    if tuple(first[1]) != columns:
        raise wrong(kind, source, first[0], Label("列", "columns"), ",".join(columns), ",".join(first[1]))
    for number, cells in kept[1:]:
        if len(cells) != len(columns):
            raise wrong(kind, source, number, Label("列数", "number of columns"), len(columns), len(cells))
    return kept[1:]


def wrong(kind: str, source: Source, line: int, column: Label, expected: object, found: object) -> CodeError:
    """The error for one cell of a file."""
    part = Label(f"第 {line} 行 {column.zh}", f"line {line}, {column.en}")
    return CodeError(kind, Finding(Problem.TABLE_ROW, source, None, {"part": part, "expected": expected, "found": found, "line": line}))


def twice(kind: str, source: Source, line: int, key: str) -> CodeError:
    """The error for a key that an earlier line has too."""
    return CodeError(kind, Finding(Problem.TABLE_DUPLICATE, source, None, {"found": key, "line": line}))


def _cells(line: str) -> list[str]:
    import csv  # noqa: PLC0415 - those who read no file import it for nothing

    try:
        return next(csv.reader([line]), [])
    except csv.Error:  # a cell of more than 128 KiB
        return []
