"""The databases' backups, by pgBackRest, and instances that are restored from them."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from recovery.common import RECORDS, RecoveryError, connect, leads, now, run, say, write
from recovery.texts import text

COMMAND = "/usr/local/sbin/yiwang-pgbackrest"
# Of a restored instance, with its unit and its socket: what somebody looks at, and what is drilled.
SCRATCH_NAME, DRILL_NAME = "yiwang-scratch", "yiwang-drilled"
NEWEST = RECORDS / "databases.json"
ROOM = 1.2
GOOD, MISSING, EMPTY = 0, {1, 3}, 2
# Rows that tell how far the log goes.
MARKERS = """
create schema if not exists yiwang;
create table if not exists yiwang.marker (drill uuid, written timestamptz default clock_timestamp());
delete from yiwang.marker where written < now() - interval '1 day'
"""
# A table of more bytes is not read through beside the live work, only for the drill.
LARGE = 64 << 20
TABLES = """
select n.nspname || '.' || c.relname,
  case when %s or pg_total_relation_size(c.oid) <= %s then
    (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %%I.%%I', n.nspname, c.relname), false, true, '')))[1]::text
  end,
  c.reltuples::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not like 'pg\\_%%' and n.nspname <> 'information_schema' and c.relpersistence = 'p'
"""
# Nobody but the cluster's keeper, on the socket; recovery is over before anybody gets in.
SCRATCH = """listen_addresses = ''
unix_socket_directories = '{socket}'
hba_file = '{directory}/pg_hba.conf'
ident_file = '{directory}/pg_ident.conf'
data_directory = '{data}'
archive_mode = {archive_mode}
archive_command = '{command} archive-push %p'
hot_standby = off
ssl = off
shared_buffers = 64MB
max_connections = 20
timezone = 'Asia/Shanghai'
"""


def pgbackrest(*arguments: str) -> str:
    """What the command says."""
    return run(COMMAND, *arguments, user="postgres")


def info() -> dict[str, Any]:
    """The record of the site's backups: ``status``, ``db``, ``backup``; empty where there is nothing yet."""
    found = json.loads(pgbackrest("info", "--output=json"))
    if not found:
        return {}
    status = found[0]["status"]
    if status["code"] not in {GOOD, EMPTY, *MISSING}:
        # It cannot be read: that is no empty place.
        raise RecoveryError("place", said=status["message"])
    return dict(found[0])


def settle() -> list[str]:
    """Make the place where the leader's log goes, for this very cluster; what was done, in words."""
    seen = info()
    if not seen or seen["status"]["code"] in MISSING:
        pgbackrest("stanza-create")
        done = text("place_made")
    else:
        with connect() as connection:
            row = connection.execute("select system_identifier from pg_control_system()").fetchone()
        if row is None or seen["db"][-1]["system-id"] == row[0]:
            return []
        # The backups of the cluster before stay until their time is over.
        pgbackrest("stanza-upgrade")
        done = text("place_renewed")
    pgbackrest("check")
    return [done]


def flush() -> None:
    """On the leader: what was written up to now is sent, and something behind it, so that one can go back to this moment too."""
    if not leads():
        return
    say("log_sent")
    with connect() as connection:
        connection.execute(MARKERS)
        connection.execute("insert into yiwang.marker default values")
    pgbackrest("check")


def backups() -> list[dict[str, Any]]:
    """All backups, oldest first."""
    listed = info().get("backup", [])
    return [
        {
            "backup": each["label"],
            "type": each["type"],
            "time": datetime.fromtimestamp(each["timestamp"]["stop"], UTC).isoformat(),
            "seconds": each["timestamp"]["stop"] - each["timestamp"]["start"],
            "bytes": each["info"]["size"],
            "stored_bytes": each["info"]["repository"]["delta"],
        }
        for each in listed
    ]


def backup(full_days: int, *, full: bool) -> dict[str, Any]:
    """Take one: a full one where asked for or due, else what has changed since the one before."""
    before = [each for each in backups() if each["type"] == "full"]
    due = not before or now() - datetime.fromisoformat(before[-1]["time"]) > timedelta(days=full_days)
    full = full or due
    say("backup_full" if full else "backup_incremental")
    pgbackrest("backup", f"--type={'full' if full else 'incr'}")
    newest = backups()[-1]
    write(NEWEST, newest)
    return newest


def chosen(options: list[str]) -> str:
    """The backup that a restore begins with."""
    return next(option.removeprefix("--set=") for option in options if option.startswith("--set="))


def room(directory: Path, options: list[str]) -> None:
    """Whether what is to be restored finds room. Raises RecoveryError."""
    backup = chosen(options)
    needed = int(next(each["bytes"] for each in backups() if each["backup"] == backup) * ROOM)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise RecoveryError("no_room", directory=directory, free=free >> 20, needed=needed >> 20)


def restore(data: Path, options: list[str]) -> None:
    """The files of a cluster, in a directory that must not be there, with the way to recover noted in them."""
    data.mkdir(mode=0o700, parents=True)
    shutil.chown(data, "postgres", "postgres")
    pgbackrest("restore", f"--pg1-path={data}", "--archive-mode=off", *options)


class Scratch:
    """An instance from restored files. Nobody reaches it but the cluster's keeper, on this host.

    ``archiving``: it takes the live one's place, and its history belongs to the backups.
    """

    def __init__(self, given: dict[str, Any], data: Path, name: str, *, archiving: bool = False) -> None:
        self._unit = name
        self.socket = f"/run/{name}"
        self._bin = given["bin"]
        self._archiving = archiving
        self.data = data
        self.directory = data.with_name(f"{data.name}.settings")

    def start(self) -> None:
        """Until it has recovered and takes writes, however long its log is."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(mode=0o700)
        files = {
            "postgresql.conf": SCRATCH.format(
                socket=self.socket,
                directory=self.directory,
                data=self.data,
                archive_mode="on" if self._archiving else "off",
                command=COMMAND,
            ),
            "pg_hba.conf": "local all postgres peer\n",
            "pg_ident.conf": "",
        }
        for name, content in files.items():
            (self.directory / name).write_text(content, encoding="utf-8")
            shutil.chown(self.directory / name, "postgres", "postgres")
        shutil.chown(self.directory, "postgres", "postgres")
        options = [f"--unit={self._unit}", "--collect", "--uid=postgres", "--gid=postgres", f"--property=RuntimeDirectory={self._unit}"]
        options += ["--property=TimeoutStopSec=600", "--property=KillSignal=SIGINT"]
        run(
            "systemd-run",
            "--quiet",
            *options,
            f"{self._bin}/postgres",
            "-D",
            str(self.data),
            "-c",
            f"config_file={self.directory}/postgresql.conf",
        )
        while not self._ready():
            if self._state() != "active":
                said = run("journalctl", "-u", self._unit, "-o", "cat", "-n", "30", "--no-pager").splitlines()
                wrong = [line for line in said if "FATAL" in line or "PANIC" in line or "ERROR" in line]
                if not said:
                    raise RecoveryError("no_start_unsaid")
                raise RecoveryError("no_start", reason=(wrong or said)[-1])
            time.sleep(0.5)

    def _state(self) -> str:
        return run("systemctl", "show", "--value", "-p", "ActiveState", self._unit).strip()

    def _ready(self) -> bool:
        try:
            with connect(socket=self.socket) as connection:
                row = connection.execute("select pg_is_in_recovery()").fetchone()
                return row is not None and not row[0]
        except psycopg.Error:
            return False

    def stop(self) -> None:
        """In order, if it runs."""
        if self._state() != "inactive":
            run("systemctl", "stop", self._unit)

    def forget(self) -> None:
        """Its settings; the files stay."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def remove(self) -> None:
        """Everything of it."""
        self.stop()
        self.forget()
        shutil.rmtree(self.data, ignore_errors=True)


class Estimate(int):
    """Rows of a large table, as PostgreSQL's statistics have them: near; -1 where they have none."""


def tables(socket: str, *, exact: bool = True) -> dict[str, dict[str, int]]:
    """Database -> table -> rows, of everything that is not the system's. Not ``exact``: of large ones no more than an estimate."""
    found: dict[str, dict[str, int]] = {}
    with connect(socket=socket) as connection:
        names = [row[0] for row in connection.execute("select datname from pg_database where datallowconn and datname <> 'template1'")]
    for name in names:
        with connect(name, socket) as connection:
            listed = connection.execute(TABLES, (exact, LARGE))
            found[name] = {table: int(rows) if rows is not None else Estimate(near) for table, rows, near in listed}
    return found
