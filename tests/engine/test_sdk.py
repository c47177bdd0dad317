"""What is mended in the SDK before a program runs: counts, not times."""

from __future__ import annotations

import asyncio
import base64
import pickle
from typing import Any

import pytest
from pulumi.dynamic import ResourceProvider, dynamic

from yiwang.engine import sdk


class Plain(ResourceProvider):
    """Importable and without state: its pickle is its name."""


class Slotted(ResourceProvider):
    __slots__ = ("size",)


class Reduced(ResourceProvider):
    def __reduce__(self) -> tuple[Any, ...]:
        return (Reduced, ())


def _holding(value: object) -> ResourceProvider:
    provider = Plain()
    vars(provider)["held"] = value
    return provider


def test_a_provider_is_pickled_any_number_of_times() -> None:
    # The SDK alone ends with a RecursionError after about 310.
    serialize = sdk._mended(dynamic.serialize_provider)
    before = pickle._Pickler._batch_setitems  # type: ignore[attr-defined]
    texts = [serialize(_holding(number % 7)) for number in range(700)]
    assert len(set(texts)) == 7
    assert pickle._Pickler._batch_setitems is before  # type: ignore[attr-defined]


def test_a_provider_that_is_only_a_name_is_pickled_once() -> None:
    pickled: list[Any] = []

    def original(provider: Any) -> str:
        pickled.append(provider)
        return base64.b64encode(pickle.dumps(type(provider).__name__)).decode()

    serialize = sdk._mended(original)
    assert len({serialize(Plain()) for _ in range(5)}) == 1
    assert len(pickled) == 1
    for kind in (Slotted, Reduced):
        serialize(kind())
        serialize(kind())
    serialize(_holding(1))
    assert len(pickled) == 6

    class Local(ResourceProvider):
        pass

    serialize(Local())
    serialize(Local())
    assert len(pickled) == 8, "a class without an importable name may change"


def test_waiting_for_outputs_does_not_begin_anew_for_each() -> None:
    async def main() -> int:
        patient = sdk._Patient()
        tasks = {asyncio.create_task(asyncio.sleep(number / 10_000)) for number in range(300)}
        rounds = 0
        while tasks:
            _, tasks = await patient.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            rounds += 1
        return rounds

    assert asyncio.run(main()) < 30


def test_an_output_that_fails_is_seen_at_once() -> None:
    async def fails() -> None:
        raise ValueError("told to fail")

    async def main() -> None:
        patient = sdk._Patient()
        for_ever = asyncio.create_task(asyncio.Event().wait())
        failing = asyncio.create_task(fails())
        done, pending = await patient.wait({for_ever, failing}, return_when=asyncio.FIRST_COMPLETED)
        assert (done, pending) == ({failing}, {for_ever})
        with pytest.raises(ValueError, match="told to fail"):
            await failing
        for_ever.cancel()

    asyncio.run(main())
