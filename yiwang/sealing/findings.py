"""What a look at sealed objects and proofs can find, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from yiwang.messages import Language
from yiwang.sealing.errors import words


class Trouble(Enum):
    """All that can be found."""

    MISSING = "missing"
    NOT_GIVEN = "not_given"
    ALTERED = "altered"
    UNREADABLE = "unreadable"
    KEK_MISSING = "kek_missing"
    UNLOCKED = "unlocked"
    BUCKET_UNKNOWN = "bucket_unknown"
    OVERDUE = "overdue"
    UNFINISHED = "unfinished"
    UNPROVED = "unproved"
    UNPUBLISHED = "unpublished"
    REVIVED = "revived"
    CHAIN_BROKEN = "chain_broken"
    PROOF_DIFFERS = "proof_differs"
    PROOF_COVERED = "proof_covered"
    PROOF_UNLOCKED = "proof_unlocked"


_WORDS = {
    Trouble.MISSING: "sealing.found_missing",
    Trouble.NOT_GIVEN: "sealing.found_not_given",
    Trouble.ALTERED: "sealing.found_altered",
    Trouble.UNREADABLE: "sealing.found_unreadable",
    Trouble.KEK_MISSING: "sealing.found_kek_missing",
    Trouble.UNLOCKED: "sealing.found_unlocked",
    Trouble.BUCKET_UNKNOWN: "sealing.found_bucket_unknown",
    Trouble.OVERDUE: "sealing.found_overdue",
    Trouble.UNFINISHED: "sealing.found_unfinished",
    Trouble.UNPROVED: "sealing.found_unproved",
    Trouble.UNPUBLISHED: "sealing.found_unpublished",
    Trouble.REVIVED: "sealing.found_revived",
    Trouble.CHAIN_BROKEN: "sealing.found_chain_broken",
    Trouble.PROOF_DIFFERS: "sealing.found_proof_differs",
    Trouble.PROOF_COVERED: "sealing.found_proof_covered",
    Trouble.PROOF_UNLOCKED: "sealing.found_proof_unlocked",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it shall be, and where: bucket and name in it."""

    trouble: Trouble
    place: str

    def text(self, language: Language | None = None) -> str:
        """One line for a person."""
        return words(_WORDS[self.trouble], language, place=self.place)
