"""The state of each site and component: desired against recorded, the hosts' health, certificate days left."""

from __future__ import annotations

import asyncio
import datetime
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yiwang import engine
from yiwang.deployment.changes import UNCHANGED
from yiwang.inventory.model import Province
from yiwang.ssh import Access

ROLE = "yiwang:index:Role"
CERTIFICATE = "yiwang:index:Certificate"
TIMEOUT_SECONDS = 10.0
SSH_FAILED = 255  # ssh's own exit code when the connection failed


@dataclass
class HostHealth:
    """One host under one component: ``health`` is ``ok``, ``failed``, ``unreachable`` or ``unknown`` (not visited or never applied)."""

    host: str
    applied: bool
    health: str = "unknown"
    units: list[str] = field(default_factory=list)
    failed_units: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


@dataclass
class ComponentStatus:
    """One component of one site. ``desired``: ``applied``, ``changes`` or ``absent``; ``last_applied`` is a time in UTC."""

    site: str
    component: str
    desired: str
    last_applied: str | None
    hosts: list[HostHealth]
    certificate_days: int | None

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do and every visited host is well."""
        return self.desired == "applied" and all(host.health in ("ok", "unknown") and host.applied for host in self.hosts)


def components(site: str, stack: engine.Stack, preview: engine.Result, now: datetime.datetime) -> list[ComponentStatus]:
    """The recorded components of one site, compared with a preview of its program; hosts are not visited."""
    resources = engine.state.resources(stack)
    changing = {step.urn for step in preview.steps if step.op not in UNCHANGED}
    days = _certificate_days(resources, now)
    found = []
    for resource in resources:
        if resource.type != ROLE:
            continue
        results: Mapping[str, Any] = resource.outputs.get("results") or {}
        desired = "changes" if resource.urn in changing or not preview.ok else "applied"
        hosts = [_host(name, results.get(name) or {}) for name in resource.inputs.get("hosts") or {}]
        found.append(ComponentStatus(site, resource.inputs["role"], desired, resource.modified, hosts, days))
    recorded = {status.component for status in found}
    planned = [step for step in preview.steps if step.type == ROLE and step.op == "create"]
    found += [ComponentStatus(site, step.name, "absent", None, [], None) for step in planned if step.name not in recorded]
    return found


def _host(name: str, result: Mapping[str, Any]) -> HostHealth:
    units = (result.get("facts") or {}).get("units") or []
    return HostHealth(name, applied=bool(result.get("applied")), units=list(units), skipped=list(result.get("skipped") or []))


def _certificate_days(resources: Iterable[Any], now: datetime.datetime) -> int | None:
    ends = [resource.outputs.get("notAfter") for resource in resources if resource.type == CERTIFICATE]
    days = [(datetime.datetime.fromisoformat(end) - now).days for end in ends if end]
    return min(days, default=None)


async def visit(province: Province, run_dir: Path, statuses: Iterable[ComponentStatus]) -> None:
    """Ask every host, all at once, whether the units of its components run; fills in ``health``."""
    access = Access(province, run_dir)

    async def ask(health: HostHealth) -> None:
        if health.host not in province.hosts:
            return
        done = await access.run(
            health.host, f"systemctl is-active {shlex.join(health.units)}" if health.units else "true", timeout=TIMEOUT_SECONDS
        )
        if done.code == SSH_FAILED:
            health.health = "unreachable"
            return
        health.failed_units = [unit for unit, line in zip(health.units, done.out.split(), strict=False) if line != "active"]
        health.health = "failed" if health.failed_units else "ok"

    await asyncio.gather(*(ask(health) for status in statuses for health in status.hosts))
