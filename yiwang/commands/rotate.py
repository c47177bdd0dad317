"""``yiwang rotate``: makes a secret or a certificate anew and brings the new one to its hosts."""

from __future__ import annotations

from typing import Annotated

import typer

from yiwang import engine
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.commands.up import apply_plan
from yiwang.deployment.engines import stack_of
from yiwang.deployment.session import session
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console

ROTATABLE = ("yiwang:index:Secret", "yiwang:index:Certificate")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.rotate"), epilog=example("yiwang rotate rescue --site jinan --yes"))
    def rotate(
        name: Annotated[str, typer.Argument(metavar="NAME", help=t("cli.rotate_name"))],
        site: Annotated[str, typer.Option("--site", metavar="SITE", help=t("cli.site"))],
        inventory: InventoryOption = None,
        yes: YesOption = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Marks the resource and applies the site."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("rotate", inventory_directory(inventory), console, [site]) as work:
            stack = stack_of(work.province, work.selection.sites[0], work.passphrase)
            known = {resource.name: resource.urn for resource in engine.state.resources(stack) if resource.type in ROTATABLE}
            if name not in known:
                raise UserError(
                    t("deployment.unknown_secret", site=site, name=name),
                    code=ExitCode.INPUT,
                    fix=t("deployment.known", names=", ".join(sorted(known)) or "-"),
                )
            engine.state.taint(stack, known[name])
            return apply_plan(console, work, work.run(), yes=yes)
