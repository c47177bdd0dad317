"""What is left of a step when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

from yiwang.engine.context import HaltedError
from yiwang.engine.executor import Executor


def test_a_step_that_ends_after_an_interrupt_is_no_news() -> None:
    """The program is gone, and with it the call that waited for the step: its exception must not end as a traceback."""
    said: list[dict[str, Any]] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context))
        context: Any = SimpleNamespace(halted=False, reporter=None)
        executor = object.__new__(Executor)
        executor._context, executor._tasks, executor.fatal = context, set(), None
        begun, release = asyncio.Event(), asyncio.Event()

        async def step() -> Any:
            begun.set()
            await release.wait()
            raise HaltedError

        waiting = asyncio.create_task(executor._shielded("urn", step()))
        await begun.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        release.set()
        await executor.drain()
        gc.collect()

    asyncio.run(story())
    gc.collect()
    assert said == []
