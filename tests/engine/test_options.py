"""Import, targets, replacements on demand, and refreshes and destroys that run the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, errors, ops

pytestmark = pytest.mark.system

URN = "urn:pulumi:dev::box::box:index:Box::"

# -- import -----------------------------------------------------------------------------------------------------------

IMPORTED = """
opts = ResourceOptions(import_="there:") if step < 4 else None
Box("there", text="t" if step == 1 else "u", opts=opts)
if step == 3:
    Box("made", key="k", opts=ResourceOptions(import_="other:k"))
elif step < 3:
    Box("made", key="k")
"""


def test_import(tmp_path: Path) -> None:
    box = Box(tmp_path, program=IMPORTED)
    box.put("there:", text="t")
    box.put("other:k", key="k", name="other")
    assert ops(box.run("preview", 1)) == {"import": ["there"], "create": ["made"]}
    first = box.run("up", 1)
    assert (first.ok, first.changes) == (True, {"create": 2, "import": 1})
    there = box.states()["there"]
    assert (there.id, there.import_id, there.inputs, there.created == there.modified != "") == ("there:", "there:", there.inputs, True)
    assert "create there:" not in box.world()["calls"]
    assert box.run("up", 1).changes == {}
    assert ops(box.run("up", 2)) == {"update": ["there"]}, "what is imported already is managed as any other"
    replaced = box.run("up", 3)
    assert replaced.ok, errors(replaced)
    assert ops(replaced) == {"import-replacement": ["made"], "replace": ["made"], "update": ["made"], "delete-replaced": ["made"]}
    assert box.states()["made"].id == "other:k"
    assert box.world()["deleted"] == {"made:k": 1}
    assert ops(box.run("up", 4)) == {"delete": ["made"]}
    assert box.states()["there"].import_id == ""


@pytest.mark.parametrize(
    ("program", "found", "steps"),
    [
        ('Box("a", import_text="t", opts=ResourceOptions(import_="nowhere"))', "resource 'nowhere' does not exist", {"import": ["a"]}),
        (
            'Box("there", key="k", opts=ResourceOptions(import_="there:"))',
            "please remove the `import` declaration from your program;\nkey: None => k",
            {"import": ["there"]},
        ),
    ],
    ids=["missing", "replaced"],
)
def test_failing_imports(program: str, found: str, steps: dict[str, Any], tmp_path: Path) -> None:
    box = Box(tmp_path, program=program)
    box.put("there:", text="t")
    result = box.run("up", 1)
    assert not result.ok
    assert any(found in text for text in errors(result)), errors(result)
    assert ops(result) == steps
    assert box.world()["created"] == {}


def test_import_of_what_differs_is_followed_by_an_update(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("there", text="new", opts=ResourceOptions(import_="there:"))')
    box.put("there:", text="old")
    assert ops(box.run("preview", 1)) == {"import": ["there"], "update": ["there"]}
    assert ops(box.run("up", 1)) == {"import": ["there"], "update": ["there"]}
    assert box.world()["objects"]["there:"]["text"] == "new"
    assert box.run("up", 1).changes == {}


# -- reading what was managed, and the reverse ------------------------------------------------------------------------

RELINQUISHED = """
if step == 1:
    Box("a", key="k")
    Box("b", key="k")
    pulumi.CustomResource("box:index:Box", "c", {}, ResourceOptions(id="there:"))
else:
    pulumi.CustomResource("box:index:Box", "a", {}, ResourceOptions(id="a:k"))
    pulumi.CustomResource("box:index:Box", "b", {}, ResourceOptions(id="there:"))
    Box("c")
"""


def test_what_was_managed_is_read_and_the_reverse(tmp_path: Path) -> None:
    box = Box(tmp_path, program=RELINQUISHED)
    box.put("there:", text="t")
    assert box.run("up", 1).ok
    moved = box.run("up", 2)
    assert moved.ok, errors(moved)
    assert ops(moved) == {
        "read": ["a"],
        "read-replacement": ["b"],
        "create-replacement": ["c"],
        "replace": ["b", "c"],
        "delete-replaced": ["b"],
        "discard-replaced": ["c"],
    }
    assert sorted(box.world()["objects"]) == ["a:k", "c:", "there:"]
    assert {name: state.external for name, state in box.states().items()} == {"a": True, "b": True, "c": False}
    assert box.run("up", 2, expect_no_changes=True).ok
    gone = box.run("destroy", 2)
    assert ops(gone) == {"delete": ["c"], "discard": ["a", "b"]}
    assert sorted(box.world()["objects"]) == ["a:k", "there:"]


# -- targets ----------------------------------------------------------------------------------------------------------

TARGETED = """
a = Box("a", text=f"a{step}")
b = Box("b", text=a.label, opts=ResourceOptions(depends_on=[a]))
shelf = pulumi.ComponentResource("box:index:Shelf", "shelf")
inside = Box("inside", text=f"i{step}", opts=ResourceOptions(parent=shelf))
if step == 2:
    group = pulumi.ComponentResource("box:index:Shelf", "group")
    Box("in-group", opts=ResourceOptions(parent=group))
    Box("on-a", opts=ResourceOptions(depends_on=[a]))
"""


def test_targets(tmp_path: Path) -> None:
    box = Box(tmp_path, program=TARGETED)
    assert box.run("up", 1).ok
    limited = box.run("up", 2, targets=(f"{URN}a", "urn:pulumi:*::*::**$box:index:Box::*side"))
    assert (limited.ok, ops(limited)) == (True, {"update": ["a", "inside"]})
    assert ops(box.run("preview", 2, targets=(f"{URN}a",), target_dependents=True))["create"] == ["on-a"]
    assert ops(box.run("preview", 2, excludes=("**::on-a", "**in-group"))) == {"create": ["group"]}
    inside = box.run("up", 2, targets=("**::in-group",))
    assert any("depends on" in text and "::group'" in text for text in errors(inside)), "a new parent has to be named too"
    unknown = box.run("up", 2, targets=(f"{URN}a", f"{URN}nobody"))
    assert not unknown.ok
    assert errors(unknown) == [f"Target '{URN}nobody' could not be found in the stack. Did you forget to escape $ in your shell?"]
    assert not box.run("refresh", 2, targets=(f"{URN}nobody",)).ok
    calls = box.world()["calls"]
    assert not box.run("up", 3, replace=(f"{URN}nobody",)).ok
    assert box.world()["calls"] == calls, "what cannot be replaced is told before anything is done"


TURNED = """
if step == 1:
    b = Box("b")
    middle = Box("middle", opts=ResourceOptions(depends_on=[b]))
    Box("a", opts=ResourceOptions(depends_on=[middle]))
else:
    a = Box("a")
    Box("b", text="new", opts=ResourceOptions(depends_on=[a]))
    Box("middle")
"""


def test_targets_that_would_make_a_circle_of_what_is_recorded(tmp_path: Path) -> None:
    box = Box(tmp_path, program=TURNED)
    assert box.run("up", 1).ok
    before = box.recorded()
    for verb in ("preview", "up"):
        refused = box.run(verb, 2, targets=(f"{URN}b",))
        assert not refused.ok
        assert errors(refused)[0].startswith(f"Resource '{URN}b' now depends on '{URN}a', which is recorded as depending on it")
    assert box.recorded() == before
    assert box.run("up", 2, targets=(f"{URN}b", f"{URN}a")).ok
    box.recorded()
    assert box.run("up", 2).ok


def test_a_refresh_that_runs_the_program_leaves_a_sound_state(tmp_path: Path) -> None:
    """Providers and components are what the program says, resources stay what is recorded: that may go in a circle."""
    program = """
class Shelf(pulumi.ComponentResource):
    pass


if step == 1:
    shelf = Shelf("box:index:Shelf", "shelf")
    Box("a", opts=ResourceOptions(depends_on=[shelf]))
else:
    a = Box("a")
    Shelf("box:index:Shelf", "shelf", None, ResourceOptions(depends_on=[a]))
"""
    box = Box(tmp_path, program=program)
    assert box.run("up", 1).ok
    assert box.run("refresh", 2, run_program=True).ok
    box.recorded()
    assert box.run("up", 2).ok
    assert box.states()["a"].dependencies == []
    assert box.states()["shelf"].dependencies == [f"{URN}a"]


FREED = """
if step == 1:
    y = Box("y")
    Box("x", opts=ResourceOptions(depends_on=[y]))
else:
    Box("x")
"""


@pytest.mark.parametrize("more", [{}, {"target_dependents": True}])
def test_a_target_that_another_is_recorded_as_needing_is_not_deleted(more: dict[str, bool], tmp_path: Path) -> None:
    box = Box(tmp_path, program=FREED)
    assert box.run("up", 1).ok
    for verb in ("preview", "up"):
        refused = box.run(verb, 2, targets=(f"{URN}y",), **more)
        assert not refused.ok
        assert errors(refused)[0].startswith(f"Resource '{URN}y' will be destroyed, but '{URN}x' is recorded as depending on it")
    assert box.world()["deleted"] == {}
    assert ops(box.run("up", 2, targets=(f"{URN}y", f"{URN}x"))) == {"delete": ["y"]}
    assert box.states()["x"].dependencies == []


def test_destroy_of_targets(tmp_path: Path) -> None:
    box = Box(tmp_path, program=TARGETED)
    assert box.run("up", 1).ok
    text = f"Resource '{URN}b' will be destroyed but was not specified in --target list."
    for verb in ({"preview_only": True}, {}):
        refused = box.run("destroy", 1, targets=(f"{URN}a",), **verb)
        assert (refused.ok, any(message.startswith(text) for message in errors(refused))) == (False, True)
    assert box.world()["deleted"] == {}
    assert ops(box.run("destroy", 1, targets=(f"{URN}a",), target_dependents=True)) == {"delete": ["a", "b"]}
    kept = box.run("destroy", 1, excludes=("**::shelf",))
    assert ops(kept) == {"delete": ["inside"]}
    assert sorted(box.states()) == ["shelf"]


def test_replacing_on_demand(tmp_path: Path) -> None:
    box = Box(tmp_path, program='a = Box("a", text="x")\nBox("b", text=a.label)\nBox("c", text=f"{step}")')
    assert box.run("up", 1).ok
    planned = box.run("preview", 2, replace=(f"{URN}a",))
    assert ops(planned) == {
        "create-replacement": ["a"], "replace": ["a"], "delete-replaced": ["a"], "update": ["b", "c"],
    }  # fmt: skip
    assert [step.keys for step in planned.steps if step.op == "replace"] == [("id",)]
    assert ops(box.run("up", 2, target_replace=(f"{URN}a",))) == {
        "create-replacement": ["a"], "replace": ["a"], "delete-replaced": ["a"],
    }  # fmt: skip


# -- the program of a refresh and a destroy ---------------------------------------------------------------------------

WITH_PROGRAM = """
provider = pulumi.ProviderResource("box", "own", {"where": f"w{step}"})
opts = ResourceOptions(provider=provider)
a = Box("a", text="x", opts=ResourceOptions(provider=provider, protect=step == 1))
Box("b", text=a.label, opts=opts)
shelf = pulumi.ComponentResource("box:index:Shelf", "shelf")
if step > 1:
    fresh = Box("fresh", opts=opts)
    Box("on-fresh", text=fresh.label, opts=opts)
    fresh.label.apply(lambda label: Box(f"never-{label}", opts=opts))
"""


def test_refresh_and_destroy_with_the_program(tmp_path: Path) -> None:
    box = Box(tmp_path, program=WITH_PROGRAM)
    assert box.run("up", 1).ok
    box.put("a:", text="drift")
    box.remove("b:")
    refreshed = box.run("refresh", 2, run_program=True)
    assert refreshed.ok, errors(refreshed)
    assert ops(refreshed)["refresh"] == ["a", "b"]
    assert refreshed.changes == {"delete": 1, "update": 1}
    assert sorted(box.states()) == ["a", "shelf"]
    assert box.states()["a"].inputs["text"] == "drift"
    assert ops(box.run("up", 1, refresh=True, run_program=True)) == {"refresh": ["a"], "update": ["a"], "create": ["b"]}
    refused = box.run("destroy", 2)
    assert not refused.ok, "a is protected in the state"
    gone = box.run("destroy", 2, run_program=True)
    assert gone.ok, errors(gone)
    assert (box.world()["objects"], box.recorded()) == ({}, {})
    assert set(box.world()["created"]) == {"a:", "b:"}
