"""Property values: what the wire says, as Python values and back."""

from __future__ import annotations

from yiwang.provider.values import UNKNOWN, Secret, digest, from_struct, public, reveal, secret, secret_texts, to_struct, unknown

VALUE = {
    "text": "a",
    "whole": 3,
    "part": 1.5,
    "flag": True,
    "nothing": None,
    "list": [1, Secret("hidden"), {"deep": UNKNOWN}],
    "all": Secret({"user": "u", "password": "p", "port": 5432}),
    "empty": {},
}


def test_there_and_back() -> None:
    assert from_struct(to_struct(VALUE)) == VALUE


def test_output_values_are_understood() -> None:
    signature, output = "4dabf18193072939515e22adb298388d", "d0e6a833031e9bbcd3f4e8bde6ca49a4"
    wire = to_struct(
        {
            "known": {signature: output, "value": "x"},
            "secret": {signature: output, "value": "x", "secret": True},
            "unknown": {signature: output},
        }
    )
    assert from_struct(wire) == {"known": "x", "secret": Secret("x"), "unknown": UNKNOWN}


def test_secrets_are_found_and_never_shown() -> None:
    assert secret_texts(VALUE) == {"hidden", "u", "p", "5432"}
    assert reveal(VALUE)["all"]["password"] == "p"
    assert "hidden" not in repr(VALUE)
    assert "hidden" not in str(public(VALUE))
    assert (secret(VALUE), secret(public(VALUE))) == (True, False)
    assert (unknown(VALUE), unknown(VALUE["all"])) == (True, False)


def test_digest_sees_values_and_not_secrets_or_order() -> None:
    assert digest(public({"a": 1, "b": Secret("x")})) == digest(public({"b": Secret("y"), "a": 1}))
    assert digest(public({"a": 1})) != digest(public({"a": "1"}))
    assert digest(public({"a": Secret("x")})) != digest(public({"a": "x"}))
