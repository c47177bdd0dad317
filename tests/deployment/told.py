"""An engine that is told how each site ends, for tests of what is built on one."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yiwang import engine
from yiwang.deployment.engines.embedded import EmbeddedEngine
from yiwang.errors import ExitCode

STEP = engine.StepFinished(op="create", urn="urn:pulumi:x::y::yiwang:index:Role::base", type="yiwang:index:Role", name="base")
FINE = engine.Result(True, {"create": 1}, 0, (STEP,), {}, (), ())
BAD = dataclasses.replace(FINE, ok=False, code=ExitCode.FAILED)


class Told(EmbeddedEngine):
    """An engine whose sites end as they are told to: by a result, or an error that is raised. ``meanwhile`` runs inside each."""

    def __init__(self, ends: Mapping[str, engine.Result | Exception] | None = None, meanwhile: Callable[[str], Any] | None = None) -> None:
        super().__init__(Path("/nowhere"))
        self.ends = ends or {}
        self.meanwhile = meanwhile
        self.began: list[str] = []
        self.verbs: list[str] = []
        self.control = engine.Control()
        self.ended: list[str] = []
        self.refreshing: list[bool] = []
        self.most = 0

    async def _run(self, verb: str, stack: engine.Stack, options: engine.Options, on_event: Any) -> engine.Result:  # noqa: ARG002 - the engine's own signature
        self.control = options.control
        self.began.append(stack.name)
        self.refreshing.append(options.refresh)
        self.most = max(self.most, len(self.began) - len(self.ended))
        end = self.ends.get(f"{verb} {stack.name}", self.ends.get(stack.name, FINE))
        self.verbs.append(verb)
        try:
            if isinstance(end, Exception):
                raise end
            for _ in range(3):
                await asyncio.sleep(0)  # the others get their turn
            if self.meanwhile:
                found = self.meanwhile(stack.name)
                if asyncio.iscoroutine(found):
                    await found
            return end
        finally:
            self.ended.append(stack.name)

    async def preview(self, stack: engine.Stack, options: engine.Options, on_event: Any) -> engine.Result:
        """A change of one role, unless told otherwise."""
        return await self._run("preview", stack, options, on_event)

    async def up(self, stack: engine.Stack, options: engine.Options, on_event: Any) -> engine.Result:
        """Done."""
        return await self._run("up", stack, options, on_event)

    async def destroy(self, stack: engine.Stack, options: engine.Options, on_event: Any) -> engine.Result:
        """Done."""
        return await self._run("destroy", stack, options, on_event)


async def press(control: engine.Control) -> None:
    """Ctrl-C, and wait until it has reached the runs."""
    reached = asyncio.Event()
    control.watch(watcher := lambda _control: reached.set())
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(reached.wait(), 10)
    control.unwatch(watcher)
