"""Jinja filters: settings of PostgreSQL that follow from a host's memory and cores. The formula is in the role's README."""  # noqa: INP001 - found by Ansible

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MEGABYTE = 1 << 20
_UNITS = {"M": 1 << 20, "G": 1 << 30}


def size(text: str) -> int:
    """Bytes of a size such as 512M or 16G."""
    return int(text[:-1]) * _UNITS[text[-1]]


def settings(memory: int, cores: int, connections: int) -> dict[str, Any]:
    """The settings for ``memory`` (bytes), ``cores`` and the number of connections."""
    megabytes = memory // _MEGABYTE
    shared = _between(megabytes // 4, 128, 32 << 10)
    parallel = _between(cores // 2, 1, 4)
    sizes = {
        "shared_buffers": shared,
        "effective_cache_size": max(megabytes * 3 // 4, shared),
        # A statement sorts in a few of them at once; a third of what the connections can have together is a busy hour.
        "work_mem": _between((megabytes - shared) // (3 * connections), 4, 256),
        "maintenance_work_mem": _between(megabytes // 16, 64, 2 << 10),
        "max_wal_size": _between(megabytes // 4, 1 << 10, 16 << 10),
    }
    return {name: f"{value}MB" for name, value in sizes.items()} | {
        "max_parallel_workers": _between(cores, 1, 32),
        "max_parallel_workers_per_gather": parallel,
        "max_parallel_maintenance_workers": parallel,
    }


def _between(value: int, least: int, greatest: int) -> int:
    return min(max(value, least), greatest)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"yiwang_postgresql": settings, "yiwang_bytes": size}
