"""The sealed form of an object: AES-256-GCM in chunks by the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015).

A header of eight bytes, then chunks of 64 KiB, each with its tag. A chunk's nonce is its number and whether it is the last, so that chunks
that were changed, moved, doubled, left out or cut off do not open. A key seals one object and no other: a counted nonce never comes twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yiwang.sealing.errors import DamagedError

HEADER = b"YWSEAL\x01\x10"
"""Magic, version of the format (1), size of a chunk as a power of two (16)."""
CHUNK = 1 << HEADER[-1]
TAG = 16
KEY = 32
_COUNTER = 11


def sealed_size(size: int) -> int:
    """How long the sealed form of ``size`` bytes is; an empty object has one chunk, an empty one."""
    return len(HEADER) + size + max(1, -(-size // CHUNK)) * TAG


def seal(data: Iterable[bytes], key: bytes, label: bytes) -> Iterator[bytes]:
    """The sealed form, piece by piece. It opens with the same ``key`` and ``label`` only."""
    yield HEADER
    cipher, bound = AESGCM(key), HEADER + label
    for number, chunk, last in _numbered(_pieces(data, CHUNK)):
        yield cipher.encrypt(_nonce(number, last=last), chunk, bound)


def unseal(data: Iterable[bytes], key: bytes, label: bytes) -> Iterator[bytes]:
    """What was sealed, each piece verified. DamagedError where it is not; that something was cut off is known at the end only."""
    cipher, bound = AESGCM(key), HEADER + label
    rest = iter(data)
    head = b""
    while len(head) < len(HEADER) and (more := next(rest, None)) is not None:
        head += more
    if not head.startswith(HEADER):
        raise DamagedError(object=_shown(label))
    for number, chunk, last in _numbered(_pieces(_chain(head[len(HEADER) :], rest), CHUNK + TAG)):
        try:
            opened = cipher.decrypt(_nonce(number, last=last), chunk, bound)
        except (InvalidTag, ValueError) as error:
            raise DamagedError(object=_shown(label)) from error
        if not opened and number:
            # Nothing is sealed in two ways: only an empty object has an empty chunk.
            raise DamagedError(object=_shown(label))
        yield opened


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER, "big") + bytes([last])


def _pieces(data: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of ``size``; the last one is shorter where they do not come out even, and empty where there are none."""
    kept = bytearray()
    empty = True
    for each in data:
        kept += each
        while len(kept) >= size:
            yield bytes(kept[:size])
            del kept[:size]
            empty = False
    if kept or empty:
        yield bytes(kept)


def _numbered(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """Each piece with its number and whether it is the last."""
    piece = next(pieces)
    number = 0
    for following in pieces:
        yield number, piece, False
        piece, number = following, number + 1
    yield number, piece, True


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _shown(label: bytes) -> str:
    return label.decode(errors="replace")
