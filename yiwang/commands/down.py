"""``yiwang down``: takes away what ``up`` made; data stays unless ``--destroy-data`` is given."""

from __future__ import annotations

from typing import Annotated

import typer

from yiwang.commands._options import (
    EngineOption,
    InventoryOption,
    JsonOption,
    QuietOption,
    SiteOption,
    YesOption,
    example,
    inventory_directory,
)
from yiwang.deployment import changes, recorded, runner, summary
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.session import Session, confirm, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.down"), epilog=example("yiwang down --site jinan", 0, 1, 3, 4, 5, 6))
    def down(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        gone: Annotated[list[str] | None, typer.Option("--gone", metavar="HOST", help=t("cli.gone"), show_default=False)] = None,
        destroy_data: Annotated[bool, typer.Option("--destroy-data", help=t("cli.destroy_data"))] = False,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the sites are gone; 1: one could not be taken down; 3: a site below one of them would be left."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("down", inventory_directory(inventory), console, site, engine_name=engine_name, with_departed=True) as work:
            recorded.require_below_gone(work.province, work.selection, work.driver)
            hosts = recorded.gone(work.selection, work.driver, work.stack, gone or ())
            names = ", ".join(chosen.name for chosen in work.selection.sites)
            question = "deployment.confirm_down_gone" if hosts else "deployment.confirm_down"
            confirm(t(question, sites=names, hosts=", ".join(hosts)), yes=yes)
            run = work.run(destroy_data=destroy_data, gone=hosts)
            results = work.do(run, lambda: runner.destroy(run))
            found = work.record(results, work.progress.events, _left(work, results))
            console.result({"sites": found}, summary.describe(found, planned=False))
        return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(found)


def _left(work: Session, results: runner.Results) -> dict[str, str]:
    """The sites that were not touched, and why."""
    missing = [site for site in work.selection.sites if site.name not in results]
    left = {site.name for site in work.selection.sites if site.name not in results or not results[site.name].ok}
    found = {}
    for site in missing:
        below = [other.name for other in work.selection.sites if other.parent == site.name and other.name in left]
        found[site.name] = t("deployment.not_removed", sites=", ".join(below)) if below else t("deployment.not_started_stopped")
    return found
