"""The object store's catalogue, which is a database, and who signs in for it: kept over a restore of the databases."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from recovery.common import connect, run, say, write

OBJECTS = "yiwang_objects"
DUMP, LOGINS = "objects.dump", "logins.json"
# Who signs in for the object store, with verifiers: at an earlier time it was somebody else.
SIGNING_IN = """
select l.rolname, l.rolpassword from pg_auth_members m join pg_roles o on o.oid = m.roleid join pg_authid l on l.oid = m.member
where o.rolname = 'yiwang_objects' and l.rolcanlogin and coalesce(l.rolvaliduntil, 'infinity') = 'infinity'
"""


def path(notes: Path) -> Path:
    """Where it is kept, below the notes of a restore."""
    return notes / "catalogue" / DUMP


def keep(given: dict[str, Any], notes: Path) -> None:
    """As it is now. PostgreSQL's own account writes it, in a directory of its own; who signs in only root reads."""
    say("catalogue_kept")
    target = path(notes)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(target.parent, "postgres", "postgres")
    fresh = target.with_suffix(".fresh")
    run(f"{given['bin']}/pg_dump", "-Fc", "-f", str(fresh), "-d", OBJECTS, user="postgres")
    with connect() as connection:
        write(notes / LOGINS, dict(connection.execute(SIGNING_IN).fetchall()), 0o600)
    fresh.rename(target)


def bring_back(given: dict[str, Any], notes: Path) -> None:
    """What is kept takes the place of what was restored, where something is."""
    dump = path(notes)
    if not dump.exists():
        return
    say("catalogue_back")
    with connect() as connection:
        if connection.execute("select 1 from pg_roles where rolname = %s", (OBJECTS,)).fetchone() is None:
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(OBJECTS)))
        for name, verifier in json.loads((notes / LOGINS).read_text(encoding="utf-8")).items():
            _sign_in(connection, name, verifier)
        connection.execute("drop database if exists yiwang_objects with (force)")
        connection.execute("create database yiwang_objects owner yiwang_objects")
        connection.execute("revoke all on database yiwang_objects from public")
    run(f"{given['bin']}/pg_restore", "--exit-on-error", "--no-owner", "--role", OBJECTS, "-d", OBJECTS, str(dump), user="postgres")


def _sign_in(connection: psycopg.Connection[Any], name: str, verifier: str) -> None:
    """The object store signs in as before the restore, whoever did at the time that is restored."""
    login, owner = sql.Identifier(name), sql.Identifier(OBJECTS)
    if connection.execute("select 1 from pg_roles where rolname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("create role {}").format(login))
    connection.execute(sql.SQL("grant {} to {}").format(owner, login))
    connection.execute(sql.SQL("alter role {} set role = {}").format(login, sql.Literal(OBJECTS)))
    connection.execute(sql.SQL("alter role {} login password {} valid until 'infinity'").format(login, sql.Literal(verifier)))
