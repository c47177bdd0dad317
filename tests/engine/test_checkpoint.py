"""Checkpoint and journal: what is written is read again, sound by the rules, and a torn or doubled fold harms nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from yiwang.engine import checkpoint, journal
from yiwang.engine.checkpoint import Deployment, Pending
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource
from yiwang.engine.snapshot import Snapshot
from yiwang.engine.store import Store
from yiwang.engine.values import secret
from yiwang.errors import ExitCode, UserError

PHRASE = "open sesame"


@pytest.fixture(scope="module")
def secrets() -> Manager:
    return Manager(PHRASE)


def urn(name: str) -> str:
    return f"urn:pulumi:s::p::t:i:T::{name}"


def resource(name: str, *needs: str, **values: Any) -> Resource:
    dependencies = [urn(need) for need in needs]
    return Resource(urn=urn(name), type="t:i:T", custom=True, id=name, dependencies=dependencies, **values)


def snapshot(store: Store, secrets: Manager, base: Deployment | None = None) -> Snapshot:
    return Snapshot(store, base or Deployment(), secrets, dry=False, digest=store.digest())


def names(store: Store) -> list[str]:
    return [state.name for state in journal.load(store, PHRASE).deployment.resources]


def test_round_trip_with_fields_this_engine_does_not_know(secrets: Manager) -> None:
    data = {
        "urn": urn("a"), "custom": True, "id": "a", "type": "t:i:T", "inputs": {"x": 1}, "viewOf": "urn:other", "stackTrace": [{"pc": 1}],
        "customTimeouts": {"create": 300}, "protect": True, "created": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert checkpoint.encode_resource(checkpoint.decode_resource(data, secrets), secrets) == data


def test_empty_fields_are_left_out(secrets: Manager) -> None:
    written = checkpoint.encode_resource(resource("a"), secrets)
    assert set(written) == {"urn", "custom", "id", "type"}


def test_secrets_are_encrypted_in_the_text(secrets: Manager) -> None:
    text = checkpoint.dump(Deployment([resource("a", outputs={"pw": secret("s3cret")})]), secrets, "organization/p/s")
    assert "s3cret" not in text
    latest = checkpoint.parse(text.encode())
    assert checkpoint.load(latest, Manager(PHRASE, secrets.state)).resources[0].outputs == {"pw": secret("s3cret")}


def test_resources_follow_what_they_need() -> None:
    a, b, c = resource("a"), resource("b", "a"), resource("c", "b")
    old_a = resource("a", delete=True)
    ordered = checkpoint.in_order([c, old_a, b, a])
    assert [(state.name, state.delete) for state in ordered] == [("a", False), ("b", False), ("c", False), ("a", True)]
    assert checkpoint.problems(Deployment(ordered)) == []


def test_a_circle_does_not_hang() -> None:
    a, b = resource("a", "b"), resource("b", "a")
    assert {state.name for state in checkpoint.in_order([a, b])} == {"a", "b"}


def test_problems_are_found() -> None:
    found = checkpoint.problems(Deployment([resource("b", "a"), resource("a"), resource("a"), resource("c", provider="urn:x::1")]))
    assert len(found) == 4


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"version": 3}', b'{"version": 9, "checkpoint": {}}', b'"x"'])
def test_what_is_no_checkpoint_is_told(text: bytes) -> None:
    with pytest.raises(UserError) as caught:
        checkpoint.parse(text)
    assert caught.value.code == ExitCode.INPUT


def test_another_secrets_provider_is_refused() -> None:
    with pytest.raises(UserError, match="service"):
        checkpoint.secrets_state({"secrets_providers": {"type": "service"}})


async def _run(store: Store, secrets: Manager, *, fold: bool) -> None:
    state = snapshot(store, secrets)
    number = await state.begin("creating", resource("a"))
    state.put(resource("a", outputs={"pw": secret("s3cret")}))
    state.done(number)
    await state.begin("creating", resource("b", "a"))
    await state.flush()
    if fold:
        await state.fold()
    state.close()


def test_a_killed_run_is_folded(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    assert not store.path.exists()
    assert "s3cret" not in store.journal_path.read_text()
    before = journal.load(store, PHRASE).deployment
    assert journal.recover(store)
    after = journal.load(store, PHRASE).deployment
    assert not store.journal_path.exists()
    assert [state.name for state in before.resources] == [state.name for state in after.resources] == ["a"]
    assert [entry.describe() for entry in after.pending] == [f"creating {urn('b')}"]
    assert not journal.recover(store)


def test_a_torn_last_line_is_left_out(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    whole = store.journal_path.read_bytes()
    for cut in (*range(0, len(whole), 37), len(whole) - 1):
        store.journal_path.write_bytes(whole[:cut])
        found = journal.load(store, PHRASE).deployment if cut else Deployment()
        assert [state.name for state in found.resources] in ([], ["a"])
        assert len(found.resources) + len(found.pending) <= 2
    store.journal_path.write_bytes(whole[:-5])
    assert journal.recover(store)
    assert names(store) == ["a"]


def test_killed_between_checkpoint_and_journal_removal(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    kept = store.journal_path.read_bytes()
    asyncio.run(_finish(store, secrets))
    journal_of_the_fold = kept + json.dumps({"folded": store.digest()}).encode() + b"\n"
    content = store.path.read_bytes()
    store.journal_path.write_bytes(journal_of_the_fold)
    assert journal.recover(store)
    assert store.path.read_bytes() == content, "what was folded is not applied a second time"


async def _finish(store: Store, secrets: Manager) -> None:
    store.journal_path.unlink()
    await _run(store, secrets, fold=True)


def test_a_journal_of_another_checkpoint_is_refused(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    store.write(checkpoint.dump(Deployment([resource("x")]), secrets, store.full_name))
    with pytest.raises(UserError, match="journal"):
        journal.recover(store)
    assert store.journal_path.exists()
    assert names(store) == ["x"]


def test_nothing_changed_writes_nothing(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    base = Deployment([resource("a")])
    store.write(checkpoint.dump(base, secrets, store.full_name))
    before = (store.path.stat().st_ino, store.path.stat().st_mtime_ns)

    async def same() -> None:
        state = snapshot(store, secrets, base)
        state.adopt(base.resources[0], resource("a", source_position="elsewhere"))
        await state.fold()

    asyncio.run(same())
    assert (store.path.stat().st_ino, store.path.stat().st_mtime_ns) == before
    assert not store.journal_path.exists()


def test_the_former_checkpoint_is_kept(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    for name in ("one", "two", "three"):
        store.write(checkpoint.dump(Deployment([resource(name)]), secrets, store.full_name))
    assert '"two"' in store.path.with_suffix(".json.bak").read_text()
    assert names(store) == ["three"]


def test_settled_operations_are_forgotten_and_others_stay(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    base = Deployment([], [Pending("creating", resource("a")), Pending("creating", resource("b"))])
    store.write(checkpoint.dump(base, secrets, store.full_name))

    async def settle() -> None:
        state = snapshot(store, secrets, base)
        state.settle(urn("a"))
        await state.flush()
        state.close()

    asyncio.run(settle())
    journal.recover(store)
    assert [entry.resource.name for entry in journal.load(store, PHRASE).deployment.pending] == ["b"]


def test_a_new_stack_takes_its_neighbours_salt(tmp_path: Path, secrets: Manager) -> None:
    first = Store(tmp_path, "p", "s")
    first.write(checkpoint.dump(Deployment(), secrets, first.full_name))
    assert journal.load(Store(tmp_path, "p", "other"), PHRASE).secrets.state == secrets.state
