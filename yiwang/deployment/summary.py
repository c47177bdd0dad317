"""The record of a run as text for a person."""

from __future__ import annotations

from yiwang.deployment.changes import HostChanges, SiteChanges, only_roles_failed, operation
from yiwang.messages import t
from yiwang.output import Console


def headline(sites: list[SiteChanges], *, planned: bool) -> str:
    """One line: which sites failed, how many change, and by which operations. Never "done" where a site failed."""
    totals: dict[str, int] = {}
    for site in sites:
        for op, number in site.counts.items():
            totals[op] = totals.get(op, 0) + number
    parts = ", ".join(f"{operation(op)} {number}" for op, number in sorted(totals.items()))
    changing = sum(site.changes for site in sites)
    failed = [site.site for site in sites if site.error]
    if any(site.stopped for site in sites) and not any(site.error and site.started and not site.stopped for site in sites):
        names = ", ".join(failed)
        if planned:
            return t("deployment.stopped_planning", names=names)
        return t("deployment.stopped", names=names, changes=parts or t("deployment.nothing"))
    if failed:
        fields = {"failed": len(failed), "sites": len(sites), "names": ", ".join(failed)}
        if planned:
            return t("deployment.not_planned", **fields)
        return t("deployment.not_done", **fields, changes=parts) if parts else t("deployment.nothing_done", **fields)
    if not changing:
        return t("deployment.no_changes", names=", ".join(site.site for site in sites))
    if not planned and set(totals) == {"update"} and not any(host.tasks or host.files for site in sites for host in site.hosts.values()):
        return t("deployment.applied_again", number=totals["update"])
    return t("deployment.planned" if planned else "deployment.done", changes=parts, changing=changing, sites=len(sites))


def describe(sites: list[SiteChanges], *, planned: bool, tasks: bool = True) -> str:
    """The whole record: per site the resources, per host the tasks and files, then the headline.

    Without ``tasks`` the lists of what first runs will do are left out: where something is asked they hide what about, and a
    preview that does not look at the hosts takes every run for a first one.
    """
    lines: list[str] = []
    for site in sites:
        if site.changes or not site.complete:
            lines += [
                f"{site.site}",
                *_resource_lines(site),
                *_host_lines(site, tasks=tasks),
                *_skipped_lines(site),
                *_error_lines(site),
                "",
            ]
    return "\n".join([*lines, headline(sites, planned=planned)])


def outcome(sites: list[SiteChanges]) -> str:
    """What is left to say at the end of a run whose plan was shown: what was skipped, what failed and why, the headline."""
    lines: list[str] = []
    for site in sites:
        found = [*_skipped_lines(site), *_error_lines(site)]
        lines += [f"{site.site}", *found, ""] if found else []
    return "\n".join([*lines, headline(sites, planned=False)])


def hint_unread(console: Console, sites: list[SiteChanges], *, refresh: bool) -> None:
    """Say that hosts whose record is as desired were not looked at, where there may be such and none was asked to be read."""
    if not refresh and any(not site.error and not site.changes for site in sites):
        console.info(t("deployment.not_read"))


def _resource_lines(site: SiteChanges) -> list[str]:
    lines = []
    for resource in site.resources:
        short = resource["type"].rpartition(":")[2]
        differences = f" ({', '.join(resource['differences'])})" if resource["differences"] else ""
        failed = f" · {t('deployment.step_failed')}" if resource["failed"] else ""
        lines.append(f"  {operation(resource['operation'])} {short} {resource['name']}{differences}{failed}")
    return lines


def _error_lines(site: SiteChanges) -> list[str]:
    """Why the site failed: by host where it is only hosts that failed, else in the engine's words."""
    if not site.error or site.stopped:
        return []
    by_host = [
        t("deployment.host_error", host=name, task=failure["task"], message=failure["message"])
        for name, host in site.hosts.items()
        for failure in host.failed
    ]
    text = "\n".join(by_host) if by_host and only_roles_failed(site) else site.error
    return [f"  {t('core.error')}: {line}" for line in text.splitlines()]


def _host_lines(site: SiteChanges, *, tasks: bool) -> list[str]:
    lines = _first_run_lines(site) if tasks else []
    return lines + [line for name, host in site.hosts.items() for line in _one_host(name, host)]


def _first_run_lines(site: SiteChanges) -> list[str]:
    """What is to run where nothing ran before: once for all hosts that get the same."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, host in site.hosts.items():
        if host.would_run:
            alike.setdefault(tuple((task["task"], task.get("file", "")) for task in host.would_run), []).append(name)
    lines = []
    for listed, hosts in alike.items():
        lines.append("  " + t("deployment.would_run", host=", ".join(hosts), tasks=len(listed)))
        lines += [f"    - {task}" + (f"  {file}" if file else "") for task, file in listed]
    return lines


def _one_host(name: str, host: HostChanges) -> list[str]:
    lines = ["  " + t("deployment.host_unread", host=name, message=message) for message in host.unread]
    lines += ["  " + t("deployment.host_left", host=name, message=message) for message in host.gone]
    if host.tasks:
        lines.append("  " + t("deployment.host_changes", host=name, tasks=len(host.tasks)))
        lines += [f"    - {task}" for task in host.tasks]
    for file in host.files:
        lines += [f"  {name}: {file['path']}", *(f"    {line}" for line in file["diff"].splitlines())]
    return lines


def _skipped_lines(site: SiteChanges) -> list[str]:
    """One line a capability and list of what it takes, with all hosts that lack it alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, host in site.hosts.items():
        for capability in sorted({entry["capability"] for entry in host.skipped}):
            what = ", ".join(entry["what"] for entry in host.skipped if entry["capability"] == capability)
            alike.setdefault((capability, what), []).append(name)
    return [
        "  " + t("deployment.skipped", host=", ".join(hosts), capability=capability, what=what)
        for (capability, what), hosts in alike.items()
    ]
