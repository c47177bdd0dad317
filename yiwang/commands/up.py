"""``yiwang up``: brings the selected sites to what the inventory says; a second run changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from yiwang.commands._options import (
    HostOption,
    InventoryOption,
    JsonOption,
    QuietOption,
    SiteOption,
    YesOption,
    example,
    inventory_directory,
)
from yiwang.deployment import changes, runner
from yiwang.deployment.session import Session, confirm, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.up"), epilog=example("yiwang up --site jinan --yes"))
    def up(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        refresh: Annotated[bool, typer.Option("--refresh", help=t("cli.refresh"))] = False,
        reapply: Annotated[bool, typer.Option("--reapply", help=t("cli.reapply"))] = False,
        yes: YesOption = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: every selected site is as it should be; 1: a site failed, a rerun goes on where it stopped."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("up", inventory_directory(inventory), console, site, host) as work:
            run = work.run(refresh=refresh or bool(host), reapply=reapply)
            return apply_plan(console, work, run, yes=yes)


def apply_plan(console: Console, work: Session, run: runner.Run, *, yes: bool) -> int:
    """Plan, ask, apply; returns the exit code. A run that refreshes reads the hosts first and re-applies where they differ."""
    console.progress(t("deployment.planning", sites=len(work.selection.sites)))
    planned = work.preview(run)
    found = changes.collect(planned, ())
    if not all(result.ok for result in planned.values()):
        console.result({"sites": found}, changes.describe(found, planned=True))
        return ExitCode.INTERRUPTED if run.control.cancelled else ExitCode.FAILED
    # An interrupted run left something to finish even where inputs are equal.
    todo = [part.site for part in found if part.changes or part.in_flight or run.refresh]
    if todo:
        console.info(changes.describe(found, planned=True))
        confirm(t("deployment.confirm_up"), yes=yes)
        planning = len(work.progress.events)
        results = work.do(run, lambda: runner.apply(run, todo))
        found = changes.collect({**planned, **results}, work.progress.events[planning:])
        ok = all(result.ok for result in results.values())
    else:
        ok = True
    console.result({"sites": found, "seconds": round(console.elapsed(), 1)}, changes.headline(found, planned=False))
    console.info(t("deployment.elapsed", seconds=round(console.elapsed(), 1)))
    if run.control.cancelled:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if ok else ExitCode.FAILED
