"""Serials that are never given twice, counted in one file: for all processes of one machine that use that file."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from yiwang.standard.case import LAST_SERIAL
from yiwang.standard.errors import CodeError, Finding, Problem, shown
from yiwang.standard.labels import KIT, Label

KIND = "serials"
# How many seconds one process waits for another that is just counting, and after how many milliseconds of that it looks for signals.
_PATIENCE = 30
_NAP = 300
_LONGEST_PATH = 4096


class SerialFile:
    """A ``SerialSource`` for ``CaseNumber.generate``: ``serials(key)`` is 1, 2, 3 … for each key.

    The count is an SQLite database on a local disk (its locks do not hold on network file systems). A number is given only after it is
    on the disk as given: a crash loses numbers, and never gives one twice. Made on first use, readable by its owner alone. ``last``: the
    greatest serial that there is; those who ask for more than are left get an error and use up none.
    """

    def __init__(self, path: Path, last: int = LAST_SERIAL) -> None:
        self.path = path
        self.last = last

    def __call__(self, key: str) -> int:
        """The next serial of ``key``. Raises CodeError where there is none left, or the file cannot be used."""
        return self.take(key, 1)[0]

    def take(self, key: str, count: int) -> range:
        """The next ``count`` serials of ``key``, in one step: all of them or none. Raises CodeError like a call."""
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.path.touch(mode=0o600)
            if not self.path.is_file():
                # A device takes the count and keeps nothing: each number would be the first.
                raise _unusable(self.path, "not a regular file")
            # Absolute: SQLite has names of its own for databases that are no files.
            with contextlib.closing(sqlite3.connect(self.path.absolute(), timeout=_PATIENCE, isolation_level=None)) as database:
                following = _take(database, key, count, self.last)
        except (sqlite3.Error, OSError, ValueError) as error:
            if isinstance(error, CodeError):
                raise
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise _unusable(self.path, reason) from None
        return range(following, following + count)

    def ahead(self, count: int) -> Callable[[str], int]:
        """A ``SerialSource`` that takes ``count`` serials of a key at a time: one wait for the disk for all of them.

        Those that are taken and not asked for are lost.
        """
        taken: dict[str, Iterator[int]] = {}

        def serials(key: str) -> int:
            serial = next(taken.get(key, iter(())), None)
            if serial is None:
                taken[key] = iter(self.take(key, count))
                serial = next(taken[key])
            return serial

        return serials


def _unusable(path: Path, reason: str) -> CodeError:
    # As a label the path is shown whole: a person is to find the file.
    name = shown(str(path), _LONGEST_PATH)
    return CodeError(KIND, Finding(Problem.SERIALS_UNUSABLE, KIT, None, {"found": Label(name, name), "reason": reason}))


def _take(database: sqlite3.Connection, key: str, count: int, last: int) -> int:
    """The first of ``count`` serials that are given from now on."""
    _begin(database)
    try:
        following = _count(database, key, count, last)
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    return following


def _begin(database: sqlite3.Connection) -> None:
    """Take the write lock, for which others are waited for."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            # SQLite itself hears no Ctrl-C while it waits: so it waits for a short time only, and as long as it takes once it has the lock.
            database.execute(f"PRAGMA busy_timeout = {_NAP}")
            database.execute("PRAGMA synchronous = FULL")
            # IMMEDIATE takes it at once: two that read first and wrote later would both have read the old count.
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000}")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return


def _count(database: sqlite3.Connection, key: str, count: int, last: int) -> int:
    database.execute("CREATE TABLE IF NOT EXISTS serial (key TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID")
    (given,) = database.execute("SELECT last FROM serial WHERE key = ?", (key,)).fetchone() or (0,)
    if given + count > last:
        raise CodeError(KIND, Finding(Problem.SERIALS_EXHAUSTED, KIT, None, {"expected": last, "found": max(last - given, 0)}))
    query = "INSERT INTO serial VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET last = excluded.last"
    database.execute(query, (key, given + count))
    return int(given) + 1
