"""Pulumi's passphrase secrets provider: PBKDF2-SHA256 (1,000,000 rounds), AES-256-GCM, ``v1:<nonce>:<ciphertext>``."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import threading
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from yiwang.engine.jsontext import compact_json, parsed
from yiwang.engine.values import SECRET, SIGNATURE, Value, is_secret, reveal
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

_ROUNDS = 1_000_000
_CHECK = "pulumi"


_deriving = threading.Lock()


def _key(passphrase: str, salt: bytes) -> bytes:
    """The key of one salt. Deriving takes a third of a second, so it is kept for the life of the process."""
    with _deriving:
        return _derive(passphrase, salt)


@functools.lru_cache(maxsize=256)
def _derive(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, 32)


class Secrets(Protocol):
    """What writes and reads the secrets of a state. ``state``: see ``Manager``."""

    state: str

    def seal(self, value: Value, owner: str) -> Value:
        """See ``Manager``."""

    def open(self, value: Value, owner: str) -> Value:
        """See ``Manager``."""


class Sealed:
    """Stands in for a ``Manager`` where there is no key: what is encrypted stays so, or ``instead`` of each secret is written."""

    def __init__(self, state: str = "", instead: Callable[[Value], Value] | None = None) -> None:
        self.state = state
        self._instead = instead

    def seal(self, value: Value, owner: str) -> Value:
        """As it is, but for its secrets."""
        if self._instead is None:
            return value
        if isinstance(value, list):
            return [self.seal(item, owner) for item in value]
        if not isinstance(value, dict):
            return value
        return self._instead(value["value"]) if is_secret(value) else {key: self.seal(value[key], owner) for key in sorted(value)}

    def open(self, value: Value, owner: str) -> Value:
        """As it is."""
        del owner
        return value


class Manager:
    """Encrypts and decrypts the secrets of one stack.

    ``state`` is the stack's ``v1:<salt>:<encrypted check>``; None makes a new salt. Raises UserError when the
    passphrase does not fit.
    """

    def __init__(self, passphrase: str, state: str | None = None) -> None:
        state = state or None
        salt = _salt(state) if state else os.urandom(8)
        self._cipher = AESGCM(_key(passphrase, salt))
        # Equal secrets of a resource keep their ciphertext, so that a file changes only where a value does.
        self._known: dict[tuple[str, str], str] = {}
        if state is None:
            self.state = f"v1:{base64.b64encode(salt).decode()}:{self.encrypt(_CHECK)}"
            return
        self.state = state
        try:
            fits = self.decrypt(state.split(":", 2)[2]) == _CHECK
        except (InvalidTag, ValueError, IndexError):
            fits = False
        if not fits:
            raise UserError(t("engine.passphrase"), code=ExitCode.INPUT, fix=t("engine.passphrase_fix"))

    def encrypt(self, text: str) -> str:
        """``text`` under a fresh nonce."""
        nonce = os.urandom(12)
        sealed = self._cipher.encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, sealed: str) -> str:
        """The reverse of ``encrypt``. Raises InvalidTag for another key's text, ValueError for what is no ciphertext."""
        _, nonce, ciphertext = sealed.split(":")
        return self._cipher.decrypt(base64.b64decode(nonce), base64.b64decode(ciphertext), None).decode()

    def seal(self, value: Value, owner: str) -> Value:
        """A copy of ``value`` with each secret encrypted. ``owner`` (a URN) keeps equal secrets of a resource stable."""
        if isinstance(value, list):
            return [self.seal(item, owner) for item in value]
        if not isinstance(value, dict):
            return value
        if not is_secret(value):
            return {key: self.seal(value[key], owner) for key in sorted(value)}
        plaintext = compact_json(reveal(value["value"]))
        if (owner, plaintext) not in self._known:
            self._known[owner, plaintext] = self.encrypt(plaintext)
        return {SIGNATURE: SECRET, "ciphertext": self._known[owner, plaintext]}

    def open(self, value: Value, owner: str) -> Value:
        """The reverse of ``seal``; takes ``plaintext`` too (exports with secrets shown). Raises ValueError for what was damaged."""
        if isinstance(value, list):
            return [self.open(item, owner) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get(SIGNATURE) != SECRET:
            return {key: self.open(item, owner) for key, item in value.items()}
        sealed = value.get("ciphertext")
        try:
            plaintext = value["plaintext"] if sealed is None else self.decrypt(sealed)
            opened = parsed(plaintext)
        except (InvalidTag, KeyError, TypeError, AttributeError, ValueError):
            # The cause may hold the text: it is not passed on.
            raise ValueError("a secret that cannot be decrypted") from None
        if sealed is not None:
            self._known[owner, plaintext] = sealed
        return {SIGNATURE: SECRET, "value": opened}


def _salt(state: str) -> bytes:
    try:
        return base64.b64decode(state.split(":")[1], validate=True)
    except (IndexError, ValueError):
        raise UserError(t("engine.salt"), code=ExitCode.INPUT) from None
