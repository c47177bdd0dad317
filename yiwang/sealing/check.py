"""Looks whether sealed objects open, erased ones do not, and the proofs are whole (what a check of GW-073 asks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.sealing import evidence as proofs
from yiwang.sealing import rows
from yiwang.sealing.bucket import unsealed
from yiwang.sealing.errors import DamagedError, KeyUnknownError, ProofInvalidError, StoreError
from yiwang.sealing.findings import Finding, Trouble
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import Chain, Proof, place
from yiwang.sealing.rows import Sealed, fetch
from yiwang.sealing.store import BROKEN, Store

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

    Changes nothing, and may run while objects are put and erased. StoreError where the store does not answer.
    """
    rows.idle(connection)
    ledger = _Ledger()
    findings = [*_recorded(connection, ledger), *_published(connection, evidence, ledger)]
    counted = {True: 0, False: 0}
    for sealed in _objects(connection, sample):
        counted[sealed.erased_at is None] += 1
        findings += _object(sealed, stores.get(sealed.bucket), keys, ledger)
    return Verified(counted[True], counted[False], len(ledger.hashes), tuple(findings))


@dataclass(slots=True)
class _Ledger:
    """What the proofs say: the hash of each in the database, and number and SHA-256 by what each is about."""

    hashes: dict[int, str] = field(default_factory=dict)
    erased: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note(self, proof: Proof) -> None:
        self.erased[f"{proof.bucket}/{proof.object}"] = (proof.number, proof.sha256)


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


def _object(sealed: Sealed, store: Store | None, keys: KeyRing, ledger: _Ledger) -> Iterator[Finding]:
    where = f"{sealed.bucket}/{sealed.object}"
    proof = ledger.erased.get(where)
    if sealed.proof is not None:
        # One that came after the proofs were looked at is the next look's.
        if proof != (sealed.proof, sealed.sha256.hex()) and sealed.proof <= max(ledger.hashes, default=0):
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
    try:
        yield from _content(sealed, store, keys, where)
    except StoreError as error:
        # One object that the store cannot give is a finding; a store that lets nobody in is none.
        if error.values["code"] != BROKEN:
            raise
        yield Finding(Trouble.NOT_GIVEN, where)


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


def _recorded(connection: Any, ledger: _Ledger) -> Iterator[Finding]:
    """What is wrong with the chain in the database."""
    following, whole, last = Chain(proofs.name_of(connection)), True, 0
    statement = "select number, hash, document from sealing.proofs where number > %(last)s order by number limit %(page)s"
    while found := fetch(connection, statement, {"last": last, "page": PAGE}):
        for row in found:
            last = row["number"]
            ledger.hashes[last] = bytes(row["hash"]).hex()
            proof = _parsed(bytes(row["document"])) if whole else None
            if proof is not None and following.follows(proof):
                ledger.note(proof)
            elif whole:
                whole = False
                yield Finding(Trouble.CHAIN_BROKEN, f"sealing.proofs/{last}")


def _published(connection: Any, evidence: Store, ledger: _Ledger) -> Iterator[Finding]:
    """The same of the evidence, which the database is held to."""
    chain = proofs.name_of(connection)
    left = dict(ledger.hashes)
    for kept in proofs.kept(evidence, chain):
        where = f"{evidence.bucket}/{kept.name}"
        if kept.proof is None:
            yield Finding(Trouble.CHAIN_BROKEN, where)
        elif left.pop(kept.proof.number, None) != kept.proof.hash and _hash(connection, kept.proof.number) != kept.proof.hash:
            # Behind a restore: the database has another one, or none.
            yield Finding(Trouble.PROOF_DIFFERS, where)
            ledger.note(kept.proof)
        if not kept.alone:
            yield Finding(Trouble.PROOF_COVERED, where)
        if not evidence.locked(kept.name, kept.version):
            yield Finding(Trouble.PROOF_UNLOCKED, where)
    yield from (Finding(Trouble.UNPUBLISHED, f"{evidence.bucket}/{place(chain, number)}") for number in left)


def _hash(connection: Any, number: int) -> str | None:
    """Of a proof that was recorded after the database was looked at."""
    found = fetch(connection, "select hash from sealing.proofs where number = %(number)s", {"number": number})
    return bytes(found[0]["hash"]).hex() if found else None


def _parsed(document: bytes) -> Proof | None:
    try:
        return Proof.parse(document)
    except ProofInvalidError:
        return None
