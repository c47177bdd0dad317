"""Makes the tables, and brings those of an earlier release to this one."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

from yiwang.sealing.errors import SchemaNewerError, SchemaOtherError
from yiwang.sealing.rows import fetch, idle

# Of this package among the advisory locks of a database.
_LOCK = 0x5EA1


def migrate(connection: Any) -> list[str]:
    """Apply what is not applied yet, all of it or nothing; returns the names. Safe to call by several at once, and again.

    The connection's role owns what is made; nobody else gets a right to it.
    """
    idle(connection)
    files = sorted(
        (entry for entry in resources.files("yiwang.sealing").joinpath("migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in files}
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("create schema if not exists sealing")
        connection.execute(
            "create table if not exists sealing.migrations"
            " (name text primary key, sha256 bytea not null, applied_at timestamptz not null default now())"
        )
        done = {row["name"]: row["sha256"] for row in fetch(connection, "select name, sha256 from sealing.migrations")}
        _check(done, texts)
        fresh = [name for name in texts if name not in done]
        for name in fresh:
            connection.execute(texts[name])
            connection.execute("insert into sealing.migrations (name, sha256) values (%s, %s)", (name, _digest(texts[name])))
    return fresh


def _check(done: dict[str, bytes], texts: dict[str, str]) -> None:
    """Refuse tables of a later release, and those that were made from another text."""
    for name, digest in sorted(done.items()):
        if name not in texts:
            raise SchemaNewerError(name=name)
        if bytes(digest) != _digest(texts[name]):
            raise SchemaOtherError(name=name)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
