"""A site's ``external`` with the rest of the facts: it is there where a component is placed so, and what it names can be used."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from yiwang.inventory import external, schema
from yiwang.inventory.drawer import drawers
from yiwang.inventory.errors import KeyPath, dotted
from yiwang.inventory.secret_source import SecretSource
from yiwang.messages import t

PLACEMENT = "external"
MOST_BYTES = 1 << 20

Resolve = Callable[[str], Path]


class Wrong(Protocol):
    """Records a finding at a place of the facts."""

    def __call__(self, path: KeyPath, what: str, *, value: object = "", **details: object) -> None:
        """``what`` names the texts of the catalogue."""


def check(site: str, facts: schema.SiteFacts, wrong: Wrong, private: Callable[[KeyPath, str], None], resolve: Resolve) -> None:
    """Check one site. ``private`` checks where a file with a secret lies."""
    given = {} if facts.external is None else {noun: part for noun, part in facts.external if part is not None}
    for noun, drawer in drawers().items():
        place: KeyPath = ("sites", site, PLACEMENT, noun)
        if facts.placement.get(noun) == PLACEMENT and PLACEMENT in drawer.placements and noun not in given:
            wrong(place, "external_missing", value=t("inventory.missing"), component=noun)
        if facts.placement.get(noun) != PLACEMENT and noun in given:
            wrong(place, "external_unplaced", value=facts.placement.get(noun, "-"), component=noun)
    if facts.external is not None and not given:
        wrong(("sites", site, PLACEMENT), "not_empty")
    if facts.external is not None and facts.external.storage is not None:
        _storage(site, facts.external.storage, wrong, private, resolve)


def _storage(
    site: str, storage: schema.ExternalStorageFacts, wrong: Wrong, private: Callable[[KeyPath, str], None], resolve: Resolve
) -> None:
    if not storage.databases and not storage.buckets:
        wrong(("sites", site, PLACEMENT, "storage"), "not_empty")
    for path, entry in _entries(site, storage):
        key, source = ("password", entry.password) if isinstance(entry, schema.DatabaseFacts) else ("secret_key", entry.secret_key)
        if (source.file is None) == (source.command is None):
            named = ", ".join(name for name, value in source if value is not None)
            wrong((*path, key), "secret_source", value=named or t("inventory.missing"))
        elif source.file is not None:
            private((*path, key, "file"), source.file)
        reason = _unusable(resolve(entry.authority))
        if reason:
            wrong((*path, "authority"), "authority_file", reason=reason)


def _entries(site: str, storage: schema.ExternalStorageFacts) -> Iterator[tuple[KeyPath, schema.DatabaseFacts | schema.BucketFacts]]:
    base: KeyPath = ("sites", site, PLACEMENT, "storage")
    yield from (((*base, "databases", name), database) for name, database in storage.databases.items())
    yield from (((*base, "buckets", name), bucket) for name, bucket in storage.buckets.items())


def _unusable(file: Path) -> str:
    """Why a file holds no certificates (PEM), or nothing."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
        ssl.create_default_context(cadata=raw.decode("ascii"))
    except (ssl.SSLError, ValueError):
        return t("inventory.no_certificate")
    except OSError as error:
        return error.strerror or type(error).__name__
    return "" if len(raw) <= MOST_BYTES else t("inventory.no_certificate")


def build(site: str, facts: schema.ExternalFacts | None, resolve: Resolve) -> external.External:
    """The typed form of what has been checked."""
    if facts is None or facts.storage is None:
        return external.External()

    def source(written: schema.SecretFacts, kind: str, name: str, key: str) -> SecretSource:
        place = dotted(("sites", site, PLACEMENT, "storage", kind, name, key))
        return SecretSource(place, resolve(written.file) if written.file is not None else None, written.command or ())

    databases = {
        name: external.Database(name, entry.url, source(entry.password, "databases", name, "password"), resolve(entry.authority))
        for name, entry in sorted(facts.storage.databases.items())
    }
    buckets = {
        name: external.Bucket(
            name=name,
            endpoint=entry.endpoint,
            region=entry.region,
            bucket=entry.bucket,
            access_key=entry.access_key,
            secret_key=source(entry.secret_key, "buckets", name, "secret_key"),
            authority=resolve(entry.authority),
            lock=entry.lock is True,
        )
        for name, entry in sorted(facts.storage.buckets.items())
    }
    return external.External(external.Storage(databases, buckets))
