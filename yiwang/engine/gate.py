"""What a run waits for before it changes anything: a look at its program that finds all packages available."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Gate:
    """``look`` runs at the first step that changes something, while the program goes on; a run without one pays nothing."""

    def __init__(self, look: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        self._look = look
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether all that the program needs is known to be there."""
        return self._look is None

    def open(self) -> None:
        """No look is needed any more: the program has ended, so all it needs was there."""
        self._look = None

    async def passed(self) -> None:
        """Wait until something may be changed. Raises the UserError the look ended with."""
        if self._look is None:
            return
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)
        self.open()

    async def close(self) -> None:
        """End a look that nobody waits for any more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
