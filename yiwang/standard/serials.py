"""Serials that are never given twice, counted in one file: for all processes of one machine that use that file."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from yiwang.standard.case import LAST_SERIAL
from yiwang.standard.errors import CodeError, Finding, Problem, shown, shown_path
from yiwang.standard.labels import KIT, Label

KIND = "serials"
# How many seconds one process waits for another that is just counting, and after how many milliseconds of that it looks for signals.
_PATIENCE = 30
_NAP = 100


class SerialFile:
    """A ``SerialSource`` for ``CaseNumber.generate``: ``serials(key)`` is 1, 2, 3 … for each key.

    The count is an SQLite database on a local disk (its locks do not hold on network file systems). A number is given only after it is
    on the disk as given: a crash loses numbers, and never gives one twice. Made on first use, readable by its owner alone. ``last``: the
    greatest serial that there is; those who ask for more than are left get an error and use up none. ``waiting`` is called again and again
    while others count; what it raises ends the wait, and nothing is used up.
    """

    def __init__(self, path: Path, last: int = LAST_SERIAL, waiting: Callable[[], object] = lambda: None) -> None:
        self.path = path
        self.last = last
        self._waiting = waiting

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
                raise _unusable(self.path, Label("不是普通文件", "not a regular file"))
            # Absolute: SQLite has names of its own for databases that are no files.
            with contextlib.closing(sqlite3.connect(self.path.absolute(), timeout=_PATIENCE, isolation_level=None)) as database:
                following = self._take(database, key, count)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise _unusable(self.path, str(error)) from None
            raise CodeError(KIND, Finding(Problem.SERIALS_LOCKED, KIT, None, {"found": _name(self.path), "expected": _PATIENCE})) from None
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

    def _take(self, database: sqlite3.Connection, key: str, count: int) -> int:
        """The first of ``count`` serials that are given from now on."""
        # SQLite itself hears no Ctrl-C while it waits: so it waits for a short time only.
        database.execute(f"PRAGMA busy_timeout = {_NAP}")
        # A commit is that the journal is gone, which without EXTRA a power cut undoes: then what was given is given again.
        self._patiently(database, "PRAGMA synchronous = EXTRA")
        # The lock is taken at once: two that read first and wrote later would both have read the old count. And it is one that readers
        # have not either, so that the commit waits for nobody.
        self._patiently(database, "BEGIN EXCLUSIVE")
        try:
            if _is_new(database, self.path):
                # Whoever counts first sees to it that the file is found again; that may be another than who made it.
                _sync_above(self.path)
            following = _count(database, self.path, key, count, self.last)
            database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        return following

    def _patiently(self, database: sqlite3.Connection, statement: str) -> None:
        """Execute a statement that others can keep waiting."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                database.execute(statement)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                self._waiting()
            else:
                return


def _name(path: Path) -> Label:
    # As a label it is not cut.
    name = shown_path(path)
    return Label(name, name)


def _unusable(path: Path, reason: str | Label) -> CodeError:
    return CodeError(KIND, Finding(Problem.SERIALS_UNUSABLE, KIT, None, {"found": _name(path), "reason": reason}))


def _is_new(database: sqlite3.Connection, path: Path) -> bool:
    """Whether nothing was counted yet. Raises CodeError for a database of somebody else, to which nothing is added."""
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'")]
    columns = [column for _, column, *_ in database.execute("PRAGMA table_info(serial)")]
    if names and (names != ["serial"] or columns != ["key", "last"]):
        raise _unusable(path, Label("是其他用途的数据库", "it is a database of something else"))
    return not names


def _sync_above(path: Path) -> None:
    """Have all directories that lead to ``path`` on the disk as they are now, whichever of them are new."""
    for directory in path.absolute().parents:
        # One that may not be read was not made for this file; some file systems sync no directories.
        with contextlib.suppress(OSError):
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _count(database: sqlite3.Connection, path: Path, key: str, count: int, last: int) -> int:
    database.execute("CREATE TABLE IF NOT EXISTS serial (key TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID")
    (given,) = database.execute("SELECT last FROM serial WHERE key = ?", (key,)).fetchone() or (0,)
    if type(given) is not int or given < 0:
        # SQLite keeps any text where a number belongs.
        reason = f"{key}: {shown(repr(given))}"
        raise _unusable(path, Label(f"计数不是数字，{reason}", f"a count is no number, {reason}"))
    if given + count > last:
        raise CodeError(KIND, Finding(Problem.SERIALS_EXHAUSTED, KIT, None, {"expected": last, "found": max(last - given, 0)}))
    query = "INSERT INTO serial VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET last = excluded.last"
    database.execute(query, (key, given + count))
    return given + 1
