"""URNs, aliases, targets and durations: what the wire and the state spell."""

from __future__ import annotations

from typing import Any

import pytest

from yiwang.engine import urn as urns
from yiwang.engine.api import Options
from yiwang.engine.monitor import seconds
from yiwang.engine.resource import Resource
from yiwang.engine.targets import Patterns, Targets
from yiwang.engine.urn import Alias
from yiwang.engine.values import secret

STACK = "urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"


def test_parents_are_in_the_type_but_not_the_stack() -> None:
    shelf = urns.make("s", "p", STACK, "b:i:Shelf", "shelf")
    box = urns.make("s", "p", shelf, "b:i:Box", "a::b")
    assert shelf == "urn:pulumi:s::p::b:i:Shelf::shelf"
    assert box == "urn:pulumi:s::p::b:i:Shelf$b:i:Box::a::b"
    assert (urns.type_of(box), urns.name_of(box)) == ("b:i:Box", "a::b")


@pytest.mark.parametrize(
    ("alias", "former"),
    [
        (Alias(urn="urn:any"), "urn:any"),
        (Alias(name="old"), "urn:pulumi:s::p::b:i:Shelf$b:i:Box::old"),
        (Alias(type="b:i:Bag"), "urn:pulumi:s::p::b:i:Shelf$b:i:Bag::shelf-box"),
        (Alias(no_parent=True), "urn:pulumi:s::p::b:i:Box::shelf-box"),
        (Alias(parent="urn:pulumi:s::p::b:i:Rack::rack"), "urn:pulumi:s::p::b:i:Rack$b:i:Box::shelf-box"),
        (Alias(no_parent=True, project="q", stack="t"), "urn:pulumi:t::q::b:i:Box::shelf-box"),
    ],
)
def test_an_alias_says_what_differs(alias: Alias, former: str) -> None:
    shelf = urns.make("s", "p", STACK, "b:i:Shelf", "shelf")
    box = urns.make("s", "p", shelf, "b:i:Box", "shelf-box")
    assert urns.earlier(box, shelf, [alias], {}) == [former]


def test_another_stack_and_project_are_those_of_what_is_below_the_stack() -> None:
    top, inside = urns.make("s", "p", STACK, "b:i:Box", "a"), urns.make("s", "p", "urn:pulumi:s::p::b:i:Shelf::x", "b:i:Box", "a")
    alias = Alias(project="q", stack="t")
    assert urns.earlier(top, STACK, [alias], {}) == ["urn:pulumi:t::q::b:i:Box::a"]
    assert urns.earlier(inside, "urn:pulumi:s::p::b:i:Shelf::x", [alias], {}) == [], "a parent says where its children are"


def test_children_follow_a_renamed_parent() -> None:
    shelf = urns.make("s", "p", STACK, "b:i:Shelf", "new")
    box = urns.make("s", "p", shelf, "b:i:Box", "new-box")
    renamed = {shelf: ["urn:pulumi:s::p::b:i:Rack::old"]}
    assert urns.earlier(box, shelf, [], renamed) == ["urn:pulumi:s::p::b:i:Rack$b:i:Box::old-box"]
    both = urns.earlier(box, shelf, [Alias(type="b:i:Bag")], renamed)
    assert both == [
        "urn:pulumi:s::p::b:i:Shelf$b:i:Bag::new-box",
        "urn:pulumi:s::p::b:i:Rack$b:i:Box::old-box",
        "urn:pulumi:s::p::b:i:Rack$b:i:Bag::old-box",
    ]
    moved = urns.earlier(urns.make("s", "p", STACK, "b:i:Box", "b"), STACK, [Alias(parent=shelf)], renamed)
    assert moved == ["urn:pulumi:s::p::b:i:Rack$b:i:Box::b", "urn:pulumi:s::p::b:i:Shelf$b:i:Box::b"], "a former parent too"


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["**::a"], True),
        (["urn:pulumi:s::p::b:i:Box::a"], True),
        (["**::b"], False),
        (["**Box**"], True),
        ([], False),
        (["urn:pulumi:*::p::b:i:Box::a"], True),
        (["urn:pulumi:*::a"], False),
        (["urn:pulumi:s::p::b:i:Box::[a]"], False),
    ],
)
def test_patterns(patterns: list[str], found: bool) -> None:
    assert ("urn:pulumi:s::p::b:i:Box::a" in Patterns(patterns)) is found


def test_literals_in_patterns_are_literal() -> None:
    assert "urn:pulumi:s::p::b:i:Box::[a]?" in Patterns(["**::[a]?"])


def box(name: str, *needs: str, **more: Any) -> Resource:
    made = Resource(urn=f"urn:pulumi:s::p::b:i:Box::{name}", type="b:i:Box", custom=True, **more)
    made.dependencies = [f"urn:pulumi:s::p::b:i:Box::{need}" for need in needs]
    return made


CHAIN = [box("a"), box("b", "a"), box("c", "b"), box("d")]


@pytest.mark.parametrize(
    ("options", "updated", "deletable"),
    [
        (Options(), "abcd", "abcd"),
        (Options(targets=("**::b",)), "b", "bc"),
        (Options(targets=("**::b",), target_dependents=True), "bc", "bc"),
        (Options(excludes=("**::b",)), "acd", "cd"),
        (Options(excludes=("**::b",), exclude_dependents=True), "ad", "d"),
        (Options(replace=("**::a",)), "abcd", "abcd"),
        (Options(target_replace=("**::d",)), "d", "d"),
    ],
)
def test_what_a_run_is_about(options: Options, updated: str, deletable: str) -> None:
    targets = Targets(options)
    assert "".join(entry.name for entry in CHAIN if targets.updates(entry)) == updated
    assert "".join(sorted(urn[-1] for urn in Targets(options).deletable(CHAIN))) == deletable


def test_what_would_be_deleted_without_being_named() -> None:
    assert Targets(Options(targets=("**::b",))).unspecified(entry.urn for entry in CHAIN[1:3]) == [CHAIN[2].urn]
    assert Targets(Options(targets=("**::b",), target_dependents=True)).unspecified([CHAIN[2].urn]) == []
    assert Targets(Options(excludes=("**::b",))).unspecified([CHAIN[2].urn]) == []


def test_providers_and_the_stack_take_part_whatever_the_targets_are() -> None:
    provider = Resource(urn="urn:pulumi:s::p::pulumi:providers:b::x", type="pulumi:providers:b", custom=True)
    stack = Resource(urn=STACK, type=urns.STACK_TYPE, custom=False)
    targets = Targets(Options(targets=("**::a",)))
    assert [targets.updates(entry) for entry in (provider, stack)] == [True, True]
    assert [targets.includes(entry) for entry in (provider, stack)] == [False, False]


@pytest.mark.parametrize(("text", "value"), [("5m", 300), ("90s", 90), ("1h2m3s", 3723), ("1.5h", 5400), ("250ms", 0.25), ("", 0)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "m", "5x", "five", "5m3", "-5m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


def test_a_resource_does_not_show_its_values() -> None:
    assert "s3cret" not in repr(Resource(urn="urn", type="t", custom=True, inputs={"pw": secret("s3cret")}, outputs={"pw": "s3cret"}))
