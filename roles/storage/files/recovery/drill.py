"""The drill: the newest backups are restored beside the live data and checked; what would be lost, and how long it takes, is measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import psycopg
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recovery import databases, objects, targets, texts
from recovery.common import IDENTITIES, RECORDS, SOCKET, RecoveryError, connect, now, run, say, write

LATEST = RECORDS / "drill.json"
EVIDENCE = "evidence"
MARGIN_SECONDS = 10


def mark(drill: str, seconds: float) -> tuple[datetime, datetime]:
    """Write a row a second for as long as the log may wait before it is sent: then the disaster strikes.

    The time of that, and of the last row whose log had been sent by then: what is sent later does not count.
    """
    say("marking", seconds=seconds)
    written: list[tuple[datetime, int]] = []
    with connect() as connection:
        connection.execute(databases.MARKERS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            connection.execute("insert into yiwang.marker (drill) values (%s)", (drill,))
            row = connection.execute("select clock_timestamp(), pg_current_wal_lsn() - '0/0'").fetchone()
            if row is not None:
                written.append((row[0], int(row[1])))
            time.sleep(1)
        row = connection.execute(
            "select last_archived_wal, pg_size_bytes(current_setting('wal_segment_size')) from pg_stat_archiver"
        ).fetchone()
    sent = _end(*row) if row is not None and row[0] else 0
    safe = [moment for moment, place in written if place <= sent]
    if not safe:
        raise RecoveryError("nothing_sent", seconds=seconds)
    return written[-1][0], safe[-1]


def _end(segment: str, size: int) -> int:
    """Where a segment of the log ends: its name is timeline, and in two parts its number, in hexadecimal."""
    number = int(segment[8:16], 16) * ((1 << 32) // size) + int(segment[16:24], 16)
    return (number + 1) * size


def newest(drill: str, socket: str) -> datetime:
    """The last mark that came back."""
    with connect(socket=socket) as connection:
        row = connection.execute("select max(written) from yiwang.marker where drill = %s", (drill,)).fetchone()
    if row is None or row[0] is None:
        raise RecoveryError("no_mark")
    found: datetime = row[0]
    return found


def compare(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], restored: dict[str, dict[str, int]]) -> None:
    """Every table that was there before and after is there, with as many rows, or near those where they change. Raises RecoveryError."""
    for database, tables in before.items():
        if database not in restored:
            raise RecoveryError("database_lost", database=database)
        for table, rows in tables.items():
            now_there = after.get(database, {}).get(table)
            if now_there is None:
                continue
            if table not in restored[database]:
                raise RecoveryError("table_lost", table=table, database=database)
            found, least, most = restored[database][table], min(rows, now_there), max(rows, now_there)
            slack = (most - least) if most > least else 0
            if not least - slack <= found <= most + slack:
                raise RecoveryError("rows_lost", table=table, database=database, found=found, before=rows, after=now_there)


def databases_drill(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Restore, start, check, take away; what was measured."""
    drill = str(uuid.uuid4())
    options = targets.target(targets.LATEST)
    before = databases.tables(SOCKET)
    struck, safe = mark(drill, given["seconds"] + MARGIN_SECONDS)
    started = time.monotonic()
    databases.room(directory, options)
    scratch = databases.Scratch(given, directory / "postgresql", databases.DRILL_NAME)
    try:
        say("restoring")
        databases.restore(scratch.data, options)
        scratch.start()
        rto = time.monotonic() - started
        if newest(drill, scratch.socket) < safe - timedelta(seconds=1):
            raise RecoveryError("marks_lost")
        say("checking")
        restored = databases.tables(scratch.socket)
        compare(before, databases.tables(SOCKET), restored)
        scratch.stop()
        run(f"{given['bin']}/pg_checksums", "--check", "-D", str(scratch.data), user="postgres")
    finally:
        scratch.remove()
    return {
        "backup": databases.chosen(options),
        "rpo_seconds": round((struck - safe).total_seconds(), 1),
        "rto_seconds": round(rto, 1),
        "databases": {name: {"tables": len(tables), "rows": sum(tables.values())} for name, tables in restored.items()},
        "checksums": "good",
    }


def record(found: dict[str, Any]) -> None:
    """Keep the record here, and where nobody can change it."""
    write(LATEST, found)
    name = f"drill/storage-{found['time']}.json"
    write(RECORDS / name, found)
    given, identities = found["site"], json.loads(IDENTITIES.read_text(encoding="utf-8"))["identities"]
    key = next(each["credentials"][0] for each in identities if each["name"] == EVIDENCE)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"https://{found['host']}:{objects.PORT}",
        region_name="yiwang",
        aws_access_key_id=key["accessKey"],
        aws_secret_access_key=key["secretKey"],
        verify=objects.AUTHORITY,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30),
    )
    try:
        s3.put_object(Bucket=EVIDENCE, Key=name, Body=json.dumps({**found, "site": given}, ensure_ascii=False).encode())
    except (BotoCoreError, ClientError) as error:
        raise RecoveryError("record_unkept", bucket=EVIDENCE, reason=error) from None


def drill(given: dict[str, Any]) -> dict[str, Any]:
    """All of it. A failure is on record too: there in English, whoever asked, since others read it."""
    found: dict[str, Any] = {
        "site": given["site"],
        "component": "storage",
        "host": given["host"],
        "time": now().isoformat(timespec="seconds"),
    }
    directory = Path(given["directory"]) / "drill"
    databases.Scratch(given, directory / "postgresql", databases.DRILL_NAME).remove()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o711)
    kept: dict[str, Any] = {}
    try:
        found |= databases_drill(given, directory)
        say("fetching")
        (directory / "objects").mkdir(mode=0o700)
        found["objects"] = objects.check(given, directory / "objects")
        saved = objects.last()
        found["objects_rpo_seconds"] = round((now() - datetime.fromisoformat(saved["time"])).total_seconds(), 1) if saved else None
        found["ok"] = True
    except (RecoveryError, psycopg.Error, OSError, subprocess.SubprocessError) as error:
        found |= {"ok": False, "error": str(error).partition("\n")[0]}
        with texts.speaking(texts.DEFAULT):
            kept = {"error": str(error).partition("\n")[0]}
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    record(found | kept)
    return found
