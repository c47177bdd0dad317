"""Key-encryption keys: a data key is kept in the database under one of them, so that a copy of the database alone opens nothing."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yiwang.sealing.errors import DamagedError, KeyInvalidError, KeyUnknownError

SIZE = 32
_NONCE = 12


class KeyRing:
    """The key that wraps, and former ones that still unwrap. Each is 64 hexadecimal digits, as the kit's secrets are."""

    def __init__(self, current: str, *former: str) -> None:
        self._keys = {_identifier(key): key for key in map(_key, (*former, current))}
        self.current = _identifier(_key(current))

    def __repr__(self) -> str:
        """Never the keys."""
        return f"KeyRing({self.current}, {len(self._keys)} keys)"

    def wrap(self, key: bytes, label: bytes) -> bytes:
        """``key`` under the current key; it unwraps with the same ``label`` only, so that a row cannot be given another one's key."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._keys[self.current]).encrypt(nonce, key, label)

    def unwrap(self, kek: str, wrapped: bytes, label: bytes) -> bytes:
        """The key again. KeyUnknownError, DamagedError."""
        if kek not in self._keys:
            raise KeyUnknownError(kek=kek)
        try:
            return AESGCM(self._keys[kek]).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], label)
        except (InvalidTag, ValueError) as error:
            raise DamagedError(object=label.decode(errors="replace")) from error


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except (TypeError, ValueError):
        key = b""
    if len(key) != SIZE or len(set(key)) == 1:
        raise KeyInvalidError(size=SIZE * 2)
    return key


def _identifier(key: bytes) -> str:
    """Which key it is, without a way back to it."""
    return hashlib.sha256(b"yiwang.sealing.kek\0" + key).hexdigest()[:16]
