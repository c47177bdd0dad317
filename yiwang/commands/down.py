"""``yiwang down``: takes away what ``up`` made; data stays unless ``--destroy-data`` is given."""

from __future__ import annotations

from typing import Annotated

import typer

from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, SiteOption, YesOption, example, inventory_directory
from yiwang.deployment import changes, runner
from yiwang.deployment.session import confirm, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.down"), epilog=example("yiwang down --site jinan"))
    def down(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        destroy_data: Annotated[bool, typer.Option("--destroy-data", help=t("cli.destroy_data"))] = False,
        yes: YesOption = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the sites are gone; 1: one could not be taken down."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("down", inventory_directory(inventory), console, site) as work:
            names = ", ".join(chosen.name for chosen in work.selection.sites)
            confirm(t("deployment.confirm_down", sites=names), yes=yes)
            run = work.run(destroy_data=destroy_data)
            results = work.do(run, lambda: runner.destroy(run))
            found = changes.collect(results, work.progress.events)
            console.result({"sites": found}, changes.describe(found, planned=False))
        if run.control.cancelled:
            return ExitCode.INTERRUPTED
        return ExitCode.OK if all(result.ok for result in results.values()) else ExitCode.FAILED
