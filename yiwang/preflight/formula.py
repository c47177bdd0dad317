"""What storage needs of a host for the data that a province expects: disk and memory, as terms with the numbers filled in. Pure.

Each factor is a constant here, with where it comes from; the table in ``roles/storage/README.md`` holds the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from yiwang.inventory.backups import DATABASES_KEPT_DAYS, OBJECTS_KEPT_DAYS

COPY_BESIDE = 1.2
"""A drill, `restore --into scratch` and a restore in place ask for so much room beside: ROOM of files/recovery/databases.py."""
COPIES = 2
"""Of each object where there are several hosts: -master.defaultReplication=001 in yiwang-objects.service; alone, one."""
GARBAGE = 0.15
"""SeaweedFS clears a volume when 30 % of it is deleted (-master.garbageThreshold, default 0.3): on average half of that. Our assumption."""
COMPRESSION = 0.5
"""Of pgBackRest, zst; what is sealed in columns does not compress. Our assumption: text alone takes about 0.3."""
SPREAD = 5
"""An incremental backup copies files of up to 1 GiB whole, of which a part has changed. Our assumption; never more than everything."""
LOG = 3
"""The log holds each change, and after a checkpoint the page around it (full_page_writes). Our assumption."""
EARLY = 32 << 10
"""A segment of the log that is sent early, its empty rest compressed (archive_timeout). Our assumption."""
CONNECTION = 4 << 20
"""What a process of PostgreSQL takes for itself, besides work_mem. Our assumption."""
MAINTENANCE = 2
"""Maintenance that takes all of maintenance_work_mem at once: one autovacuum, one index. Our assumption."""
ETCD = 256 << 20
"""Etcd and Patroni, whose data are a few KiB. Our assumption."""
MONTH = 30
"""Days that the expected change is given for."""
DAY_SECONDS = 86400

Name = Literal[
    "base",
    "programs",
    "other_files",
    "databases",
    "beside",
    "log",
    "objects",
    "versions",
    "garbage",
    "full_backups",
    "increments",
    "early_log",
    "other_components",
    "object_store",
    "etcd",
    "shared_buffers",
    "connections",
    "maintenance",
]


@dataclass(frozen=True)
class Term:
    """One part of a sum: its size, and how that comes about. ``site``: whose backups it is."""

    name: Name
    bytes: int
    formula: str
    site: str = ""


@dataclass(frozen=True)
class Expected:
    """What one site expects when the platform is in full use, in bytes, what changes of it in a month (percent), what is kept."""

    site: str
    databases: int = 0
    objects: int = 0
    databases_change: int = 0
    objects_change: int = 0
    version_days: int = 0
    backup_days: int = 0
    full_days: int = 1
    log_seconds: int = 1

    @property
    def given(self) -> bool:
        """Whether the province has said anything."""
        return bool(self.databases or self.objects)


def text(amount: float) -> str:
    """A size as people read it."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if amount >= size:
            return f"{f'{amount / size:.1f}'.removesuffix('.0')} {unit}"
    return f"{amount:.0f} B"


def at_least(amount: int) -> str:
    """A size as people read it, none smaller than it is: who adds so much has enough."""
    step = 1 << 30 if amount >= 10 << 30 else 1 << 20
    return text(-(-amount // step) * step)


def present(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Those that are more than nothing."""
    return tuple(term for term in terms if term.bytes)


def total(terms: Iterable[Term]) -> int:
    """All of them."""
    return sum(term.bytes for term in terms)


def needed(terms: Iterable[Term], free_percent: int) -> int:
    """How large a file system has to be so that, with all that in it, the percentage stays free (``storage_alarm_free_percent``)."""
    return -(-total(terms) * 100 // (100 - free_percent))


def plain(name: Name, amount: int) -> Term:
    """A term that is a size alone."""
    return Term(name, amount, text(amount))


def data_disk(expected: Expected, hosts: int, max_wal_size: int, wal_times: int) -> tuple[Term, ...]:
    """On each of ``hosts`` with databases and objects. The alarm is raised when the log is ``wal_times`` its size."""
    # While one of three hosts is away, the others take over its copies within an hour (yiwang-objects-care.timer).
    copies, over = (COPIES, hosts - 1) if hosts > 1 else (1, 1)
    share = f" × {copies} / {over}" if hosts > 1 else ""
    objects = round(expected.objects * copies / over)
    versions = round(_changed(expected.objects, expected.objects_change, expected.version_days) * copies / over)
    return present(
        (
            plain("databases", expected.databases),
            Term("beside", round(expected.databases * COPY_BESIDE), f"{text(expected.databases)} × {COPY_BESIDE}"),
            Term("log", max_wal_size * wal_times, f"{text(max_wal_size)} × {wal_times}"),
            Term("objects", objects, f"{text(expected.objects)}{share}"),
            Term("versions", versions, f"{_changes(expected.objects, expected.objects_change)} × {expected.version_days}{share}"),
            _garbage(objects + versions),
        )
    )


def backup_disk(sites: Iterable[Expected]) -> tuple[Term, ...]:
    """On the host that keeps the backups of ``sites``."""
    kept = [term for each in sites for term in (*_databases_backup(each), *_objects_backup(each))]
    return present((*kept, _garbage(total(kept))))


def _databases_backup(expected: Expected) -> tuple[Term, ...]:
    """A full backup goes when another one is old enough, all that follows on it as well, and what is deleted stays a few days more."""
    size, change, site = expected.databases, expected.databases_change, expected.site
    days = expected.backup_days + DATABASES_KEPT_DAYS + expected.full_days
    full = -(-days // expected.full_days)
    share = min(change / 100 / MONTH * SPREAD, 1)
    changed = f"{_changes(size, change)} × {SPREAD}" if share < 1 else text(size)
    early = DAY_SECONDS // expected.log_seconds if size else 0
    return present(
        (
            Term("full_backups", round(size * COMPRESSION * full), f"{text(size)} × {COMPRESSION} × {full}", site),
            Term("increments", round(size * share * COMPRESSION * (days - full)), f"{changed} × {COMPRESSION} × {days - full}", site),
            Term(
                "log",
                round(_changed(size, change, days) * LOG * COMPRESSION),
                f"{_changes(size, change)} × {LOG} × {COMPRESSION} × {days}",
                site,
            ),
            Term("early_log", early * EARLY * days, f"{early} × {text(EARLY)} × {days}", site),
        )
    )


def _objects_backup(expected: Expected) -> tuple[Term, ...]:
    """The objects as they are, and what was replaced or deleted since."""
    size, change, site = expected.objects, expected.objects_change, expected.site
    versions = round(_changed(size, change, OBJECTS_KEPT_DAYS))
    return present(
        (
            Term("objects", size, text(size), site),
            Term("versions", versions, f"{_changes(size, change)} × {OBJECTS_KEPT_DAYS}", site),
        )
    )


def _changed(size: int, change: int, days: int) -> float:
    return size * change / 100 / MONTH * days


def _changes(size: int, change: int) -> str:
    """Of a day."""
    return f"{text(size)} × {change} % / {MONTH}"


def _garbage(size: int) -> Term:
    return Term("garbage", round(size * GARBAGE), f"{text(size)} × {GARBAGE}")


def data_memory(settings: Mapping[str, int], connections: int) -> tuple[Term, ...]:
    """A busy hour: each connection with one ``work_mem``. ``settings`` in bytes, as the role derives them."""
    work, maintenance = settings["work_mem"], settings["maintenance_work_mem"]
    return (
        plain("etcd", ETCD),
        plain("shared_buffers", settings["shared_buffers"]),
        Term("connections", connections * (work + CONNECTION), f"{connections} × ({text(work)} + {text(CONNECTION)})"),
        Term("maintenance", MAINTENANCE * maintenance, f"{MAINTENANCE} × {text(maintenance)}"),
    )
