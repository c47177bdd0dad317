"""Looks at the host and prints one JSON object; changes nothing. Arguments: directory of the data, packages to look for."""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import glob
import hashlib
import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

UNITS = (
    "yiwang-etcd.service",
    "yiwang-patroni.service",
    "yiwang-objects.service",
    "yiwang-objects-care.timer",
    "yiwang-backup.timer",
    "yiwang-backup-objects.timer",
    "yiwang-drill.timer",
    "yiwang-metrics-postgresql.service",
    "yiwang-metrics.service",
)
ACCOUNTS = ("yiwang-objects", "yiwang-metrics")
# What reads files only when it is told to, and the handler that tells it: see reread.sh of the role base.
READS = {
    # Its certificate it reads for each connection, the authority's only when it starts.
    "yiwang-etcd": ("/etc/yiwang/storage/etcd.env", "/etc/systemd/system/yiwang-etcd.service", "/usr/bin/etcd", "/etc/yiwang/tls/ca.crt"),
    "yiwang-patroni": (
        "/etc/systemd/system/yiwang-patroni.service",
        "/opt/yiwang/storage",
        "/usr/local/lib/yiwang/storage/etcd",
        "/usr/lib/postgresql/*/bin/postgres",
        "/usr/lib/postgresql/*/lib/pgaudit.so",
    ),
    "yiwang-patroni-settings": (
        "/etc/yiwang/storage/patroni.yml",
        "/etc/yiwang/storage/pg_hba.conf",
        "/etc/yiwang/storage/pg_ident.conf",
        "/etc/yiwang/tls/host.crt",
        "/etc/yiwang/tls/host.key",
        "/etc/yiwang/tls/ca.crt",
    ),
    "yiwang-objects": (
        "/etc/systemd/system/yiwang-objects.service",
        "/usr/local/lib/yiwang/storage/objects-settings",
        "/etc/yiwang/storage/objects/*.toml",
        "/opt/yiwang/storage",
        "/etc/yiwang/tls/ca.crt",
    ),
    "yiwang-objects-identities": (
        "/etc/yiwang/storage/objects/identities.json",
        "/etc/yiwang/tls/host.crt",
        "/etc/yiwang/tls/host.key",
    ),
    "yiwang-metrics": (
        "/etc/systemd/system/yiwang-metrics.service",
        "/etc/yiwang/storage/metrics.yml",
        "/usr/bin/prometheus-exporter-exporter",
        "/etc/yiwang/tls/host.crt",
        "/etc/yiwang/tls/host.key",
        "/etc/yiwang/tls/ca.crt",
    ),
    "yiwang-metrics-postgresql": (
        "/etc/systemd/system/yiwang-metrics-postgresql.service",
        "/usr/bin/prometheus-postgres-exporter",
    ),
}
HANDLERS = {
    "yiwang-etcd": "Restart yiwang-etcd",
    "yiwang-patroni": "Restart yiwang-patroni",
    "yiwang-patroni-settings": "Reload yiwang-patroni",
    "yiwang-objects": "Restart yiwang-objects",
    "yiwang-objects-identities": "Reload yiwang-objects",
    "yiwang-metrics": "Restart yiwang-metrics",
    "yiwang-metrics-postgresql": "Restart yiwang-metrics-postgresql",
}
RECORDS = Path("/var/lib/yiwang/read")
PATRONI = "/etc/yiwang/storage/patroni.yml"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
# As the cluster's keeper, on the socket. The row of the database is read as JSON: its columns have other names in other versions.
QUERY = """
select json_build_object(
  'version', current_setting('server_version'), 'checksums', current_setting('data_checksums'), 'ssl', current_setting('ssl'),
  'libraries', current_setting('shared_preload_libraries'), 'replica', pg_is_in_recovery(),
  'receiver', (select status from pg_stat_wal_receiver), 'rules_wrong', (select count(*) from pg_hba_file_rules where error is not null),
  'encoding', pg_encoding_to_char(d.encoding), 'provider', case d.datlocprovider when 'i' then 'icu' else d.datlocprovider::text end,
  'locale', coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale', d.datcollate))
from pg_database d where d.datname = 'template1'
"""


def run(*command: str, text: str | None = None) -> str:
    """Output of a command, whatever its exit code; nothing when it is missing or hangs."""
    try:
        return subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=20, check=False, env=ENVIRONMENT).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def read(path: str | Path) -> str:
    """Text of a file, or nothing."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def pairs(text: str, separator: str) -> dict[str, str]:
    """Lines of keys and values."""
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


def packages(names: list[str]) -> dict[str, str]:
    """Installed ones of the packages, with their versions."""
    lines = run("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\t${Version}\n", *names).splitlines()
    return {name: version for name, status, version in (line.split("\t") for line in lines) if status == "installed"}


def units() -> dict[str, dict[str, str]]:
    """State of those units that are there."""
    text = run("systemctl", "show", "--property=Id,ActiveState,UnitFileState,LoadState", *UNITS)
    found = (pairs(block, "=") for block in text.split("\n\n"))
    return {unit["Id"]: unit for unit in found if unit.get("LoadState") == "loaded"}


def unread(name: str) -> bool:
    """Whether the files that something reads are not the ones on record as read by it."""
    found = (path for pattern in READS[name] for path in (sorted(glob.glob(pattern)) if "*" in pattern else [pattern]))  # noqa: PTH207 - strings
    states = ((path, Path(path).lstat()) for path in found if os.path.lexists(path))
    seen = "".join(f"{path} {each.st_ino} {each.st_ctime_ns // 10**9}.{each.st_ctime_ns % 10**9:09}\n" for path, each in states)
    return seen != read(RECORDS / name)


def accounts() -> list[str]:
    """Those of the role's own accounts that are there."""
    known = {each.pw_name for each in pwd.getpwall()}
    return [name for name in ACCOUNTS if name in known]


def key(path: Path) -> str:
    """What tells one key from another, and nothing of it."""
    text = read(path)
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def clusters(directory: Path) -> dict[str, Any]:
    """What lies in the directory of the data: ``versions`` of clusters, and ``foreign``, those that this kit has not made."""
    found = sorted(directory.glob("postgresql-*")) if directory.is_dir() else []
    filled = [path for path in found if path.is_dir() and any(path.iterdir())]
    return {
        "versions": [int(path.name.rpartition("-")[2]) for path in filled if path.name.rpartition("-")[2].isdigit()],
        "foreign": [str(path) for path in filled if not path.with_name(f"{path.name}.mark").exists()],
    }


def query() -> dict[str, Any]:
    """What the running PostgreSQL says of itself; nothing where none answers."""
    said = run("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", "postgres", text=QUERY)
    return dict(json.loads(said)) if said.startswith("{") else {}


def members() -> list[str]:
    """The hosts of the cluster to which this one belongs, as the last run has written them; nothing where none has."""
    found = re.search(r"^etcd3:.*?^  hosts: (\[.*?\])$", read(PATRONI), re.MULTILINE | re.DOTALL)
    return [place.rpartition(":")[0] for place in json.loads(found[1])] if found else []


def memory() -> int:
    """Bytes of memory."""
    return int(pairs(read("/proc/meminfo"), ":")["MemTotal"].split()[0]) * 1024


def main() -> None:
    """Print what there is to see."""
    directory = Path(sys.argv[1])
    states = units()
    seen = {
        "packages": packages(sys.argv[2:]),
        "packages_owed": bool(run("dpkg", "--audit")) or any(Path("/var/lib/dpkg/updates").glob("[0-9]*")),
        "memory": memory(),
        "cores": len(os.sched_getaffinity(0)),
        "units": list(states),
        "running": [name for name, unit in states.items() if (unit.get("ActiveState"), unit.get("UnitFileState")) == ("active", "enabled")],
        "started": [name for name in READS if (RECORDS / name).exists()],
        "stale": [HANDLERS[name] for name in READS if unread(name)],
        "accounts": accounts(),
        "backup_key": key(directory / "keys" / "pgbackrest" / "passphrase.conf"),
        "objects_key": key(directory / "keys" / "objects.toml"),
        "members": members(),
        "restoring": read(directory / "restore" / "quiet").strip(),
        "joined": (directory / "etcd" / "member").is_dir(),
        "first": read(directory / "etcd.first"),
        **clusters(directory),
        "sql": query(),
    }
    print(json.dumps(seen, sort_keys=True))


if __name__ == "__main__":
    main()
