"""After a restore: a database from before an erasure has the keys again. What the evidence proves to be erased is erased again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from yiwang.sealing import evidence as proofs
from yiwang.sealing import rows
from yiwang.sealing.erasure import Erasure, destroy_key, record
from yiwang.sealing.findings import Finding, Trouble
from yiwang.sealing.proof import Proof
from yiwang.sealing.rows import fetch
from yiwang.sealing.store import Store


@dataclass(slots=True)
class Replayed:
    """What was done, or would be: proofs that came back into the database, objects erased again, erasures that were under way finished.

    ``findings``: where the evidence is not whole. Only what goes on from the first proof is followed: what is destroyed does not come back.
    """

    recorded: list[Proof] = field(default_factory=list)
    erased: list[Proof] = field(default_factory=list)
    finished: list[Proof] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def replay(connection: Any, evidence: Store, *, dry: bool = False) -> Replayed:
    """Erase again what the evidence has proofs of. To be run after every restore, before anybody reads; again at will.

    ``dry``: only say what would be done.
    """
    rows.idle(connection)
    chain, done = proofs.name_of(connection), Replayed()
    for kept in proofs.kept(evidence, chain):
        if kept.proof is None:
            done.findings.append(Finding(Trouble.CHAIN_BROKEN, f"{evidence.bucket}/{kept.name}"))
            continue
        if not kept.alone:
            done.findings.append(Finding(Trouble.PROOF_COVERED, f"{evidence.bucket}/{kept.name}"))
        if not _followed(connection, kept.proof, done, dry=dry):
            done.findings.append(Finding(Trouble.PROOF_DIFFERS, f"{evidence.bucket}/{kept.name}"))
            break
    if not dry and all(finding.trouble is Trouble.PROOF_COVERED for finding in done.findings):
        done.finished += Erasure(connection, evidence).finish()
    return done


def _followed(connection: Any, proof: Proof, done: Replayed, *, dry: bool) -> bool:
    """Bring one proof into the database and erase what it is about; False where the database has another one of its number."""
    with connection.transaction():
        fetch(connection, "select name from sealing.chain for update")
        there = fetch(connection, "select document from sealing.proofs where number = %(number)s", {"number": proof.number})
        if there and bytes(there[0]["document"]) != proof.document():
            return False
        condition = "bucket = %(bucket)s and object = %(object)s and erased_at is null"
        alive = rows.select(connection, condition, {"bucket": proof.bucket, "object": proof.object})
        if not there:
            done.recorded.append(proof)
            if not dry:
                record(connection, proof)
        for sealed in alive:
            done.erased.append(proof)
            if not dry:
                destroy_key(connection, sealed.id, proof)
    return True
