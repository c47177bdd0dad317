"""The resource Secret."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from yiwang.provider.secret import SecretResource
from yiwang.provider.values import UNKNOWN, Secret

RESOURCE = SecretResource()


def value(**inputs: Any) -> str:
    text = asyncio.run(RESOURCE.create({"length": 32, **inputs}, preview=False)).outputs["value"]
    assert isinstance(text, Secret)
    return str(text.value)


def test_length_alphabet_and_chance() -> None:
    assert len(value()) == 32
    assert value().isalnum()
    assert set(value(length=500, alphabet="0123456789")) == set("0123456789")
    assert value() != value()


def test_a_preview_knows_nothing_but_that_it_is_secret() -> None:
    assert asyncio.run(RESOURCE.create({"length": 32}, preview=True)).outputs == {"value": Secret(UNKNOWN)}


def test_each_change_replaces() -> None:
    old = {"length": 32, "keepers": {"round": 1}}
    assert RESOURCE.diff(old, {}, old).keys == ()
    change = RESOURCE.diff(old, {}, {"length": 32, "keepers": {"round": 2}})
    assert (change.keys, change.replaces) == (("keepers",), ("keepers",))


@pytest.mark.parametrize("change", [{"length": 7}, {"length": "32"}, {"alphabet": "aaaa"}, {"size": 3}])
def test_bad_inputs_are_named(change: dict[str, Any]) -> None:
    assert [problem.key for problem in RESOURCE.check({"length": 32, **change})] == [*change]
