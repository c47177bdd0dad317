"""Looks whether sealed objects open, erased ones do not, and the proofs are whole (what a check of GW-073 asks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yiwang.sealing import evidence as proofs
from yiwang.sealing import rows
from yiwang.sealing.bucket import unsealed
from yiwang.sealing.errors import DamagedError, KeyUnknownError, ProofInvalidError
from yiwang.sealing.findings import Finding, Trouble
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import Chain, Proof, place
from yiwang.sealing.rows import Sealed, fetch
from yiwang.sealing.store import Store

PAGE = 500


@dataclass(frozen=True, slots=True)
class Verified:
    """How many objects and proofs were looked at, and what was found."""

    alive: int
    erased: int
    proofs: int
    findings: tuple[Finding, ...]


def verify(connection: Any, stores: Mapping[str, Store], evidence: Store, keys: KeyRing, *, sample: int | None = None) -> Verified:
    """Look at all objects, or at ``sample`` of them by chance; at the proofs always all. ``stores``: the buckets by name.

    Changes nothing. StoreError where the store does not answer.
    """
    rows.idle(connection)
    findings, known = _chain(connection, evidence)
    counted = {True: 0, False: 0}
    for sealed in _objects(connection, sample):
        counted[sealed.erased_at is None] += 1
        findings += _object(sealed, stores.get(sealed.bucket), keys, known)
    return Verified(counted[True], counted[False], len(known), tuple(findings))


def _objects(connection: Any, sample: int | None) -> Iterator[Sealed]:
    """Page by page, so that no transaction lasts as long as the look."""
    if sample is not None:
        condition = "id in (select id from sealing.objects order by random() limit %(sample)s)"
        yield from rows.select(connection, condition, {"sample": sample})
        return
    last = 0
    condition = "id in (select id from sealing.objects where id > %(last)s order by id limit %(page)s)"
    while found := rows.select(connection, condition, {"last": last, "page": PAGE}):
        yield from found
        last = found[-1].id


def _object(sealed: Sealed, store: Store | None, keys: KeyRing, known: Mapping[str, Proof]) -> Iterator[Finding]:
    where = f"{sealed.bucket}/{sealed.object}"
    proof = known.get(where)
    if sealed.erased_at is not None:
        if proof is None or (proof.number, proof.sha256) != (sealed.proof, sealed.sha256.hex()):
            yield Finding(Trouble.UNPROVED, where)
        return
    if proof is not None:
        yield Finding(Trouble.REVIVED, where)
    if sealed.asked_at is not None:
        yield Finding(Trouble.UNFINISHED, where)
        return
    if sealed.overdue:
        yield Finding(Trouble.OVERDUE, where)
    if store is None:
        yield Finding(Trouble.BUCKET_UNKNOWN, where)
        return
    yield from _content(sealed, store, keys, where)


def _content(sealed: Sealed, store: Store, keys: KeyRing, where: str) -> Iterator[Finding]:
    """Whether it is there, as it was put, opens, and is locked."""
    with store.fetched(sealed.object, sealed.version) as found:
        if found is None:
            yield Finding(Trouble.MISSING, where)
            return
        copy, *seen = found
        if seen != [sealed.size, sealed.sha256]:
            yield Finding(Trouble.ALTERED, where)
            return
        try:
            for _ in unsealed(copy, keys, sealed):
                pass
        except KeyUnknownError:
            yield Finding(Trouble.KEK_MISSING, where)
        except DamagedError:
            yield Finding(Trouble.UNREADABLE, where)
    if not store.locked(sealed.object, sealed.version):
        yield Finding(Trouble.UNLOCKED, where)


def _chain(connection: Any, evidence: Store) -> tuple[list[Finding], dict[str, Proof]]:
    """What is wrong with the proofs in the database and in the evidence; the proofs by what they are about."""
    chain = proofs.name_of(connection)
    recorded = {row["number"]: bytes(row["document"]) for row in fetch(connection, "select number, document from sealing.proofs")}
    findings: list[Finding] = []
    known: dict[str, Proof] = {}
    following = Chain(chain)
    for number in sorted(recorded):
        try:
            proof = Proof.parse(recorded[number])
        except ProofInvalidError:
            proof = None
        if proof is None or not following.follows(proof):
            findings.append(Finding(Trouble.CHAIN_BROKEN, f"sealing.proofs/{number}"))
            break
        known[f"{proof.bucket}/{proof.object}"] = proof
    return findings + list(_evidence(evidence, chain, recorded, known)), known


def _evidence(evidence: Store, chain: str, recorded: Mapping[int, bytes], known: dict[str, Proof]) -> Iterator[Finding]:
    """The same of the evidence, which the database is held to."""
    left = {place(chain, number): document for number, document in recorded.items()}
    for kept in proofs.kept(evidence, chain):
        where = f"{evidence.bucket}/{kept.name}"
        if kept.proof is None:
            yield Finding(Trouble.CHAIN_BROKEN, where)
        elif left.pop(kept.name, None) != kept.proof.document():
            # Behind a restore: the database has another one, or none.
            yield Finding(Trouble.PROOF_DIFFERS, where)
            known.setdefault(f"{kept.proof.bucket}/{kept.proof.object}", kept.proof)
        if not kept.alone:
            yield Finding(Trouble.PROOF_COVERED, where)
        if not evidence.locked(kept.name, kept.version):
            yield Finding(Trouble.PROOF_UNLOCKED, where)
    yield from (Finding(Trouble.UNPUBLISHED, f"{evidence.bucket}/{name}") for name in left)
