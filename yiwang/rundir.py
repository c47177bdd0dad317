"""The private directory of one verb's run: sockets, the events file, SSH control sockets, Ansible's temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from yiwang.files import private_tmpfs

VARIABLE = "YIWANG_RUN_DIR"
EVENTS = "events.jsonl"


def _start_time(pid: int) -> str:
    """The start time of a process in clock ticks since boot; empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


class RunDir:
    """A context manager that makes the directory (0700, in memory) and removes it at the end.

    Directories whose owner is gone (a run ended by ``kill -9``) are removed on entry, so that nothing of a
    dead run stays. The owner is recorded as pid and start time, so that a reused pid is not mistaken for it.
    """

    def __init__(self) -> None:
        self.path = Path()

    def __enter__(self) -> Self:
        base = private_tmpfs()
        sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix="run-", dir=base))
        (self.path / "owner").write_text(f"{os.getpid()} {_start_time(os.getpid())}")
        (self.path / EVENTS).touch(mode=0o600)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def events(self) -> Path:
        """The file to which the provider appends its progress, one JSON object a line."""
        return self.path / EVENTS


def sweep(base: Path) -> None:
    """Remove the run directories under ``base`` whose owner is no longer alive."""
    for directory in base.glob("run-*"):
        try:
            pid, start = (directory / "owner").read_text().split()
        except (OSError, ValueError):
            # Not yet written, or already going: another run is just making or removing it.
            continue
        if _start_time(int(pid)) != start:
            shutil.rmtree(directory, ignore_errors=True)
