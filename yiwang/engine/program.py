"""The program's process: started on a socket of ours, ended with this process, its output forwarded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from yiwang.engine import inline
from yiwang.engine.api import QUIET
from yiwang.engine.plugin import STREAM_LIMIT, ended, forward, tied
from yiwang.engine.project import Config, Project
from yiwang.engine.store import ORGANIZATION

_RUNNER = Path(__file__).with_name("runner.py")
# The program ended and said why by itself, by a log message.
RAISED = inline.RAISED
# The same for an error made for people; what is above is the exit code it asks for.
TOLD = 160


class Program:
    """One run of a project's program, in a process of its own or by the language host at ``client``."""

    def __init__(self, project: Project, stack: str, config: Config, environment: Mapping[str, str], *, client: str = "") -> None:
        self._project = project
        self._stack = stack
        self._config = config
        self._environment = {QUIET: "NONE", **os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._client = client
        self._call: asyncio.Task[int] | None = None

    async def run(self, address: str, *, parallel: int, dry_run: bool, on_line: Callable[[str, str], None]) -> int:
        """Run to the end; the exit code (see ``runner``)."""
        request = {
            "monitor": address,
            "engine": address,
            "project": self._project.name,
            "stack": self._stack,
            "organization": ORGANIZATION,
            "directory": str(self._project.directory),
            "program": str(self._project.main),
            "config": dict(self._config.values),
            "secret_keys": sorted(self._config.secret_keys),
            "parallel": parallel,
            "dry_run": dry_run,
        }
        if self._client:
            self._call = asyncio.create_task(inline.run(self._client, request))
            try:
                return await self._call
            except asyncio.CancelledError:
                # Killed by ``kill``, unless it is the run itself that is given up.
                if not self._call.cancelled():
                    self._call.cancel()
                    raise
                return RAISED
        self._process = await asyncio.create_subprocess_exec(
            *tied([self._project.python, "-u", "-P", str(_RUNNER)]),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=STREAM_LIMIT,
        )
        readers = [
            asyncio.create_task(forward(self._process.stdout, "stdout", on_line)),
            asyncio.create_task(forward(self._process.stderr, "stderr", on_line)),
        ]
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(json.dumps(request).encode())
            await self._process.stdin.drain()
            self._process.stdin.close()
        try:
            code = await ended(self._process)
        finally:
            self.kill()
            # A grandchild may hold the pipes open for ever.
            await asyncio.wait(readers, timeout=1)
            for reader in readers:
                reader.cancel()
            # asyncio gives no other way to let go of pipes that somebody else holds open.
            vars(self._process)["_transport"].close()
        return code

    def kill(self) -> None:
        """End the process now; a language host is told to stop."""
        if self._call is not None:
            self._call.cancel()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
