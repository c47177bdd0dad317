"""The sealed form: what was sealed opens, and whatever was done to it on the way does not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from yiwang.sealing.errors import DamagedError
from yiwang.sealing.stream import CHUNK, HEADER, KEY, TAG, seal, sealed_size, unseal

SECRET = bytes(range(KEY))
LABEL = b"papers/0123"
FULL = CHUNK + TAG
BORDERS = [
    0, 1, TAG, CHUNK - 1, CHUNK, CHUNK + 1, FULL - 1, FULL, FULL + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5,
]  # fmt: skip
sizes = st.one_of(st.sampled_from(BORDERS), st.integers(0, 4 * CHUNK))
# Three whole chunks and a short one; as short as the tests allow, so that the places are many.
LONG = b"".join(bytes([number]) * CHUNK for number in (1, 1, 2)) + b"end"


def sealed(data: bytes) -> bytes:
    return b"".join(seal([data], SECRET, LABEL))


def opened(data: bytes, key: bytes = SECRET, label: bytes = LABEL) -> bytes:
    return b"".join(unseal([data], key, label))


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def chunks(data: bytes) -> list[bytes]:
    return list(cut(data[len(HEADER) :], FULL))


SEALED = sealed(LONG)


@given(sizes, st.integers(1, 3 * CHUNK), st.integers(7, 3 * CHUNK))
def test_what_is_sealed_opens_however_it_comes_in_pieces(size: int, inward: int, outward: int) -> None:
    data = os.urandom(size)
    form = b"".join(seal(cut(data, inward), SECRET, LABEL))
    assert len(form) == sealed_size(size)
    assert b"".join(unseal(cut(form, outward), SECRET, LABEL)) == data


@given(st.binary(max_size=300), st.data())
def test_any_changed_bit_is_seen(content: bytes, data: st.DataObject) -> None:
    form = bytearray(sealed(content))
    form[data.draw(st.integers(0, len(form) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        opened(bytes(form))


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 7))
@example(0, 0)
@example(len(HEADER) - 1, 0)
@example(len(SEALED) - 1, 7)
@example(len(HEADER) + FULL, 3)
def test_any_changed_bit_of_a_long_one_is_seen(place: int, bit: int) -> None:
    form = bytearray(SEALED)
    form[place] ^= 1 << bit
    with pytest.raises(DamagedError):
        opened(bytes(form))


@given(st.integers(0, len(SEALED) - 1))
@example(0)
@example(len(HEADER))
@example(len(HEADER) + FULL)
@example(len(HEADER) + 3 * FULL)
def test_what_is_cut_off_is_missed(length: int) -> None:
    with pytest.raises(DamagedError):
        opened(SEALED[:length])


@pytest.mark.parametrize("size", BORDERS)
def test_a_chunk_less_or_more_is_seen_at_every_border(size: int) -> None:
    form = sealed(os.urandom(size))
    parts = chunks(form)
    for wrong in (parts[:-1], parts[1:], [*parts, parts[-1]], [*parts, b"\0" * TAG], [parts[0], *parts]):
        with pytest.raises(DamagedError):
            opened(HEADER + b"".join(wrong))
    for more in (b"\0", b"\0" * FULL):
        with pytest.raises(DamagedError):
            opened(form + more)


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=6))
def test_chunks_open_in_their_order_alone(order: list[int], chosen: list[int]) -> None:
    parts = chunks(SEALED)
    for selection in (order, chosen):
        if selection == [0, 1, 2, 3]:
            continue
        with pytest.raises(DamagedError):
            opened(HEADER + b"".join(parts[number] for number in selection))


def test_two_equal_chunks_cannot_change_places() -> None:
    parts = chunks(SEALED)
    assert parts[0] != parts[1], "what is equal does not look equal"
    with pytest.raises(DamagedError):
        opened(HEADER + b"".join([parts[1], parts[0], *parts[2:]]))


@given(st.binary(min_size=KEY, max_size=KEY), st.binary(max_size=40))
def test_it_opens_with_its_own_key_and_label_alone(key: bytes, label: bytes) -> None:
    for other in ((key, LABEL), (SECRET, label)):
        if other != (SECRET, LABEL):
            with pytest.raises(DamagedError):
                opened(SEALED, *other)


@given(st.binary(max_size=2 * FULL))
def test_whatever_was_not_sealed_is_refused(data: bytes) -> None:
    for form in (data, HEADER + data):
        with pytest.raises(DamagedError):
            opened(form)


def test_an_empty_chunk_at_the_end_is_no_other_way_to_write_it() -> None:
    """Only the empty object has an empty chunk, even where somebody with the key has made another one."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - what an attacker would use

    cipher, bound = AESGCM(SECRET), HEADER + LABEL
    first = cipher.encrypt(bytes(12), b"a" * CHUNK, bound)
    last = cipher.encrypt((1).to_bytes(11, "big") + b"\1", b"", bound)
    with pytest.raises(DamagedError):
        opened(HEADER + first + last)


def test_no_more_than_a_few_chunks_are_held_at_once() -> None:
    taken = 0

    def source() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(200):
            taken += 1
            yield bytes(CHUNK)

    form = seal(source(), SECRET, LABEL)
    for number, piece in enumerate(unseal(form, SECRET, LABEL)):
        assert len(piece) == CHUNK
        assert taken <= number + 5
