"""Preflight: tries everything that can fail later, on this machine and on all hosts at once, and changes nothing.

What it has to make in the databases and buckets that a site brings along, it removes again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.inventory.model import Host, Province, Site
from yiwang.messages import t
from yiwang.preflight import external, machine, needs, probe
from yiwang.preflight.checks import judge
from yiwang.preflight.model import Finding, Seen
from yiwang.ssh import Access


async def run(
    province: Province,
    hosts: Iterable[tuple[Site, Host]],
    run_dir: Path,
    done: Callable[[Host], None] = lambda _host: None,
    engine_name: str = EMBEDDED,
    sites: Iterable[Site] = (),
) -> list[Finding]:
    """All findings: about this machine first, what ``sites`` bring along, then host by host in the order given.

    ``done`` is called as hosts finish.
    """
    brought = asyncio.ensure_future(external.check(sites))
    found = await asyncio.to_thread(machine.before, province, engine_name)
    if not machine.ready(found):
        return [
            *found,
            *await brought,
            *(Finding(site.name, host.name, "reachable", "skip", t("preflight.no_hosts")) for site, host in hosts),
        ]
    access = Access(province, run_dir)

    async def one(site: Site, host: Host) -> Seen:
        seen = await probe.look(access, site.name, host.name, needs.of(province, site, host))
        done(host)
        return seen

    seen = await asyncio.gather(*(one(site, host) for site, host in hosts))
    return [*found, *await brought, *await machine.after(seen), *(finding for each in seen for finding in judge(each))]


__all__ = ["Finding", "run"]
