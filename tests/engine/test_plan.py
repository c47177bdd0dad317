"""Plans: what a preview writes, and that `up` does that or refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, errors

from yiwang.engine import journal, plandiff
from yiwang.engine.passphrase import Manager
from yiwang.engine.plandiff import PlanDiff
from yiwang.engine.planner import PlanError
from yiwang.engine.plans import _EMPTY, Constraint
from yiwang.engine.resource import Goal, Resource
from yiwang.engine.values import UNKNOWN, secret
from yiwang.errors import ExitCode, UserError

pytestmark = pytest.mark.system

URN = "urn:pulumi:s::p::t:i:T::a"


@pytest.fixture(scope="module")
def secrets() -> Manager:
    return Manager("open sesame")


PROGRAM = """
kept = Box("kept", text="x")
changed = Box("changed", text=f"text {step}", secret=pulumi.Output.secret("hidden"), opts=ResourceOptions(depends_on=[kept]))
replaced = Box("replaced", key=f"k{step}")
if step == 1:
    Box("gone")
else:
    Box("fresh", text=changed.label)
pulumi.export("label", changed.label)
"""


def test_a_plan_is_what_the_cli_saves_and_up_does_just_that(tmp_path: Path) -> None:
    box = Box(tmp_path, program=PROGRAM)
    first = box.run("preview", 1).plan
    assert box.run("up", 1, plan=json.loads(json.dumps(first))).ok
    planned = box.run("preview", 2)
    plan: Any = json.loads(json.dumps(planned.plan))
    assert "hidden" not in json.dumps(plan), "secrets are encrypted"
    found = {urn.rpartition("::")[2]: entry for urn, entry in plan["resourcePlans"].items()}
    assert {name: entry["steps"] for name, entry in found.items()} == {
        "box-dev": ["same"],
        "default": ["same"],
        "kept": ["same"],
        "changed": ["update"],
        "replaced": ["create-replacement", "replace", "delete-replaced"],
        "gone": ["delete"],
        "fresh": ["create"],
    }
    goal = found["changed"]["goal"]
    assert (goal["type"], goal["name"], goal["custom"], goal["protect"]) == ("box:index:Box", "changed", True, False)
    assert goal["inputDiff"] == {"updates": {"text": "text 2"}}
    assert goal["dependencies"] == ["urn:pulumi:dev::box::box:index:Box::kept"]
    assert (goal["outputDiff"], goal["customTimeouts"]) == ({}, {})
    assert found["gone"] == {"steps": ["delete"], "state": None}
    assert found["fresh"]["goal"]["inputDiff"]["adds"] == {"name": "fresh", "text": "changed/"}
    assert found["fresh"]["seed"]
    assert set(plan["manifest"]) == {"time", "magic", "version"}
    done = box.run("up", 2, plan=plan)
    assert done.ok, errors(done)
    assert done.changes == planned.changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('Box("more")', "create is not allowed by the plan: no steps were expected for this resource"),
        ('Box("kept", text="other")', 'violates plan: properties changed: ++text[{"x"}!={"other"}]'),
        ('Box("kept", text="x", more="y")', 'violates plan: properties changed: =+more[{"y"}]'),
        ('Box("kept", text="x", opts=ResourceOptions(protect=True))', "violates plan: protect changed (expected false)"),
        ("", "expected resource operations for urn:pulumi:dev::box::box:index:Box::kept but none were seen"),
        ('Box("kept", text="x")\npulumi.export("new", 1)', "resource violates plan: properties changed: =+new[{1}]"),
    ],
)
def test_up_refuses_what_was_not_planned(change: str, message: str, tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("kept", text="x")')
    plan = box.run("preview", 1).plan
    box.write(change)
    result = box.run("up", 1, plan=plan)
    assert not result.ok
    assert any(message in text for text in errors(result)), errors(result)
    assert "other" not in json.dumps(box.world())


def test_a_delete_that_was_not_planned_is_refused_before_any_delete(tmp_path: Path) -> None:
    box = Box(tmp_path, program='if step < 3:\n    Box("a")\nif step == 1:\n    Box("b")')
    assert box.run("up", 1).ok
    plan = box.run("preview", 2).plan
    result = box.run("up", 3, plan=plan)
    assert any("delete is not allowed by the plan: this resource is constrained to same" in text for text in errors(result)), errors(result)
    assert box.world()["deleted"] == {}


def test_what_is_no_plan_is_told(tmp_path: Path) -> None:
    box = Box(tmp_path, program='Box("kept", secret=pulumi.Output.secret("x"))')
    assert box.run("up", 1).ok
    calls = box.world()["calls"]
    other = Box(tmp_path / "other", program='Box("kept", secret=pulumi.Output.secret("x"))').run("preview", 1).plan
    damaged: tuple[Any, ...] = (other, {"resourcePlans": {URN: {"goal": 5}}}, {"resourcePlans": []}, {})
    for plan in damaged:
        with pytest.raises(UserError, match="the plan is damaged") as caught:
            box.run("up", 1, plan=plan)
        assert caught.value.code == ExitCode.INPUT
    assert box.world()["calls"] == calls


def test_the_plan_of_a_new_stack_can_be_read_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path, program='Box("kept", secret=pulumi.Output.secret("x"))')
    plan = box.run("preview", 1).plan
    monkeypatch.setattr(journal, "_new", {})
    result = box.run("up", 1, plan=plan)
    assert result.ok, errors(result)


@pytest.mark.parametrize(
    ("old", "new", "planned", "problem"),
    [
        ({}, {"x": 1}, PlanDiff(adds={"x": 1}), ""),
        ({}, {"x": 1}, PlanDiff(adds={"x": UNKNOWN}), ""),
        ({}, {}, PlanDiff(adds={"x": UNKNOWN}), ""),
        ({"x": 1}, {"x": 1}, PlanDiff(adds={"x": 1}), ""),
        ({"x": 0}, {"x": 1}, PlanDiff(adds={"x": 1}), ""),
        ({"x": 0}, {"x": 1}, PlanDiff(updates={"x": [UNKNOWN]}), '~~x[{["[unknown]"]}!={1}]'),
        ({"x": 0}, {"x": [1]}, PlanDiff(updates={"x": [UNKNOWN]}), ""),
        ({"x": 0}, {}, PlanDiff(updates={"x": UNKNOWN}), ""),
        ({"x": 0}, {}, PlanDiff(updates={"x": 1}), "~-x[{1}]"),
        ({}, {"x": 1}, PlanDiff(updates={"x": 1}), "~+x[{1}!={1}]"),
        ({"x": 1}, {}, PlanDiff(deletes=["x"]), ""),
        ({}, {}, PlanDiff(deletes=["x"]), ""),
        ({"x": 1}, {"x": 1}, PlanDiff(deletes=["x"]), "-=x[{1}]"),
        ({"x": 1}, {"x": 2}, PlanDiff(), "=~x[{2}]"),
        ({"x": 1}, {}, PlanDiff(), "=-x"),
        ({}, {"x": secret("s")}, PlanDiff(adds={"x": secret("t")}), '++x[{"[secret]"}!={"[secret]"}]'),
        ({}, {"x": secret("s")}, PlanDiff(adds={"x": secret("s")}), ""),
        ({}, {"x": {"a": 1, "b": None}}, PlanDiff(adds={"x": {"a": 1, "c": UNKNOWN}}), ""),
    ],
)
def test_properties_and_their_plan(old: dict[str, Any], new: dict[str, Any], planned: PlanDiff, problem: str) -> None:
    expected = f"properties changed: {problem}" if problem else ""
    assert plandiff.violated(old, new, planned) == expected


@pytest.mark.parametrize(
    ("planned", "done", "fine"),
    [
        (["create"], ["create"], True),
        (["create"], ["same"], True),
        (["update"], ["same"], True),
        (["same"], ["update"], False),
        (["create-replacement", "replace"], ["update"], True),
        (["update"], ["create-replacement"], False),
        (["delete"], ["same"], False),
        ([], ["same"], False),
        (["same"], ["refresh", "read", "same"], True),
    ],
)
def test_steps_and_their_plan(planned: list[str], done: list[str], fine: bool, secrets: Manager) -> None:
    constraint = Constraint({"resourcePlans": {URN: {"steps": planned}}}, secrets)
    refused = ""
    for op in done:
        try:
            constraint.step(op, URN)
        except PlanError as error:
            refused = str(error)
    assert (refused == "") is fine, refused


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, ""),
        ({"provider": "p::1"}, ""),
        ({"provider": "q::1"}, "provider changed"),
        ({"custom": False}, "resource kind changed (expected custom)"),
        ({"parent": "x"}, "parent changed"),
        ({"delete_before_replace": True}, "deleteBeforeReplace changed (expected no value)"),
        ({"import_id": "i"}, "importID changed"),
        ({"custom_timeouts": {"create": 5}}, "create timeout changed (expected 0)"),
        ({"ignore_changes": ("x",)}, "ignoreChanges changed: added x"),
        ({"dependencies": ("y",)}, "dependencies changed: added y; deleted x"),
        ({"property_dependencies": {"k": ["b"]}}, "dependencies for k changed: added b; deleted a"),
        ({"property_dependencies": {}}, ""),
    ],
)
def test_options_and_their_plan(more: dict[str, Any], problem: str, secrets: Manager) -> None:
    goal = {
        "type": "t:i:T",
        "name": "a",
        "custom": True,
        "protect": False,
        "provider": f"p::{UNKNOWN}",
        "dependencies": ["x"],
        "propertyDependencies": {"k": ["a"]},
    }
    constraint = Constraint({"resourcePlans": {URN: {"goal": goal, "steps": ["create"]}}}, secrets)
    asked = Goal(**{"type": "t:i:T", "name": "a", "custom": True, "provider": "p::2", "dependencies": ("x",), **more})
    refused = ""
    try:
        constraint.goal(Resource(urn=URN, type="t:i:T", custom=True), asked, None)
    except PlanError as error:
        refused = str(error)
    assert problem in refused
    assert bool(problem) is bool(refused)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ignoreChanges": ["x"]}, "ignoreChanges 不同：多出 x"),
        ({"dependencies": ["y"]}, "dependencies 不同：多出 y; 缺少 x"),
        ({"structuredAliases": [{"Name": "b"}]}, "别名不同：多出 { b     }"),
        ({"deleteBeforeReplace": True}, "deleteBeforeReplace 不同（计划为 无值）"),
    ],
)
def test_what_is_not_as_planned_is_told_in_chinese(asked: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    wanted = {**_EMPTY, "custom": True, "dependencies": ["x"]}
    assert plandiff.options_differ(wanted, {**wanted, **asked}) == said
    assert plandiff.sources_differ({"k": ["a"]}, {"k": ["b"]}) == "k 的依赖不同：多出 b; 缺少 a"
