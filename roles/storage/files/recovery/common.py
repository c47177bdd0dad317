"""What every part uses: the settings, commands as the right account, who leads."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from recovery import texts

SETTINGS = Path("/etc/yiwang/storage/recovery.json")
SECRETS = Path("/etc/yiwang/storage/recovery.secret.json")
IDENTITIES = Path("/etc/yiwang/storage/objects/identities.json")
LOCKS = Path("/run")
RECORDS = Path("/var/lib/yiwang/recovery")
SOCKET = "/run/postgresql"
LONGEST_REASON = 400


class RecoveryError(Exception):
    """What a person has to know, in one line: the key of its text, and what is filled in."""

    def __init__(self, key: str, /, **fields: object) -> None:
        super().__init__(key, fields)
        self._key, self._fields = key, fields

    def __str__(self) -> str:
        """In the language in use."""
        return texts.text(self._key, **self._fields)


class TargetError(RecoveryError):
    """The same of what was asked for: nothing was done."""


def settings() -> dict[str, Any]:
    """``site``, ``directory``, ``data``, ``bin``, ``host``, ``buckets``, ``place``, and the numbers of the inventory."""
    return dict(json.loads(SETTINGS.read_text(encoding="utf-8")))


def secrets() -> dict[str, Any]:
    """``secret_key`` to the place of the backups, ``passphrase``: the one that is kept beside the data."""
    kept = Path(settings()["passphrase"]).read_text(encoding="utf-8")
    lines = dict(line.split("=", 1) for line in kept.splitlines() if "=" in line)
    return {**json.loads(SECRETS.read_text(encoding="utf-8")), "passphrase": lines["repo1-cipher-pass"]}


def say(key: str, /, **fields: object) -> None:
    """Progress, for whoever watches."""
    print(texts.text(key, **fields), file=sys.stderr, flush=True)


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


def run(
    *command: str,
    user: str | None = None,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Output of a command. Raises RecoveryError with what it says when it fails. Secrets go by ``text`` alone."""
    words = ["runuser", "-u", user, "--", *command] if user else list(command)
    done = subprocess.run(
        words,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(environment or {})},
    )
    if done.returncode:
        name, lines = Path(command[0]).name, [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        if not lines:
            raise RecoveryError("command_ended", name=name, code=done.returncode)
        wrong = next((line for line in lines if "ERROR" in line or "error" in line.lower()), lines[-1])
        raise RecoveryError("command_said", name=name, said=wrong.strip()[:LONGEST_REASON])
    return done.stdout


def connect(database: str = "postgres", socket: str = SOCKET) -> psycopg.Connection[Any]:
    """A connection as the cluster's keeper: by its account, on the socket.

    Nothing is looked up where a component may have put something of its own: a function of the name of one of the system's, called by
    the keeper, would do as the keeper whatever it likes.
    """
    root = os.geteuid() == 0
    if root:
        import pwd  # noqa: PLC0415 - only then

        os.seteuid(pwd.getpwnam("postgres").pw_uid)
    try:
        return psycopg.connect(
            host=socket, dbname=database, user="postgres", autocommit=True, connect_timeout=5, options="-c search_path=pg_catalog"
        )
    finally:
        if root:
            os.seteuid(0)


def leads() -> bool:
    """Whether PostgreSQL on this host takes writes."""
    try:
        with connect() as connection:
            row = connection.execute("select not pg_is_in_recovery()").fetchone()
            return bool(row and row[0])
    except psycopg.Error:
        return False


def write(path: Path, content: Any, mode: int = 0o644) -> None:
    """A JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        # Whatever the mask of whoever runs this is.
        os.fchmod(file.fileno(), mode)
        json.dump(content, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


@contextmanager
def alone(what: str = "databases", seconds: float = 3600) -> Iterator[None]:
    """One of these programs at a time on a host, for databases and for objects: the others wait."""
    with (LOCKS / f"yiwang-recovery-{what}.lock").open("w") as file:
        deadline = time.monotonic() + seconds
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RecoveryError("busy") from None
                if not told:
                    say("waiting")
                told = True
                time.sleep(1)
        yield
