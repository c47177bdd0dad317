"""The provider's side of the supervisor: starts it once, runs programs through it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yiwang.provider import supervisor


class Processes:
    """Programs run below one supervisor, which ends them all when this process ends in any way."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._ended: dict[str, asyncio.Future[int]] = {}

    async def run(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path) -> int:
        """Run a program to its end and return its exit code (negative: a signal). Both outputs go to ``log``.

        Cancelling the caller ends the program and its descendants. Raises RuntimeError when the supervisor is gone.
        """
        await self._ensure()
        job = str(next(self._ids))
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended[job] = ended
        await self._send({"id": job, "argv": list(argv), "env": dict(env), "cwd": str(cwd), "log": str(log)})
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError, ConnectionError):
                await self._send({"id": job, "kill": True})
            raise
        finally:
            self._ended.pop(job, None)

    async def close(self) -> None:
        """End all programs and the supervisor."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    async def _ensure(self) -> None:
        async with self._starting:
            if self._process is not None:
                return
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-S",
                "-E",
                str(Path(supervisor.__file__)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # A session of its own: a Ctrl-C at the terminal is for the engine to decide about.
                start_new_session=True,
            )
            self._reader = asyncio.create_task(self._read(self._process))

    async def _send(self, order: dict[str, Any]) -> None:
        if self._process is None or self._process.stdin is None or self._process.returncode is not None:
            raise RuntimeError("the supervisor process has ended")
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        while process.stdout is not None and (line := await process.stdout.readline()):
            said = json.loads(line)
            ended = self._ended.get(said["id"])
            if ended is None or ended.done():
                continue
            if "code" in said:
                ended.set_result(said["code"])
            elif "error" in said:
                ended.set_exception(RuntimeError(said["error"]))
        for ended in self._ended.values():
            if not ended.done():
                ended.set_exception(RuntimeError("the supervisor process has ended"))
