"""What the inventory says of the data that storage is to hold on a host, and of what the host has to have for it."""

from __future__ import annotations

import functools
import runpy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from yiwang import paths
from yiwang.inventory import backups, drawer, rolevars
from yiwang.inventory.backups import NOUN
from yiwang.inventory.model import Host, Province, Site
from yiwang.preflight.formula import Expected
from yiwang.preflight.model import Storage

DATA_GROUP = "data"
_UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_FIELDS = {
    "databases_change": "storage_expected_databases_change",
    "objects_change": "storage_expected_objects_change",
    "version_days": "storage_version_days",
    "backup_days": "storage_backup_days",
    "full_days": "storage_backup_full_days",
    "log_seconds": "storage_backup_seconds",
}


def of(province: Province, site: Site, host: Host, needs: Iterable[drawer.Need]) -> Storage:
    """For a host that carries the component; ``needs`` are those of it that hold for the host."""
    needs, variable = tuple(needs), str(drawer.drawers()[NOUN].directory)
    data = DATA_GROUP in host.groups
    sites = (_site(site),) if data else tuple(_site(each) for each in _backed_up(province, site))
    disk: dict[str, int] = {}
    for need in needs:
        for place, amount in need.disk.items():
            disk[place] = disk.get(place, 0) + amount
    default = PurePosixPath(rolevars.options()[variable]["default"])
    # What the component asks for where its data lies by default is the data's; the rest is its programs'.
    base = max((place for place in disk if default.is_relative_to(place)), key=len)
    return Storage(
        data=data,
        directory=str(_variable(host, variable)),
        base=disk.pop(base),
        programs=disk,
        free_percent=_variable(host, "storage_alarm_free_percent"),
        wal_times=_variable(host, "storage_alarm_wal_times"),
        memory=_size(_variable(host, "storage_memory")),
        connections=_variable(host, "storage_connections"),
        hosts=len(site.group(DATA_GROUP)) if data else 1,
        own_memory=sum(need.memory for need in needs),
        store_memory=sum(need.memory for need in needs if not need.groups),
        sites=sites,
    )


def settings(memory: int, connections: int) -> Mapping[str, int]:
    """The sizes among PostgreSQL's settings, in bytes, by the role's own formula. How many cores there are changes none of them."""
    found = _formula()(memory, 1, connections)
    return {name: int(value.removesuffix("MB")) << 20 for name, value in found.items() if isinstance(value, str)}


@functools.cache
def _formula() -> Callable[[int, int, int], dict[str, Any]]:
    file: Path = paths.data("roles") / NOUN / "filter_plugins" / "yiwang_postgresql.py"
    function: Callable[[int, int, int], dict[str, Any]] = runpy.run_path(str(file))["settings"]
    return function


def _backed_up(province: Province, owner: Site) -> Iterable[Site]:
    """The sites whose backups go to ``owner``."""
    for site in province.sites.values():
        parent = province.sites.get(site.parent) if site.parent is not None else None
        if site.placement.get(NOUN) == "servers" and site.group(DATA_GROUP) and backups.backup_owner(site, parent) is owner:
            yield site


def _site(site: Site) -> Expected:
    """Of hosts that say different things the most counts: each of them holds everything."""
    hosts = site.group(DATA_GROUP)
    sizes = {kind: max(_size(_variable(host, f"storage_expected_{kind}")) for host in hosts) for kind in ("databases", "objects")}
    numbers = {field: max(_variable(host, name) for host in hosts) for field, name in _FIELDS.items()}
    return Expected(site.name, **sizes, **numbers)


def _variable(host: Host, name: str) -> Any:
    return host.variables.get(name, rolevars.options()[name].get("default"))


def _size(value: str) -> int:
    return int(value[:-1]) * _UNITS[value[-1]] if value else 0
