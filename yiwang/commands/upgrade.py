"""``yiwang upgrade``: newer minor versions of the distribution's packages, put on all hosts and started a member at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from yiwang.commands._options import (
    EngineOption,
    HostOption,
    InventoryOption,
    JsonOption,
    QuietOption,
    SiteOption,
    YesOption,
    example,
    inventory_directory,
)
from yiwang.deployment import changes, runner, summary
from yiwang.deployment.changes import ROLE
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.session import Session, confirm, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console

Versions = dict[str, dict[str, str]]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.upgrade"), epilog=example("yiwang upgrade --site province --yes", 0, 1, 3, 4, 5, 6))
    def upgrade(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: what runs is what the distribution has; 1: a site failed, and its members after that one were left as they are."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("upgrade", inventory_directory(inventory), console, site, host, engine_name=engine_name) as work:
            return _upgrade(console, work, work.run(upgrade=True, detail=True), yes=yes)


def _upgrade(console: Console, work: Session, run: runner.Run, *, yes: bool) -> int:
    """Look at what there is, ask, do it, and tell which versions came of it."""
    console.progress(t("deployment.upgrade_looking", sites=len(work.selection.sites)))
    found = work.preview(run)
    if run.control.cancelled or any(part.error for part in found):
        console.result({"sites": found, "versions": {}}, summary.describe(found, planned=True))
        return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(found)
    # A role that can upgrade is run in any case: what counts is what that would change on its hosts.
    todo = [part.site for part in found if part.in_flight or any(host.tasks or host.files for host in part.hosts.values())]
    if not todo:
        console.result({"sites": found, "versions": {}}, t("deployment.upgrade_nothing"))
        return ExitCode.OK
    console.info(summary.describe([part for part in found if part.site in todo], planned=True))
    confirm(t("deployment.confirm_upgrade"), yes=yes)
    planning = len(work.progress.events)
    results = work.do(run, lambda: runner.apply(run, todo))
    done = work.record(results, work.progress.events[planning:], work.not_started(results, todo))
    versions = _versions(work, done)
    lines = [f"{host}: {package} {step}" for host, packages in versions.items() for package, step in packages.items()]
    console.result(
        {"sites": done, "versions": versions, "seconds": round(console.elapsed(), 1)}, "\n".join([*lines, summary.outcome(done)])
    )
    return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(done)


def _versions(work: Session, done: list[changes.SiteChanges]) -> Versions:
    """Host -> package -> ``old → new``, as the roles have recorded it of the hosts that this run has changed."""
    changed = {host for part in done for host, found in part.hosts.items() if found.tasks}
    upgraded: Versions = {}
    for site in work.selection.sites:
        for resource in work.driver.resources(work.stack(site)):
            results: Mapping[str, Any] = resource.outputs.get("results") or {} if resource.type == ROLE else {}
            for host in changed & results.keys():
                upgraded.setdefault(host, {}).update(((results[host] or {}).get("facts") or {}).get("upgraded") or {})
    return {host: packages for host, packages in sorted(upgraded.items()) if packages}
