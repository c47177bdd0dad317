"""What tests of runs in processes of their own wait for."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = subprocess.Popen[Any]
_SECONDS = 60


def until(condition: Callable[[], bool], run: Run) -> None:
    """Wait for a condition while the run goes on."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert run.poll() is None, f"ended with {run.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def until_full(run: Run, reader: Any = None) -> None:
    """Wait until no more comes into the pipe, which is nearly full: the run sleeps, and what waits in it stays the same."""
    pipe: Any = run.stdout if reader is None else reader
    seen = {"waiting": -1, "same": 0}

    def full() -> bool:
        waiting = int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        seen["same"] = seen["same"] + 1 if waiting == seen["waiting"] else 0
        seen["waiting"] = waiting
        return waiting >= 4096 and seen["same"] >= 10

    until(full, run)


def until_open(run: Run, path: Path) -> None:
    """Wait until the run has the file open."""

    def is_open(descriptor: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return descriptor.readlink() == path
        return False

    until(lambda: any(is_open(each) for each in Path(f"/proc/{run.pid}/fd").iterdir()), run)


def signalled(run: Run, number: signal.Signals) -> None:
    """Send a signal, and wait until the run has taken it and waits again, or has ended by it."""
    run.send_signal(number)
    deadline = time.monotonic() + _SECONDS
    while run.poll() is None and _busy_with(run.pid, number):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def halted(run: Run) -> None:
    """Stop the run for a moment."""
    run.send_signal(signal.SIGSTOP)
    until(lambda: _status(run.pid)["State"].startswith("T"), run)
    run.send_signal(signal.SIGCONT)
    until(lambda: not _status(run.pid)["State"].startswith("T"), run)


def _status(pid: int) -> dict[str, str]:
    pairs = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: value.strip() for key, _, value in pairs}


def _busy_with(pid: int, number: signal.Signals) -> bool:
    try:
        status = _status(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False
    pending = int(status.get("SigPnd", "0"), 16) | int(status.get("ShdPnd", "0"), 16)
    return bool(pending >> (number - 1) & 1) or status["State"].startswith("R")
