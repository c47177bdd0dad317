"""Who holds a stack: a lock file beside the CLI's own, in the CLI's format, which names the holder and its process."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import select
import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yiwang import processes
from yiwang.engine.resource import now
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.messages import t

# Seconds between looks at a lock that is to go.
_LOOK = 0.2


@dataclass(frozen=True)
class Lock:
    """Who holds a stack. ``alive``: True, False (a process of this machine that ended), or None (cannot be told)."""

    path: Path
    user: str
    host: str
    pid: int
    since: str
    verb: str
    alive: bool | None

    def describe(self) -> str:
        """One line for people: the verb, who, where, since when."""
        return t("engine.lock_holder", user=self.user, host=self.host, pid=self.pid, since=self.since, verb=self.verb or "?")


def user() -> str:
    """Who runs this; the number where the machine has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def read(directory: Path) -> list[Lock]:
    """The locks in a stack's lock directory, oldest first."""
    found = []
    for path in directory.glob("*.json") if directory.is_dir() else ():
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError:
            entry = {}
        entry = entry if isinstance(entry, dict) else {}
        pid = entry.get("pid")
        found.append(
            Lock(
                path=path,
                user=str(entry.get("username", "?")),
                host=str(entry.get("hostname", "?")),
                pid=pid if isinstance(pid, int) else 0,
                since=str(entry.get("timestamp", "?")),
                verb=str(entry.get("verb", "")),
                alive=processes.alive(entry),
            )
        )
    return sorted(found, key=lambda lock: lock.since)


@contextlib.contextmanager
def held(directory: Path, verb: str) -> Iterator[list[Lock]]:
    """Hold the stack while the block runs; gives the locks of dead processes of this machine that were taken over.

    Raises UserError (exit 5) when somebody else holds it, or when that cannot be told.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    mine = directory / f"{uuid.uuid4()}.json"
    with _exclusive(directory):
        dead = []
        for other in read(directory):
            if other.alive is not False:
                raise UserError(t("engine.locked", holder=other.describe()), code=ExitCode.LOCKED, fix=t("engine.locked_fix"))
            dead.append(other)
        entry = {**processes.me(), "username": user(), "timestamp": now(), "verb": verb}
        write_atomic(mine, json.dumps(entry))
        # On a shared directory the kernel's lock may hold for one machine only: two that began at once see each other here.
        for other in read(directory):
            if other.path != mine and other.alive is not False:
                mine.unlink(missing_ok=True)
                raise UserError(t("engine.locked", holder=other.describe()), code=ExitCode.LOCKED, fix=t("engine.locked_fix"))
        for other in dead:
            other.path.unlink(missing_ok=True)
    try:
        yield dead
    finally:
        mine.unlink(missing_ok=True)


def stop(holder: Lock) -> None:
    """Ask the living holder on this machine to stop, as Ctrl-C does, and wait until it has let go.

    Raises PermissionError when it is another user's.
    """
    try:
        descriptor = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return
    try:
        # What was looked at before the descriptor was taken may have been a former process of that number.
        if any(found.path == holder.path and found.alive for found in read(holder.path.parent)):
            signal.pidfd_send_signal(descriptor, signal.SIGINT)
        while holder.path.exists() and not select.select([descriptor], [], [], _LOOK)[0]:
            pass
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _exclusive(directory: Path) -> Iterator[None]:
    """One process at a time looks at a lock directory; the kernel releases it when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
