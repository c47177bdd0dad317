"""The private directory of one verb's run: sockets, the events file, SSH control sockets, Ansible's temporary files."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from yiwang import processes
from yiwang.files import private_tmpfs

VARIABLE = "YIWANG_RUN_DIR"
EVENTS = "events.jsonl"
_OWNER = "owner"
_UNOWNED_SECONDS = 60.0


class RunDir:
    """A context manager that makes the directory (0700, in memory) and removes it at the end.

    Directories whose owner is gone (a run ended by ``kill -9``) are removed on entry, so that nothing of a
    dead run stays. The owner is recorded as ``processes.me`` says, so that neither a reused pid nor one of another
    container is mistaken for it.
    """

    def __init__(self) -> None:
        self.path = Path()

    def __enter__(self) -> Self:
        base = private_tmpfs()
        sweep(base)
        self.path = Path(tempfile.mkdtemp(prefix="run-", dir=base))
        (self.path / _OWNER).write_text(json.dumps(processes.me()), encoding="utf-8")
        (self.path / EVENTS).touch(mode=0o600)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def events(self) -> Path:
        """The file to which the provider appends its progress, one JSON object a line."""
        return self.path / EVENTS


def sweep(base: Path) -> None:
    """Remove the run directories under ``base`` whose owner is known to be dead."""
    for directory in base.glob("run-*"):
        owner = directory / _OWNER
        try:
            text = owner.read_text(encoding="utf-8") if owner.exists() else ""
            # The owner is written right after the directory is made: one that has none for long was killed between.
            dead = _is_dead(text) if text else time.time() - directory.stat().st_mtime > _UNOWNED_SECONDS
        except OSError:
            # Already going: another run is just removing it.
            continue
        if dead:
            shutil.rmtree(directory, ignore_errors=True)


def _is_dead(owner: str) -> bool:
    try:
        entry = json.loads(owner)
    except ValueError:
        return False
    return isinstance(entry, dict) and processes.alive(entry) is False
