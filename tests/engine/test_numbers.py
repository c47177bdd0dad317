"""Numbers that JSON does not have: refused where they come from, and nothing is lost over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine.box_case import Box, errors, ops

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("program", "place"),
    [
        ('Box("a", text="t", tags={"deep": [1, nan]})', "box:index:Box a: tags.deep[1] is nan"),
        ('pulumi.export("x", {"y": inf})', "x.y is inf"),
        ('pulumi.runtime.invoke("box:index:get", {"x": -inf})', "x is -inf"),
    ],
)
def test_numbers_that_json_does_not_have_are_told_by_their_place(program: str, place: str, tmp_path: Path) -> None:
    box = Box(tmp_path, program=f"from math import inf, nan\n{program}")
    for verb in ("preview", "up"):
        result = box.run(verb, 1)
        assert not result.ok
        assert any(f"{place}, a number that JSON does not have" in message for message in errors(result)), errors(result)
    box.recorded()


NUMBERS = """
from math import nan
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("made", {**props, "x": nan})

    def diff(self, id, olds, news):
        return DiffResult(changes=True)

    def update(self, id, olds, news):
        return UpdateResult({**news, "x": 7})


class Thing(Resource):
    x: pulumi.Output


Thing(Provider(), "a", {"x": None})
"""


def test_an_object_whose_provider_answers_with_such_a_number_is_recorded(tmp_path: Path) -> None:
    """It exists; the next run updates it."""
    box = Box(tmp_path, program=NUMBERS)
    made = box.run("up", 1)
    assert not made.ok
    assert any("x is nan, a number that JSON does not have" in message for message in errors(made)), errors(made)
    state = box.states()["a"]
    assert (state.id, state.outputs["x"]) == ("made", None)
    done = box.run("up", 1)
    assert (done.ok, ops(done)) == (True, {"update": ["a"]}), errors(done)
    assert box.states()["a"].outputs["x"] == 7
