"""The way back in place, a step a call, each of which can be done again: the kit calls them on the members in turn.

``quiet`` on all, ``keep [--anew]`` on the leader, ``halt`` on all, ``restore`` and ``begin`` on the first, ``follow`` on each other one,
``resume`` on all, ``finish`` on the first. Nothing is dropped: the data of before lies beside, under the time of the restore. Where
``restore`` finds that nothing comes of it, the data of before is put back, and ``resume`` lets the services go on.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import psycopg

from recovery import catalogue, databases, targets
from recovery.common import RecoveryError, connect, leads, now, run, say

# ``LOST``: nobody led any more when the catalogue was to be kept.
REPLACED, BEFORE, LOST = "replaced", "before", "lost"
# While they are there the services do not start, also not after a restart of the host: the units look for them.
QUIET, HALTED = "quiet", "halted"
READY_SECONDS = 300.0
# For a member that copies all of the leader.
COPY_SECONDS = 24 * 3600.0
TELL_SECONDS, STALL_SECONDS = 30.0, 900.0
STOP_SECONDS = 600
GIVEN_UP_SECONDS = 24 * 3600
TLS = "/etc/yiwang/tls"
PATRONI = "yiwang-patroni.service"
WORK = ("yiwang-backup.service", "yiwang-backup-objects.service", "yiwang-drill.service", "yiwang-backup-after-restore.service")
# What pgBackRest has noted for the recovery: a member that copies these would recover to that time as well.
RECOVERY_SETTINGS = "/^(restore_command|recovery_target)/d"


def _directory(given: dict[str, Any]) -> Path:
    """Notes of a restore: nobody but root writes there, for root acts by what they say."""
    found = Path(given["directory"]) / "restore"
    found.mkdir(exist_ok=True)
    found.chmod(0o711)
    shutil.chown(found, "root", "root")
    return found


def _inode(data: Path) -> str:
    """What tells a directory from another one of its name."""
    return str(data.stat().st_ino) if data.is_dir() else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def under_way(given: dict[str, Any]) -> bool:
    """Whether a restore was begun on this host and not brought to its end: of the very files that are there, or before there were any."""
    directory = Path(given["directory"]) / "restore"
    replaced, dump = _read(directory / REPLACED), catalogue.path(directory)
    if replaced and replaced == _inode(Path(given["data"])):
        return True
    # One that somebody has given up long ago has nothing to say.
    return dump.exists() and time.time() - dump.stat().st_mtime < GIVEN_UP_SECONDS and not leads()


def quiet(given: dict[str, Any], to: str) -> dict[str, Any]:
    """Nobody puts an object any more: what would be put after its catalogue is kept had no name afterwards.

    Whoever looks at the host reads where the restore goes.
    """
    (_directory(given) / QUIET).write_text(f"{to}\n", encoding="utf-8")
    # A backup or a drill would take hours to end, and be of what is about to be replaced; the next one goes on.
    run("systemctl", "stop", "yiwang-objects.service")
    # It fails where one of them is not there, and stops the others.
    with contextlib.suppress(RecoveryError):
        run("systemctl", "stop", *WORK)
    return {}


def is_quiet(given: dict[str, Any]) -> bool:
    """Whether the object store is held here for a restore that has not come to its end."""
    return (Path(given["directory"]) / "restore" / QUIET).exists()


def keep(given: dict[str, Any], *, anew: bool) -> dict[str, Any]:
    """What lies where in the object store stays as it is now: objects that were put there since would be lost to their names.

    ``anew``: the store has gone on somewhere since one was kept, which is too old then.
    """
    notes = _directory(given)
    target = catalogue.path(notes)
    if not anew and (notes / LOST).exists():
        return {"kept": "nothing"}
    if not anew and target.exists() and under_way(given):
        # Of a restore that was cut short: the databases may be those of the past already.
        return {"kept": "before"}
    databases.flush()
    for note in (target, *((notes / name for name in (REPLACED, BEFORE, LOST)) if anew else ())):
        note.unlink(missing_ok=True)
    if not leads():
        (notes / LOST).touch()
        return {"kept": "nothing"}
    catalogue.keep(given, notes)
    return {"kept": "now"}


def halt(given: dict[str, Any]) -> dict[str, Any]:
    """Nobody writes any more."""
    say("halting")
    # Of a restore that was cut short, or of one that somebody looks at.
    for name in (databases.SCRATCH_NAME, databases.DRILL_NAME):
        databases.Scratch(given, Path(given["data"]), name).stop()
    (_directory(given) / HALTED).touch()
    run("systemctl", "stop", "yiwang-objects.service", PATRONI)
    with contextlib.suppress(RecoveryError):
        run(f"{given['bin']}/pg_ctl", "status", "-D", given["data"], user="postgres")
        # Patroni was killed, and PostgreSQL goes on without it.
        run(f"{given['bin']}/pg_ctl", "stop", "-D", given["data"], "-m", "fast", "-t", str(STOP_SECONDS), user="postgres")
    if leads():
        raise RecoveryError("no_end")
    return {}


def _mark(data: Path) -> Path:
    """Names the directory beside it while that is half restored."""
    return data.with_name(f"{data.name}.restoring")


def clear(data: Path) -> None:
    """What a restore that was cut short has left is of no use to anybody; files that somebody has put in their place are."""
    if _read(_mark(data)) and _read(_mark(data)) == _inode(data):
        shutil.rmtree(data)
    _mark(data).unlink(missing_ok=True)


def aside(data: Path, note: Path) -> str:
    """Move a cluster's files beside. The first ones of a restore are noted: what is moved when it is done again came of itself."""
    clear(data)
    if not data.is_dir() or not any(data.iterdir()):
        shutil.rmtree(data, ignore_errors=True)
        return ""
    name = data.with_name(f"before-{now():%Y%m%dT%H%M%S}-{data.name}")
    if not _noted(note):
        note.write_text(str(name), encoding="utf-8")
    data.rename(name)
    return str(name)


def _noted(note: Path) -> str:
    """The directory that a note names, where it is there."""
    found = _read(note)
    return found if found and Path(found).is_dir() else ""


def restore(given: dict[str, Any], to: str) -> dict[str, Any]:
    """The files as of that time, recovered, and ready to be led. Where that fails those of before are in their place again: ``failed``."""
    data, notes = Path(given["data"]), _directory(given)
    try:
        options = targets.target(to)
        databases.room(data.parent, options)
        aside(data, notes / BEFORE)
        say("restoring")
        data.mkdir(mode=0o700)
        _mark(data).write_text(_inode(data), encoding="utf-8")
        shutil.chown(data, "postgres", "postgres")
        (notes / REPLACED).write_text(_inode(data), encoding="utf-8")
        _recover(given, data, options)
    except (RecoveryError, psycopg.Error, OSError) as error:
        if not put_back(given):
            raise
        return {"failed": str(error).partition("\n")[0]}
    _mark(data).unlink()
    return {"before": _noted(notes / BEFORE)}


def _recover(given: dict[str, Any], data: Path, options: list[str]) -> None:
    """Files into the empty directory, and their log to where it ends."""
    databases.pgbackrest("restore", *options)
    instance = databases.Scratch(given, data, databases.SCRATCH_NAME, archiving=True)
    instance.start()
    instance.stop()
    instance.forget()
    # As the account whose file it is, and who could put another one in its place.
    run("sed", "-i", "-E", RECOVERY_SETTINGS, str(data / "postgresql.auto.conf"), user="postgres")


def put_back(given: dict[str, Any]) -> bool:
    """Where nothing could be restored: the files of before take their place again, or never left it. False where there are none."""
    data, notes = Path(given["data"]), _directory(given)
    databases.Scratch(given, data, databases.SCRATCH_NAME).stop()
    before = _noted(notes / BEFORE)
    clear(data)
    if before:
        say("putting_back")
        shutil.rmtree(data, ignore_errors=True)
        Path(before).rename(data)
    elif not data.is_dir() or _read(notes / REPLACED) == _inode(data):
        return False
    for note in (notes / REPLACED, notes / BEFORE, catalogue.path(_directory(given))):
        note.unlink(missing_ok=True)
    return True


def begin(given: dict[str, Any]) -> dict[str, Any]:
    """It leads, and the others will follow it. Who led before is forgotten."""
    options = [f"--endpoints=https://{given['host']}:2379", f"--cacert={TLS}/ca.crt", f"--cert={TLS}/host.crt", f"--key={TLS}/host.key"]
    if not leads():
        run("etcdctl", *options, "del", "--prefix", f"/yiwang/{given['site']}/", environment={"ETCDCTL_API": "3"})
        (_directory(given) / HALTED).unlink(missing_ok=True)
        run("systemctl", "start", PATRONI)
        _until(leads, RecoveryError("no_leader"))
    catalogue.bring_back(given, _directory(given))
    return {}


def follow(given: dict[str, Any]) -> dict[str, Any]:
    """A member copies the leader anew; what it had lies beside until it does."""
    notes = _directory(given)
    data = Path(given["data"])
    moved = aside(data, notes / BEFORE)
    # Empty, and its own: what it lies in belongs to root.
    data.mkdir(mode=0o700)
    shutil.chown(data, "postgres", "postgres")
    (notes / HALTED).unlink(missing_ok=True)
    run("systemctl", "start", PATRONI)
    _until(_streams, RecoveryError("no_follower"), COPY_SECONDS, _Copy(data))
    for before in {moved, _noted(notes / BEFORE)} - {""}:
        shutil.rmtree(before)
    return {}


def resume(given: dict[str, Any]) -> dict[str, Any]:
    """The services go on, also with what was put back. From now on the object store's catalogue is the newest there is."""
    shutil.rmtree(_directory(given), ignore_errors=True)
    run("systemctl", "start", PATRONI, "yiwang-objects.service")
    return {}


def finish(_given: dict[str, Any]) -> dict[str, Any]:
    """Where the log goes; a whole backup of what is there now begins. The work is over."""
    done = databases.settle()
    run("systemd-run", "--quiet", "--collect", "--unit=yiwang-backup-after-restore", "/usr/local/sbin/yiwang-recovery", "backup", "--full")
    return {"done": done}


def _streams() -> bool:
    try:
        with connect() as connection:
            row = connection.execute("select status = 'streaming' from pg_stat_wal_receiver").fetchone()
            return bool(row and row[0])
    except psycopg.Error:
        return False


def _size(data: Path) -> int:
    """What a directory holds, in MiB, as far as its files stay while it is counted."""
    found = 0
    for file in data.rglob("*"):
        with contextlib.suppress(OSError):
            found += file.lstat().st_size
    return found >> 20


class _Copy:
    """What a member has copied, told now and then. Raises RecoveryError where nothing comes any more."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._most, self._grew = 0, time.monotonic()

    def __call__(self) -> None:
        size = _size(self._data)
        say("copying", size=size)
        if size != self._most:
            self._most, self._grew = size, time.monotonic()
        elif time.monotonic() - self._grew > STALL_SECONDS:
            raise RecoveryError("no_follower")


def _until(condition: Any, otherwise: RecoveryError, seconds: float = READY_SECONDS, tell: Any = None) -> None:
    """Wait. ``tell`` is called now and then, where that takes long."""
    deadline, told = time.monotonic() + seconds, time.monotonic()
    while not condition():
        if time.monotonic() > deadline or run("systemctl", "show", "--value", "-p", "ActiveState", PATRONI).strip() == "failed":
            raise otherwise
        if tell and time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            tell()
        time.sleep(1)
