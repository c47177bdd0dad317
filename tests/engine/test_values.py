"""Property values: what comes off the wire goes back unchanged, and secrets stay where they belong."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yiwang.engine import values, wire
from yiwang.engine.passphrase import Manager
from yiwang.engine.values import OUTPUT, RESOURCE, SECRET, SIGNATURE, UNKNOWN, secret
from yiwang.errors import UserError

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)
marked = st.recursive(plain | plain.map(secret), lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner), max_leaves=4)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), marked, max_size=4))
def test_struct_round_trip(properties: dict[str, Any]) -> None:
    assert wire.from_struct(wire.to_struct(properties)) == properties


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_have_is_told_by_its_place(number: float) -> None:
    struct = wire.to_struct({"ok": 1, "deep": {"list": [1, {"x": number}]}})
    with pytest.raises(wire.NumberError, match=re.escape(f"deep.list[1].x is {number}")):
        wire.from_struct(struct)
    with pytest.raises(wire.NumberError, match=re.escape(f"list[1].x is {number}")):
        wire.from_value(struct.fields["deep"])
    assert wire.from_struct(wire.finite(struct)) == {"ok": 1, "deep": {"list": [1, {"x": None}]}}


@settings(max_examples=50, deadline=None)
@given(marked)
def test_nothing_secret_is_left_after_reveal_or_shown_by_mask(value: Any) -> None:
    assert not values.has_secret(values.reveal(value))
    assert not values.has_secret(values.mask(value))
    if values.has_secret(value):
        assert "[secret]" in repr(values.mask(value))


def test_what_a_program_sends_is_normalised() -> None:
    sent = {
        "known": {SIGNATURE: OUTPUT, "value": 1, "secret": True, "dependencies": ["urn"]},
        "unknown": {SIGNATURE: OUTPUT},
        "nested": secret({"inner": secret("x")}),
    }
    assert values.normalise(sent) == {"known": secret(1), "unknown": UNKNOWN, "nested": secret({"inner": "x"})}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [(1, 1.0, True), (1, True, False), ([0], [False], False), ({"k": [1]}, {"k": [True]}, False), ({"k": [1]}, {"k": [1]}, True)],
)
def test_equal_values(left: Any, right: Any, same: bool) -> None:
    assert values.equal(left, right) is same


def test_a_provider_gets_only_what_it_accepts() -> None:
    reference = {SIGNATURE: RESOURCE, "urn": "urn:x", "id": "i-1"}
    component = {SIGNATURE: RESOURCE, "urn": "urn:c"}
    sent = {"s": secret({"k": [secret(1)]}), "r": reference, "c": component}
    assert values.for_provider(sent, secrets=False, resources=False) == {"s": {"k": [1]}, "r": "i-1", "c": "urn:c"}
    assert values.for_provider(sent, secrets=True, resources=True) == sent


@pytest.mark.parametrize(
    ("back", "marks", "result"),
    [
        ({"x": 1}, {"x": secret(1)}, {"x": secret(1)}),
        ({"x": {"k": 1, "o": 2}}, {"x": {"k": secret(0)}}, {"x": {"k": secret(1), "o": 2}}),
        ({"x": [1, 2]}, {"x": [1, secret(2)]}, {"x": secret([1, 2])}),
        ({"y": 1}, {"x": secret(1)}, {"y": 1}),
        ({"x": 5}, {"x": {"k": secret(1)}}, {"x": secret(5)}),
    ],
)
def test_secrets_are_marked_again(back: dict[str, Any], marks: dict[str, Any], result: dict[str, Any]) -> None:
    assert values.remark(back, marks) == result


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a", ["a"]),
        ("a.b[0]", ["a", "b", 0]),
        ('a["c.d"].*', ["a", "c.d", "*"]),
        ("[2][*]", [2, "*"]),
        ("", []),
        ('a["b\\"]c"].["d"]', ["a", 'b"]c', "d"]),
    ],
)
def test_paths(path: str, parts: list[Any]) -> None:
    assert values.parse_path(path) == parts


@pytest.mark.parametrize("path", [".a", "a[", "a[x]", "a.", 'a["b', "a..b"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match=re.escape(path)):
        values.parse_path(path)


@pytest.fixture(scope="module")
def manager() -> Manager:
    return Manager("open sesame")


@settings(max_examples=50, deadline=None)
@given(value=marked)
def test_sealed_values_open_again(manager: Manager, value: Any) -> None:
    sealed = manager.seal(value, "urn:x")
    assert manager.open(sealed, "urn:x") == value
    if values.is_secret(value):
        assert set(sealed) == {SIGNATURE, "ciphertext"}
        assert sealed[SIGNATURE] == SECRET


def test_an_unchanged_secret_keeps_its_ciphertext(manager: Manager) -> None:
    first = manager.seal(secret("pw"), "urn:a")
    assert manager.seal(secret("pw"), "urn:a") == first
    assert manager.seal(secret("pw"), "urn:b") != first, "equal secrets of two resources must not be told to be equal"


def test_a_wrong_passphrase_is_told(manager: Manager) -> None:
    with pytest.raises(UserError, match="passphrase"):
        Manager("something else", manager.state)
    assert Manager("open sesame", manager.state).decrypt(manager.encrypt("x")) == "x"


@pytest.mark.parametrize("state", ["v1", "v1:!!!:x", "v1:AAAAAAAAAAA=:v1:x:y", ""])
def test_a_damaged_salt_is_told(state: str) -> None:
    if state:
        with pytest.raises(UserError):
            Manager("x", state)
