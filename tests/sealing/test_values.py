"""Keys, names and proofs without servers: what is refused, what is told, what a chain holds."""

from __future__ import annotations

import dataclasses
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiwang.sealing import errors, values
from yiwang.sealing.errors import (
    DamagedError,
    KeyInvalidError,
    KeyUnknownError,
    PersonalDataError,
    ProofInvalidError,
    SealingError,
    ValueInvalidError,
)
from yiwang.sealing.findings import Finding, Trouble
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import FIRST, Chain, Proof, Reason, place

ONE, TWO = "01" * 31 + "02", "03" * 31 + "04"
text = st.text(string.printable + "姓名", max_size=20)


def proof(number: int = 1, previous: str = FIRST, **changes: object) -> Proof:
    given = {
        "chain": "portal", "number": number, "previous": previous, "bucket": "licences", "object": "00ff", "version": "v1",
        "sha256": "ab" * 32, "size": 24, "purpose": "营业执照", "subject": "s-1", "reason": Reason.PURPOSE_ENDED.value,
        "clause": Reason.PURPOSE_ENDED.clause, "by": "timer", "at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return Proof(**{**given, **changes})  # type: ignore[arg-type]


def chained(count: int) -> list[Proof]:
    found: list[Proof] = []
    for number in range(1, count + 1):
        found.append(proof(number, found[-1].hash if found else FIRST, subject=f"s-{number}"))
    return found


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=30))
def test_a_key_unwraps_by_the_key_that_wrapped_it_and_for_its_object_alone(key: bytes, label: bytes) -> None:
    old = KeyRing(ONE)
    wrapped = old.wrap(key, label)
    assert key not in wrapped
    assert KeyRing(TWO, ONE).unwrap(old.current, wrapped, label) == key
    with pytest.raises(KeyUnknownError):
        KeyRing(TWO).unwrap(old.current, wrapped, label)
    for changed in (wrapped[:-1], b"", bytes([wrapped[0] ^ 1]) + wrapped[1:]):
        with pytest.raises(DamagedError):
            old.unwrap(old.current, changed, label)
    with pytest.raises(DamagedError):
        old.unwrap(old.current, wrapped, label + b"x")


@pytest.mark.parametrize("word", ["", "01", ONE + "00", "g" * 64, "0" * 64, None])
def test_a_key_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(KeyInvalidError):
        KeyRing(word)


def test_keys_are_in_no_representation() -> None:
    assert ONE not in repr(KeyRing(ONE, TWO))
    assert ONE[:16] not in KeyRing(ONE).current


@pytest.mark.parametrize(
    "word", ["370102199003077779", "证件 110101199003074514。", "13812345678", "电话:13812345678", "11010119900307109X"]
)
def test_a_number_that_names_a_person_is_in_no_proof(word: str) -> None:
    for part in ("subject", "purpose", "by"):
        with pytest.raises(PersonalDataError):
            values.word(part, word)


@pytest.mark.parametrize(
    "word", ["s-1", "a" * 64, "370102000000000000", "0013812345678", "2026010112345678901", "e3b0c44298fc1c149afbf4c8996fb924"]
)
def test_what_names_nobody_is_taken(word: str) -> None:
    assert values.word("subject", word) == word


@pytest.mark.parametrize("word", ["", " a", "a\n", "a\0b", "x" * 201, 5, None, b"a"])
def test_a_word_that_is_no_line_is_refused(word: object) -> None:
    with pytest.raises(ValueInvalidError):
        values.word("purpose", word)


@pytest.mark.parametrize("given_", [{"a": 1}, {1: "a"}, {"a": "\0"}, {"a": "x" * 20000}])
def test_metadata_that_is_no_short_text_is_refused(given_: dict[str, str]) -> None:
    with pytest.raises(ValueInvalidError):
        values.metadata(given_)


def test_a_time_without_a_zone_is_refused() -> None:
    import datetime  # noqa: PLC0415 - for this one

    with pytest.raises(ValueInvalidError):
        values.moment("erase_after", datetime.datetime(2030, 1, 1))  # noqa: DTZ001 - what is to be refused


@given(text, text, st.integers(1, 10**11))
def test_a_proof_is_read_as_it_was_written_and_in_no_other_way(subject: str, by: str, number: int) -> None:
    made = proof(number, subject=subject, by=by)
    assert Proof.parse(made.document()) == made
    for other in (made.document() + b"\n", json.dumps(json.loads(made.document()), indent=1).encode()):
        with pytest.raises(ProofInvalidError):
            Proof.parse(other)


@given(st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.sampled_from([b"[]", b"{}", b"null", b'{"kind":1}'])))
def test_what_is_no_proof_is_refused(document: bytes) -> None:
    with pytest.raises(ProofInvalidError):
        Proof.parse(document)


@pytest.mark.parametrize("changes", [{"number": "1"}, {"size": True}, {"subject": 5}, {"reason": None}])
def test_a_proof_of_other_types_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ProofInvalidError):
        Proof.parse(proof(**changes).document())  # type: ignore[arg-type]


@given(st.integers(2, 6), st.data())
def test_a_chain_shows_what_is_left_out_changed_or_moved(count: int, data: st.DataObject) -> None:
    proofs = chained(count)
    chain = Chain("portal")
    assert all(chain.follows(each) for each in proofs)
    index = data.draw(st.integers(0, count - 2))
    altered = dataclasses.replace(proofs[index], by="another")
    swapped = [*proofs[:index], proofs[index + 1], proofs[index], *proofs[index + 2 :]]
    for wrong in ([*proofs[:index], *proofs[index + 1 :]], [*proofs[:index], altered, *proofs[index + 1 :]], swapped):
        chain = Chain("portal")
        assert not all(chain.follows(each) for each in wrong)
    assert not Chain("exchange").follows(proofs[0])


def test_names_of_proofs_sort_as_their_numbers() -> None:
    assert sorted(place("a", number) for number in (100, 9, 1, 10**11)) == [place("a", number) for number in (1, 9, 100, 10**11)]


def test_every_error_and_finding_has_words_in_both_languages() -> None:
    kinds = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SealingError) and each is not SealingError
    ]
    parts = {"part", "expected", "limit", "name", "object", "at", "kek", "size", "place", "code", "chain"}
    for kind in kinds:
        error = kind(**dict.fromkeys(parts, "X"))
        assert error.text("zh") != error.text("en") == str(error)
        assert "{" not in error.text("zh")
    for trouble in Trouble:
        assert "p/1" in Finding(trouble, "p/1").text("zh")
    assert [reason.clause for reason in Reason] == [f"PIPL 47({number})" for number in range(1, 6)]
    assert all(reason.text("zh") != reason.text("en") for reason in Reason)
