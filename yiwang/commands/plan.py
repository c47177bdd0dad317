"""``yiwang plan``: what an ``up`` would change, on which host, file by file. Changes nothing."""

from __future__ import annotations

import typer

from yiwang.commands._options import HostOption, InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.deployment import changes
from yiwang.deployment.session import session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.plan"), epilog=example("yiwang plan --site jinan --json"))
    def plan(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: nothing to do; 2: changes; 1: it could not be told."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("plan", inventory_directory(inventory), console, site, host) as work:
            run = work.run(detail=True)
            console.progress(t("deployment.planning", sites=len(work.selection.sites)))
            results = work.preview(run)
            found = changes.collect(results, work.progress.events)
            console.result({"sites": found}, changes.describe(found, planned=True))
        if not all(result.ok for result in results.values()):
            return ExitCode.FAILED
        return ExitCode.CHANGES if any(part.changes for part in found) else ExitCode.OK
