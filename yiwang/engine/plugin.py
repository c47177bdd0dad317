"""Plugin processes: found by name, started on a unix socket in a private directory, tied to the life of this process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from yiwang.errors import UserError
from yiwang.messages import t

SOCKET_VARIABLE = "PULUMI_PROVIDER_SOCKET"
_START_SECONDS = 60.0
_STOP_SECONDS = 3.0
_LISTEN_SECONDS = 0.5
_LAST_WORDS = 8
# A child dies with the engine: a create that goes on after a kill would make its object a second time.
_TIE = "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,9);os.getppid()==int(sys.argv[1]) or os._exit(1);os.execv(sys.argv[2],sys.argv[2:])"
_numbers = itertools.count()
# stdout of a plugin and of a program may hold lines of any length.
STREAM_LIMIT = 16 * 1024 * 1024


def find(package: str, local: Mapping[str, Path]) -> Path | None:
    """The executable of a package's plugin: the project's own, beside this Python, or on PATH; None when there is none."""
    name = f"pulumi-resource-{package}"
    if package in local:
        path = local[package] / name if local[package].is_dir() else local[package]
        return path if os.access(path, os.X_OK) else None
    beside = Path(sys.executable).parent / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


def tied(arguments: list[str]) -> list[str]:
    """A command line that ends with this process, however this process ends."""
    setpriv = shutil.which("setpriv")
    if setpriv:
        return [setpriv, "--pdeathsig", "KILL", "--", *arguments]
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *arguments]


class Plugin:
    """One plugin process. ``on_line(stream, text)`` gets each line it prints after the first of stdout."""

    def __init__(self, package: str, process: asyncio.subprocess.Process, socket: Path, on_line: Callable[[str, str], None]) -> None:
        self.package = package
        self.socket = socket
        self._process = process
        self._readers = [
            asyncio.create_task(forward(process.stdout, "stdout", on_line)),
            asyncio.create_task(forward(process.stderr, "stderr", on_line)),
        ]

    async def stop(self, *, at_once: bool = False) -> None:
        """End the process: asked first, then killed after 3 s (``at_once``: killed)."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
            try:
                await asyncio.wait_for(ended(self._process), _STOP_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await ended(self._process)
        # What it started and left behind would go on without an engine, and holds the pipes open.
        _end_group(self._process.pid)
        # What it said last is read, unless a grandchild holds the pipes open.
        await asyncio.wait(self._readers, timeout=_LISTEN_SECONDS)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


def _end_group(leader: int) -> None:
    """Kill what is left of the session of a process that has ended. As long as there is anything of it, nobody else gets its number."""
    if not Path(f"/proc/{leader}").exists():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


async def ended(process: asyncio.subprocess.Process) -> int:
    """The exit code of a process when it has ended. asyncio's own wait goes on as long as a grandchild holds the pipes open."""
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process.pid)
        try:
            loop.add_reader(descriptor, gone.set)
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    while process.returncode is None:  # noqa: ASYNC110 - whoever watches children for asyncio is about to say so, and tells nobody else
        await asyncio.sleep(0.001)
    return process.returncode


async def forward(stream: asyncio.StreamReader | None, name: str, on_line: Callable[[str, str], None]) -> None:
    """Hand each line of a child's output to ``on_line``."""
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:
            # A line longer than the limit: the rest of it comes with the next read.
            continue
        if not line:
            return
        text = line.decode(errors="replace").rstrip("\r\n")
        if text:
            on_line(name, text)


async def start(
    package: str,
    arguments: list[str],
    directory: Path,
    environment: Mapping[str, str],
    working_directory: Path,
    on_line: Callable[[str, str], None],
) -> Plugin:
    """Start a plugin on a socket of its own in ``directory`` (0700) and wait until it listens.

    Raises UserError when it ends first, does not answer within a minute, or does not listen on the socket.
    """
    socket = directory / f"{package}-{next(_numbers)}.sock"
    process = await asyncio.create_subprocess_exec(
        *tied(arguments),
        cwd=working_directory,
        env={**environment, SOCKET_VARIABLE: str(socket)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=STREAM_LIMIT,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    last: deque[str] = deque(maxlen=_LAST_WORDS)

    def listen(stream: str, text: str) -> None:
        last.append(text)
        on_line(stream, text)

    try:
        async with asyncio.timeout(_START_SECONDS):
            first = await process.stdout.readline()
            listening = bool(first) and socket.is_socket()
    except TimeoutError:
        listening = False
    plugin = Plugin(package, process, socket, listen)
    if not listening:
        await plugin.stop(at_once=True)
        text = t("engine.plugin_start", package=package, path=arguments[0])
        raise UserError(text, fix=t("engine.plugin_start_fix"), lines=tuple(f"| {line}" for line in last))
    return plugin
