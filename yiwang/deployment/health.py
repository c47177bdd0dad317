"""The state of each site and component: desired against recorded, the hosts' health, certificate days left."""

from __future__ import annotations

import asyncio
import datetime
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yiwang import engine
from yiwang.deployment.changes import ROLE, UNCHANGED
from yiwang.inventory.model import Province
from yiwang.messages import of, t
from yiwang.ssh import Access, Completed

CERTIFICATE = "yiwang:index:Certificate"
TIMEOUT_SECONDS = 10.0
_THEN = "--"


@dataclass
class HostHealth:
    """One host under one component.

    ``health``: ``ok``, ``failed``, ``alarm`` (it works, and will not for long), a problem of SSH (``unreachable``, ``denied``,
    ``key_unknown``, ``key_changed``), or ``unknown`` (not visited). ``detail``: what a person has to know about it, in one line.
    ``program``: what on the host tells of alarms, from the role's fact ``health``; empty where nothing does. ``notes``: what it tells
    besides.
    """

    host: str
    applied: bool
    health: str = "unknown"
    detail: str = ""
    units: list[str] = field(default_factory=list)
    failed_units: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    program: str = ""
    alarms: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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


@dataclass
class SiteStatus:
    """One site. ``error``: why its program could not be compared with what is recorded, or nothing."""

    site: str
    components: list[ComponentStatus]
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is something deployed, and all of it is as it should be."""
        return not self.error and bool(self.components) and all(component.ok for component in self.components)


def components(
    site: str, resources: Iterable[engine.state.Recorded], preview: engine.Result | None, now: datetime.datetime
) -> list[ComponentStatus]:
    """The components of one site among its recorded ``resources``; hosts are not visited.

    They are compared with a preview of its program, where there is one.
    """
    resources = list(resources)
    steps = preview.steps if preview is not None else ()
    changing = {step.urn for step in steps if step.op not in UNCHANGED}
    days = _certificate_days(resources, now)
    found = []
    for resource in resources:
        if resource.type != ROLE:
            continue
        results: Mapping[str, Any] = resource.outputs.get("results") or {}
        desired = "changes" if resource.urn in changing or preview is None or not preview.ok else "applied"
        hosts = [_host(name, results.get(name) or {}) for name in resource.inputs.get("hosts") or {}]
        found.append(ComponentStatus(site, resource.inputs["role"], desired, resource.modified, hosts, days))
    recorded = {status.component for status in found}
    planned = [step for step in steps if step.type == ROLE and step.op == "create"]
    found += [ComponentStatus(site, step.name, "absent", None, [], None) for step in planned if step.name not in recorded]
    return found


def _host(name: str, result: Mapping[str, Any]) -> HostHealth:
    facts = result.get("facts") or {}
    units, program = facts.get("units") or [], str(facts.get("health") or "")
    skipped = [{key: of(value) for key, value in part.items()} for part in result.get("skipped") or ()]
    return HostHealth(name, applied=bool(result.get("applied")), units=list(units), skipped=skipped, program=program)


def _certificate_days(resources: Iterable[Any], now: datetime.datetime) -> int | None:
    ends = [resource.outputs.get("notAfter") for resource in resources if resource.type == CERTIFICATE]
    days = [(datetime.datetime.fromisoformat(end) - now).days for end in ends if end]
    return min(days, default=None)


async def visit(province: Province, run_dir: Path, statuses: Iterable[ComponentStatus]) -> None:
    """Ask every host, all at once, whether the units of its components run, and what raises an alarm; fills in ``health``."""
    access = Access(province, run_dir)

    async def ask(health: HostHealth) -> None:
        if health.host in province.hosts:
            command = f"systemctl is-active {shlex.join(health.units)}" if health.units else "true"
            if health.program:
                command = f"{command}; code=$?; echo {_THEN}; sudo -n {shlex.quote(health.program)}; exit $code"
            judge(health, await access.run(health.host, command, timeout=TIMEOUT_SECONDS), access)

    await asyncio.gather(*(ask(health) for status in statuses for health in status.hosts))


def judge(health: HostHealth, done: Completed, access: Access) -> None:
    """Fill in what a host's answer says: a line a unit by ``systemctl is-active``, and behind two dashes the alarms as JSON.

    Nothing is well that said nothing.
    """
    if done.problem is not None:
        health.health = done.problem.value
        health.detail = access.explain(health.host, done).report()
        return
    states, _, told = done.out.partition(f"{_THEN}\n") if health.program else (done.out, "", "")
    lines = states.split()
    if len(lines) != len(health.units) or (not health.units and done.code):
        said = done.err.strip().splitlines()
        reason = said[-1] if said else t("deployment.exit_code", code=done.code)
        health.failed_units = health.units[len(lines) :]
        health.detail = t("deployment.no_answer", host=health.host, units=", ".join(health.failed_units) or "-", reason=reason)
    health.failed_units = [unit for unit, line in zip(health.units, lines, strict=False) if line != "active"] + health.failed_units
    health.alarms, health.notes = _told(health, told, done) if health.program else ([], [])
    if not (health.applied or health.units or health.program or health.detail):
        # The role is not there: that its host answers says nothing of it.
        return
    health.health = "failed" if health.failed_units or health.detail else "alarm" if health.alarms else "ok"
    health.detail = health.detail or "; ".join(f"{health.host}: {alarm}" for alarm in health.alarms)


def _told(health: HostHealth, told: str, done: Completed) -> tuple[list[str], list[str]]:
    """Alarms and notes of the host's program, in the user's language; that it told nothing is an alarm too."""
    try:
        found = [(of(each), bool(each.get("note"))) for each in json.loads(told)]
    except (ValueError, TypeError, AttributeError, KeyError):
        said = [*done.err.strip().splitlines(), t("deployment.exit_code", code=done.code)]
        return [t("deployment.no_alarms", host=health.host, program=health.program, reason=said[0])], []
    return [text for text, note in found if not note], [text for text, note in found if note]
