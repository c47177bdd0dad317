"""Small tables in files that people keep: CSV in UTF-8 with the columns in the first line; lines that begin with # are left out."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import KIT, Label

# The national table of divisions has 110 KiB; what is much larger is another file, and is not read into memory.
LARGEST = 8 * 1024 * 1024


def read(path: Path, columns: tuple[str, ...], kind: str) -> list[tuple[int, list[str]]]:
    """The rows of a file, each with its line from 1 and a cell for each column.

    Raises CodeError for what is no plain file (a device, a pipe, a directory), is too large or no text, lacks the columns, or has a row of
    another length; OSError where it cannot be read.
    """
    try:
        lines = _bytes(path, kind).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise CodeError(kind, Finding(Problem.NOT_TEXT_FILE, KIT)) from None
    kept = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    first = kept[0] if kept else (1, [])
    if tuple(first[1]) != columns:
        raise wrong(kind, first[0], Label("列", "columns"), ",".join(columns), repr(",".join(first[1])))
    for number, cells in kept[1:]:
        if len(cells) != len(columns):
            raise wrong(kind, number, Label("列数", "number of columns"), len(columns), len(cells))
    return kept[1:]


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Name the file at ``path`` in the CodeError for what is wrong with it."""
    try:
        yield
    except CodeError as error:
        error.file = str(path)
        raise


def wrong(kind: str, line: int, column: str | Label, expected: object, found: object) -> CodeError:
    """The error for one cell of a file; a ``column`` that is text is one of the file's own names."""
    zh, en = (f" {column} ", column) if isinstance(column, str) else (f"的{column.zh}", column.en)
    part = Label(f"第 {line} 行{zh}", f"line {line}, {en}")
    return CodeError(kind, Finding(Problem.TABLE_ROW, KIT, None, {"part": part, "expected": expected, "found": found, "line": line}))


def twice(kind: str, line: int, key: str) -> CodeError:
    """The error for a key that an earlier line has too."""
    return CodeError(kind, Finding(Problem.TABLE_DUPLICATE, KIT, None, {"found": key, "line": line}))


def _bytes(path: Path, kind: str) -> bytes:
    # Before it is opened: to open a pipe is to wait for its writer.
    if not stat.S_ISREG(path.stat().st_mode):
        raise CodeError(kind, Finding(Problem.NOT_PLAIN_FILE, KIT))
    with path.open("rb") as opened:
        # Files of the kernel say they are empty and need not end.
        raw = opened.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise CodeError(kind, Finding(Problem.FILE_TOO_LARGE, KIT, None, {"expected": LARGEST // 1024 // 1024}))
    return raw


def _cells(line: str) -> list[str]:
    import csv  # noqa: PLC0415 - those who read no file import it for nothing

    try:
        return next(csv.reader([line.removesuffix("\r")]), [])
    except csv.Error:  # a cell of more than 128 KiB
        return []
