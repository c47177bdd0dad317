"""Serials that are never given twice, counted in one file: for all processes of one machine that use that file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import KIT

KIND = "serials"
# How long one process waits for another that is just counting.
_PATIENCE = 30.0


class SerialFile:
    """A ``SerialSource`` for ``CaseNumber.generate``: ``serials(key)`` is 1, 2, 3 … for each key.

    The count is an SQLite database on a local disk (its locks do not hold on network file systems). A number is given only after it is
    on the disk as given: a crash loses numbers, and never gives one twice. Made on first use, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, key: str) -> int:
        """The next serial of ``key``. Raises CodeError where the file cannot be used."""
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.path.touch(mode=0o600)
            if not self.path.is_file():
                # A device takes the count and keeps nothing: each number would be the first.
                raise _unusable(self.path, "not a regular file")
            # Absolute: SQLite has names of its own for databases that are no files.
            with contextlib.closing(sqlite3.connect(self.path.absolute(), timeout=_PATIENCE, isolation_level=None)) as database:
                return _next(database, key)
        except (sqlite3.Error, OSError, ValueError) as error:
            if isinstance(error, CodeError):
                raise
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise _unusable(self.path, reason) from None


def _unusable(path: Path, reason: str) -> CodeError:
    return CodeError(KIND, Finding(Problem.SERIALS_UNUSABLE, KIT, None, {"found": path, "reason": reason}))


def _next(database: sqlite3.Connection, key: str) -> int:
    database.execute("PRAGMA synchronous = FULL")
    # IMMEDIATE takes the write lock at once: two that read first and wrote later would both have read the old count.
    database.execute("BEGIN IMMEDIATE")
    try:
        database.execute("CREATE TABLE IF NOT EXISTS serial (key TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID")
        query = "INSERT INTO serial VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET last = last + 1 RETURNING last"
        ((last,),) = database.execute(query, (key,)).fetchall()
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    return int(last)
