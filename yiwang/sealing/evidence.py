"""The proofs in the bucket of evidence, which nobody can change: they are put in order, and read as they were put first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yiwang.sealing.errors import ConflictError, ProofInvalidError, ReplayNeededError
from yiwang.sealing.proof import Chain, Proof, folder, place
from yiwang.sealing.rows import fetch
from yiwang.sealing.store import Store


@dataclass(frozen=True, slots=True)
class Kept:
    """One document there. ``proof`` is None where it is none, or does not go on where the one before it ended."""

    name: str
    version: str
    alone: bool
    document: bytes
    proof: Proof | None


def name_of(connection: Any) -> str:
    """The chain of this database."""
    (row,) = fetch(connection, "select name from sealing.chain")
    found: str = row["name"]
    return found


def head(connection: Any) -> int:
    """The number of its last proof; 0 before the first one."""
    (row,) = fetch(connection, "select coalesce(max(number), 0) as number from sealing.proofs")
    found: int = row["number"]
    return found


def kept(evidence: Store, chain: str) -> Iterator[Kept]:
    """All documents of a chain in order. One that does not follow is shown without its proof, and so are all behind it."""
    following = Chain(chain)
    whole = True
    for lying in evidence.lying(folder(chain)):
        document = evidence.read(lying.name, lying.version) or b""
        proof = _parsed(document) if whole else None
        whole = proof is not None and proof.place == lying.name and following.follows(proof)
        yield Kept(lying.name, lying.version, lying.alone, document, proof if whole else None)


def up_to_date(connection: Any, evidence: Store) -> None:
    """ReplayNeededError where the evidence has proofs that the database has not: it was restored to a time before them."""
    chain = name_of(connection)
    following = next(iter(evidence.lying(folder(chain), place(chain, head(connection)))), None)
    # A proof is in the database before it is there: looked at once more, the database has it, unless it was restored.
    if following is not None and following.name > place(chain, head(connection)):
        raise ReplayNeededError(chain=chain, place=following.name)


def publish(connection: Any, evidence: Store) -> int:
    """Put every proof that is not there yet, the oldest first, so that the evidence never has a gap. Returns how many were put."""
    (row,) = fetch(connection, "select name, published from sealing.chain")
    chain, number, put = row["name"], row["published"], 0
    statement = "select number, document from sealing.proofs where number > %(number)s order by number limit 1"
    while found := fetch(connection, statement, {"number": number}):
        number, document = found[0]["number"], bytes(found[0]["document"])
        put += _put(evidence, place(chain, number), document)
        fetch(connection, "update sealing.chain set published = greatest(published, %(number)s)", {"number": number})
    return put


def _put(evidence: Store, name: str, document: bytes) -> bool:
    """Whether it was put now; ConflictError where another document was put there before."""
    there = _first(evidence, name)
    if there is None:
        evidence.put_first(name, document)
        if _first(evidence, name) == document:
            return True
    elif there == document:
        return False
    raise ConflictError(place=f"{evidence.bucket}/{name}")


def _first(evidence: Store, name: str) -> bytes | None:
    """The document that was put first under a name."""
    lying = next((each for each in evidence.lying(name) if each.name == name), None)
    return None if lying is None else evidence.read(name, lying.version)


def _parsed(document: bytes) -> Proof | None:
    try:
        return Proof.parse(document)
    except ProofInvalidError:
        return None
