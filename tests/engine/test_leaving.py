"""What is deleted before something it depends on, while registrations and other such deletions come in between."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from engine.box_case import Box, wait_for

from yiwang.engine.context import all_ended
from yiwang.engine.journal import Journal

pytestmark = pytest.mark.system
URN = "urn:pulumi:dev::box::box:index:Box::"

LATE = """
a = Box("a", key=f"k{min(step, 2)}", opts=ResourceOptions(delete_before_replace=True))
q = Box("q", slow={"create": 1}) if step > 1 else None
d = dict(slow={"delete": 3})
if step == 1:
    Box("d", key=a.label, **d)
else:
    Box("d", key="a/k1", **d, opts=ResourceOptions(depends_on=[q]))
"""


def test_a_registration_waits_while_its_object_is_deleted(tmp_path: Path) -> None:
    """`d` does not need `a` any more and is registered while it is being deleted because it did."""
    box = Box(tmp_path, program=LATE)
    assert box.run("up", 1).ok
    assert box.run("up", 2).ok
    assert "d:a/k1" in box.world()["objects"]
    assert (box.world()["created"]["d:a/k1"], box.world()["deleted"]["d:a/k1"]) == (2, 1)
    box.recorded()
    assert box.run("up", 2).changes == {}


COMMON = """
key = f"k{min(step, 2)}"
first = ResourceOptions(delete_before_replace=True)
a, b = Box("a", key=key, opts=first), Box("b", key=key, opts=first)
d = Box("d", key=pulumi.Output.concat(a.label, b.label), slow={"delete": 1})
Box("e", key=d.label)
"""


def test_what_two_replacements_need_gone_is_deleted_once(tmp_path: Path) -> None:
    box = Box(tmp_path, program=COMMON)
    assert box.run("up", 1).ok
    result = box.run("up", 2)
    assert result.ok
    gone = [step.name for step in result.steps if step.op == "delete-replaced"]
    assert sorted(gone) == ["a", "b", "d", "e"]
    deletes = [call for call in box.world()["calls"] if call.startswith("delete ")]
    assert len(deletes) == len(set(deletes)) == 4
    assert deletes.index("delete e:d/a/k1b/k1") < deletes.index("delete d:a/k1b/k1") < deletes.index("delete a:k1")
    assert deletes.index("delete d:a/k1b/k1") < deletes.index("delete b:k1")
    box.recorded()
    assert box.run("up", 2).changes == {}


FAILS = COMMON.replace('slow={"delete": 1}', 'slow={"delete": 1}, fail="delete" if step < 3 else None')


def test_what_cannot_be_deleted_keeps_all_it_depends_on(tmp_path: Path) -> None:
    box = Box(tmp_path, program=FAILS)
    assert box.run("up", 1).ok
    assert not box.run("up", 2).ok
    assert {"a:k1", "b:k1", "d:a/k1b/k1"} <= box.world()["objects"].keys()
    box.recorded()


CHAIN = """
a = Box("a", key=f"k{min(step, 2)}", opts=ResourceOptions(delete_before_replace=True))
b = Box("b", key=a.label)
Box("c", key=b.label, text=f"t{step}")
"""


def test_what_is_no_target_is_made_again_as_it_was(tmp_path: Path) -> None:
    """Only `a` is to change; what had to be deleted before it comes back in the same run."""
    box = Box(tmp_path, program=CHAIN)
    assert box.run("up", 1).ok
    result = box.run("up", 2, targets=(f"{URN}a",))
    assert result.ok
    assert {"a:k2", "b:a/k1", "c:b/a/k1"} == box.world()["objects"].keys()
    assert box.world()["objects"]["c:b/a/k1"]["text"] == "t1"
    assert not any(state.pending_replacement for state in box.states().values())
    assert box.run("up", 2).ok
    assert {"a:k2", "b:a/k2", "c:b/a/k2"} == box.world()["objects"].keys()


BESIDE = """
Box("quick")
Box("slow", slow={"create": 60})
"""


def test_a_finished_step_is_on_the_disk_while_others_go_on(tmp_path: Path) -> None:
    """A kill long after it has ended must not find it forgotten."""
    box = Box(tmp_path, program=BESIDE)
    process = box.child(1, delay=0.0)
    try:
        assert wait_for(lambda: box.store.journal_path.exists() and '"done"' in box.store.journal_path.read_text())
        assert '"id":"quick:"' in box.store.journal_path.read_text()
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_sockets_do_not_need_a_short_temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert Box(tmp_path / "box", program='Box("a")').run("up", 1).ok


def test_an_error_is_raised_when_all_have_ended() -> None:
    ended = []

    async def fails() -> None:
        raise ZeroDivisionError

    async def goes_on() -> None:
        await asyncio.sleep(0.01)
        ended.append(True)

    async def story() -> None:
        await all_ended([asyncio.create_task(fails()), asyncio.create_task(goes_on())])

    with pytest.raises(ZeroDivisionError):
        asyncio.run(story())
    assert ended == [True]


def test_a_journal_takes_no_lines_after_its_run(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", {})
    journal.close()
    with pytest.raises(RuntimeError):
        journal.append({"done": 1})
