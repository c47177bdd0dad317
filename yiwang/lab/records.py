"""What is written down of labs, under /var/lib/yiwang/lab, and the locks. All of it can be lost: names find the rest."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.lab.spec import LabSpec, tag
from yiwang.lab.tools import run, wait_until
from yiwang.messages import t

ROOT = Path("/var/lib/yiwang/lab")
_RECORD = "lab.json"
_WAIT_SECONDS = 600.0
_SPEC = TypeAdapter(LabSpec)


def directory(name: str) -> Path:
    """Where a lab's record and hosts lie: the recorded directory with the same tag, else the one of that name."""
    return next((ROOT / entry for entry in listed(ROOT) if entry.endswith(f"-{tag(name)}")), ROOT / name)


def save(spec: LabSpec) -> None:
    """Record what the lab is to be."""
    write_atomic(make_private(directory(spec.name)) / _RECORD, _SPEC.dump_json(spec, indent=2))


def load(name: str) -> LabSpec | None:
    """The recorded lab; None when there is no record, or none that can be read."""
    try:
        return _SPEC.validate_json((directory(name) / _RECORD).read_bytes())
    except (OSError, ValidationError):
        return None


def recorded() -> list[str]:
    """The names of all labs that have a directory."""
    found: list[str] = []
    for name in listed(ROOT):
        with contextlib.suppress(UserError):
            tag(name)
            found.append(name)
    return found


def listed(path: Path) -> list[str]:
    """The names in a directory, sorted; none when it is not there, or just went."""
    try:
        return sorted(entry.name for entry in path.iterdir())
    except FileNotFoundError:
        return []


@contextmanager
def lab_locked(name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold one lab's lock: one command works on it at a time. ``waiting`` is called once when another one does.

    Raises UserError (exit 5) after ten minutes of waiting.
    """
    with locked(lambda: directory(name), waiting):
        yield


@contextmanager
def machine_locked() -> Iterator[None]:
    """Hold the lock of what labs share on this machine: interfaces, address ranges, kernel switches."""
    with locked(lambda: ROOT):
        yield


def forget(name: str) -> None:
    """Remove a lab's directory, whose hosts are gone, and the ones above it when it was the last."""
    run(["rm", "--recursive", "--force", "--one-file-system", str(directory(name))], timeout=300)
    for path in (ROOT, ROOT.parent):
        with contextlib.suppress(OSError):
            path.rmdir()


@contextmanager
def locked(place: Callable[[], Path], waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Lock a directory, which is made when it is missing and may be removed by its holder.

    The kernel lets go when the holder dies, so there is no stale lock and no lock file.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        path = place()
        try:
            descriptor = os.open(make_private(path), os.O_RDONLY | os.O_DIRECTORY)
        except (FileNotFoundError, FileExistsError):
            # Another command removed it, or one above it, this very moment.
            if time.monotonic() > deadline or path.is_file():
                raise
            continue
        try:
            if not _try(descriptor):
                waiting()
                if not wait_until(lambda: _try(descriptor), deadline - time.monotonic(), 0.1):  # noqa: B023 - used in this turn only
                    raise UserError(t("lab.locked", lab=path.name), code=ExitCode.LOCKED, fix=t("lab.locked_fix"))
            # The holder before may have removed the directory: then this lock is on nothing.
            if _is(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to what is open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
