"""Signals that wait until what is under way is whole."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Held:
    """Notes the first signal, for which it is true from then on; the second one is raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self._noted = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._noted:
            raise KeyboardInterrupt
        self._noted = True

    def __bool__(self) -> bool:
        """Whether a signal came."""
        return self._noted


@contextlib.contextmanager
def held(*numbers: signal.Signals) -> Iterator[Held]:
    """Hold the signals ``numbers`` back, those that are not ignored. Inside another hold the outer one goes on; threads hold nothing."""
    before = {number: signal.getsignal(number) for number in numbers}
    outer = next((handler for handler in before.values() if isinstance(handler, Held)), None)
    if outer is not None or threading.current_thread() is not threading.main_thread():
        yield Held() if outer is None else outer
        return
    holder = Held()
    # None is a handler that is not Python's, which cannot be put back.
    replaced = {number: handler for number, handler in before.items() if handler not in {signal.SIG_IGN, None}}
    for number in replaced:
        signal.signal(number, holder)
    try:
        yield holder
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
