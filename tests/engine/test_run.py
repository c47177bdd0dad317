"""Runs of small programs with the box provider: what the engine promises beyond the recorded scenarios."""

from __future__ import annotations

import asyncio
import datetime
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, errors, ops, wait_for

from yiwang import engine, processes
from yiwang.engine import checkpoint, journal, lock
from yiwang.engine.values import UNKNOWN, is_secret
from yiwang.errors import ExitCode, UserError

pytestmark = pytest.mark.system


def files(box: Box) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in (box.work / "backend").rglob("*") if path.is_file()}


# -- packages -------------------------------------------------------------------------------------------------------


def test_a_package_that_is_not_available_is_refused_before_anything_runs(tmp_path: Path) -> None:
    box = Box(tmp_path)
    with pytest.raises(UserError) as caught:
        box.run("up", 9)
    text = "provider other is not available in the embedded engine; use --engine pulumi with the Pulumi CLI"
    assert caught.value.text == text
    assert box.world()["calls"] == []
    assert not box.store.path.exists()
    assert box.store.locks() == []


def test_it_is_refused_in_a_preview_and_when_it_comes_late(tmp_path: Path) -> None:
    late = """
first = Box("first", text="x")
first.label.apply(lambda _: pulumi.CustomResource("aws:s3:Bucket", "late", {}))
"""
    box = Box(tmp_path, program=late)
    box.run("preview", 1)
    # Only a run can see it: what is made inside an apply of an output that is not known before.
    with pytest.raises(UserError, match="provider aws is not available"):
        box.run("up", 1)
    assert box.world()["created"] == {"first:": 1}
    assert any(urn.endswith("::first") for urn in box.recorded()), "what was made is recorded"


def test_a_recorded_package_that_is_not_available_is_refused(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    (tmp_path / "prog" / "Pulumi.yaml").write_text("name: box\nruntime: python\n")
    for verb in ("preview", "up", "refresh", "destroy"):
        with pytest.raises(UserError, match="provider box is not available"):
            box.run(verb, 1)


def test_a_plugin_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    box = Box(tmp_path)
    plugin = tmp_path / "prog" / "plugin" / "pulumi-resource-box"
    plugin.write_text("#!/bin/sh\necho no such module >&2\nexit 3\n")
    with pytest.raises(UserError, match=r"box .* did not start") as caught:
        box.run("preview", 1)
    assert caught.value.lines == ("| no such module",)


def test_what_a_plugin_that_does_not_start_has_started_ends_with_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    box = Box(tmp_path)
    plugin = tmp_path / "prog" / "plugin" / "pulumi-resource-box"
    plugin.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/child\necho 1\nwait\n")
    with pytest.raises(UserError, match=r"box .* did not start"):
        box.run("preview", 1)
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2][:3])
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err


def test_children_are_tied_without_the_help_of_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yiwang.engine.plugin.shutil.which", lambda _name: None)
    box = Box(tmp_path, program='Box("a", text="x")')
    assert box.run("up", 1).ok


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ('Box("x", opts=ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[lambda args: None])))', "resource hooks"),
        ('Box("x", opts=ResourceOptions(state_migrations=[lambda args: None]))', "state migrations"),
        ('pulumi.ProviderResource("box", "x", {}, ResourceOptions(env_var_mappings={"A": "B"}))', "environment variable mappings"),
        ('pulumi.ComponentResource("box:index:Shelf", "x", {}, None, remote=True)', "a component of another language"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(program: str, what: str, tmp_path: Path) -> None:
    result = Box(tmp_path, program=program).run("preview", 1)
    assert not result.ok
    assert any(what in message and "is not available in the embedded engine" in message for message in errors(result))


# -- previews and second runs ---------------------------------------------------------------------------------------


def test_previews_of_the_same_input_are_equal_and_write_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    empty = [_comparable(box.run("preview", 1)) for _ in range(2)]
    assert empty[0] == empty[1]
    assert not (tmp_path / "backend").exists() or not files(box)
    assert box.run("up", 1).ok
    before = files(box)
    later = [_comparable(box.run("preview", 2)) for _ in range(3)]
    assert later[0] == later[1] == later[2]
    assert files(box) == before


def _comparable(result: engine.Result) -> str:
    steps = sorted(f"{step.op} {step.urn} {step.diffs} {step.keys} {step.old_id}" for step in result.steps)
    return json.dumps([steps, result.changes, result.outputs], sort_keys=True)


def test_a_second_up_changes_and_writes_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    first = box.run("up", 1)
    before, calls = files(box), box.world()["calls"]
    second = box.run("up", 1)
    assert (first.ok, second.ok, second.changes) == (True, True, {})
    assert second.unchanged == first.changes["create"]
    assert files(box) == before
    assert box.world()["calls"] == calls


def test_outputs_of_a_preview_are_unknown_where_they_have_to_be(tmp_path: Path) -> None:
    box = Box(tmp_path)
    planned = box.run("preview", 1)
    assert planned.outputs["label"] == UNKNOWN
    assert is_secret(planned.outputs["hidden"])
    made = box.run("up", 1)
    assert made.outputs["label"] == "shelf-high/"
    assert engine.state.show(made.outputs)["hidden"] == "[secret]"
    assert engine.state.outputs(box.stack)["hidden"] == "[secret]"
    assert engine.state.outputs(box.stack, show_secrets=True)["hidden"] == "hidden-in-a-box"


# -- replacement ----------------------------------------------------------------------------------------------------


def test_a_tainted_resource_is_replaced_once(tmp_path: Path) -> None:
    box = Box(tmp_path, program='first = Box("first", text="x")\nBox("second", text=first.label)')
    box.run("up", 1)
    engine.state.taint(box.stack, "urn:pulumi:dev::box::box:index:Box::first")
    assert [entry.name for entry in engine.state.resources(box.stack) if entry.taint] == ["first"]
    replaced = {"create-replacement": ["first"], "replace": ["first"], "delete-replaced": ["first"]}
    assert ops(box.run("preview", 1)) == {**replaced, "update": ["second"]}
    assert box.run("up", 1).changes == {"replace": 1}
    assert box.run("up", 1).changes == {}
    with pytest.raises(UserError, match="not recorded"):
        engine.state.taint(box.stack, "urn:nothing")


CHAIN = """
opts = ResourceOptions(delete_before_replace=True)
a = Box("a", key=f"k{step}", fail="create" if step == 2 else None, opts=opts)
b = Box("b", key=a.label)
c = Box("c", key=b.label)
d = Box("d", text=c.label)
"""


def test_delete_before_replace_takes_its_dependents_along(tmp_path: Path) -> None:
    box = Box(tmp_path, program=CHAIN)
    assert box.run("up", 1).ok
    failed = box.run("up", 2)
    assert not failed.ok
    assert ops(failed)["delete-replaced"] == ["a", "b", "c"]
    assert box.world()["deleted"] == {"a:k1": 1, "b:a/k1": 1, "c:b/a/k1": 1}
    again = box.run("up", 3)
    assert again.ok
    assert sorted(box.world()["objects"]) == ["a:k3", "b:a/k3", "c:b/a/k3", "d:"]
    assert all(count == 1 for count in {**box.world()["created"], **box.world()["deleted"]}.values())
    assert box.run("up", 3).changes == {}


def test_a_failed_delete_of_a_replaced_one_is_tried_again(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("a", key=f"k{min(step, 2)}", fail="delete" if step == 1 else None)')
    assert box.run("up", 1).ok
    failed = box.run("up", 2)
    assert not failed.ok
    assert sorted(box.world()["objects"]) == ["a:k1", "a:k2"]
    assert [state[-1] for urn, state in box.recorded().items() if urn.endswith("::a")], "both states are recorded"
    retried = box.run("up", 3)
    assert ops(retried) == {"delete-replaced": ["a"]}


RENAMED = """
if step == 1:
    Box("old", text="x")
else:
    Box("new", name="old", text="x", opts=ResourceOptions(aliases=[pulumi.Alias(name="old")]))
"""
REPARENTED = """
if step == 1:
    Box("a", text="x")
else:
    p = pulumi.ComponentResource("box:index:Shelf", "p")
    Box("a", text="x", opts=ResourceOptions(parent=p, aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))
"""
PARENT_RENAMED = """
name = "p" if step == 1 else "q"
p = pulumi.ComponentResource("box:index:Shelf", name, None, ResourceOptions(aliases=[pulumi.Alias(name="p")]))
a = Box(f"{name}-a", name="a", text="x", opts=ResourceOptions(parent=p))
Box("user", text=a.label)
"""


@pytest.mark.parametrize(
    ("program", "changes"),
    [(RENAMED, {}), (REPARENTED, {"create": 1}), (PARENT_RENAMED, {})],
    ids=["renamed", "reparented", "parent renamed"],
)
def test_an_alias_is_the_same_resource(program: str, changes: dict[str, int], tmp_path: Path) -> None:
    box = Box(tmp_path, program=program)
    assert box.run("up", 1).ok
    calls = box.world()["calls"]
    result = box.run("up", 2)
    assert result.ok
    assert result.changes == changes, "the new parent is made, nothing else"
    assert box.world()["calls"] == calls
    assert not any(part in urn for urn in box.recorded() for part in ("::old", "::p-a", "::p::"))
    assert box.run("up", 2).changes == {}


# -- failure --------------------------------------------------------------------------------------------------------


def test_a_provider_that_dies_leaves_the_operation_in_flight(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("a", text="x")\nBox("b", fail="crash" if step == 1 else None)')
    result = box.run("up", 1)
    assert not result.ok
    assert any("the provider's process ended" in message for message in errors(result))
    again = box.run("up", 2)
    assert again.ok
    assert any(operation.endswith("::b") for operation in again.in_flight)
    assert set(box.world()["created"].values()) == {1}
    assert box.run("up", 2).in_flight == ()


RAISE = 'raise UserError("bad number", code=ExitCode.INPUT, fix="write another", lines=("one more",))'


@pytest.mark.parametrize("place", ["top", "apply"])
def test_a_program_that_ends_with_an_error_for_people_has_no_trace(place: str, tmp_path: Path) -> None:
    inside = f"def wrong(_):\n    {RAISE}\nBox('a', text='x').text.apply(wrong)\n"
    head = "from yiwang.errors import ExitCode, UserError\n"
    box = Box(tmp_path, program=head + (RAISE if place == "top" else inside))
    for verb in ("preview", "up"):
        result = box.run(verb, 1)
        assert (result.ok, result.code) == (False, ExitCode.INPUT)
        assert errors(result) == ["bad number; write another\none more"]
        assert not any("Traceback" in entry.message for entry in result.diagnostics)


@pytest.mark.parametrize(("program", "text"), [("sys.exit(3)", "non-zero exit code: 3"), ("1 / 0", "ZeroDivisionError")])
def test_any_other_end_of_a_program_is_just_a_failure(program: str, text: str, tmp_path: Path) -> None:
    result = Box(tmp_path, program=f"import sys\n{program}").run("preview", 1)
    assert (result.ok, result.code) == (False, ExitCode.FAILED)
    assert text in errors(result)[0]


def test_a_large_partial_failure_is_recorded(tmp_path: Path) -> None:
    """With all that the provider said: the object exists, and the next run finishes it."""
    box = Box(tmp_path, program='Box("a", text="x", fail="partial" if step == 1 else None)')
    result = box.run("up", 1)
    assert not result.ok
    assert any("it is not ready" in message for message in errors(result))
    (found,) = [entry for entry in engine.state.resources(box.stack) if entry.name == "a"]
    assert (found.init_errors, len(found.outputs["log"])) == (("it is not ready",), 200_000)
    again = box.run("up", 2)
    assert (again.ok, again.changes) == (True, {"update": 1})
    assert box.world()["created"] == {"a:": 1}


def test_a_failed_read_is_told_once(tmp_path: Path) -> None:
    result = Box(tmp_path, program='pulumi.StackReference("s", stack_name="organization/box/nobody")').run("up", 1)
    assert [message for message in errors(result) if "nobody" in message] == ["unknown stack 'organization/box/nobody'"]


def test_cancel_finishes_the_running_step_and_saves(tmp_path: Path) -> None:
    box = Box(tmp_path, delay=1.0, program='a = Box("a", text="x")\nBox("b", text=a.label)')
    control = engine.Control()

    def on_event(event: Any) -> None:
        box.events.append(event)
        if isinstance(event, engine.StepStarted) and event.name == "a":
            control.cancel()

    result = asyncio.run(engine.up(box.stack, box.options(1, control=control), on_event))
    assert not result.ok
    assert result.code is ExitCode.INTERRUPTED, "what was running has ended well"
    assert "cancelled" in errors(result)
    assert any(urn.endswith("::a") for urn in box.recorded())
    assert box.world()["created"] == {"a:": 1}
    assert box.store.locks() == []
    after = box.run("up", 1)
    assert (after.ok, after.in_flight) == (True, ())
    assert box.world()["created"] == {"a:": 1, "b:": 1}


def test_terminate_stops_at_once_and_the_next_run_knows(tmp_path: Path) -> None:
    box = Box(tmp_path, delay=20.0, program='Box("a", text="x")')
    control = engine.Control()

    def on_event(event: Any) -> None:
        if isinstance(event, engine.StepStarted) and event.name == "a":
            asyncio.get_running_loop().call_later(0.3, control.cancel)
            asyncio.get_running_loop().call_later(0.4, control.terminate)

    result = asyncio.run(asyncio.wait_for(engine.up(box.stack, box.options(1, control=control), on_event), 15))
    assert not result.ok
    assert box.store.locks() == []
    box.delay = 0
    again = box.run("up", 1)
    assert (again.ok, again.in_flight) == (True, ("creating urn:pulumi:dev::box::box:index:Box::a",))


def test_a_stack_that_somebody_holds_is_not_touched(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    process = box.child(2, delay=5.0)
    try:
        assert wait_for(lambda: box.journal_lines() >= 2)
        with pytest.raises(UserError) as caught:
            box.run("up", 2)
        assert caught.value.code == ExitCode.LOCKED
        assert f"process {process.pid}" in caught.value.text
        holder = engine.state.lock_holder(box.stack)
        assert holder is not None
        assert (holder.pid, holder.alive, holder.verb) == (process.pid, True, "up")
    finally:
        process.kill()
        process.wait()


def test_locks_of_the_cli_are_respected_even_when_stale(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.store.lock_directory.mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    entry = {"pid": ended.pid, "username": "u", "hostname": "h", "timestamp": "2026-01-01T00:00:00Z"}
    (box.store.lock_directory / "x.json").write_text(json.dumps(entry))
    with pytest.raises(UserError) as caught:
        box.run("up", 1)
    assert caught.value.code == ExitCode.LOCKED
    assert [found.pid for found in engine.state.unlock(box.stack)] == [ended.pid]
    assert box.run("up", 1).ok


def test_a_reused_process_number_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    with lock.held(tmp_path, "up"):
        path = next(tmp_path.glob("*.json"))
        entry = json.loads(path.read_text())
        assert [found.alive for found in lock.read(tmp_path)] == [True]
        path.write_text(json.dumps({**entry, "start": "1"}))
        assert [found.alive for found in lock.read(tmp_path)] == [False]
        path.write_text(json.dumps({**entry, "namespace": "pid:[1]"}))
        assert [found.alive for found in lock.read(tmp_path)] == [None]


@pytest.mark.parametrize(("machine", "judged"), [("", None), ("abc", False)])
def test_a_machine_without_a_number_is_not_taken_for_another(machine: str, judged: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yiwang.processes._machine_id", lambda: machine)
    assert processes.alive({**processes.me(), "boot": "earlier"}) is judged


@pytest.mark.parametrize("text", ["[]", "{", '{"pid": "x", "boot": "b", "start": "1"}'])
def test_a_damaged_lock_cannot_be_judged(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    assert [(found.pid, found.alive) for found in lock.read(tmp_path)] == [(0, None)]


def test_a_wrong_passphrase_is_told_before_anything_runs(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    stack = engine.Stack(box.stack.project_dir, "dev", box.stack.backend, "wrong")
    with pytest.raises(UserError, match="passphrase"):
        asyncio.run(engine.up(stack, box.options(2)))
    assert "wrong" not in repr(stack).replace(str(tmp_path), "")


# -- several stacks -------------------------------------------------------------------------------------------------

READER = """
if step == 1:
    source = Box("source", text="x")
    pulumi.export("label", source.label)
    pulumi.export("hidden", pulumi.Output.secret("s3cret"))
else:
    source = pulumi.StackReference("source", stack_name="organization/box/dev")
    Box("reader", text=source.get_output("label"), secret=source.get_output("hidden"))
    pulumi.export("label", source.get_output("label"))
"""


def test_a_stack_reference_reads_another_stack(tmp_path: Path) -> None:
    source, reader = Box(tmp_path, program=READER), Box(tmp_path, stack="reader")
    blind = reader.run("preview", 2)
    assert blind.ok, "in a preview the other stack need not exist"
    assert blind.outputs["label"] == UNKNOWN
    missing = reader.run("up", 2)
    assert not missing.ok
    assert any("unknown stack" in message for message in errors(missing))
    planned = source.run("preview", 1)
    overlay = {"organization/box/dev": {**planned.outputs, "label": "planned"}}
    assert reader.run("preview", 2, references=overlay).outputs["label"] == "planned"
    assert source.run("up", 1).ok
    made = reader.run("up", 2)
    assert made.outputs["label"] == "source/"
    assert reader.run("up", 2).changes == {}
    assert reader.run("up", 2, references=overlay).changes == {}, "an up reads what is recorded, never what was planned"
    states = {urn.rpartition("::")[2]: state for urn, state in reader.recorded().items()}
    assert is_secret(states["reader"][1]["secret"]), "a secret stays one on its way to another stack"
    assert states["source"][2]["secretOutputNames"] == ["hidden"]


def test_stacks_made_together_share_one_key(tmp_path: Path) -> None:
    boxes = [Box(tmp_path, stack=f"s{number}", program='Box("a", text="x")') for number in range(2)]

    async def together() -> None:
        await asyncio.gather(*(engine.up(box.stack, box.options(1)) for box in boxes))

    asyncio.run(together())
    states = {checkpoint.secrets_state(checkpoint.parse(box.store.path.read_bytes())) for box in boxes}
    assert len(states) == 1


def test_several_stacks_run_side_by_side_in_one_loop(tmp_path: Path) -> None:
    boxes = [Box(tmp_path, stack=f"s{number}") for number in range(3)]

    async def together(step: int) -> list[engine.Result]:
        return await asyncio.gather(*(engine.up(box.stack, box.options(step), box.events.append) for box in boxes))

    for step in (1, 2):
        assert all(result.ok for result in asyncio.run(together(step)))
    first = boxes[0].world()
    assert all(box.world()["objects"] == first["objects"] for box in boxes)
    for box in boxes:
        urns = {event.urn for event in box.events if isinstance(event, engine.StepStarted)}
        assert all(f"urn:pulumi:{box.name}::" in urn for urn in urns), "events of one stack reach only its own observer"


# -- backup ---------------------------------------------------------------------------------------------------------


def test_backup_and_restore(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    recorded = box.recorded()
    archive = engine.state.backup(box.stack.backend, tmp_path / "state.tar.gz")
    assert archive.stat().st_mode & 0o077 == 0
    assert box.run("destroy", 1).ok
    assert box.recorded() == {}
    assert engine.state.restore(box.stack.backend, archive, box.stack.passphrase).stacks == ["box/dev"]
    assert box.recorded() == recorded


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b\x08"])
def test_what_is_no_backup_is_refused_and_changes_nothing(content: bytes, tmp_path: Path) -> None:
    box = Box(tmp_path)
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(content)
    with pytest.raises(UserError, match="no backup"):
        engine.state.restore(box.stack.backend, bad, box.stack.passphrase)
    assert not (tmp_path / "backend").exists()


def test_destroy_removes_everything_and_a_preview_of_it_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.run("up", 1).ok
    before = files(box)
    planned = box.run("destroy", 1, preview_only=True)
    assert planned.ok
    assert files(box) == before
    done = box.run("destroy", 1)
    assert done.ok
    assert done.changes == planned.changes == {"delete": planned.changes["delete"]}
    assert (box.world()["objects"], box.recorded()) == ({}, {})


def test_one_step_at_a_time_is_enough(tmp_path: Path) -> None:
    box = Box(tmp_path)
    for step in (1, 2):
        assert asyncio.run(asyncio.wait_for(engine.up(box.stack, box.options(step, parallel=1)), 60)).ok
    assert asyncio.run(asyncio.wait_for(engine.destroy(box.stack, box.options(2, parallel=1)), 60)).ok


def test_a_preview_beside_a_running_up_takes_it_for_no_dead_one(tmp_path: Path) -> None:
    box = Box(tmp_path)
    process = box.child(1, delay=5.0)
    try:
        assert wait_for(lambda: box.journal_lines() >= 4)
        beside = box.run("preview", 1)
    finally:
        process.kill()
        process.wait()
    assert (beside.ok, beside.in_flight) == (True, ())
    assert any("another run is under way" in entry.message for entry in beside.diagnostics)


_QUIET = """
import os, sys
sys.path.insert(0, {here!r})
import yiwang.engine
assert "GRPC_VERBOSITY" not in os.environ
from box_case import Box
from pathlib import Path
for verb in ("up", "destroy"):
    assert Box(Path({work!r})).run(verb, 1).ok
assert "GRPC_VERBOSITY" not in os.environ
import grpc
try:
    grpc.server(None).add_insecure_port("unix:/nowhere/socket")
except RuntimeError:
    pass
"""


def test_grpc_says_nothing_and_other_programs_may_let_it_talk(tmp_path: Path) -> None:
    work = Box(tmp_path, program='Box("a", text=os.environ["GRPC_VERBOSITY"])').work
    code = _QUIET.format(here=str(Path(__file__).parent), work=str(work))
    environment = {key: value for key, value in os.environ.items() if key != "GRPC_VERBOSITY"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- languages ------------------------------------------------------------------------------------------------------


def test_what_people_read_is_in_their_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    protected = 'Box("a", key=f"k{step}", opts=ResourceOptions(protect=True))\nif step == 3:\n    Box("a")'
    box = Box(tmp_path, program=protected)
    assert box.run("up", 1).ok
    texts = [*errors(box.run("up", 2)), *errors(box.run("destroy", 2)), *errors(box.run("preview", 3))]
    assert len(texts) >= 4
    assert all(any(character > "\u4e00" for character in text) for text in texts), texts
    assert not any("pulumi up" in text or "pulumi state" in text for text in texts)


# -- times ----------------------------------------------------------------------------------------------------------


def test_a_resource_is_as_old_as_the_end_of_its_step(tmp_path: Path) -> None:
    slow = Box(tmp_path, delay=0.5, program='Box("a", text=f"text {step}")\n')
    begun, found = {}, {}
    for step in (1, 2):

        def note(event: object, step: int = step) -> None:
            if isinstance(event, engine.StepStarted) and event.name == "a":
                begun[step] = time.time()

        assert asyncio.run(engine.up(slow.stack, slow.options(step), note)).ok
        (found[step],) = [state for state in journal.load(slow.store, "open sesame").deployment.resources if state.name == "a"]
        assert datetime.datetime.fromisoformat(found[step].modified).timestamp() >= begun[step] + 0.5
    assert found[2].created == found[1].created == found[1].modified


# -- what a run may be told --------------------------------------------------------------------------------------------


def test_changes_that_were_not_expected(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("a", text=f"text {step}")')
    unexpected = "no changes were expected for {} but changes were proposed"
    planned = box.run("preview", 1, expect_no_changes=True)
    assert (planned.ok, planned.code, errors(planned)) == (False, ExitCode.FAILED, [unexpected.format("preview")])
    made = box.run("up", 1, expect_no_changes=True)
    assert (made.ok, errors(made), len(box.world()["created"])) == (False, [unexpected.format("update")], 1), "looked at afterwards"
    assert box.run("up", 1, expect_no_changes=True).ok
    assert box.run("refresh", 1, expect_no_changes=True).ok
    world = box.world()
    world["objects"]["a:"]["text"] = "drift"
    (tmp_path / "world-dev.json").write_text(json.dumps(world))
    assert errors(box.run("refresh", 1, expect_no_changes=True)) == [unexpected.format("refresh")]


def test_pending_creates_are_forgotten_when_told_so(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("a", text="x", fail="crash" if step == 1 else None)')
    assert not box.run("up", 1).ok
    kept = box.run("refresh", 1)
    assert kept.in_flight == ("creating urn:pulumi:dev::box::box:index:Box::a",)
    assert box.run("refresh", 1, preview_only=True, clear_pending_creates=True).in_flight == kept.in_flight
    assert box.run("refresh", 1, clear_pending_creates=True).in_flight == kept.in_flight
    assert box.run("refresh", 1).in_flight == ()
