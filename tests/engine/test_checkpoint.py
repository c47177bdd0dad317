"""Checkpoint and journal: what is written is read again, sound by the rules, and a torn or doubled fold harms nothing."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from yiwang.engine import checkpoint, journal
from yiwang.engine.checkpoint import Deployment, Pending
from yiwang.engine.jsontext import compact_json
from yiwang.engine.passphrase import Manager, Sealed
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


def test_what_is_marked_for_deletion_follows_what_took_its_place() -> None:
    """The CLI takes it for there twice otherwise, and refuses the state."""
    old, new = resource("a", delete=True), resource("a")
    for given in ([old, new], [new, old]):
        assert [state.delete for state in checkpoint.in_order(given)] == [False, True]


def test_a_circle_does_not_hang() -> None:
    a, b = resource("a", "b"), resource("b", "a")
    assert {state.name for state in checkpoint.in_order([a, b])} == {"a", "b"}


PROVIDER = "urn:pulumi:s::p::pulumi:providers:t::x"


@pytest.mark.parametrize(
    ("resources", "said", "refused"),
    [
        ([resource("b", "a"), resource("a")], "b comes before urn:pulumi:s::p::t:i:T::a, which it needs", False),
        ([resource("b", "a")], "a, which is not there", True),
        ([resource("a"), resource("a")], "a is there twice", True),
        ([resource("a", delete=True), resource("a")], "a is there twice", False),
        ([resource("c", provider=f"{PROVIDER}::1")], f"c refers to the provider {PROVIDER}::1", False),
        ([resource("a", "a")], "a depends on itself", True),
        ([resource("y"), resource("y", "y", delete=True), resource("y")], "y is there twice", True),
        ([resource("a", parent=resource("a").urn)], "a depends on itself", True),
    ],
)
def test_problems_are_found(resources: list[Resource], said: str, refused: bool, tmp_path: Path) -> None:
    """And what contradicts itself is no state to work with, whoever wrote it; it can still be replaced."""
    (problem,) = checkpoint.problems(Deployment(resources))
    assert said in problem
    store = Store(tmp_path, "p", "s")
    secrets = Manager(PHRASE)
    document = json.loads(checkpoint.dump(Deployment(), secrets, store.full_name))
    document["checkpoint"]["latest"]["resources"] = [checkpoint.encode_resource(entry, secrets) for entry in resources]
    store.write(json.dumps(document))
    for load in (lambda: journal.load(store, PHRASE), lambda: journal.load_sealed(store)):
        if not refused:
            load()
            continue
        with pytest.raises(UserError, match=re.escape(f"{store.path} contradicts itself: {problem}")) as caught:
            load()
        assert caught.value.code == ExitCode.INPUT
    assert journal.recover(store) is False


@pytest.mark.parametrize("key", ["dependencies", "parent"])
def test_a_circle_is_cut_where_it_is_written(key: str) -> None:
    """A run that left a part as it was may make one; the CLI would refuse it."""
    a, b = resource("a"), resource("b")
    for one, other in ((a, b), (b, a)):
        setattr(one, key, [other.urn] if key == "dependencies" else other.urn)
    secrets = Manager(PHRASE)
    text = checkpoint.dump(Deployment([a, b, resource("c", "a")]), secrets, "organization/p/s")
    found = checkpoint.load(checkpoint.parse(text.encode()), secrets)
    assert checkpoint.problems(found) == []
    by_name = {state.name: state.needs() for state in found.resources}
    assert by_name["c"] == {a.urn}
    assert sorted(map(len, (by_name["a"], by_name["b"]))) == [0, 1]


def test_nothing_refers_to_what_is_gone() -> None:
    """After a failed refresh, a kill or a run with targets what something needed may be gone while it stays."""
    left = resource("b", "a", deleted_with=resource("a").urn, replace_with=[resource("a").urn], parent=resource("a").urn)
    left.property_dependencies = {"text": [resource("a").urn, resource("c").urn]}
    secrets = Manager(PHRASE)
    text = checkpoint.dump(Deployment([left, resource("c")]), secrets, "organization/p/s")
    found = checkpoint.load(checkpoint.parse(text.encode()), secrets)
    assert checkpoint.problems(found) == []
    by_name = {state.name: state for state in found.resources}
    assert by_name["b"].property_dependencies == {"text": [resource("c").urn]}


def test_what_waits_for_its_replacement_may_have_lost_its_provider() -> None:
    waiting = resource("c", provider="urn:x::1", pending_replacement=True)
    assert checkpoint.problems(Deployment([waiting])) == []


def test_a_manifest_that_was_changed_is_a_problem() -> None:
    secrets = Manager(PHRASE)
    latest = checkpoint.parse(checkpoint.dump(Deployment(), secrets, "organization/p/s").encode())
    assert checkpoint.problems(checkpoint.load(latest, secrets)) == []
    latest["manifest"]["magic"] = "0" * 64
    (problem,) = checkpoint.problems(checkpoint.load(latest, secrets))
    assert "manifest.magic does not fit" in problem
    # Written by nobody, as the service exports what was never deployed.
    assert checkpoint.problems(checkpoint.load({"manifest": {"time": "", "magic": "", "version": ""}}, secrets)) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_neither_written_nor_read(number: str) -> None:
    secrets = Manager(PHRASE)
    with pytest.raises(ValueError, match="not JSON compliant"):
        checkpoint.dump(Deployment([resource("a", outputs={"x": float(number)})]), secrets, "organization/p/s")
    text = checkpoint.dump(Deployment([resource("a", outputs={"x": 4711})]), secrets, "organization/p/s")
    for written in (number, "1e999"):
        with pytest.raises(UserError, match="no valid Pulumi checkpoint"):
            checkpoint.parse(text.replace("4711", written).encode())
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact_json([float(number)])


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


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (1, '"base"', '"bose"'),
        (1, '"secrets"', '"secret"'),
        (2, '"urn"', '"arn"'),
        (2, '"begin"', '"bogin"'),
        (2, "creating", "cremating"),
        (3, '"type":"t:i:T"', '"type":5'),
    ],
)
def test_a_damaged_line_of_a_journal_is_told(line: int, old: str, new: str, tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    lines = store.journal_path.read_text().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    for rest in (lines, [*lines[:line], ""]):
        # Whatever follows: a line that is JSON was not torn.
        store.journal_path.write_text("\n".join(rest))
        for read in (lambda: journal.load(store, PHRASE), lambda: journal.recover(store), lambda: journal.count(store)):
            with pytest.raises(UserError, match=f"line {line} of the journal"):
                read()


def test_a_journal_that_is_a_directory_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path, "p", "s")
    store.journal_path.mkdir(parents=True)
    for read in (lambda: journal.load(store, PHRASE), lambda: journal.recover(store), lambda: journal.count(store)):
        with pytest.raises(UserError, match="is a directory"):
            read()


def test_resources_of_a_killed_run_are_counted(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    assert journal.count(store) == 0
    asyncio.run(_run(store, secrets, fold=False))
    assert journal.count(store) == 1


def test_sealing_anew_changes_nothing_else(secrets: Manager) -> None:
    """Also what is pending, what contradicts itself, and a trigger."""
    one = resource("a", "gone", outputs={"pw": secret("s3cret"), "x": 1}, replacement_trigger=secret(5))
    entry = checkpoint.encode_resource(one, secrets)
    latest = {"resources": [entry, entry], "pending_operations": [{"type": "creating", "resource": entry}], "other": 7}
    shown = checkpoint.resealed(latest, secrets, Sealed(instead=lambda value: {"shown": value}))
    expected = {**entry, "outputs": {"pw": {"shown": "s3cret"}, "x": 1}, "replacementTrigger": {"shown": 5}}
    assert shown == {"resources": [expected] * 2, "pending_operations": [{"type": "creating", "resource": expected}], "other": 7}
    with pytest.raises(UserError, match=r"resources\[0\]"):
        checkpoint.resealed(latest, Manager("another"), Sealed())


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


def test_killed_while_a_dead_run_is_folded(tmp_path: Path, secrets: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the new checkpoint and the removal of the journal, whose last line was torn by the first kill."""
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    store.journal_path.write_bytes(store.journal_path.read_bytes()[:-5])
    monkeypatch.setattr(Store, "remove_journal", lambda _self: None)
    assert journal.recover(store)
    monkeypatch.undo()
    content = store.path.read_bytes()
    assert journal.load(store, PHRASE).digest == store.digest()
    assert journal.recover(store)
    assert store.path.read_bytes() == content
    assert names(store) == ["a"]


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


# -- damaged files --------------------------------------------------------------------------------------------------

GOOD = {"urn": urn("a"), "type": "t:i:T", "custom": True, "id": "a"}


# What is empty, and no list.
EMPTY: tuple[Any, ...] = ({}, "", 0, False)


def document(resource_: Any = None, **more: Any) -> bytes:
    latest = {"resources": [GOOD if resource_ is None else resource_]}
    return json.dumps({"version": 3, "checkpoint": {"latest": latest}, **more}).encode()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (document(version="3"), "version"),
        (document(version=True), "version"),
        (document(version=2), "version"),
        (document(checkpoint=[]), "checkpoint.latest"),
        (document(checkpoint={"latest": {"resources": {"x": 1}}}), "resources"),
        (document(checkpoint={"latest": {"secrets_providers": "x"}}), "secrets_providers"),
        (document(checkpoint={"latest": {"pending_operations": [{"resource": GOOD}]}}), "pending_operations[0].type"),
        (
            document(checkpoint={"latest": {"pending_operations": [{"type": "creating", "resource": {}}]}}),
            "pending_operations[0].resource.urn",
        ),
        *[(document(checkpoint={"latest": {"resources": empty}}), "resources") for empty in EMPTY],
        *[(document(checkpoint={"latest": empty}), "checkpoint.latest") for empty in ([], *EMPTY[1:])],
        (document(checkpoint={"latest": {"pending_operations": {}}}), "pending_operations"),
        (document(checkpoint={"latest": {"pending_operations": [{"type": "frob", "resource": GOOD}]}}), "pending_operations[0].type"),
        (document({**GOOD, "propertyDependencies": {"v": 5}}), "resources[0].propertyDependencies.v"),
        (document({**GOOD, "propertyDependencies": {"v": [5]}}), "resources[0].propertyDependencies.v"),
        (document({**GOOD, "customTimeouts": {"create": "x"}}), "resources[0].customTimeouts.create"),
        (document({**GOOD, "provider": "nonsense"}), "resources[0].provider"),
        (document({**GOOD, "created": "xx"}), "resources[0].created"),
        (document("x"), "resources[0]"),
        (document({"type": "t:i:T"}), "resources[0].urn"),
        (document({**GOOD, "urn": "a"}), "resources[0].urn"),
        (document({**GOOD, "inputs": []}), "resources[0].inputs"),
        (document({**GOOD, "delete": "no"}), "resources[0].delete"),
        (document({**GOOD, "dependencies": [1]}), "resources[0].dependencies"),
    ],
)
def test_a_damaged_checkpoint_is_told_by_file_and_key(text: bytes, key: str) -> None:
    with pytest.raises(UserError) as caught:
        checkpoint.parse(text, "/there/s.json")
    assert caught.value.code == ExitCode.INPUT
    assert f"/there/s.json is damaged: {key} " in caught.value.text


def test_features_this_engine_has_not_are_refused() -> None:
    assert checkpoint.parse(document(version=4, features=["taint"]))["resources"] == [GOOD]
    with pytest.raises(UserError, match="views"):
        checkpoint.parse(document(version=4, features=["taint", "views"]))


def test_a_tampered_secret_is_told_by_its_resource(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    text = checkpoint.dump(Deployment([resource("a", outputs={"pw": secret("s3cret")})]), secrets, store.full_name)
    sealed = json.loads(text)["checkpoint"]["latest"]["resources"][0]["outputs"]["pw"]["ciphertext"]
    store.write(text.replace(sealed, sealed[:-8] + "AAAAAAA="))
    with pytest.raises(UserError) as caught:
        journal.load(store, PHRASE)
    assert caught.value.code == ExitCode.INPUT
    assert str(store.path) in caught.value.text
    assert urn("a") in caught.value.text


# -- the journal ----------------------------------------------------------------------------------------------------


class _FullDisk:
    """A file on a disk that becomes full: the first write is torn, later ones would fit again."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.full = True

    def fileno(self) -> int:
        number: int = self._file.fileno()
        return number

    def write(self, data: bytes) -> int:
        if not self.full:
            written: int = self._file.write(data)
            return written
        self.full = False
        self._file.write(bytes(data)[:-3])
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        self._file.close()


async def _on_a_full_disk(store: Store, secrets: Manager) -> list[BaseException | int]:
    state = snapshot(store, secrets)
    await state.begin("creating", resource("a"))
    state._journal._file = _FullDisk(state._journal._file)  # type: ignore[union-attr]
    waiting = [asyncio.create_task(state.begin("creating", resource(name))) for name in "bcd"]
    waiting[0].cancel()
    found = list(await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10))
    found += await asyncio.gather(state.begin("creating", resource("e")), return_exceptions=True)
    state.put(resource("a"))
    state.done(1)
    state.close()
    return found


def test_after_a_failed_write_nothing_begins_and_nothing_is_written(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    found = asyncio.run(_on_a_full_disk(store, secrets))
    told = [error for error in found if isinstance(error, UserError)]
    assert len(told) == len(found) - 1, "all but the cancelled one are told, and none hangs"
    assert {error.code for error in told} == {ExitCode.MACHINE}
    assert str(store.journal_path) in told[0].text
    assert not store.journal_path.read_bytes().endswith(b"\n"), "nothing comes behind the torn line"


def test_what_happened_reaches_the_checkpoint_when_the_journal_cannot_be_written(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")

    async def run() -> None:
        state = snapshot(store, secrets)
        number = await state.begin("creating", resource("a"))
        state._journal._file = _FullDisk(state._journal._file)  # type: ignore[union-attr]
        state.put(resource("a"))
        state.done(number)
        with pytest.raises(UserError):
            await state.flush()
        with pytest.raises(UserError):
            await state.begin("creating", resource("b"))
        await state.fold()
        state.close()

    asyncio.run(run())
    found = journal.load(store, PHRASE).deployment
    assert [state.name for state in found.resources] == ["a"]
    assert found.pending == []
    assert not store.journal_path.exists()


def test_a_journal_is_folded_without_the_passphrase(tmp_path: Path, secrets: Manager) -> None:
    store = Store(tmp_path, "p", "s")
    asyncio.run(_run(store, secrets, fold=False))
    assert journal.recover(store)
    (found,) = journal.load(store, PHRASE).deployment.resources
    assert found.outputs == {"pw": secret("s3cret")}


@pytest.mark.parametrize("verb", ["replace", "adopt"])
def test_what_was_replaced_is_gone(verb: str, tmp_path: Path, secrets: Manager) -> None:
    old, new = resource("a"), resource("a")

    async def run() -> None:
        state = snapshot(Store(tmp_path, "p", "s"), secrets, Deployment([old]))
        getattr(state, verb)(old, new)
        assert old not in state
        state.drop(old)
        assert list(state) == [new]
        state.drop(new)
        assert (new in state, list(state)) == (False, [])

    asyncio.run(run())
