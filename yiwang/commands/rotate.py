"""``yiwang rotate``: makes a secret or a certificate anew and brings the new one to its hosts."""

from __future__ import annotations

import difflib
from typing import Annotated

import typer

from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.commands.up import apply
from yiwang.deployment import changes, summary
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.selection import select
from yiwang.deployment.session import Session, confirm, session
from yiwang.engine.state import Recorded
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console

# Certificates that sign others.
AUTHORITIES = ("root", "intermediate")
# What a component says of a secret by which data is encrypted that stays (``yiwang.components.objects.KEPT``).
NEVER = {"rotation": "never"}
ROTATABLE = ("yiwang:index:Secret", "yiwang:index:Certificate")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.rotate"), epilog=example("yiwang rotate c-jinan-rescue --site jinan --yes", 0, 1, 3, 4, 5, 6))
    def rotate(
        name: Annotated[str, typer.Argument(metavar="NAME", help=t("cli.rotate_name"))],
        site: Annotated[str, typer.Option("--site", metavar="SITE", help=t("cli.site"))],
        inventory: InventoryOption = None,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Shows what a rotation would change, asks, and applies the site with the resource made anew."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("rotate", inventory_directory(inventory), console, [site], engine_name=engine_name) as work:
            found = _named(work, name)
            if found.inputs.get("kind") in AUTHORITIES:
                # What it signed is made anew as well, also in the sites below.
                work.selection = select(work.province, [site, *_below(work, site)])
            run = work.run(replace=[found.urn])
            planned = work.preview(run)
            if run.control.cancelled or any(part.error for part in planned):
                console.result({"sites": planned}, summary.describe(planned, planned=True))
                return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(planned)
            console.info(summary.describe(planned, planned=True, tasks=False))
            confirm(t("deployment.confirm_rotate", name=name, site=site), yes=yes)
            return apply(console, work, run, planned, [site])


def _below(work: Session, site: str) -> list[str]:
    """The sites below one that are up."""
    recorded = {stack.stack for stack in work.driver.stacks() if stack.resources}
    return [other.name for other in work.province.sites.values() if other.parent == site and other.name in recorded]


def _named(work: Session, name: str) -> Recorded:
    """The resource to rotate. Raises UserError for a name that the site has none of, with those it has, and for what must stay as it is."""
    chosen = work.selection.sites[0]
    known = {found.name: found for found in work.driver.resources(work.stack(chosen)) if found.type in ROTATABLE}
    if name in known:
        found = known[name]
        if NEVER.items() <= (found.inputs.get("keepers") or {}).items():
            raise UserError(
                t("deployment.never_rotated", site=chosen.name, name=name), code=ExitCode.INPUT, fix=t("deployment.never_rotated_fix")
            )
        return found
    near = difflib.get_close_matches(name, known, 1)
    fix = t("deployment.did_you_mean", name=near[0]) if near else t("deployment.known", names=", ".join(sorted(known)) or "-")
    raise UserError(t("deployment.unknown_secret", site=chosen.name, name=name), code=ExitCode.INPUT, fix=fix)
