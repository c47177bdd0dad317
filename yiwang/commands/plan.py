"""``yiwang plan``: what an ``up`` would change, on which host, file by file. Changes nothing."""

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
    example,
    inventory_directory,
)
from yiwang.deployment import changes, summary
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.session import Session, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.plan"), epilog=example("yiwang plan --site jinan --json", 0, 1, 2, 3, 4))
    def plan(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        refresh: Annotated[bool, typer.Option("--refresh", help=t("cli.refresh_plan"))] = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: nothing to do; 2: changes; 1: it could not be told, or not for every host."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("plan", inventory_directory(inventory), console, site, host, engine_name=engine_name) as work:
            return show_plan(console, work, refresh=refresh)


def show_plan(console: Console, work: Session, *, refresh: bool = False) -> int:
    """Plan the session's sites and say what was found; returns the exit code."""
    run = work.run(detail=True, refresh=refresh)
    console.progress(t("deployment.planning", sites=len(work.selection.sites)))
    found = work.preview(run)
    for gone in work.departed:
        console.warn(gone.describe())
    departed = [{"site": gone.site.name, "resources": gone.resources} for gone in work.departed]
    console.result({"sites": found, "departed": departed}, summary.describe(found, planned=True))
    summary.hint_unread(console, found, refresh=refresh)
    if run.control.cancelled:
        return ExitCode.INTERRUPTED
    if any(part.error for part in found):
        return changes.exit_code(found)
    if not all(part.complete for part in found):
        return ExitCode.FAILED
    return ExitCode.CHANGES if any(part.changes for part in found) else ExitCode.OK
