"""URNs, aliases, targets and durations: what the wire and the state spell."""

from __future__ import annotations

import pytest

from yiwang.engine import urn as urns
from yiwang.engine.monitor import seconds
from yiwang.engine.resource import Resource
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
        (Alias(project="q", stack="t"), "urn:pulumi:t::q::b:i:Shelf$b:i:Box::shelf-box"),
    ],
)
def test_an_alias_says_what_differs(alias: Alias, former: str) -> None:
    shelf = urns.make("s", "p", STACK, "b:i:Shelf", "shelf")
    box = urns.make("s", "p", shelf, "b:i:Box", "shelf-box")
    assert urns.earlier(box, shelf, STACK, [alias], []) == [former]


def test_children_follow_a_renamed_parent() -> None:
    shelf = urns.make("s", "p", STACK, "b:i:Shelf", "new")
    box = urns.make("s", "p", shelf, "b:i:Box", "new-box")
    former = urns.earlier(box, shelf, STACK, [], ["urn:pulumi:s::p::b:i:Rack::old"])
    assert former == ["urn:pulumi:s::p::b:i:Rack$b:i:Box::old-box"]


@pytest.mark.parametrize(
    ("patterns", "found"),
    [(["**::a"], True), (["urn:pulumi:s::p::b:i:Box::a"], True), (["**::b"], False), (["**Box**"], True), ([], False)],
)
def test_targets(patterns: list[str], found: bool) -> None:
    assert urns.matches("urn:pulumi:s::p::b:i:Box::a", patterns) is found


@pytest.mark.parametrize(("text", "value"), [("5m", 300), ("90s", 90), ("1h2m3s", 3723), ("1.5h", 5400), ("250ms", 0.25), ("", 0)])
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "m", "5x", "five", "5m3", "-5m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


def test_a_resource_does_not_show_its_values() -> None:
    assert "s3cret" not in repr(Resource(urn="urn", type="t", custom=True, inputs={"pw": secret("s3cret")}, outputs={"pw": "s3cret"}))
