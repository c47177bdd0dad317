"""One run of the engine with Ctrl-C in mind: once lets running steps finish and saves, twice stops at once."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Awaitable

from yiwang import engine
from yiwang.engine.api import Control, Options, Result, Stack
from yiwang.engine.events import OnEvent

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def finished(operation: str, stack: Stack, options: Options, on_event: OnEvent) -> Result:
    """Run ``preview``, ``up``, ``refresh`` or ``destroy`` to its end."""
    control = Control()
    work = getattr(engine, operation)(stack, dataclasses.replace(options, control=control), on_event)
    return asyncio.run(_watched(work, control))


async def _watched(work: Awaitable[Result], control: Control) -> Result:
    def interrupt() -> None:
        if control.cancelled:
            control.terminate()
        else:
            control.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
