"""The way back in place, a step a call, each of which can be done again: the kit calls them on the members in turn.

``keep`` on the leader, ``halt`` on all, ``restore`` and ``begin`` on the first, ``follow`` on each other one, ``resume`` on all,
``finish`` on the first. Nothing is dropped: the data of before lies beside, under the time of the restore.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import psycopg

from recovery import databases
from recovery.common import RecoveryError, connect, leads, now, run, say

OBJECTS = "yiwang_objects"
DUMP = "objects.dump"
READY_SECONDS = 300.0
TLS = "/etc/yiwang/tls"
PATRONI = "yiwang-patroni.service"
# What pgBackRest has noted for the recovery: a member that copies these would recover to that time as well.
RECOVERY_SETTINGS = ("restore_command", "recovery_target")


def _directory(given: dict[str, Any]) -> Path:
    found = Path(given["directory"]) / "restore"
    found.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(found, "postgres", "postgres")
    return found


def keep(given: dict[str, Any]) -> dict[str, Any]:
    """What lies where in the object store stays as it is now: objects that were put there since would be lost to their names."""
    databases.flush()
    target = _directory(given) / DUMP
    if target.exists():
        # Of a restore that was cut short: the databases may be those of the past already.
        return {"kept": "before"}
    if not leads():
        return {"kept": "nothing"}
    say("the object store's catalogue is kept")
    fresh = target.with_suffix(".fresh")
    run(f"{given['bin']}/pg_dump", "-Fc", "-f", str(fresh), "-d", OBJECTS, user="postgres")
    fresh.rename(target)
    return {"kept": "now"}


def halt(given: dict[str, Any]) -> dict[str, Any]:
    """Nobody writes any more."""
    say("the services end")
    # Of a restore that was cut short, or of one that somebody looks at.
    databases.Scratch(given, Path(given["data"])).stop()
    run("systemctl", "stop", "yiwang-objects.service", PATRONI)
    if Path(given["data"], "postmaster.pid").exists():
        # Patroni was killed, and PostgreSQL went on without it.
        run(f"{given['bin']}/pg_ctl", "stop", "-D", given["data"], "-m", "fast", user="postgres")
    return {}


def _mark(data: Path) -> Path:
    """Is there while the files beside it are half restored."""
    return data.with_name(f"{data.name}.restoring")


def aside(data: Path) -> str:
    """Move a cluster's files beside; those of a restore that was cut short are of no use to anybody."""
    if _mark(data).exists():
        shutil.rmtree(data, ignore_errors=True)
    if not data.is_dir() or not any(data.iterdir()):
        shutil.rmtree(data, ignore_errors=True)
        return ""
    name = data.with_name(f"before-{now():%Y%m%dT%H%M%S}-{data.name}")
    data.rename(name)
    return str(name)


def restore(given: dict[str, Any], to: str) -> dict[str, Any]:
    """The files as of that time, recovered, and ready to be led."""
    options = databases.target(to)
    data = Path(given["data"])
    free, needed = shutil.disk_usage(data.parent).free, databases.backups()[-1]["bytes"]
    if free < needed * 1.1:
        raise RecoveryError(f"{data.parent} has {free >> 20} MiB free, the restored databases take {needed >> 20}: room in it first")
    before = aside(data)
    say("restoring the databases")
    _mark(data).touch()
    data.mkdir(mode=0o700)
    shutil.chown(data, "postgres", "postgres")
    databases.pgbackrest("restore", *options)
    instance = databases.Scratch(given, data, archiving=True)
    instance.start()
    instance.stop()
    instance.forget()
    settings = data / "postgresql.auto.conf"
    lines = [line for line in settings.read_text(encoding="utf-8").splitlines(keepends=True) if not line.startswith(RECOVERY_SETTINGS)]
    settings.write_text("".join(lines), encoding="utf-8")
    _mark(data).unlink()
    return {"before": before}


def begin(given: dict[str, Any]) -> dict[str, Any]:
    """It leads, and the others will follow it. Who led before is forgotten."""
    options = [f"--endpoints=https://{given['host']}:2379", f"--cacert={TLS}/ca.crt", f"--cert={TLS}/host.crt", f"--key={TLS}/host.key"]
    if not leads():
        run("etcdctl", *options, "del", "--prefix", f"/yiwang/{given['site']}/", environment={"ETCDCTL_API": "3"})
        run("systemctl", "start", PATRONI)
        _until(leads, "the restored databases have no leader")
    dump = _directory(given) / DUMP
    if dump.exists():
        say("the object store's catalogue is put back")
        with connect() as connection:
            connection.execute(
                "do $$ begin if not exists (select from pg_roles where rolname = 'yiwang_objects') then create role yiwang_objects nologin;"
                " end if; end $$"
            )
            connection.execute("drop database if exists yiwang_objects with (force)")
            connection.execute("create database yiwang_objects owner yiwang_objects")
            connection.execute("revoke all on database yiwang_objects from public")
        run(f"{given['bin']}/pg_restore", "--exit-on-error", "--no-owner", "--role", OBJECTS, "-d", OBJECTS, str(dump), user="postgres")
    return {}


def follow(given: dict[str, Any]) -> dict[str, Any]:
    """A member copies the leader anew; what it had lies beside until it does."""
    before = aside(Path(given["data"]))
    run("systemctl", "start", PATRONI)
    _until(_streams, "this member does not follow the restored leader")
    if before:
        shutil.rmtree(before)
    return {}


def resume(_given: dict[str, Any]) -> dict[str, Any]:
    """The object store goes on."""
    run("systemctl", "start", "yiwang-objects.service")
    return {}


def finish(given: dict[str, Any]) -> dict[str, Any]:
    """Where the log goes; a whole backup of what is there now begins. The work is over."""
    done = databases.settle()
    run("systemd-run", "--quiet", "--collect", "--unit=yiwang-backup-after-restore", "/usr/local/sbin/yiwang-recovery", "backup", "--full")
    shutil.rmtree(_directory(given), ignore_errors=True)
    return {"done": done}


def _streams() -> bool:
    try:
        with connect() as connection:
            row = connection.execute("select status = 'streaming' from pg_stat_wal_receiver").fetchone()
            return bool(row and row[0])
    except psycopg.Error:
        return False


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RecoveryError(what)
        time.sleep(1)
