"""Running other programs and waiting for conditions."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

CLONE_NEWNET = 0x40000000


def run(argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> str:
    """Run a program to its end and return what it printed. Raises UserError with its last line when it fails."""
    try:
        done = subprocess.run(list(argv), input=stdin, capture_output=True, text=True, timeout=timeout, check=False, env=environment())
    except (OSError, subprocess.TimeoutExpired) as error:
        raise failed(argv, str(error)) from error
    if done.returncode != 0:
        raise failed(argv, done.stderr or done.stdout or f"exit {done.returncode}")
    return done.stdout


def succeeds(argv: Sequence[str], *, timeout: float = 60.0) -> bool:
    """Whether a program ends well; its output is dropped."""
    try:
        return subprocess.run(list(argv), capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def failed(argv: Sequence[str], output: str) -> UserError:
    """The error of a program that failed: its name and the last line it printed."""
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return UserError(t("lab.tool_failed", tool=" ".join(argv[:4]), message=lines[-1].strip() if lines else "?"), code=ExitCode.FAILED)


def environment() -> dict[str, str]:
    """The environment of system tools: this process's with a complete search path and output in English."""
    path = os.environ.get("PATH", "")
    return {**os.environ, "PATH": f"{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def wait_until(condition: Callable[[], bool], seconds: float, interval: float = 0.02) -> bool:
    """Ask ``condition`` until it holds or ``seconds`` have passed; returns whether it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True


def enter_network(namespace: Path) -> None:
    """Move the calling thread, for the rest of its life, into a network namespace. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with namespace.open("rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(namespace))


@contextmanager
def killed_with_us(argv: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a process and mount namespace of its own that ends with this process, whatever ends it.

    The kernel kills the whole tree and drops its mounts, also when this process is killed by ``kill -9``.
    """
    prefix = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    process: subprocess.Popen[str] = subprocess.Popen(
        [*prefix, *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment(),
        **options,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
