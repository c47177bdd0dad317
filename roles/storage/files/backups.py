#!/usr/bin/python3 -I
"""Prints what this host has on record of its backups and drills, as metrics. What was never done has none.

Who collects the metrics asks for it (/etc/yiwang/storage/metrics.yml). Of several members the one that led has the record: the greatest
number of all of them is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

RECORDS = Path("/var/lib/yiwang/recovery")
Metric = tuple[str, str, float]


def record(name: str) -> dict[str, Any]:
    """What the program of the backups has written down; nothing where it has not."""
    try:
        return dict(json.loads((RECORDS / name).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def at(found: dict[str, Any]) -> float:
    """Its time, as Prometheus counts."""
    return datetime.fromisoformat(found["time"]).timestamp()


def metrics() -> Iterator[Metric]:
    """Name, meaning and value of each."""
    yield "yiwang_backups_wanted", "This host knows where its backups go.", 1
    databases, objects, drill = (record(name) for name in ("databases.json", "objects.json", "drill.json"))
    if databases:
        yield "yiwang_backup_databases_timestamp_seconds", "When the newest backup of the databases ended.", at(databases)
        yield "yiwang_backup_databases_bytes", "What the newest backup of the databases holds.", databases["bytes"]
    if objects:
        yield "yiwang_backup_objects_timestamp_seconds", "When the newest backup of the objects began.", at(objects)
        yield "yiwang_backup_objects_lost_buckets", "Buckets most of whose objects are gone.", len(objects["lost"])
    if drill:
        yield "yiwang_drill_timestamp_seconds", "When the last restore was drilled.", at(drill)
        yield "yiwang_drill_success", "Whether it succeeded.", int(drill["ok"])
    if drill and drill["ok"]:
        yield "yiwang_drill_rpo_seconds", "The data that a disaster would have cost.", drill["rpo_seconds"]
        yield "yiwang_drill_rto_seconds", "The time until the databases took writes again.", drill["rto_seconds"]


if __name__ == "__main__":
    for name, meaning, value in metrics():
        print(f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value}")
