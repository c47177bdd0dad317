"""What a run costs grows with the number of its steps, not with their square: counts, not times."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from yiwang.engine import checkpoint
from yiwang.engine.checkpoint import Deployment
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource
from yiwang.engine.snapshot import Snapshot
from yiwang.engine.store import Store

_AT_ONCE = 8


@pytest.fixture(scope="module")
def secrets() -> Manager:
    return Manager("open sesame")


def _urn(name: str) -> str:
    return f"urn:pulumi:s::p::t:i:T::{name}"


def _resource(number: int, **values: object) -> Resource:
    inputs = {"name": f"thing-{number:06}", "value": 7}
    return Resource(urn=_urn(f"thing-{number:06}"), type="t:i:T", custom=True, id=str(number), inputs=inputs, **values)  # type: ignore[arg-type]


async def _create(state: Snapshot, count: int) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            operation = await state.begin("creating", _resource(number))
            await asyncio.sleep(0)
            state.put(_resource(number))
            state.done(operation)

    await asyncio.gather(*map(one, range(count)))
    await state.flush()
    state.close()


def _journal(store: Store, secrets: Manager, count: int) -> int:
    asyncio.run(_create(Snapshot(store, Deployment(), secrets, dry=False, digest=""), count))
    return store.journal_path.stat().st_size


def test_the_journal_grows_with_the_steps(secrets: Manager, tmp_path: Path) -> None:
    small, large = (_journal(Store(tmp_path / str(count), "p", "s"), secrets, count) for count in (100, 800))
    assert large == pytest.approx(8 * small, rel=0.05)


def test_steps_at_the_same_time_share_one_fsync(secrets: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(os, "fsync", made.append)
    store = Store(tmp_path, "p", "s")
    state = Snapshot(store, Deployment(), secrets, dry=False, digest="")
    made.clear()
    asyncio.run(_create(state, 400))
    # Two in the worst case for each group of steps: one that begin while a write is under way wait for the next.
    assert len(made) <= 2 * 400 / _AT_ONCE + 2


@pytest.mark.parametrize("what", ["renamed", "replaced", "ordered"])
def test_looking_for_what_depends_on_something(what: str, secrets: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of resources that form a chain all are renamed, or replaced, or put into order."""
    asked = 0
    needs = Resource.needs

    def counted(resource: Resource) -> set[str]:
        nonlocal asked
        asked += 1
        return needs(resource)

    monkeypatch.setattr(Resource, "needs", counted)

    def cost(count: int) -> int:
        nonlocal asked
        chain = [_resource(number, dependencies=[_urn(f"thing-{number - 1:06}")] if number else []) for number in range(count)]
        state = Snapshot(Store(tmp_path, "p", "s"), Deployment(chain), secrets, dry=True, digest="")
        asked = 0
        if what == "ordered":
            checkpoint.in_order(reversed(chain))
        for resource in chain if what == "replaced" else ():
            state.taint_followers({resource.urn})
        for number, resource in enumerate(chain if what == "renamed" else ()):
            former, resource.urn = resource.urn, _urn(f"other-{number}")
            state.rename(former, resource.urn)
        return asked

    assert cost(400) <= 4.2 * cost(100)
