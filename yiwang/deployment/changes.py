"""What a run will change or has changed: one record for the text, the JSON and the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.deployment.events import Event
from yiwang.messages import t

# Steps that leave everything as it is.
UNCHANGED = ("same", "read", "refresh")


def operation(op: str) -> str:
    """A step's operation in the language in use."""
    return t(f"deployment.op_{op.replace('-', '_')}")


@dataclass
class HostChanges:
    """One host's part: tasks that change something, files with their difference, and what a first run would do."""

    tasks: list[str] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    would_run: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)


@dataclass
class SiteChanges:
    """One site's part. ``counts``: changes by operation; ``resources``: each that changes; ``error``: why it failed, or nothing."""

    site: str
    counts: dict[str, int]
    resources: list[dict[str, Any]]
    hosts: dict[str, HostChanges]
    error: str = ""
    in_flight: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return bool(self.resources)


def collect(results: Mapping[str, Any], events: Iterable[Event]) -> list[SiteChanges]:
    """The record of each site, from the engine's results and the provider's events.

    Steps and hosts run side by side, so they arrive in any order; the record is sorted, and two plans of the same are equal.
    """
    sites = [_site(name, result) for name, result in results.items()]
    by_name = {site.site: site for site in sites}
    for event in events:
        site = by_name.get(event["site"])
        if site is not None:
            _add(site, event)
    for site in sites:
        site.resources.sort(key=lambda resource: (resource["type"], resource["name"], resource["operation"]))
        site.hosts = dict(sorted(site.hosts.items()))
        site.counts = dict(sorted(site.counts.items()))
    return sites


def _site(name: str, result: Any) -> SiteChanges:
    steps = [step for step in result.steps if step.op not in UNCHANGED]
    resources = [
        {"operation": step.op, "type": step.type, "name": step.name, "differences": sorted(step.diffs)}
        for step in steps
        if not step.type.startswith("pulumi:providers:")
    ]
    errors = [diagnostic.message for diagnostic in result.diagnostics if diagnostic.severity == "error"]
    counts = {op: number for op, number in result.changes.items() if op not in UNCHANGED and number}
    return SiteChanges(name, counts, resources, {}, "" if result.ok else _first(errors), list(result.in_flight))


def _first(errors: list[str]) -> str:
    return errors[0].strip() if errors else t("deployment.failed")


def _add(site: SiteChanges, event: Event) -> None:
    kind = event["event"]
    if kind == "file_diff":
        _host(site, event["host"]).files.append({"path": event["path"], "task": event["task"], "diff": event["diff"]})
    elif kind == "host_result" and event["status"] == "changed":
        _host(site, event["host"]).tasks.append(event["task"])
    elif kind == "would_run":
        for host in event["hosts"]:
            _host(site, host).would_run.extend(event["tasks"])


def _host(site: SiteChanges, name: str) -> HostChanges:
    return site.hosts.setdefault(name, HostChanges())


def headline(sites: list[SiteChanges], *, planned: bool) -> str:
    """One line: how many sites change and by which operations."""
    totals: dict[str, int] = {}
    for site in sites:
        for op, number in site.counts.items():
            totals[op] = totals.get(op, 0) + number
    if not any(site.changes for site in sites):
        return t("deployment.no_changes", sites=len(sites))
    parts = ", ".join(f"{operation(op)} {number}" for op, number in sorted(totals.items()))
    changing = sum(site.changes for site in sites)
    return t("deployment.planned" if planned else "deployment.done", changes=parts, changing=changing, sites=len(sites))


def describe(sites: list[SiteChanges], *, planned: bool) -> str:
    """The summary for a person: per site the resources, per host the tasks and files, then the headline."""
    lines: list[str] = []
    for site in sites:
        if site.changes or site.error:
            lines += [f"{site.site}", *_site_lines(site), ""]
    return "\n".join([*lines, headline(sites, planned=planned)])


def _site_lines(site: SiteChanges) -> list[str]:
    lines = []
    for resource in site.resources:
        short = resource["type"].rpartition(":")[2]
        differences = f" ({', '.join(resource['differences'])})" if resource["differences"] else ""
        lines.append(f"  {operation(resource['operation'])} {short} {resource['name']}{differences}")
    for name, host in sorted(site.hosts.items()):
        lines += _host_lines(name, host)
    if site.error:
        lines += [f"  {t('core.error')}: {line}" for line in site.error.splitlines()]
    return lines


def _host_lines(name: str, host: HostChanges) -> list[str]:
    lines = []
    if host.would_run:
        lines.append("  " + t("deployment.would_run", host=name, tasks=len(host.would_run)))
        lines += [f"    - {task['task']}" + (f"  {task['file']}" if task.get("file") else "") for task in host.would_run]
    if host.tasks:
        lines.append("  " + t("deployment.host_changes", host=name, tasks=len(host.tasks)))
        lines += [f"    - {task}" for task in host.tasks]
    for file in host.files:
        lines += [f"  {name}: {file['path']}", *(f"    {line}" for line in file["diff"].splitlines())]
    return lines
