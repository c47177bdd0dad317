"""A run killed at any point: the next one says what was in flight and finishes; nothing is doubled, nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, wait_for

from yiwang.engine import checkpoint, journal
from yiwang.engine.checkpoint import Pending
from yiwang.engine.resource import Resource

pytestmark = pytest.mark.system

# The second step of the box program: 1 update, 2 dependents, both kinds of replacement, creates, deletes.
STEP = 2
FEW = (2, 9, 17)
MANY = tuple(range(1, 45, 2))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack after its first step."""
    work = tmp_path_factory.mktemp("base")
    assert Box(work).run("up", 1).ok
    return work


@pytest.fixture(scope="module")
def straight(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Box:
    """The stack after a second step that nobody disturbed."""
    work = tmp_path_factory.mktemp("straight") / "box"
    shutil.copytree(base, work)
    box = Box(work)
    assert box.run("up", STEP).ok
    return box


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _session_is_empty(leader: int, work: Path) -> bool:
    """Whether no child of a killed run is left: its plugins and its program have the run's directory open or named."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"BOX_WORLD={work}/".encode() in environment and int(entry.name) != leader:
            return False
    return True


def _killed_at(box: Box, lines: int, step: int) -> bool:
    """Kill a run when its journal has so many lines; False when it was through before."""
    process = box.child(step, delay=0.06)
    wait_for(lambda: box.journal_lines() >= lines or process.poll() is not None)
    alive = process.poll() is None
    _kill(process)
    assert wait_for(lambda: _session_is_empty(process.pid, box.work), seconds=10), "a child outlived the killed run"
    return alive


def _check(box: Box, straight: Box) -> None:
    in_flight = [line for line in _journal(box) if "begin" in line]
    result = box.run("up", STEP)
    assert result.ok, result.diagnostics
    assert bool(result.in_flight) <= bool(in_flight)
    world, expected = box.world(), straight.world()
    assert world["objects"] == expected["objects"]
    assert world["created"] == expected["created"], "an object was made twice, or never"
    assert world["deleted"] == expected["deleted"], "an object was deleted twice, or never"
    assert box.recorded() == straight.recorded()
    again = box.run("up", STEP)
    assert again.ok
    assert (again.changes, again.in_flight) == ({}, ())


def _journal(box: Box) -> list[str]:
    path = box.store.journal_path
    return path.read_text(errors="replace").splitlines() if path.exists() else []


@pytest.mark.parametrize("lines", FEW)
def test_killed_in_the_second_step(lines: int, base: Path, straight: Box, tmp_path: Path) -> None:
    _disturb(lines, base, straight, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("lines", MANY)
def test_killed_in_the_second_step_often(lines: int, base: Path, straight: Box, tmp_path: Path) -> None:
    _disturb(lines, base, straight, tmp_path)


def _disturb(lines: int, base: Path, straight: Box, tmp_path: Path) -> None:
    work = tmp_path / "box"
    shutil.copytree(base, work)
    box = Box(work)
    alive = _killed_at(box, lines, STEP)
    if alive:
        holders = box.store.locks()
        assert [holder.alive for holder in holders] == [False]
    _check(box, straight)
    assert box.store.locks() == []


def test_killed_twice_and_in_the_first_step(straight: Box, tmp_path: Path) -> None:
    box = Box(tmp_path)
    for lines in (3, 6):
        _killed_at(box, lines, 1)
    assert box.run("up", 1).ok
    _killed_at(box, 8, STEP)
    _check(box, straight)


def test_the_next_run_says_what_was_in_flight(tmp_path: Path) -> None:
    box = Box(tmp_path)
    process = box.child(1, delay=3.0)
    assert wait_for(lambda: any("begin" in line for line in _journal(box)))
    _kill(process)
    result = box.run("up", 1)
    assert result.ok
    assert any(operation.startswith("creating urn:pulumi:dev::box::") for operation in result.in_flight)
    told: list[Any] = [event for event in box.events if type(event).__name__ == "InFlight"]
    assert told[0].operations == result.in_flight
    assert any("dead" in event.message for event in box.events if type(event).__name__ == "Diagnostic")
    assert set(box.world()["created"].values()) == {1}


def test_a_create_nobody_wants_any_more_is_removed(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    process = box.child(STEP, delay=3.0)
    assert wait_for(lambda: any('"creating"' in line and "::fresh" in line for line in _journal(box)))
    _kill(process)
    result = box.run("up", 1)
    assert result.ok
    assert "fresh:" not in box.world()["objects"]
    assert box.run("up", 1).in_flight == ()


@pytest.mark.parametrize("call", ["update first:", "delete on-gone:", "create replaced:k2"])
def test_a_change_of_mind_after_a_kill(call: str, base: Path, tmp_path: Path) -> None:
    """The object changed, the run was killed before it knew, and the program is as it was before: so is the world in the end."""
    work = tmp_path / "box"
    shutil.copytree(base, work)
    box = Box(work)
    before = box.world()["objects"]
    process = box.child(STEP, delay=3.0)
    assert wait_for(lambda: call in box.world()["calls"])
    _kill(process)
    assert box.world()["objects"] != before
    result = box.run("up", 1)
    assert result.ok
    verb, _, id_ = call.partition(" ")
    assert any(operation.startswith(verb[:5]) and id_.partition(":")[0] in operation for operation in result.in_flight)
    # Not what is replaced to and fro: its id is the same again, so the replaced state's delete is the new object's.
    assert _but_replaced(box.world()["objects"]) == _but_replaced(before)
    again = box.run("up", 1)
    assert (again.changes, again.in_flight) == ({}, ())


def _but_replaced(objects: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in objects.items() if not key.startswith("replaced:")}


LAZY = 'Box("a", text="one" if step == 1 else "two", lazy=True)'
RENAMED = """
Box("a" if step < 3 else "b", name="a", text="two" if step == 2 else "one", lazy=True, opts=ResourceOptions(aliases=[pulumi.Alias("a")]))
"""


def _interrupted(box: Box, verb: str, step: int, call: str) -> None:
    """Kill a run when the provider has done the first half of a call."""
    process = box.child(step, delay=4.0, verb=verb)
    assert wait_for(lambda: call in box.world()["calls"])
    _kill(process)


@pytest.mark.parametrize(("verb", "call"), [("up", "update a:"), ("destroy", "empty a:")])
@pytest.mark.parametrize("preview", [False, True])
def test_an_interrupted_operation_is_found_by_looking(verb: str, call: str, preview: bool, tmp_path: Path) -> None:
    """The program is as it was before, and the provider acts only where the object differs: the engine has to look at it."""
    box = Box(tmp_path, program=LAZY)
    assert box.run("up", 1).ok
    before, recorded = box.world()["objects"], box.recorded()
    _interrupted(box, verb, 2, call)
    assert box.world()["objects"] != before
    if preview:
        planned = box.run("preview", 1)
        assert (planned.ok, planned.changes) == (True, {"update": 1})
    result = box.run("up", 1)
    assert (result.ok, result.changes) == (True, {"update": 1})
    assert box.world()["objects"] == before
    assert box.recorded() == recorded
    again = box.run("up", 1)
    assert (again.changes, again.in_flight) == ({}, ())


def test_an_interrupted_update_is_looked_at_until_it_is_done(tmp_path: Path) -> None:
    """What was found is recorded, so a second kill, or another operation between, loses nothing."""
    box = Box(tmp_path, program=LAZY)
    assert box.run("up", 1).ok
    before = box.world()["objects"]
    _interrupted(box, "up", 2, "update a:")
    process = box.child(1, delay=4.0)
    assert wait_for(lambda: any('"updating"' in line for line in _journal(box)))
    _kill(process)
    assert box.run("up", 1).ok
    assert box.world()["objects"] == before
    assert box.run("up", 1).in_flight == ()


def test_an_interrupted_update_is_done_under_another_name(tmp_path: Path) -> None:
    box = Box(tmp_path, program=RENAMED)
    assert box.run("up", 1).ok
    before = box.world()["objects"]
    _interrupted(box, "up", 2, "update a:")
    result = box.run("up", 3)
    assert (result.ok, result.changes) == (True, {"update": 1})
    assert box.world()["objects"] == before
    assert box.run("up", 3).in_flight == ()


def test_an_operation_whose_state_is_gone_is_done(base: Path, tmp_path: Path) -> None:
    """A power cut between two lines of the journal: the state is dropped, the delete not noted as done."""
    work = tmp_path / "box"
    shutil.copytree(base, work)
    box = Box(work)
    loaded = journal.load(box.store, "open sesame")
    gone = Resource(urn="urn:pulumi:dev::box::box:index:Box::earlier", type="box:index:Box", custom=True, id="earlier:")
    loaded.deployment.pending.append(Pending("deleting", gone))
    box.store.write(checkpoint.dump(loaded.deployment, loaded.secrets, box.store.full_name))
    first = box.run("up", 1)
    assert (first.ok, first.in_flight) == (True, (f"deleting {gone.urn}",))
    assert box.run("up", 1).in_flight == ()


def test_secrets_reach_neither_journal_nor_state(tmp_path: Path) -> None:
    box = Box(tmp_path)
    _killed_at(box, 12, 1)
    for path in (tmp_path / "backend").rglob("*"):
        if path.is_file():
            assert b"hidden-in-a-box" not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path
    assert box.run("up", 1).ok
    for path in (tmp_path / "backend").rglob("*"):
        if path.is_file():
            assert b"hidden-in-a-box" not in path.read_bytes(), path
            assert path.stat().st_mode & 0o077 == 0, path


FOLLOWS = """
a = Box("a", key=f"k{min(step, 2)}")
Box("b", text="x", opts=ResourceOptions(deleted_with=a, delete_before_replace=True))
"""


def test_what_follows_a_replacement_follows_it_in_the_next_run(tmp_path: Path) -> None:
    """`a` was replaced, and the run ended before `b`, which is replaced with it because its object went with the former `a`."""
    box = Box(tmp_path, program=FOLLOWS)
    assert box.run("up", 1).ok
    process = box.child(2, delay=3.0)
    assert wait_for(lambda: any('"put"' in line and "a:k2" in line for line in _journal(box)))
    _kill(process)
    result = box.run("up", 3)
    assert result.ok
    assert "b" in [step.name for step in result.steps if step.op == "create-replacement"]
    again = box.run("up", 3)
    assert (again.ok, again.changes) == (True, {})


SIDE = """
a = Box("a", key=f"k{min(step, 2)}")
bad = Box("bad", text=a.label, fail="update" if step == 2 else None)
Box("b", text=bad.label, opts=ResourceOptions(deleted_with=a, delete_before_replace=True))
"""


def test_what_follows_a_replacement_follows_it_after_a_failure_too(tmp_path: Path) -> None:
    box = Box(tmp_path, program=SIDE)
    assert box.run("up", 1).ok
    assert not box.run("up", 2).ok
    result = box.run("up", 3)
    assert result.ok
    assert {"b"} == {step.name for step in result.steps if step.op == "create-replacement"}
    assert box.run("up", 3).changes == {}
