"""What the database has of a sealed object, and how this package speaks to the database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from psycopg.errors import UndefinedTable
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from yiwang.sealing.errors import OpenTransactionError, SchemaMissingError

COLUMNS = (
    "id, bucket, object, version, name, purpose, subject, metadata, size, sha256, wrapped_key, kek,"
    " created_at, erase_after, asked_at, asked_by, asked_reason, erased_at, proof"
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One object. ``object`` is its name in the bucket, made by chance; ``name`` is the caller's, None once it is erased.

    ``version`` is the store's, ``size`` and ``sha256`` are of what lies there.
    """

    id: int
    bucket: str
    object: str
    version: str
    name: str | None
    purpose: str
    subject: str
    metadata: Mapping[str, str] | None
    size: int
    sha256: bytes
    created_at: datetime
    erase_after: datetime | None
    asked_at: datetime | None
    asked_by: str | None
    asked_reason: str | None
    erased_at: datetime | None
    proof: int | None
    wrapped_key: bytes | None
    kek: str | None

    def __repr__(self) -> str:
        """Neither the key nor what the caller has said of it: a log is no place for them."""
        return f"Sealed({self.bucket}/{self.object}, erased={self.erased_at is not None})"

    @property
    def label(self) -> bytes:
        """What its chunks and its key are bound to."""
        return label(self.bucket, self.object)

    @property
    def overdue(self) -> bool:
        """Whether its purpose has ended, and its key is there all the same."""
        return self.erased_at is None and self.erase_after is not None and self.erase_after <= datetime.now(UTC)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row with the columns above."""
        return cls(**row)


def label(bucket: str, name: str) -> bytes:
    """The same of an object that is not recorded yet."""
    return f"{bucket}/{name}".encode()


def digest(bucket: str, name: str) -> bytes:
    """By what the caller's name is found, and found to be erased when the name itself is gone."""
    return hashlib.sha256(f"{bucket}/{name}".encode()).digest()


def fetch(connection: Any, statement: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of one statement in a transaction of its own, or in the one that is open: nothing is left open behind it."""
    try:
        with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []
    except UndefinedTable as error:
        raise SchemaMissingError from error


def select(connection: Any, condition: str, values: Mapping[str, Any]) -> list[Sealed]:
    """The objects for which a condition holds, in the order they were put."""
    return [Sealed.of(row) for row in fetch(connection, f"select {COLUMNS} from sealing.objects where {condition} order by id", values)]  # noqa: S608 - conditions are this package's own texts


def idle(connection: Any) -> None:
    """Refuse a connection with a transaction under way: what is committed step by step cannot be part of one."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise OpenTransactionError
