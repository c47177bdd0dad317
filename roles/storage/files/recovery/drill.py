"""The drill: the newest backups are restored beside the live data and checked; what would be lost, and how long it takes, is measured."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recovery import databases, objects
from recovery.common import IDENTITIES, RECORDS, SOCKET, RecoveryError, connect, now, run, say, write

LATEST = RECORDS / "drill.json"
EVIDENCE = "evidence"
MARGIN_SECONDS = 10


def mark(drill: str, seconds: float) -> datetime:
    """Write a row a second for as long as the log may wait before it is sent; the time of the last one: then the disaster strikes."""
    say(f"writing marks for {seconds:.0f} s")
    last: datetime = now()
    with connect() as connection:
        connection.execute(databases.MARKERS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            row = connection.execute("insert into yiwang.marker (drill) values (%s) returning written", (drill,)).fetchone()
            last = row[0] if row else last
            time.sleep(1)
    return last


def newest(drill: str) -> datetime:
    """The last mark that came back."""
    with connect(socket=databases.SCRATCH_SOCKET) as connection:
        row = connection.execute("select max(written) from yiwang.marker where drill = %s", (drill,)).fetchone()
    if row is None or row[0] is None:
        raise RecoveryError("none of the marks that were written before came back")
    found: datetime = row[0]
    return found


def compare(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], restored: dict[str, dict[str, int]]) -> None:
    """Every table that was there before and after is there, and none is empty that never was. Raises RecoveryError."""
    for database, tables in before.items():
        if database not in restored:
            raise RecoveryError(f"the database {database} did not come back")
        for table, rows in tables.items():
            now_there = after.get(database, {}).get(table)
            if now_there is None:
                continue
            if table not in restored[database]:
                raise RecoveryError(f"the table {table} of {database} did not come back")
            if rows and now_there and not restored[database][table]:
                raise RecoveryError(f"the table {table} of {database} came back empty, it had {rows} rows")


def databases_drill(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Restore, start, check, take away; what was measured."""
    drill = str(uuid.uuid4())
    options = databases.target(databases.LATEST)
    before = databases.tables(SOCKET)
    struck = mark(drill, given["seconds"] + MARGIN_SECONDS)
    started = time.monotonic()
    scratch = databases.Scratch(given, directory / "postgresql")
    try:
        say("restoring the databases")
        databases.restore(scratch.data, options)
        scratch.start()
        rto = time.monotonic() - started
        rpo = (struck - newest(drill)).total_seconds()
        say("checking what came back")
        restored = databases.tables(databases.SCRATCH_SOCKET)
        compare(before, databases.tables(SOCKET), restored)
        scratch.stop()
        run(f"{given['bin']}/pg_checksums", "--check", "-D", str(scratch.data), user="postgres")
    finally:
        scratch.remove()
    return {
        "backup": databases.backups()[-1]["backup"],
        "rpo_seconds": round(rpo, 1),
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
        raise RecoveryError(f"the record of the drill was not put into the bucket {EVIDENCE}: {error}") from None


def drill(given: dict[str, Any]) -> dict[str, Any]:
    """All of it. A failure is on record too."""
    found: dict[str, Any] = {
        "site": given["site"],
        "component": "storage",
        "host": given["host"],
        "time": now().isoformat(timespec="seconds"),
    }
    directory = Path(given["directory"]) / "drill"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o711)
    try:
        found |= databases_drill(given, directory)
        say("fetching objects")
        found["objects"] = objects.check(given, directory)
        found["objects_rpo_seconds"] = round((now() - objects.last_time()).total_seconds(), 1)
        found["ok"] = True
    except RecoveryError as error:
        found |= {"ok": False, "error": str(error)}
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    record(found)
    return found
