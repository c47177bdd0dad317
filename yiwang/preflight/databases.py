"""What the platform needs of a database, tried by the statements that need it: never a version, never a maker.

Two sessions work in a schema of their own, which is dropped at the end. On its own: nothing but psycopg.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SECONDS = 10.0
CHANNEL = "NOTIFIED"

Kind = Literal["", "answer", "certificate", "denied", "failed", "refused", "timeout", "unreachable", "skipped"]


@dataclass(frozen=True)
class Step:
    """A statement, and what the first column of its first row has to say (None: anything), in the first session or the second."""

    statement: str
    answer: str | None = None
    session: int = 0


@dataclass(frozen=True)
class Attempt:
    """How one capability fared: ``kind`` is empty when it is there, else ``statement`` failed and the server ``said`` that."""

    capability: str
    kind: Kind = ""
    statement: str = ""
    said: str = ""


# SCRATCH stands for a name that nobody else has, and LOCK for such a number. The first of all is what the others need.
SCHEMA = "schema"
CAPABILITIES: Mapping[str, tuple[Step, ...]] = {
    "encoding": (Step("show server_encoding", "UTF8"),),
    "letters": (Step(r"select '济南' ~ '^\w+$'", "True"),),
    "pinyin": (Step("select string_agg(name, '' order by name) from unnest(array['中', '阿']) name", "阿中"),),
    "default_schema": (Step("create table SCRATCH (n int)"), Step("drop table SCRATCH")),
    SCHEMA: (Step("create schema SCRATCH"),),
    "table": (Step("create table SCRATCH.item (id bigint primary key, name text not null unique, state text)"),),
    "index": (Step("create index on SCRATCH.item (name, state)"),),
    "partial_index": (Step("create index on SCRATCH.item (id) where state = 'open'"),),
    "on_conflict": (
        Step("insert into SCRATCH.item values (1, '济南', 'open')"),
        Step(
            "insert into SCRATCH.item values (1, '济南', 'done') on conflict (id) do update set state = excluded.state returning state",
            "done",
        ),
    ),
    "generate_series": (Step("select sum(n) from generate_series(1, 4) n", "10"),),
    "cte": (Step("with recursive step (n) as (values (1) union all select n + 1 from step where n < 5) select sum(n) from step", "15"),),
    "identity": (
        Step("create table SCRATCH.numbered (id bigint generated always as identity, name text)"),
        Step("insert into SCRATCH.numbered (name) values ('济南') returning id", "1"),
    ),
    "generated": (
        Step("create table SCRATCH.computed (name text, size int generated always as (length(name)) stored)"),
        Step("insert into SCRATCH.computed values ('济南') returning size", "2"),
    ),
    "jsonb": (
        Step("create table SCRATCH.document (about jsonb)"),
        Step("create index on SCRATCH.document using gin (about)"),
        Step("""insert into SCRATCH.document values ('{"kind": "证照"}')"""),
        Step("""select count(*) from SCRATCH.document where about @> '{"kind": "证照"}'""", "1"),
    ),
    "full_text": (
        Step("create table SCRATCH.page (words tsvector)"),
        Step("create index on SCRATCH.page using gin (words)"),
        Step("insert into SCRATCH.page values (to_tsvector('simple', '不动产 登记'))"),
        Step("select count(*) from SCRATCH.page where words @@ to_tsquery('simple', '登记')", "1"),
    ),
    "skip_locked": (
        Step("create table SCRATCH.task as select 1 as n"),
        Step("begin"),
        Step("select n from SCRATCH.task for update", "1"),
        Step("select count(*) from (select n from SCRATCH.task for update skip locked) free", "0", session=1),
        Step("rollback"),
    ),
    "advisory_lock": (
        Step("select pg_advisory_lock(LOCK)"),
        Step("select pg_try_advisory_lock(LOCK)", "False", session=1),
        Step("select pg_advisory_unlock(LOCK)", "True"),
    ),
    "notify": (Step("listen SCRATCH", session=1), Step("notify SCRATCH, '济南'"), Step(CHANNEL, "济南", session=1)),
    "transactional_ddl": (
        Step("begin"),
        Step("create table SCRATCH.undone (n int)"),
        Step("rollback"),
        Step("select to_regclass('SCRATCH.undone') is null", "True"),
    ),
}
_ALONE = tuple(CAPABILITIES)[: tuple(CAPABILITIES).index(SCHEMA)]
# Of libpq's own, in English whatever the server speaks. What the server itself says is in its language, and not looked at.
_CERTIFICATE = ("certificate verify failed", "does not match host name", "root certificate", "SSL error", "does not support SSL")
_UNREACHABLE = (
    *("could not translate host name", "failed to resolve host", "Connection refused", "timeout expired", "connection timeout"),
    *("No route to host", "Network is unreachable", "Connection reset by peer", "Connection timed out"),
)


async def attempt(parameters: Mapping[str, str], seconds: float = SECONDS) -> list[Attempt]:
    """Try everything with one database; ``parameters`` are those of libpq. Nothing takes longer than ``seconds`` by itself."""
    import psycopg  # noqa: PLC0415 - only where somebody has a database of his own

    scratch = f"yiwang-preflight-{secrets.token_hex(4)}"
    found: list[Attempt] = []
    try:
        async with _session(parameters, seconds) as first, _session(parameters, seconds) as second:
            trial = _Trial((first, second), scratch, seconds)
            found.append(Attempt("connect"))
            for capability in CAPABILITIES:
                needless = capability not in _ALONE and any(each.capability == SCHEMA and each.kind for each in found)
                # A server that has gone, or answers nothing, would only do so again.
                needless = needless or trial.lost or sum(each.kind == "timeout" for each in found) > 1
                found.append(Attempt(capability, "skipped") if needless else await trial.attempt(capability))
    except (psycopg.Error, TimeoutError, OSError) as error:
        return [Attempt("connect", *_explained(error))]
    finally:
        # Also where somebody interrupts.
        if found:
            found.append(await _cleaned(parameters, scratch, seconds))
    return found


async def reach(parameters: Mapping[str, str], seconds: float = SECONDS) -> Attempt:
    """Try to sign in, and nothing else."""
    import psycopg  # noqa: PLC0415 - as above

    try:
        async with _session(parameters, seconds):
            return Attempt("connect")
    except (psycopg.Error, TimeoutError, OSError) as error:
        return Attempt("connect", *_explained(error))


@contextlib.asynccontextmanager
async def _session(parameters: Mapping[str, str], seconds: float) -> AsyncIterator[Any]:
    import psycopg  # noqa: PLC0415 - as above

    places = parameters["host"].count(",") + 1
    async with asyncio.timeout(seconds):
        limit = str(max(2, int(seconds) // places))
        written = psycopg.conninfo.make_conninfo(**{"connect_timeout": limit, "client_encoding": "UTF8", **parameters})
        connection = await psycopg.AsyncConnection.connect(written, autocommit=True)
    try:
        yield connection
    finally:
        # Not `async with`: that would wait for a server that has gone.
        with contextlib.suppress(psycopg.Error, TimeoutError):
            async with asyncio.timeout(seconds):
                await connection.close()


@dataclass(frozen=True)
class _Trial:
    sessions: tuple[Any, Any]
    scratch: str
    seconds: float

    @property
    def lost(self) -> bool:
        """Whether the server has gone."""
        return any(session.closed for session in self.sessions)

    async def attempt(self, capability: str) -> Attempt:
        import psycopg  # noqa: PLC0415 - as above

        statement = ""
        for step in CAPABILITIES[capability]:
            # Nothing was said: that is told of the statement before.
            statement = self.written(step.statement) if step.statement != CHANNEL else statement
            try:
                async with asyncio.timeout(self.seconds):
                    answer = await self.answer(step)
            except (psycopg.Error, TimeoutError) as error:
                await self.undo()
                kind: Kind = "denied" if getattr(error, "sqlstate", "") == "42501" else "failed"
                said = _said(error)
                return Attempt(capability, "timeout" if isinstance(error, TimeoutError) else kind, statement, said)
            if step.answer is not None and answer != step.answer:
                await self.undo()
                return Attempt(capability, "answer", statement, f"{answer} ≠ {step.answer}")
        return Attempt(capability)

    def written(self, statement: str) -> str:
        lock = int(self.scratch.rpartition("-")[2], 16)
        return statement.replace("SCRATCH", f'"{self.scratch}"').replace("LOCK", str(lock))

    async def answer(self, step: Step) -> str:
        """The first column of the first row as text, or what the other session was notified of."""
        connection = self.sessions[step.session]
        if step.statement == CHANNEL:
            # Ends by itself before the time of the attempt is over.
            told = connection.notifies(timeout=self.seconds / 2, stop_after=1)
            return " ".join([notification.payload async for notification in told])
        cursor = await connection.execute(self.written(step.statement))
        row = await cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""

    async def undo(self) -> None:
        """What a failed capability has begun hinders no other."""
        import psycopg  # noqa: PLC0415 - as above

        for connection in self.sessions:
            with contextlib.suppress(psycopg.Error, TimeoutError):
                async with asyncio.timeout(self.seconds):
                    await connection.execute("rollback")


async def _cleaned(parameters: Mapping[str, str], scratch: str, seconds: float) -> Attempt:
    """Drop what was made, in a session that no attempt has spoilt."""
    import psycopg  # noqa: PLC0415 - as above

    statement = ""
    try:
        async with _session(parameters, seconds) as connection:
            for statement in (f'drop schema if exists "{scratch}" cascade', f'drop table if exists "{scratch}"'):
                async with asyncio.timeout(seconds):
                    await connection.execute(statement)
    except (psycopg.Error, TimeoutError, OSError) as error:
        return Attempt("cleanup", "failed", statement, _said(error))
    return Attempt("cleanup")


def _explained(error: Exception) -> tuple[Kind, str, str]:
    """Why there is no session: no way, no trust, or the server's own refusal."""
    said = _said(error)
    if isinstance(error, TimeoutError) or any(word in said for word in _UNREACHABLE):
        return "unreachable", "", said
    if any(word in said for word in _CERTIFICATE):
        return "certificate", "", said
    return "refused", "", said


def _said(error: Exception) -> str:
    """An error's own words in one line; of several hosts, each one's."""
    diagnosis = getattr(error, "diag", None)
    text = (diagnosis.message_primary if diagnosis is not None else None) or str(error) or type(error).__name__
    return " ".join((text.partition("All failures were:")[2] or text).split())
