"""`yiwang state`: what the verbs show, refuse and change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests_support import Yiwang

from yiwang import engine, processes
from yiwang.engine import checkpoint, lock
from yiwang.engine.checkpoint import Deployment
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource
from yiwang.engine.store import Store
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic

PASSPHRASE = "open sesame"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def yiwang(tmp_path: Path) -> Yiwang:
    """The command line on a copy of the lab's inventory with one recorded stack; nothing of it runs."""
    directory = tmp_path / "province"
    shutil.copytree(REPOSITORY / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
    store = Store(directory / ".state", "province", "province")
    one = Resource(urn="urn:pulumi:province::province::t:i:T::one", type="t:i:T", custom=True, id="1")
    store.write(checkpoint.dump(Deployment([one]), Manager(PASSPHRASE), store.full_name))
    passphrase = directory / ".state" / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    passphrase.chmod(0o600)
    return Yiwang(directory)


def store_of(yiwang: Yiwang) -> Store:
    return Store(yiwang.inventory / ".state", "province", "province")


def test_list(yiwang: Yiwang) -> None:
    with lock.held(store_of(yiwang).lock_directory, "up"):
        found = yiwang.json("state", "list")
    shown = [(entry["stack"], entry["project"], entry["resources"], entry["in_flight"]) for entry in found]
    assert shown == [("province", "province", 1, [])]
    assert (found[0]["lock"]["pid"], found[0]["lock"]["verb"], found[0]["lock"]["alive"]) == (os.getpid(), "up", True)
    assert yiwang.json("state", "list")[0]["lock"] is None


def test_unlock_leaves_a_living_holder_alone(yiwang: Yiwang) -> None:
    directory = store_of(yiwang).lock_directory
    with lock.held(directory, "up"):
        refused = yiwang("state", "unlock", check=False)
        assert refused.returncode == ExitCode.LOCKED
        assert f"process {os.getpid()}" in refused.stderr
        assert len(lock.read(directory)) == 1
        yiwang("state", "unlock", "--force")
        assert lock.read(directory) == []


def test_unlock_removes_the_lock_of_a_dead_one(yiwang: Yiwang) -> None:
    directory = store_of(yiwang).lock_directory
    code = (
        "import os, pathlib\nfrom yiwang.engine import lock\n"
        f"held = lock.held(pathlib.Path({str(directory)!r}), 'up')\nheld.__enter__()\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [found.alive for found in lock.read(directory)] == [False]
    assert yiwang("state", "unlock", "--site", "jinan").stdout.strip() == "nothing is locked"
    assert "unlocked" in yiwang("state", "unlock", "--site", "province").stdout
    assert lock.read(directory) == []


def test_backup_and_restore(yiwang: Yiwang, tmp_path: Path) -> None:
    archive = tmp_path / "state.tar.gz"
    store = store_of(yiwang)
    kept = store.path.read_bytes()
    yiwang("state", "backup", str(archive))
    store.path.unlink()
    Store(store.root, "city", "later").write(kept.decode())
    refused = yiwang("state", "restore", str(archive), check=False)
    assert refused.returncode == ExitCode.INPUT, "without a terminal it wants --yes"
    assert not store.path.exists()
    restored = yiwang.json("state", "restore", str(archive), "--yes")
    assert restored["stacks"] == ["province/province"]
    assert (Path(restored["kept"]) / ".pulumi" / "stacks" / "city" / "later.json").read_text() == kept.decode(), "what was there is kept"
    assert store.path.read_bytes() == kept
    assert not Store(store.root, "city", "later").path.exists(), "the state is replaced whole"


def test_a_backup_under_another_passphrase_changes_nothing(yiwang: Yiwang, tmp_path: Path) -> None:
    archive = tmp_path / "state.tar.gz"
    yiwang("state", "backup", str(archive))
    before = store_of(yiwang).path.read_bytes()
    (yiwang.inventory / ".state" / "passphrase").write_text("another\n")
    done = yiwang("state", "restore", str(archive), "--yes", check=False)
    assert done.returncode == ExitCode.INPUT
    assert "passphrase" in done.stderr
    assert store_of(yiwang).path.read_bytes() == before
    assert not (yiwang.inventory / ".state" / "before-restore").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("backup", "/nowhere/state.tar.gz"), "/nowhere"),
        (("restore", "/nowhere.tar.gz", "--yes"), "/nowhere.tar.gz"),
        (("restore", __file__, "--yes"), "no backup"),
        (("unlock", "--site", "atlantis"), "atlantis"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], text: str, yiwang: Yiwang) -> None:
    before = store_of(yiwang).path.read_bytes()
    done = yiwang("state", *arguments, check=False)
    assert done.returncode == ExitCode.INPUT
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert store_of(yiwang).path.read_bytes() == before


@pytest.mark.parametrize(
    "words", [("state", "list"), ("state", "export", "--site", "province", "x.json"), ("outputs", "--site", "province")]
)
def test_a_backend_of_another_version_is_refused(words: tuple[str, ...], yiwang: Yiwang) -> None:
    marker = store_of(yiwang).root / ".pulumi" / "meta.yaml"
    marker.write_text("version: 2\n")
    done = yiwang(*words, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (ExitCode.INPUT, 1), done.stderr
    assert f"{marker} has version 2" in done.stderr


def test_a_backup_of_another_version_is_refused(yiwang: Yiwang, tmp_path: Path) -> None:
    marker = store_of(yiwang).root / ".pulumi" / "meta.yaml"
    marker.write_text("version: 1\n")
    archive = tmp_path / "backup.tar.gz"
    yiwang("state", "backup", str(archive))
    with tarfile.open(archive) as members:
        members.extractall(tmp_path / "apart", filter="data")
    (tmp_path / "apart" / ".pulumi" / "meta.yaml").write_text("version: 2\n")
    with tarfile.open(archive, "w:gz") as changed:
        for part in (".pulumi/stacks", ".pulumi/meta.yaml"):
            changed.add(tmp_path / "apart" / part, part)
    before = store_of(yiwang).path.read_bytes()
    done = yiwang("state", "restore", str(archive), "--yes", check=False)
    assert done.returncode == ExitCode.INPUT
    assert ".pulumi/meta.yaml has version 2" in done.stderr
    assert store_of(yiwang).path.read_bytes() == before


def test_a_damaged_state_is_told(yiwang: Yiwang) -> None:
    store_of(yiwang).path.write_text(json.dumps({"version": 3})[:-3])
    done = yiwang("state", "list", check=False)
    assert done.returncode == ExitCode.INPUT
    assert f"{store_of(yiwang).path} is no valid Pulumi checkpoint" in done.stderr


def test_a_damaged_checkpoint_in_a_backup_changes_nothing(yiwang: Yiwang, tmp_path: Path) -> None:
    store = store_of(yiwang)
    kept = store.path.read_text()
    store.path.write_text(kept.replace('"urn":"urn:', '"urn":"'))
    archive = tmp_path / "state.tar.gz"
    yiwang("state", "backup", str(archive))
    store.path.write_text(kept)
    done = yiwang("state", "restore", str(archive), "--yes", check=False)
    assert done.returncode == ExitCode.INPUT
    assert f"{archive}: .pulumi/stacks/province/province.json is damaged: resources[0].urn" in done.stderr
    assert store.path.read_text() == kept


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_first_run_that_has_recorded_nothing_yet_is_respected(verb: str, yiwang: Yiwang, tmp_path: Path) -> None:
    archive = tmp_path / "state.tar.gz"
    yiwang("state", "backup", str(archive))
    first = Store(store_of(yiwang).root, "city", "jinan")
    arguments = (str(archive), "--yes") if verb == "restore" else (str(tmp_path / "another.tar.gz"),)
    with lock.held(first.lock_directory, "up"):
        done = yiwang("state", verb, *arguments, check=False)
    assert done.returncode == ExitCode.LOCKED, done.stderr


@pytest.mark.parametrize("ended", [True, False])
def test_a_backup_after_a_kill(ended: bool, yiwang: Yiwang, tmp_path: Path) -> None:
    """What a killed run had finished is folded, and is in the backup; what it had under way needs an `up` first."""
    store = store_of(yiwang)
    one = {"urn": "urn:pulumi:province::province::t:i:T::two", "type": "t:i:T", "custom": True, "id": "2"}
    lines = [
        {"journal": 1, "base": store.digest(), "secrets": checkpoint.secrets_state(checkpoint.parse(store.path.read_bytes()))},
        {"begin": 1, "type": "creating", "resource": one},
        {"put": 1, "resource": one},
        *([{"done": 1}] if ended else []),
    ]
    store.prepare()
    store.journal_path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    done = yiwang("state", "backup", str(tmp_path / "state.tar.gz"), check=False)
    assert (done.returncode == 0) == ended, done.stderr
    assert store.journal_path.exists() != ended
    assert len(checkpoint.parse(store.path.read_bytes())["resources"]) == 1 + ended


def test_a_journal_that_is_damaged_in_the_middle_is_refused(yiwang: Yiwang, tmp_path: Path) -> None:
    """A torn last line is the mark of a kill; before whole lines it is damage, and what they say must not be forgotten."""
    store = store_of(yiwang)
    head = {"journal": 1, "base": store.digest(), "secrets": checkpoint.secrets_state(checkpoint.parse(store.path.read_bytes()))}
    store.prepare()
    store.journal_path.write_text(f"{json.dumps(head)}\n{{\0}}\n{json.dumps({'forget': 1})}\n")
    done = yiwang("state", "backup", str(tmp_path / "state.tar.gz"), check=False)
    assert done.returncode == ExitCode.INPUT
    assert f"line 2 of the journal of an unfinished run, {store.journal_path}, is damaged" in done.stderr
    assert store.journal_path.exists()


def test_two_machines_that_lock_at_once_see_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel's lock does not reach the other machine, its file is there by the time ours is written."""
    away = {**processes.me(), "timestamp": "2", "boot": "another", "machine": ""}
    write = write_atomic

    def both(path: Path, text: str) -> None:
        write(path, text)
        (path.parent / "away.json").write_text(json.dumps(away))

    monkeypatch.setattr(lock, "write_atomic", both)
    with pytest.raises(UserError) as refused, lock.held(tmp_path, "up"):
        pass
    assert refused.value.code is ExitCode.LOCKED
    assert [path.name for path in tmp_path.glob("*.json")] == ["away.json"], "ours is withdrawn"


def test_all_locks_are_looked_at(yiwang: Yiwang) -> None:
    store = store_of(yiwang)
    dead = {**processes.me(), "timestamp": "1", "start": "1"}
    away = {**processes.me(), "timestamp": "2", "boot": "another", "machine": ""}
    store.lock_directory.mkdir(parents=True)
    for number, entry in enumerate((dead, away)):
        (store.lock_directory / f"{number}.json").write_text(json.dumps(entry))
    stack = engine.Stack(REPOSITORY / "stacks" / "province", "province", store.root, "")
    assert [found.alive for found in engine.state.locks(stack)] == [False, None]
    holder = engine.state.lock_holder(stack)
    assert holder is not None
    assert holder.since == "2"
    assert [[found.alive for found in entry.locks] for entry in engine.state.stacks(store.root)] == [[False, None]]
