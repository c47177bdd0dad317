"""The planner is a function of states and answers: each rule is one table row, without gRPC."""

from __future__ import annotations

from typing import Any

import pytest

from yiwang.engine import planner
from yiwang.engine.planner import DiffAnswer, Difference, PlanError, Situation
from yiwang.engine.resource import Resource
from yiwang.engine.values import UNKNOWN, secret


def state(name: str = "a", **values: Any) -> Resource:
    return Resource(urn=f"urn:pulumi:s::p::t:i:T::{name}", type="t:i:T", custom=True, **values)


CHANGED = Difference(changes=True, diffs=("x",))
REPLACING = Difference(changes=True, keys=("x",), diffs=("x",))
PROVIDER_DELETES_FIRST = Difference(changes=True, keys=("x",), delete_first=True)


@pytest.mark.parametrize(
    ("old", "found", "situation", "steps"),
    [
        (None, Difference(), Situation(), ("create",)),
        ({}, Difference(), Situation(), ("same",)),
        ({}, CHANGED, Situation(), ("update",)),
        ({}, Difference(), Situation(must_redo=True), ("update",)),
        ({}, REPLACING, Situation(), ("create-replacement", "replace")),
        ({}, REPLACING, Situation(delete_before_replace=True), ("delete-replaced", "replace", "create-replacement")),
        ({}, PROVIDER_DELETES_FIRST, Situation(), ("delete-replaced", "replace", "create-replacement")),
        ({}, PROVIDER_DELETES_FIRST, Situation(delete_before_replace=False), ("create-replacement", "replace")),
        ({"pending_replacement": True}, Difference(), Situation(), ("delete-replaced", "replace", "create-replacement")),
        ({"external": True}, Difference(), Situation(), ("create-replacement", "replace")),
        ({}, Difference(), Situation(recreating=True), ("create",)),
        ({}, CHANGED, Situation(triggered=True), ("create-replacement", "replace")),
        # Keys without a change: the provider says nothing changes, and that counts.
        ({}, Difference(changes=False, keys=("x",)), Situation(), ("same",)),
    ],
)
def test_steps(old: dict[str, Any] | None, found: Difference, situation: Situation, steps: tuple[str, ...]) -> None:
    former = None if old is None else state(**old)
    assert planner.decide(state(), former, found, situation).steps == steps


@pytest.mark.parametrize(
    ("old", "new", "found", "refused"),
    [
        (True, True, REPLACING, True),
        (True, False, REPLACING, False),
        (False, True, REPLACING, False),
        (True, True, CHANGED, False),
    ],
)
def test_a_protected_resource_is_not_replaced(old: bool, new: bool, found: Difference, refused: bool) -> None:
    before, after = state(protect=old), state(protect=new)
    assert planner.may_not_replace(after, before, planner.decide(after, before, found, Situation())) is refused


@pytest.mark.parametrize(
    ("old", "new", "asked", "other", "key"),
    [
        ({}, {}, False, False, ""),
        ({"taint": True}, {}, True, True, "id"),
        ({}, {"replace_with": ["x", "gone"]}, False, False, "replaceWith"),
        ({}, {"deleted_with": "gone"}, False, False, "deletedWith"),
        ({}, {"deleted_with": "other"}, False, False, ""),
        ({}, {}, False, True, "provider"),
        ({"provider": ""}, {}, False, False, "provider"),
    ],
)
def test_replacements_that_do_not_ask_the_provider(old: dict[str, Any], new: dict[str, Any], asked: bool, other: bool, key: str) -> None:
    before, after = state(**{"provider": "p::1", **old}), state(provider="p::1", **new)
    assert planner.forced_key(after, before, replaced={"gone"}, asked=asked, provider_replaces=other) == key


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (None, "x", False),
        ("x", None, False),
        ("x", "x", False),
        ("x", secret("x"), False),
        ("x", "y", True),
        (0, False, True),
        ("x", UNKNOWN, True),
        ({"k": ["x"]}, {"k": [secret("y")]}, True),
    ],
)
def test_replacement_triggers(old: Any, new: Any, found: bool) -> None:
    assert planner.triggered(new, old) is found


@pytest.mark.parametrize(
    ("answer", "patterns", "changes", "keys", "replaces"),
    [
        (DiffAnswer(changes=False, diffs=("x",)), ["x"], False, (), False),
        (DiffAnswer(changes=True, diffs=("x",)), ["x"], True, ("x",), True),
        (DiffAnswer(changes=True, diffs=("x",)), ["*"], True, ("x",), True),
        (DiffAnswer(changes=True, diffs=("x",)), ["x.k"], True, (), False),
        (DiffAnswer(changes=True, diffs=("x",), detailed={"x.k": "update"}), ["x.k"], True, (), True),
        (DiffAnswer(changes=True, diffs=("x",), detailed={"x.o": "update"}), ["x.k"], True, (), False),
        (DiffAnswer(changes=True), ["*"], True, (), False),
        (DiffAnswer(), ["o.b[1]"], True, (), True),
        (DiffAnswer(), ["o.b[0]"], True, (), False),
        (DiffAnswer(), ["o.c"], True, (), False),
        (DiffAnswer(changes=True, replaces=("y",)), [], True, ("y",), True),
    ],
)
def test_replace_on_changes_sees_what_the_provider_named(
    answer: DiffAnswer, patterns: list[str], changes: bool, keys: tuple[str, ...], replaces: bool
) -> None:
    found = planner.difference(answer, {"o": {"b": [1, 2], "c": 1}}, {"o": {"b": [1, 3], "c": 1}}, patterns)
    assert (found.changes, found.keys, found.replaces) == (changes, keys, replaces)


@pytest.mark.parametrize(("patterns", "keys"), [(["#initerror"], ("#initerror",)), (["*"], ("#initerror",)), (["x"], ()), ([], ())])
def test_init_errors_may_force_a_replacement(patterns: list[str], keys: tuple[str, ...]) -> None:
    found = planner.difference(DiffAnswer(changes=False), {}, {}, patterns, init_errors=True)
    assert (found.keys, found.changes) == (keys, bool(keys))


def test_paths_of_what_changed() -> None:
    before = {"same": 1, "gone": {"x": 1}, "list": [1, {"a.b": 1}], "kind": [1]}
    after = {"same": 1, "new": None, "list": [1, {"a.b": 2}, 3], "kind": {"k": 1}, "it's": 1}
    assert planner.changed_paths(before, after) == {
        "gone": "delete",
        '["it\'s"]': "add",
        "kind": "update",
        'list[1]["a.b"]': "update",
        "list[2]": "add",
    }


def test_a_provider_that_cannot_say_is_helped_by_the_inputs() -> None:
    unsure = DiffAnswer()
    assert planner.difference(unsure, {"x": 1}, {"x": 2, "y": 3}).diffs == ("x", "y")
    assert not planner.difference(unsure, {"x": secret("s")}, {"x": "s"}).changes, "secretness alone is no change"
    assert planner.difference(unsure, {"x": secret("s")}, {"x": secret("t")}).changes


@pytest.mark.parametrize(
    ("old", "new", "ignore", "result"),
    [
        ({"x": 1}, {"x": 2}, ["x"], {"x": 1}),
        ({"x": 1}, {"x": 2}, ["*"], {"x": 1}),
        ({}, {"x": 2}, ["x"], {}),
        ({"x": 1}, {}, ["x"], {"x": 1}),
        ({"t": {"a": 1, "b": 1}}, {"t": {"a": 2, "b": 2}}, ["t.a"], {"t": {"a": 1, "b": 2}}),
        ({"l": [1, 1]}, {"l": [2, 2]}, ["l[0]"], {"l": [1, 2]}),
        ({"l": [{"k": 1}, {"k": 1}]}, {"l": [{"k": 2}, {"k": 2}]}, ["l[*].k"], {"l": [{"k": 1}, {"k": 1}]}),
        ({"x": 1}, {"x": 2}, ["y.z"], {"x": 2}),
        ({"x": 1}, {"x": 2}, ["no[path"], {"x": 2}),
        ({"s": secret({"a": 1})}, {"s": {"a": 2, "b": 2}}, ["s.a"], {"s": {"a": secret(1), "b": 2}}),
        ({"s": {"a": 1}}, {"s": secret({"a": 2})}, ["s.a"], {"s": secret({"a": 1})}),
        ({"t": {"a": 1, "b": 1}}, {"t": {"a": 2, "c": 2}}, ["t.*"], {"t": {"a": 1, "b": 1}}),
    ],
)
def test_ignored_changes(old: dict[str, Any], new: dict[str, Any], ignore: list[str], result: dict[str, Any]) -> None:
    before = repr(new), repr(old)
    assert planner.prepare_inputs(new, state(inputs=old), ignore) == (result, [])
    assert (repr(new), repr(old)) == before, "the program's own inputs are left alone"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ({"l": [1]}, {"l": [2, 2]}, "l[1]"),
        ({"l": [1, 1]}, {"l": [2]}, "l[*]"),
        ({"o": {"a": {"b": 1}}}, {"o": {}}, "o.a.b"),
        ({"o": {"a": 1}}, {"o": 2}, "o.a"),
        ({"l": [1]}, {"l": {"x": 1}}, "l[0]"),
        ({"x": [{}]}, {"x": [{}]}, "x[-1]"),
    ],
)
def test_changes_that_cannot_be_ignored(old: dict[str, Any], new: dict[str, Any], path: str) -> None:
    assert planner.prepare_inputs(new, state(inputs=old), [path])[1] == [path]


def test_what_is_no_path_replaces_nothing() -> None:
    with pytest.raises(PlanError, match="is no property path"):
        planner.difference(DiffAnswer(changes=True, diffs=("x",)), {}, {}, ["a[x"])


def test_deletes_wait_for_dependents_in_waves() -> None:
    a, b, c = state("a"), state("b"), state("c")
    b.dependencies = [a.urn]
    c.property_dependencies = {"x": [b.urn]}
    free = state("free")
    waits = planner.waits([a, b, c, free])
    assert waits == [[1], [2], [], []]
    assert planner.levels(waits) == [2, 1, 0, 0]


def test_a_replaced_state_waits_for_replaced_dependents_only() -> None:
    old, new, user = state("a", delete=True), state("a"), state("user")
    user.dependencies = [new.urn]
    assert planner.waits([old, new, user]) == [[], [2], []]


def test_dependents_of_a_delete_before_replace() -> None:
    root, dependent = state("root"), state("dependent")
    dependent.inputs = {"x": "was", "y": 1}
    dependent.property_dependencies = {"x": [root.urn], "y": []}
    assert planner.affected(dependent, {root.urn}, root.urn) == (False, {"x": UNKNOWN, "y": 1})
    only_ordered = state("ordered", dependencies=[root.urn])
    assert planner.affected(only_ordered, {root.urn}, root.urn) == (False, None)
    assert planner.affected(state("hosted", deleted_with=root.urn), {root.urn}, root.urn) == (True, None)
    assert planner.affected(state("tied", replace_with=[root.urn]), {root.urn}, root.urn) == (True, None)
    assert planner.affected(state("made", provider=f"{root.urn}::1"), {root.urn}, root.urn) == (True, None)


def test_unchanged_states_are_not_written_for_their_place_in_the_source() -> None:
    assert not planner.must_write(state(source_position="a#1"), state(source_position="a#2"))
    assert planner.must_write(state(inputs={"x": 1}), state(inputs={"x": secret(1)})), "secretness is recorded"
    assert not planner.must_write(state(dependencies=[]), state())
