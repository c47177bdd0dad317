"""``yiwang up``: brings the selected sites to what the inventory says; a second run changes nothing."""

from __future__ import annotations

from typing import Annotated

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
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.session import Session, confirm, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.up"), epilog=example("yiwang up --site jinan --yes", 0, 1, 3, 4, 5, 6))
    def up(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        refresh: Annotated[bool, typer.Option("--refresh", help=t("cli.refresh"))] = False,
        reapply: Annotated[bool, typer.Option("--reapply", help=t("cli.reapply"))] = False,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: every selected site is as it should be; 1: a site failed, a rerun goes on where it stopped."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("up", inventory_directory(inventory), console, site, host, engine_name=engine_name) as work:
            run = work.run(refresh=refresh or bool(host), reapply=reapply)
            return apply_plan(console, work, run, yes=yes)


def apply_plan(console: Console, work: Session, run: runner.Run, *, yes: bool) -> int:
    """Plan, ask, apply; returns the exit code. A run that refreshes reads the hosts for the plan and again when it applies."""
    console.progress(t("deployment.planning", sites=len(work.selection.sites)))
    found = work.preview(run)
    if run.control.cancelled or any(part.error for part in found):
        console.result({"sites": found}, summary.describe(found, planned=True))
        return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(found)
    # An interrupted run left something to finish even where inputs are equal.
    todo = [part.site for part in found if part.changes or part.in_flight]
    if todo:
        console.info(summary.describe(found, planned=True, tasks=False))
        confirm(t("deployment.confirm_up"), yes=yes)
    return apply(console, work, run, found, todo)


def apply(console: Console, work: Session, run: runner.Run, planned: list[changes.SiteChanges], todo: list[str]) -> int:
    """Apply the sites ``todo`` and say what came of it; returns the exit code."""
    planning = len(work.progress.events)
    results = work.do(run, lambda: runner.apply(run, todo)) if todo else {}
    done = work.record(results, work.progress.events[planning:], work.not_started(results, todo))
    known = {part.site: part for part in done}
    found = [known.get(part.site, part) for part in planned]
    console.result({"sites": found, "seconds": round(console.elapsed(), 1)}, summary.outcome(found))
    summary.hint_unread(console, found, refresh=run.refresh)
    console.info(t("deployment.elapsed", seconds=round(console.elapsed(), 1)))
    return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(found)
