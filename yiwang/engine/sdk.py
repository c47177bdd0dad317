"""Mends what costs time with the square of a program's size in the SDK; loaded by ``runner`` before the program.

Seen in 3.272.0, and the reasons why a program of 2,000 resources takes minutes under the CLI too:

- Each ``serialize_provider`` wraps a method of ``pickle._Pickler`` once more and never takes that back: every dynamic resource
  is pickled slower than the one before, and at about 310 in one program comes a RecursionError. Here the methods are put back
  after each call. A provider without state, of a class that is pickled by its name, is pickled once.
- Whenever one output is there, the wait for all outputs begins anew, over all of them. Here it looks up at an
  exception and twice a second.
- Each debug message is a call to the engine that the program waits for. They are made only when somebody wants them.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any

_LOOK_UP_SECONDS = 0.5
Task = asyncio.Task[Any]


def mend(*, debug: bool = False) -> None:
    """Replace the functions where the SDK is as this module knows it. ``debug``: somebody wants debug messages."""
    import pulumi  # noqa: PLC0415 - the program's SDK, not the engine's
    from pulumi.dynamic import dynamic  # noqa: PLC0415
    from pulumi.runtime import stack  # noqa: PLC0415

    if callable(getattr(dynamic, "serialize_provider", None)):
        dynamic.serialize_provider = _mended(dynamic.serialize_provider)
    if vars(stack).get("asyncio") is asyncio:
        vars(stack)["asyncio"] = _Patient()
    if not debug:
        pulumi.log.debug = _say_nothing


def _say_nothing(*_message: object, **_options: object) -> None:
    """In place of ``pulumi.log.debug``."""


class _Patient(ModuleType):
    """``asyncio`` as the SDK's module that waits for outputs sees it: its ``wait`` remembers what it waits for."""

    def __init__(self) -> None:
        super().__init__("asyncio")
        self._watched: set[Task] = set()
        self._wake = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def wait(self, tasks: Collection[Task], *, return_when: str) -> tuple[set[Task], set[Task]]:
        """Asked for FIRST_COMPLETED: the first that failed, all, or a moment. New tasks come with the next call."""
        del return_when
        for task in set(tasks) - self._watched:
            self._watched.add(task)
            task.add_done_callback(self._ended)
        timer = asyncio.get_running_loop().call_later(_LOOK_UP_SECONDS, self._wake.set)
        await self._wake.wait()
        timer.cancel()
        self._wake.clear()
        done = {task for task in tasks if task.done()}
        return done, {*tasks} - done

    def _ended(self, task: Task) -> None:
        self._watched.discard(task)
        if not self._watched or task.cancelled() or task.exception() is not None:
            self._wake.set()


def _mended(original: Callable[[Any], str]) -> Callable[[Any], str]:
    pickler: Any = pickle._Pickler  # noqa: SLF001 - the very attributes that are changed
    methods = {name: getattr(pickler, name) for name in ("_batch_setitems", "save_dict")}
    known: dict[type, str] = {}

    def serialize_provider(provider: Any) -> str:
        kind = type(provider)
        found = known.get(kind)
        if found is not None and _by_name(provider):
            return found
        try:
            text = original(provider)
        finally:
            for name, method in methods.items():
                setattr(pickler, name, method)
        if _by_name(provider):
            known[kind] = text
        return text

    return serialize_provider


# What can make the pickle of an object other than its class and its attributes.
_HOOKS = ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")


def _by_name(provider: Any) -> bool:
    """Whether the pickle of ``provider`` is the name of its class and nothing else, whenever it is made."""
    kind = type(provider)
    if kind.__module__ == "__main__" or getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        return False
    plain = all(getattr(kind, name, None) is getattr(object, name, None) for name in _HOOKS)
    slots = any(vars(base).get("__slots__") for base in kind.__mro__)
    return plain and not slots and not getattr(provider, "__dict__", None)
