"""Executes an Ansible run and turns its reports into an outcome for each host."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yiwang.provider import ansible_run
from yiwang.provider.ansible_run import Run
from yiwang.provider.processes import Processes

_F_SETPIPE_SZ = 1031
_CHUNK = 1 << 16
_LOOK_AGAIN = 0.02

Listener = Callable[[dict[str, Any]], None]


@dataclass
class HostOutcome:
    """How it went on one host. ``touched``: a task has run there. ``unit``: the systemd unit the failed task was about."""

    changed: int = 0
    touched: bool = False
    failed: bool = False
    unreachable: bool = False
    task: str = ""
    message: str = ""
    unit: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Outcome:
    """How a run went: by host, and the text of a failure that concerns the run as a whole."""

    hosts: dict[str, HostOutcome]
    broken: str = ""


async def execute(run: Run, processes: Processes, listener: Listener) -> Outcome:
    """Run it to the end. ``listener`` gets each report of the callback plugin, unscrubbed, as it comes.

    Cancellation ends the processes. The directory is removed in any case.
    """
    run.directory.mkdir(mode=0o700, parents=True)
    try:
        for name, text in run.files.items():
            (run.directory / name).write_text(text, encoding="utf-8")
        (run.directory / "tmp").mkdir()
        outcome = Outcome({host: HostOutcome() for host in run.work.hosts})
        finished = False

        def heard(report: dict[str, Any]) -> None:
            nonlocal finished
            finished = _note(outcome, report) or finished
            listener(report)

        with _reports(run.directory / ansible_run.CALLBACK, heard):
            async with _feeding(run.directory / ansible_run.SECRETS, run.secrets):
                log = run.directory / ansible_run.LOG
                code = await processes.run(run.argv, env=run.env, cwd=run.directory, log=log)
        if not finished:
            outcome.broken = _tail(log) or f"ansible-playbook: exit code {code}"
        return outcome
    finally:
        shutil.rmtree(run.directory, ignore_errors=True)


def _note(outcome: Outcome, report: dict[str, Any]) -> bool:
    """Enter a report into the outcome; whether it was the last one."""
    if report["event"] == "result" and report["status"] in {"ok", "changed", "failed"}:
        outcome.hosts[report["host"]].touched = True
    if report["event"] == "result" and report["status"] in {"failed", "unreachable"}:
        host = outcome.hosts[report["host"]]
        host.task, host.message, host.unit = report["task"], report["message"], report.get("unit")
    if report["event"] != "stats":
        return False
    for name, host in outcome.hosts.items():
        sums = report["hosts"].get(name)
        # A host that no play has visited (the one before it failed on it) has no sums.
        host.changed = sums["changed"] if sums else 0
        host.unreachable = bool(sums and sums["unreachable"])
        host.failed = sums is None or bool(sums["failures"]) or host.unreachable
        custom = report["custom"].get(name, {})
        host.facts = dict(custom.get("yiwang_facts") or {})
        host.skipped = list(custom.get("yiwang_skipped") or [])
    return True


@contextlib.contextmanager
def _reports(path: Path, heard: Listener) -> Iterator[None]:
    """A FIFO whose lines of JSON are handed on while the block runs; what is left is read at its end."""
    os.mkfifo(path, 0o600)
    # Open for both directions, so that it never ends while a writer is still to come.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    rest = b""

    def read() -> None:
        nonlocal rest
        with contextlib.suppress(BlockingIOError):
            while data := os.read(descriptor, _CHUNK):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    heard(json.loads(line))

    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, read)
    try:
        yield
        read()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


@contextlib.asynccontextmanager
async def _feeding(path: Path, text: str) -> AsyncIterator[None]:
    """A FIFO that gives ``text`` to whoever reads it to its end, once. Nothing is made for an empty text.

    Nobody waits in an open of it: a run that ends, or is cancelled, before anybody has read leaves nothing behind that does.
    """
    if not text:
        yield
        return
    os.mkfifo(path, 0o600)
    feeder = asyncio.create_task(_feed(path, text.encode()))
    try:
        yield
    finally:
        feeder.cancel()
        await asyncio.gather(feeder, return_exceptions=True)


async def _feed(path: Path, data: bytes) -> None:
    while (descriptor := _open_for_reader(path)) is None:  # noqa: ASYNC110 - the kernel tells nobody when a FIFO is opened
        await asyncio.sleep(_LOOK_AGAIN)
    try:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, 1 << 20)
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                await _writable(descriptor)
            except BrokenPipeError:
                return
    finally:
        os.close(descriptor)


def _open_for_reader(path: Path) -> int | None:
    """The writer's end of a FIFO that somebody reads, and its name gone; None while nobody does. It never makes a file."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise
    path.unlink()
    return descriptor


async def _writable(descriptor: int) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(descriptor)


def _tail(log: Path) -> str:
    """The lines of the output that say why a run ended without a report."""
    if not log.is_file():
        return ""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    # The error comes first, then where it is.
    first = next((index for index, line in enumerate(lines) if "ERROR" in line), max(len(lines) - 4, 0))
    return "\n".join(lines[first : first + 4])
