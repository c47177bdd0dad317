"""The proofs in the bucket of evidence, where nobody can change what was put: how they get there, and which count.

Whoever may write there can put something else under the name of a proof, before it or over it. So at each place the first document counts
that goes on where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yiwang.sealing.errors import ConflictError, ProofInvalidError, ReplayNeededError
from yiwang.sealing.proof import Chain, Proof, folder, place
from yiwang.sealing.rows import fetch
from yiwang.sealing.store import Lying, Store

# Of whoever puts a proof, among the advisory locks of a database.
_LOCK = 0x5EA2


@dataclass(frozen=True, slots=True)
class Kept:
    """What lies at one place there. ``proof`` is None where nothing goes on; ``alone``: nothing else lies there, or hides it."""

    name: str
    version: str
    alone: bool
    proof: Proof | None


def name_of(connection: Any) -> str:
    """The chain of this database."""
    (row,) = fetch(connection, "select name from sealing.chain")
    found: str = row["name"]
    return found


def head(connection: Any) -> Chain:
    """Where the chain ends in this database."""
    last = fetch(connection, "select number, hash from sealing.proofs order by number desc limit 1")
    end = (last[0]["number"], bytes(last[0]["hash"]).hex()) if last else ()
    return Chain(name_of(connection), *end)


def kept(evidence: Store, chain: str) -> Iterator[Kept]:
    """All that lies in the place of a chain, in order."""
    following = Chain(chain)
    for lying in evidence.lying(folder(chain)):
        version, proof = _next(evidence, lying, following)
        yield Kept(lying.name, version, len(lying.versions) == 1 and not lying.hidden, proof)


def up_to_date(connection: Any, evidence: Store) -> None:
    """ReplayNeededError where the evidence goes on behind the database's last proof: it was restored to a time before."""
    before = head(connection)
    name = place(before.name, before.number + 1)
    if _follows(evidence, name, before) is None:
        return
    # A proof is in the database before it is there: another process may just have made it.
    if head(connection).number == before.number:
        raise ReplayNeededError(chain=before.name, place=name)


def publish(connection: Any, evidence: Store) -> int:
    """Put every proof that is not there yet, the oldest first, so that the evidence never has a gap. Returns how many were put."""
    put = 0
    while (done := _publish_next(connection, evidence)) is not None:
        put += done
    return put


def _publish_next(connection: Any, evidence: Store) -> bool | None:
    """Whether the next proof was put now; None where all are there."""
    with connection.transaction():
        # One at a time: who waits here finds it done.
        fetch(connection, "select pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
        statement = (
            "select number, document from sealing.proofs where number > (select published from sealing.chain) order by number limit 1"
        )
        found = fetch(connection, statement)
        if not found:
            return None
        put = _put(evidence, Proof.parse(bytes(found[0]["document"])))
        fetch(connection, "update sealing.chain set published = %(number)s", {"number": found[0]["number"]})
    return put


def _put(evidence: Store, proof: Proof) -> bool:
    """Whether it was put now; ConflictError where another proof goes on in its place."""
    before = Chain(proof.chain, proof.number - 1, proof.previous)
    there = _follows(evidence, proof.place, before)
    if there is None:
        evidence.put(proof.place, proof.document())
        # Where somebody was faster with another one, that one counts.
        if _follows(evidence, proof.place, before) == proof:
            return True
    elif there == proof:
        return False
    raise ConflictError(place=f"{evidence.bucket}/{proof.place}")


def _lying(evidence: Store, name: str) -> Lying | None:
    return next((each for each in evidence.lying(name) if each.name == name), None)


def _follows(evidence: Store, name: str, before: Chain) -> Proof | None:
    """The proof at a place that goes on behind ``before``, which stays as it is."""
    lying = _lying(evidence, name)
    return None if lying is None else _next(evidence, lying, Chain(before.name, before.number, before.hash))[1]


def _next(evidence: Store, lying: Lying, following: Chain) -> tuple[str, Proof | None]:
    """The first version that goes on; the first one of all, and no proof, where none does."""
    for version in lying.versions:
        try:
            proof = Proof.parse(evidence.read(lying.name, version) or b"")
        except ProofInvalidError:
            continue
        if proof.place == lying.name and following.follows(proof):
            return version, proof
    return lying.versions[0], None
