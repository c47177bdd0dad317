"""What was done, on record where every member finds it: in a file of this host, and in the databases themselves, which replicate.

A member that has only just begun to lead knows so what the one before has done. A restore in place takes the table back too: the
newest of both counts.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import psycopg

from recovery.common import RECORDS, connect, write

# Who reads metrics reads it as well: it holds no secrets.
TABLE = """
create schema if not exists yiwang;
create table if not exists yiwang.record (name text, time timestamptz, record jsonb not null, primary key (name, time));
do $$ begin
  if exists (select from pg_roles where rolname = 'yiwang_metrics') then
    grant usage on schema yiwang to yiwang_metrics;
    grant select on yiwang.record to yiwang_metrics;
  end if;
end $$
"""
ADD = """
with before as (delete from yiwang.record where name = %(name)s and time <> %(time)s and %(alone)s)
insert into yiwang.record values (%(name)s, %(time)s, %(record)s) on conflict (name, time) do update set record = excluded.record
"""
NEWEST = "select record from yiwang.record where name = %s order by time desc limit 1"


def keep(name: str, record: dict[str, Any], *, alone: bool = False) -> None:
    """A record with its ``time``. ``alone``: those before it go. Databases that do not answer have it later: the file has it now."""
    write(RECORDS / f"{name}.json", record)
    given = {"name": name, "time": record["time"], "alone": alone, "record": json.dumps(record, ensure_ascii=False)}
    with contextlib.suppress(psycopg.Error), connect() as connection:
        try:
            connection.execute(ADD, given)
        except psycopg.errors.UndefinedTable:
            connection.execute(TABLE)
            connection.execute(ADD, given)


def newest(name: str) -> dict[str, Any]:
    """The newest record; empty where there is none."""
    found = [_file(name)]
    with contextlib.suppress(psycopg.Error), connect() as connection:
        row = connection.execute(NEWEST, (name,)).fetchone()
        found += [dict(row[0])] if row is not None else []
    return max(found, key=lambda each: str(each.get("time", "")))


def _file(name: str) -> dict[str, Any]:
    try:
        return dict(json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
