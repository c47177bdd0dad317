"""Erases objects whose purpose has ended: their keys are destroyed, and a proof of each is kept (GW-073, PIPL 47).

Three steps, each committed before the next: it is decided (nothing opens the object from then on); key, name and metadata go, and the
proof is recorded, in one transaction; the proof is put into the bucket of evidence. Whatever ends in between is finished by the same call
again, by any later one, or by ``finish``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from yiwang.sealing import evidence as proofs
from yiwang.sealing import rows, values
from yiwang.sealing.errors import NotFoundError, ValueInvalidError
from yiwang.sealing.proof import Chain, Proof, Reason
from yiwang.sealing.rows import Sealed, fetch
from yiwang.sealing.store import Store

_DESTROY = (
    "update sealing.objects set wrapped_key = null, kek = null, name = null, metadata = null, erased_at = %(at)s, proof = %(number)s,"
    " asked_at = coalesce(asked_at, %(at)s), asked_by = coalesce(asked_by, %(by)s), asked_reason = coalesce(asked_reason, %(reason)s)"
    " where id = %(id)s"
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects: those for which all that is given holds, in every bucket where none is given. ``name`` needs its bucket.

    ``version``: the ``object`` of one version; ``due``: whose ``erase_after`` has come.
    """

    bucket: str | None = None
    name: str | None = None
    version: str | None = None
    subject: str | None = None
    purpose: str | None = None
    due: bool = False

    def condition(self) -> tuple[str, Mapping[str, Any]]:
        """For the database. ValueInvalidError where it would be everything, or a name is without its bucket."""
        if not (self.name or self.version or self.subject or self.purpose or self.due):
            raise ValueInvalidError(part="selection", expected="name | version | subject | purpose | due")
        if self.name and not self.bucket:
            raise ValueInvalidError(part="selection", expected="bucket + name")
        parts = {"bucket": self.bucket, "object": self.version, "subject": self.subject, "purpose": self.purpose}
        found: dict[str, Any] = {column: value for column, value in parts.items() if value is not None}
        if self.name and self.bucket:
            found["name_digest"] = rows.digest(self.bucket, self.name)
        terms = [f"{column} = %({column})s" for column in found]
        if self.due:
            terms.append("erased_at is null and erase_after <= now()")
        return " and ".join(terms), found


@dataclass(frozen=True, slots=True)
class Erased:
    """What a call has done: the proofs it made, and those of what was erased before."""

    now: tuple[Proof, ...]
    before: tuple[Proof, ...]


class Erasure:
    """Erases objects of one database. It needs neither the key-encryption key nor the buckets: only where the evidence is.

    Its connection has no transaction open: each step is committed by itself.
    """

    def __init__(self, connection: Any, evidence: Store) -> None:
        self._connection = connection
        self._evidence = evidence

    def erase(self, selection: Selection, *, reason: Reason, by: str) -> Erased:
        """Erase all that is selected. What was erased before is told as such. NotFoundError where nothing is selected.

        ReplayNeededError: the database was restored, and ``replay`` comes first.
        """
        rows.idle(self._connection)
        condition, found = selection.condition()
        proofs.up_to_date(self._connection, self._evidence)
        self.decide(selection, reason=reason, by=by)
        chosen = rows.select(self._connection, condition, found)
        if not chosen and not selection.due:
            raise NotFoundError(name=selection.name or selection.version or selection.subject or selection.purpose)
        made = [proof for sealed in chosen if (proof := self.destroy(sealed.id)) is not None]
        proofs.publish(self._connection, self._evidence)
        before = self._proofs([sealed.id for sealed in chosen])
        return Erased(tuple(made), tuple(proof for proof in before if proof not in made))

    def due(self, *, by: str) -> Erased:
        """Erase what is past its date: the job that a timer runs."""
        return self.erase(Selection(due=True), reason=Reason.RETENTION_OVER, by=by)

    def finish(self) -> tuple[Proof, ...]:
        """Finish what was decided and not done, and put the proofs that are not in the evidence yet."""
        rows.idle(self._connection)
        proofs.up_to_date(self._connection, self._evidence)
        left = rows.select(self._connection, "asked_at is not null and erased_at is null", {})
        made = [proof for sealed in left if (proof := self.destroy(sealed.id)) is not None]
        proofs.publish(self._connection, self._evidence)
        return tuple(made)

    def decide(self, selection: Selection, *, reason: Reason, by: str) -> None:
        """The first step. What was decided before keeps its first reason."""
        if not isinstance(reason, Reason):
            raise ValueInvalidError(part="reason", expected=" | ".join(each.name for each in Reason))
        condition, found = selection.condition()
        still = f"asked_at is null and erased_at is null and {condition}"
        statement = f"update sealing.objects set asked_at = now(), asked_by = %(by)s, asked_reason = %(reason)s where {still}"  # noqa: S608 - the condition is of our own words
        said = {"by": values.word("by", by), "reason": reason.value}
        fetch(self._connection, statement, {**found, **said})

    def destroy(self, identifier: int) -> Proof | None:
        """The second step, for one object that is decided; None where another one has done it."""
        with self._connection.transaction():
            # Whoever has this row makes the next proof.
            fetch(self._connection, "select name from sealing.chain for update")
            condition = "id = %(id)s and asked_at is not null and erased_at is null"
            (sealed, *_) = rows.select(self._connection, condition, {"id": identifier}) or (None,)
            if sealed is None:
                return None
            proof = _proof(proofs.head(self._connection), sealed)
            record(self._connection, proof)
            destroy_key(self._connection, sealed.id, proof)
        return proof

    def _proofs(self, identifiers: list[int]) -> list[Proof]:
        statement = (
            "select p.document from sealing.proofs p join sealing.objects o on o.proof = p.number"
            " where o.id = any(%(identifiers)s) order by p.number"
        )
        return [Proof.parse(bytes(row["document"])) for row in fetch(self._connection, statement, {"identifiers": identifiers})]


def record(connection: Any, proof: Proof) -> None:
    """Keep a proof in the database."""
    row = {"number": proof.number, "hash": bytes.fromhex(proof.hash), "document": proof.document()}
    fetch(connection, "insert into sealing.proofs (number, hash, document) values (%(number)s, %(hash)s, %(document)s)", row)


def destroy_key(connection: Any, identifier: int, proof: Proof) -> None:
    """Overwrite the key and what the caller has said, by a proof that is recorded."""
    given = {"id": identifier, "number": proof.number, "at": proof.at, "by": proof.by, "reason": proof.reason}
    fetch(connection, _DESTROY, given)


def _proof(chain: Chain, sealed: Sealed) -> Proof:
    reason = Reason(sealed.asked_reason)
    return Proof(
        chain=chain.name,
        number=chain.number + 1,
        previous=chain.hash,
        bucket=sealed.bucket,
        object=sealed.object,
        version=sealed.version,
        sha256=sealed.sha256.hex(),
        size=sealed.size,
        purpose=sealed.purpose,
        subject=sealed.subject,
        reason=reason.value,
        clause=reason.clause,
        by=sealed.asked_by or "",
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
