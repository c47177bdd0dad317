"""The drill: the newest backups are restored beside the live data and checked; what would be lost, and how long it takes, is measured."""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from recovery import databases, objects, records, targets, texts
from recovery.common import IDENTITIES, RECORDS, SOCKET, RecoveryError, connect, now, run, say, write

EVIDENCE = "evidence"
MARGIN_SECONDS = 10
# Of a large table, whose rows are estimated: so many times fewer or more than that.
WIDE = 2
SEGMENT = re.compile("[0-9A-F]{24}")


def mark(drill: str, seconds: float) -> tuple[datetime, datetime]:
    """Write a row a second for as long as the log may wait before it is sent: then the disaster strikes.

    The time of that, and of the last row whose log had been sent by then: what is sent later does not count.
    """
    say("marking", seconds=seconds)
    written: list[tuple[datetime, int]] = []
    sent = 0
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
            sent = max(sent, _end(*row)) if row is not None else sent
    safe = [moment for moment, place in written if place <= sent]
    if not safe:
        raise RecoveryError("nothing_sent", seconds=seconds)
    return written[-1][0], safe[-1]


def _end(segment: str | None, size: int) -> int:
    """Where a segment of the log ends: its name is timeline, and in two parts its number, in hexadecimal.

    0 of what is none: histories of timelines and labels of backups are sent as well.
    """
    if segment is None or not SEGMENT.fullmatch(segment):
        return 0
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
    """Every table of before and after is there, with as many rows, or near those that change or are estimated. Raises RecoveryError."""
    for database, tables in before.items():
        if database not in restored:
            raise RecoveryError("database_lost", database=database)
        for table, rows in tables.items():
            now_there = after.get(database, {}).get(table)
            if now_there is None:
                continue
            if table not in restored[database]:
                raise RecoveryError("table_lost", table=table, database=database)
            found = restored[database][table]
            if not near(found, rows, now_there):
                raise RecoveryError("rows_lost", table=table, database=database, found=found, before=rows, after=now_there)


def near(found: int, before: int, after: int) -> bool:
    """Whether so many rows may have come back. Estimates are near themselves; one that is unknown says nothing."""
    least, most = min(before, after), max(before, after)
    if isinstance(before, databases.Estimate) or isinstance(after, databases.Estimate):
        return least < 0 or least // WIDE <= found <= most * WIDE
    slack = most - least
    return least - slack <= found <= most + slack


def databases_drill(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Restore, start, check, take away; what was measured."""
    drill = str(uuid.uuid4())
    options = targets.target(targets.LATEST)
    before = databases.tables(SOCKET, exact=False)
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
        compare(before, databases.tables(SOCKET, exact=False), restored)
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


def record(found: dict[str, Any]) -> dict[str, Any]:
    """Keep the record here, for all members, and where nobody can change it: ``kept`` says whether it is."""
    try:
        put(found)
        found = {**found, "kept": True}
    except Exception as error:  # noqa: BLE001 - whatever it is, there is a record
        with texts.speaking(texts.DEFAULT):
            found = {**found, "kept": False, "unkept": _line(error)}
    write(RECORDS / _name(found), found)
    records.keep("drill", found)
    return found


def _name(found: dict[str, Any]) -> str:
    return f"drill/storage-{found['time']}.json"


def _line(error: Exception) -> str:
    """What it says, in one line; its kind where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def put(found: dict[str, Any]) -> None:
    """Into the bucket for what is measured. Raises whatever the store says."""
    identities = json.loads(IDENTITIES.read_text(encoding="utf-8"))["identities"]
    key = next((each["credentials"][0] for each in identities if each["name"] == EVIDENCE), None)
    if key is None:
        raise RecoveryError("no_identity", bucket=EVIDENCE)
    s3 = boto3.client(
        "s3",
        endpoint_url=f"https://{found['host']}:{objects.PORT}",
        region_name="yiwang",
        aws_access_key_id=key["accessKey"],
        aws_secret_access_key=key["secretKey"],
        verify=objects.AUTHORITY,
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=30),
    )
    s3.put_object(Bucket=EVIDENCE, Key=_name(found), Body=json.dumps(found, ensure_ascii=False).encode())


def drill(given: dict[str, Any]) -> dict[str, Any]:
    """All of it. A failure is on record too: there in English, whoever asked, since others read it."""
    found: dict[str, Any] = {
        "site": given["site"],
        "component": "storage",
        "host": given["host"],
        "time": now().isoformat(timespec="seconds"),
    }
    directory = Path(given["directory"]) / "drill"
    english: dict[str, Any] = {}
    try:
        found |= everything(given, directory) | {"ok": True}
    except Exception as error:  # noqa: BLE001 - one that crashed has failed, and that has to be on record
        found |= {"ok": False, "error": _line(error)}
        with texts.speaking(texts.DEFAULT):
            english = {"error": _line(error)}
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    kept = record(found | english)
    if not kept["kept"]:
        say("record_unkept", bucket=EVIDENCE, reason=kept["unkept"])
    return {**kept, **found}


def everything(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Databases, then objects, in a directory that is made anew."""
    databases.Scratch(given, directory / "postgresql", databases.DRILL_NAME).remove()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o711)
    found = databases_drill(given, directory)
    say("fetching")
    (directory / "objects").mkdir(mode=0o700)
    found["objects"] = objects.check(given, directory / "objects")
    saved = objects.last()
    found["objects_rpo_seconds"] = round((now() - datetime.fromisoformat(saved["time"])).total_seconds(), 1) if saved else None
    return found
