"""Makes the databases, their owners and their logins on the leader, by the local socket; a replica waits until it sees them.

Standard input: JSON with ``databases`` (each ``database``, ``login``, ``connections``), ``passwords`` by database, ``former_seconds``,
``rewind`` (role that members use), ``metrics`` (who reads those), ``dry``. Prints what it has done, one line each, never a password.

A database belongs to a role of its name that cannot sign in; its login acts as that role. After a rotation the login has another
name: the former one stays valid for a while, so that whoever still has it goes on until he has the new one.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pwd
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

SOCKET = "/run/postgresql"
REPLICA_SECONDS = 90.0
METRICS_CONNECTIONS = 5


class Action(NamedTuple):
    """What is done, in words and as a statement. ``leaves``: database and login, where the login goes with it."""

    what: str
    statement: sql.Composed
    leaves: tuple[str, str] | None = None


def become(name: str) -> None:
    """Go on as another account."""
    account = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def connect(database: str = "postgres") -> psycopg.Connection[dict[str, Any]]:
    """A connection as the cluster's keeper, who looks nothing up where a component may have put something of its own."""
    row: Any = psycopg.rows.dict_row
    return psycopg.connect(
        host=SOCKET, dbname=database, user="postgres", autocommit=True, row_factory=row, options="-c search_path=pg_catalog"
    )


def is_verifier_of(verifier: str | None, password: str) -> bool:
    """Whether a stored SCRAM verifier (RFC 5803) is that of a password."""
    parts = (verifier or "").split("$")
    if len(parts) != 3 or parts[0] != "SCRAM-SHA-256":
        return False
    iterations, _, salt = parts[1].partition(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    return hmac.compare_digest(base64.b64encode(stored).decode(), parts[2].partition(":")[0])


def composed(text: str, **parts: Any) -> sql.Composed:
    """A statement: names are quoted as names, everything else as values."""
    named = {key: sql.Identifier(value) if key in {"name", "owner"} else sql.Literal(value) for key, value in parts.items()}
    return sql.SQL(text).format(**named)


class Wish:
    """What there is to do for one database, as far as it is not done."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]], entry: dict[str, Any], given: dict[str, Any]) -> None:
        self.connection = connection
        self.name, self.login, self.limit = entry["database"], entry["login"], entry["connections"]
        self.password = given["passwords"][self.name]
        self.former_seconds = given["former_seconds"]

    def one(self, text: str, *values: Any) -> dict[str, Any] | None:
        """The first row."""
        found: dict[str, Any] | None = self.connection.execute(text, values).fetchone()
        return found

    def actions(self) -> Iterator[Action]:
        """Everything, in order; each is looked up when its turn has come."""
        owner = self.one(
            "select rolcanlogin or rolsuper or rolcreatedb or rolcreaterole as wrong from pg_roles where rolname = %s", self.name
        )
        attributes = "nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
        if owner is None:
            yield Action(f"{self.name}: owner", composed(f"create role {{name}} {attributes}", name=self.name))
        elif owner["wrong"]:
            yield Action(f"{self.name}: rights of the owner", composed(f"alter role {{name}} {attributes}", name=self.name))
        yield from self.signing_in()
        yield from self.database()
        yield from self.former()

    def signing_in(self) -> Iterator[Action]:
        """The login: it can do nothing but act as the owner."""
        found = self.one(
            "select a.rolpassword, a.rolconnlimit = %s and a.rolcanlogin and a.rolinherit"
            " and coalesce(a.rolvaliduntil, 'infinity') = 'infinity'"
            " and not (a.rolsuper or a.rolcreatedb or a.rolcreaterole or a.rolreplication or a.rolbypassrls) as right,"
            " exists (select from pg_auth_members m join pg_roles o on o.oid = m.roleid"
            "  where m.member = a.oid and o.rolname = %s) as member,"
            " exists (select from pg_db_role_setting s where s.setrole = a.oid and 'role=' || %s = any (s.setconfig)) as acting"
            " from pg_authid a where a.rolname = %s",
            self.limit, self.name, self.name, self.login,
        )  # fmt: skip
        if found is None:
            yield Action(f"{self.name}: login {self.login}", composed("create role {name} nologin", name=self.login))
            found = {"rolpassword": None, "right": False, "member": False, "acting": False}
        if not found["member"]:
            yield Action(
                f"{self.name}: {self.login} acts for the owner", composed("grant {owner} to {name}", owner=self.name, name=self.login)
            )
        if not found["acting"]:
            yield Action(
                f"{self.name}: {self.login} acts as the owner",
                composed("alter role {name} set role = {value}", name=self.login, value=self.name),
            )
        if not found["right"] or not is_verifier_of(found["rolpassword"], self.password):
            # Only the verifier leaves this process: the server never sees the password, nor does its log.
            verifier = self.connection.pgconn.encrypt_password(self.password.encode(), self.login.encode(), b"scram-sha-256").decode()
            text = (
                "alter role {name} login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
                " connection limit {limit} password {verifier} valid until 'infinity'"
            )
            yield Action(f"{self.name}: {self.login} signs in", composed(text, name=self.login, limit=self.limit, verifier=verifier))

    def database(self) -> Iterator[Action]:
        """The database itself, open to nobody else."""
        found = self.one(
            "select r.rolname as owner, has_database_privilege('public', d.oid, 'connect, temporary') as open"
            " from pg_database d join pg_roles r on r.oid = d.datdba where d.datname = %s",
            self.name,
        )
        if found is None:
            yield Action(f"{self.name}: database", composed("create database {name} owner {owner}", name=self.name, owner=self.name))
        elif found["owner"] != self.name:
            yield Action(
                f"{self.name}: owner of the database", composed("alter database {name} owner to {owner}", name=self.name, owner=self.name)
            )
        if found is None or found["open"]:
            yield Action(f"{self.name}: closed to others", composed("revoke all on database {name} from public", name=self.name))

    def former(self) -> Iterator[Action]:
        """Logins before this one: valid for a while, then gone."""
        for row in self.connection.execute(
            "select l.rolname, l.rolvaliduntil is null or l.rolvaliduntil = 'infinity' as unlimited, l.rolvaliduntil < now() as over"
            " from pg_auth_members m join pg_roles o on o.oid = m.roleid join pg_roles l on l.oid = m.member"
            " where o.rolname = %s and l.rolname like %s and l.rolname <> %s",
            (self.name, self.name.replace("_", r"\_") + r"\_\_%", self.login),
        ).fetchall():
            login = row["rolname"]
            if row["unlimited"]:
                end = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(time.time() + self.former_seconds))}+00"
                yield Action(f"{self.name}: {login} ends soon", composed("alter role {name} valid until {end}", name=login, end=end))
            elif row["over"]:
                yield Action(f"{self.name}: {login} is gone", composed("drop role {name}", name=login), (self.name, login))


def closed(connection: psycopg.Connection[dict[str, Any]], rewind: str) -> Iterator[Action]:
    """The cluster's own databases are open to nobody but its members."""
    for row in connection.execute(
        "select datname from pg_database where datname in ('postgres', 'template1')"
        " and has_database_privilege('public', oid, 'connect, temporary')"
    ).fetchall():
        yield Action(f"{row['datname']}: closed to others", composed("revoke all on database {name} from public", name=row["datname"]))
    if connection.execute(
        "select 1 as closed from pg_roles where rolname = %s and not has_database_privilege(oid, 'postgres', 'connect')", (rewind,)
    ).fetchone():
        yield Action(f"postgres: open to {rewind}", composed("grant connect on database postgres to {name}", name=rewind))


def watching(connection: psycopg.Connection[dict[str, Any]], login: str) -> Iterator[Action]:
    """Who reads metrics, on the host itself and without a password: it sees statistics and settings, and nobody's data."""
    found = connection.execute(
        "select a.rolpassword is null and a.rolconnlimit = %s and a.rolcanlogin and a.rolinherit"
        " and not (a.rolsuper or a.rolcreatedb or a.rolcreaterole or a.rolreplication or a.rolbypassrls) as right,"
        " exists (select from pg_auth_members m where m.member = a.oid and m.roleid = 'pg_monitor'::regrole) as member,"
        " has_database_privilege(a.oid, 'postgres', 'connect') as open from pg_authid a where a.rolname = %s",
        (METRICS_CONNECTIONS, login),
    ).fetchone() or {"right": False, "member": False, "open": False, "new": True}
    if "new" in found:
        yield Action(f"metrics: login {login}", composed("create role {name} nologin", name=login))
    if not found["member"]:
        yield Action(f"metrics: {login} sees statistics", composed("grant pg_monitor to {name}", name=login))
    if not found["open"]:
        yield Action(f"postgres: open to {login}", composed("grant connect on database postgres to {name}", name=login))
    if not found["right"]:
        text = (
            "alter role {name} login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
            " connection limit {limit} password null"
        )
        yield Action(f"metrics: {login} signs in", composed(text, name=login, limit=METRICS_CONNECTIONS))


def actions(connection: psycopg.Connection[dict[str, Any]], given: dict[str, Any]) -> Iterator[Action]:
    """Everything there is to do."""
    yield from closed(connection, given["rewind"])
    yield from watching(connection, given["metrics"])
    for entry in given["databases"]:
        yield from Wish(connection, entry, given).actions()


def carry_out(connection: psycopg.Connection[dict[str, Any]], action: Action) -> None:
    """One statement; a login that goes leaves what it may have made to its owner, and is in no session any more."""
    if action.leaves is not None:
        database, login = action.leaves
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (login,))
        with connect(database) as inside:
            inside.execute(composed("reassign owned by {name} to {owner}", name=login, owner=database))
            inside.execute(composed("drop owned by {name}", name=login))
    connection.execute(action.statement)


def work(given: dict[str, Any]) -> None:
    """Do it all on the leader; on a replica wait until it is seen."""
    with connect() as connection:
        (row,) = connection.execute("select pg_is_in_recovery() as replica").fetchall()
        if not row["replica"]:
            if not given["dry"]:
                # One run at a time: another one waits here, and finds the work done.
                connection.execute("select pg_advisory_lock(815)")
            for action in actions(connection, given):
                print(action.what)
                if not given["dry"]:
                    carry_out(connection, action)
            return
        deadline = time.monotonic() + (0 if given["dry"] else REPLICA_SECONDS)
        while owed := [action.what for action in actions(connection, given)]:
            if given["dry"]:
                print("\n".join(owed))
                return
            if time.monotonic() > deadline:
                sys.exit(f"the leader has not done yet: {'; '.join(owed)}; it has to be among the hosts of the run")
            time.sleep(1)


def main() -> None:
    """Read the wish, do it. What the server says of an error may quote the statement: of that only the first line is told."""
    given = json.load(sys.stdin)
    become("postgres")
    try:
        work(given)
    except psycopg.Error as error:
        sys.exit(error.diag.message_primary or str(error).partition("\n")[0])


if __name__ == "__main__":
    main()
