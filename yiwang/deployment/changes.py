"""What a run will change or has changed: one record for the text, the JSON and the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.deployment.events import Event
from yiwang.engine import Result, StepFinished
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# Steps that leave everything as it is.
UNCHANGED = ("same", "read", "refresh")
# What a `replace` is made of.
_PARTS = ("create-replacement", "delete-replaced", "discard-replaced")
ROLE = "yiwang:index:Role"


def operation(op: str) -> str:
    """A step's operation in the language in use."""
    return t(f"deployment.op_{op.replace('-', '_')}")


def under_way(pending: str) -> str:
    """A pending operation of the state (``creating <urn>``) for a person: ``creating Role base``."""
    kind, _, urn = pending.partition(" ")
    type_, _, name = urn.rpartition("::")
    return t(f"deployment.under_way_{kind}", what=f"{type_.rpartition(':')[2]} {name}")


@dataclass
class HostChanges:
    """One host's part: tasks that change something, files with their difference, and what a first run would do.

    ``skipped``: what the host cannot do. ``failed``: each role that failed on it, with task, message, whether the host was
    not reachable at all, journal lines and the command that goes on. ``unread``: why it could not be looked at. ``gone``: why
    a removal has left it as it is and only forgotten it.
    """

    tasks: list[str] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    would_run: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


@dataclass
class SiteChanges:
    """One site's part.

    ``counts``: changes by operation; ``resources``: each that changes, a replacement with its ``parts``. ``error``: why it
    failed, one or more lines, or nothing; ``code``: what a verb exits with for it. ``started``: whether anything ran.
    ``notes``: warnings of the engine.
    """

    site: str
    counts: dict[str, int]
    resources: list[dict[str, Any]]
    hosts: dict[str, HostChanges]
    error: str = ""
    code: ExitCode = ExitCode.OK
    started: bool = True
    in_flight: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Whether it is incomplete only because the run was asked to stop."""
        return self.code is ExitCode.INTERRUPTED

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return any(not resource["failed"] for resource in self.resources)

    @property
    def complete(self) -> bool:
        """Whether it went well, and no host failed or could not be looked at."""
        return not self.error and not any(host.failed or host.unread for host in self.hosts.values())


def collect(results: Mapping[str, Result], events: Iterable[Event], *, not_started: Mapping[str, str] | None = None) -> list[SiteChanges]:
    """The record of each site, from the engine's results and the provider's events, in the order of ``results``.

    ``not_started``: sites on which nothing ran, with the reason; whatever was planned for them has not happened.
    Steps and hosts run side by side, so they arrive in any order; the record is sorted, and two plans of the same are equal.
    """
    missing = not_started or {}
    names = dict.fromkeys([*results, *missing])
    sites = [_not_started(name, missing[name]) if name in missing else _site(name, results[name]) for name in names]
    by_name = {site.site: site for site in sites}
    for event in events:
        site = by_name.get(event["site"])
        if site is not None:
            _add(site, event)
    for site in sites:
        site.resources.sort(key=lambda resource: (resource["type"], resource["name"], resource["operation"]))
        site.hosts = dict(sorted(site.hosts.items()))
        site.counts = dict(sorted(site.counts.items()))
        if site.code is ExitCode.FAILED and _only_unreachable(site):
            site.code = ExitCode.HOST
    return sites


def exit_code(sites: Iterable[SiteChanges]) -> ExitCode:
    """What a run exits with: OK, the code of the sites that failed where they agree, else FAILED."""
    failed = [site for site in sites if site.error]
    codes = {site.code for site in failed if site.started}
    if len(codes) == 1:
        return codes.pop()
    return ExitCode.FAILED if failed else ExitCode.OK


def refuse_common(sites: Iterable[SiteChanges]) -> None:
    """Raises UserError when all that ran failed alike by something a person got wrong: that is one line, not a list of sites."""
    started = [site for site in sites if site.started]
    found = {(site.error, site.code) for site in started}
    if len(found) == 1:
        error, code = found.pop()
        if error and code not in (ExitCode.FAILED, ExitCode.INTERRUPTED):
            first, *more = error.splitlines()
            raise UserError(first, code=code, lines=tuple(more))


def _not_started(name: str, reason: str) -> SiteChanges:
    return SiteChanges(name, {}, [], {}, error=reason, code=ExitCode.FAILED, started=False)


def _site(name: str, result: Result) -> SiteChanges:
    counts = {op: number for op, number in result.changes.items() if op not in UNCHANGED and number}
    found = SiteChanges(name, counts, _resources(result.steps), {}, in_flight=list(result.in_flight))
    found.notes = [entry.message for entry in result.diagnostics if entry.severity == "warning"]
    if not result.ok:
        found.error, found.code = _error(result), result.code
    return found


def _resources(steps: Iterable[StepFinished]) -> list[dict[str, Any]]:
    steps = [step for step in steps if step.op not in UNCHANGED and not step.type.startswith("pulumi:providers:")]
    whole = {step.urn for step in steps if step.op == "replace"}
    found = []
    for step in steps:
        if step.op in _PARTS and step.urn in whole:
            continue
        parts = [other for other in steps if other.urn == step.urn and other.op in _PARTS] if step.op == "replace" else []
        failed = any(each.result == "failed" for each in (step, *parts))
        entry = {"operation": step.op, "type": step.type, "name": step.name, "differences": sorted(step.diffs), "failed": failed}
        found.append(entry | ({"parts": sorted(part.op for part in parts)} if parts else {}))
    return found


def _error(result: Result) -> str:
    """Why a site failed: the errors of its resources, else the first one about the run."""
    errors = [diagnostic for diagnostic in result.diagnostics if diagnostic.severity == "error"]
    of_steps = [step.error for step in result.steps if step.error]
    texts = list(dict.fromkeys(text.strip() for text in of_steps)) or [errors[0].message.strip() if errors else ""]
    return "\n".join(texts) or t("deployment.failed")


def only_roles_failed(site: SiteChanges) -> bool:
    """Whether it is roles, and nothing else, that failed: then it is the hosts that say why."""
    failed = {resource["type"] for resource in site.resources if resource["failed"]}
    return failed == {ROLE}


def _only_unreachable(site: SiteChanges) -> bool:
    """Whether nothing but hosts that cannot be reached, or are not trusted, kept the site from what it should be."""
    failures = [failure for host in site.hosts.values() for failure in host.failed]
    return only_roles_failed(site) and bool(failures) and all(failure["unreachable"] for failure in failures)


def _add(site: SiteChanges, event: Event) -> None:
    kind = event["event"]
    if kind == "file_diff":
        _host(site, event["host"]).files.append({"path": event["path"], "task": event["task"], "diff": event["diff"]})
    elif kind == "host_result" and event["status"] == "changed":
        _host(site, event["host"]).tasks.append(event["task"])
    elif kind == "would_run":
        for host in event["hosts"]:
            _host(site, host).would_run.extend(event["tasks"])
    elif kind == "host_skipped":
        entry = {"capability": event["capability"], "what": event["what"]}
        if entry not in (known := _host(site, event["host"]).skipped):
            known.append(entry)
    elif kind == "host_failed":
        entry = {key: event.get(key) for key in ("task", "message", "journal", "resume")}
        _host(site, event["host"]).failed.append({**entry, "unreachable": bool(event.get("unreachable"))})
    elif kind == "host_gone":
        _host(site, event["host"]).gone.append(event["message"])
    elif kind == "host_unread":
        _host(site, event["host"]).unread.append(event["message"])


def _host(site: SiteChanges, name: str) -> HostChanges:
    return site.hosts.setdefault(name, HostChanges())
