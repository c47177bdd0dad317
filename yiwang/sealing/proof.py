"""Proofs of erasure: what each says, its bytes, and the chain in which each one holds the hash of the one before it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from yiwang.messages import Language
from yiwang.sealing.errors import ProofInvalidError, words

KIND = "yiwang.sealing.erasure/1"
FIRST = "0" * 64
_DIGITS = 12


class Reason(Enum):
    """Why personal data is erased: the cases of PIPL 47. No free text: it would hold what has to go."""

    PURPOSE_ENDED = "purpose_ended"
    RETENTION_OVER = "retention_over"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    UNLAWFUL = "unlawful"
    OTHER_LAW = "other_law"

    @property
    def clause(self) -> str:
        """The item of article 47."""
        return f"PIPL 47({list(Reason).index(self) + 1})"

    def text(self, language: Language | None = None) -> str:
        """In words."""
        return words(_REASONS[self], language)


_REASONS = {
    Reason.PURPOSE_ENDED: "sealing.reason_purpose_ended",
    Reason.RETENTION_OVER: "sealing.reason_retention_over",
    Reason.CONSENT_WITHDRAWN: "sealing.reason_consent_withdrawn",
    Reason.UNLAWFUL: "sealing.reason_unlawful",
    Reason.OTHER_LAW: "sealing.reason_other_law",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """That the key of one object was destroyed. ``object`` is its name in the bucket, ``version`` the store's, ``at`` in ISO 8601."""

    chain: str
    number: int
    previous: str
    bucket: str
    object: str
    version: str
    sha256: str
    size: int
    purpose: str
    subject: str
    reason: str
    clause: str
    by: str
    at: str

    def document(self) -> bytes:
        """The bytes that are kept, and hashed: JSON with sorted keys and no spaces."""
        content = {"kind": KIND, **dataclasses.asdict(self)}
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @property
    def hash(self) -> str:
        """SHA-256 of the document, in hexadecimal."""
        return hashlib.sha256(self.document()).hexdigest()

    @property
    def place(self) -> str:
        """Its name in the bucket of evidence."""
        return place(self.chain, self.number)

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """The proof in ``document``. ProofInvalidError where it is none, or not in the one way of writing it."""
        try:
            content: dict[str, Any] = json.loads(document)
            if content.pop("kind") != KIND:
                raise ProofInvalidError
            found = cls(**content)
            types = {field.name: int if field.name in {"number", "size"} else str for field in dataclasses.fields(cls)}
            if any(type(getattr(found, name)) is not expected for name, expected in types.items()) or found.document() != document:
                raise ProofInvalidError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ProofInvalidError from error
        return found


class Chain:
    """Follows the proofs of a chain in their order, and says of each whether it goes on where the one before it ended.

    ``number`` and ``last``: number and hash of the one that was there before.
    """

    def __init__(self, name: str, number: int = 0, last: str = FIRST) -> None:
        self.name = name
        self.number = number
        self.hash = last

    def follows(self, proof: Proof) -> bool:
        """Whether ``proof`` is the next one; it counts as such only then."""
        if (proof.chain, proof.number, proof.previous) != (self.name, self.number + 1, self.hash):
            return False
        self.number, self.hash = proof.number, proof.hash
        return True


def folder(chain: str) -> str:
    """Where the proofs of a chain lie in the bucket of evidence."""
    return f"erasure/{chain}/"


def place(chain: str, number: int) -> str:
    """The name of one there: names sort as numbers do."""
    return f"{folder(chain)}{number:0{_DIGITS}}.json"
