"""What can go wrong, a class for each, with its words in ``yiwang/locale/sealing.yaml``."""

from __future__ import annotations

from typing import ClassVar

from yiwang import messages
from yiwang.messages import Language


def words(key: str, language: Language | None, **values: object) -> str:
    """A text of the catalogue in ``language``, or in that of the command line: a server speaks several at once."""
    noun, _, entry = key.partition(".")
    return messages.catalogue(noun)[entry][language or messages.language()].format(**values)


class SealingError(Exception):
    """Any of them. ``values`` fill the words."""

    key: ClassVar[str]

    def __init__(self, **values: object) -> None:
        super().__init__(*values.values())
        self.values = values

    def text(self, language: Language | None = None) -> str:
        """One line for a person."""
        return words(self.key, language, **self.values)

    def __str__(self) -> str:
        """The line in English, for logs."""
        return self.text("en")


class ValueInvalidError(SealingError):
    """``part`` is not what it has to be: ``expected``."""

    key = "sealing.value_invalid"


class PersonalDataError(SealingError):
    """``part``, which stays for good or is read by others, holds what names a person."""

    key = "sealing.personal_data"


class TooLargeError(SealingError):
    """More than ``limit`` bytes."""

    key = "sealing.too_large"


class NotFoundError(SealingError):
    """Nothing is recorded under ``name``."""

    key = "sealing.not_found"


class ErasedError(SealingError):
    """The key of ``object`` was destroyed ``at``."""

    key = "sealing.erased"


class UnderWayError(SealingError):
    """The erasure of ``object`` is decided, and not finished: by PIPL 47 nothing but keeping is allowed until then."""

    key = "sealing.under_way"


class DamagedError(SealingError):
    """``object`` is not what was put: changed, cut short, or of another key."""

    key = "sealing.damaged"


class KeyUnknownError(SealingError):
    """No key ``kek`` among those that were given."""

    key = "sealing.key_unknown"


class KeyInvalidError(SealingError):
    """A key-encryption key that is none."""

    key = "sealing.key_invalid"


class StoreError(SealingError):
    """The object store did not do it: ``reason``."""

    key = "sealing.store"


class SchemaMissingError(SealingError):
    """There are no tables: ``migrate`` makes them."""

    key = "sealing.schema_missing"


class SchemaNewerError(SealingError):
    """The tables are those of a later release, which has ``name``."""

    key = "sealing.schema_newer"


class SchemaOtherError(SealingError):
    """The tables were made from another text of ``name``."""

    key = "sealing.schema_other"


class OpenTransactionError(SealingError):
    """What must be committed step by step was called inside a transaction."""

    key = "sealing.open_transaction"


class ReplayNeededError(SealingError):
    """The evidence has proofs that the database has not: it was restored, and ``replay`` has not run since."""

    key = "sealing.replay_needed"


class ConflictError(SealingError):
    """Another proof lies at ``place`` than the database has."""

    key = "sealing.conflict"


class ProofInvalidError(SealingError):
    """A document that is no proof of this package."""

    key = "sealing.proof_invalid"
