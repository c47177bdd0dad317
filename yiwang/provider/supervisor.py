"""A tiny process between the provider and the programs it starts: none of them outlives the provider.

Started as ``python -S -E supervisor.py`` (standard library only, 20 ms). It is a child subreaper, so every
descendant stays below it, also one that made a session of its own and lost its parent (SSH's background
connections do). When its standard input ends, however the provider died, it ends them all.

Lines of JSON. In: ``{"id", "argv", "env", "cwd", "log"}`` starts a job (both outputs to the file ``log``);
``{"id", "kill": true}`` ends one. Out: ``{"id", "pid"}`` or ``{"id", "error"}``, and at its end ``{"id", "code"}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36


def _children() -> dict[int, list[int]]:
    """The children of every process of the machine, by pid."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double the start time
        if name.isdigit():
            # A process may go while it is looked at.
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the start time
                parent = int(file.read().rpartition(b")")[2].split()[1])
                found.setdefault(parent, []).append(int(name))
    return found


def end_tree(pid: int) -> None:
    """Kill the descendants of ``pid`` (not itself)."""
    children = _children()
    waiting = list(children.get(pid, ()))
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, ())
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def end_everything() -> None:
    """Kill all descendants until none is left; those forked meanwhile come to us and go in the next round."""
    while True:
        end_tree(os.getpid())
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _start(job: dict[str, Any]) -> int:
    """Start a job in a session of its own and return its pid."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(log)
        os.close(null)
        return pid
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(job["cwd"])
        for descriptor, number in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, number)
        os.execvpe(job["argv"][0], job["argv"], job["env"])  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"{job['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


class Supervisor:
    """The state of the process: running jobs by pid, and the bytes of an unfinished line."""

    def __init__(self) -> None:
        self._jobs: dict[int, str] = {}
        self._rest = b""

    def loop(self) -> None:
        """Serve until standard input ends."""
        wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        while True:
            ready, _, _ = select.select([0, wake], [], [])
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()
            if 0 in ready and not self._read():
                return

    def _read(self) -> bool:
        data = os.read(0, 1 << 16)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, order: dict[str, Any]) -> None:
        if order.get("kill"):
            for pid, job in self._jobs.items():
                if job == order["id"]:
                    end_tree(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            return
        try:
            pid = _start(order)
        except OSError as error:
            _say(id=order["id"], error=str(error))
            return
        self._jobs[pid] = order["id"]
        _say(id=order["id"], pid=pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self._jobs.pop(pid, None)
            if job is not None:
                _say(id=job, code=os.waitstatus_to_exitcode(status))


def _say(**line: Any) -> None:
    # The provider may be gone: then standard input has ended as well, and the loop sees that.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Become a subreaper, serve, end everything."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        Supervisor().loop()
    finally:
        end_everything()


if __name__ == "__main__":
    main()
    sys.exit(0)
