#!/usr/bin/python3 -I
"""Prints what this host has on record of its backups and drills, as metrics. What was never done has none.

Who collects the metrics asks for it (/etc/yiwang/storage/metrics.yml). Objects and drills are on record in the databases too, where every
member finds them: the newest counts. Of the databases' backups the member that led has the record: the greatest number is right.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

RECORDS = Path("/var/lib/yiwang/recovery")
QUERY = "select coalesce(json_agg(record), '[]') from (select distinct on (name) name, json_build_array(name, record) as record"
QUERY += " from yiwang.record order by name, time desc) newest"
Metric = tuple[str, str, float]


def record(name: str) -> dict[str, Any]:
    """What the program of the backups has written down; nothing where it has not."""
    try:
        return dict(json.loads((RECORDS / name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def shared() -> dict[str, dict[str, Any]]:
    """The newest records in the databases, by name; nothing where they do not answer, or have none."""
    command = ["/usr/bin/psql", "-XAtq", "-h", "/run/postgresql", "-U", "yiwang_metrics", "-d", "postgres", "-c", QUERY]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, check=True, cwd="/", env={"PGCONNECT_TIMEOUT": "3"})
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def newer(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Which of two records is."""
    return max(one, other, key=lambda each: at(each) if each else 0)


def at(found: dict[str, Any]) -> float:
    """Its time, as Prometheus counts."""
    return datetime.fromisoformat(found["time"]).timestamp()


def metrics() -> Iterator[Metric]:
    """Name, meaning and value of each."""
    yield "yiwang_backups_wanted", "This host knows where its backups go.", 1
    members = shared()
    databases = record("databases.json")
    objects, drill = (newer(record(f"{name}.json"), members.get(name, {})) for name in ("objects", "drill"))
    if databases:
        yield "yiwang_backup_databases_timestamp_seconds", "When the newest backup of the databases ended.", at(databases)
        yield "yiwang_backup_databases_bytes", "What the newest backup of the databases holds.", databases["bytes"]
    if objects:
        yield "yiwang_backup_objects_timestamp_seconds", "When the newest backup of the objects began.", at(objects)
        yield "yiwang_backup_objects_lost_buckets", "Buckets most of whose objects are gone.", len(objects["lost"])
    if drill:
        yield "yiwang_drill_timestamp_seconds", "When the last restore was drilled.", at(drill)
        yield "yiwang_drill_success", "Whether it succeeded.", int(drill["ok"])
        yield "yiwang_drill_kept", "Whether its record is where nobody can change it.", int(drill.get("kept", True))
    if drill and drill["ok"]:
        yield "yiwang_drill_rpo_seconds", "The data that a disaster would have cost.", drill["rpo_seconds"]
        yield "yiwang_drill_rto_seconds", "The time until the databases took writes again.", drill["rto_seconds"]


if __name__ == "__main__":
    for name, meaning, value in metrics():
        print(f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value}")
