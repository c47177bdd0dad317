"""``yiwang pulumi ARGS…``: the embedded engine's command line, with the Pulumi CLI's own words and flags."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from yiwang.commands._options import epilog
from yiwang.engine.commandline.failure import Code
from yiwang.engine.commandline.main import run
from yiwang.errors import ExitCode
from yiwang.messages import t


class Untouched(TyperCommand):
    """Takes all words as they are: they are parsed by the rules of another command line. Only a lone ``--help`` is ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Nothing is an option of this verb."""
        if args in (["--help"], ["-h"], []):
            return super().parse_args(ctx, ["--help"])
        ctx.params["arguments"] = list(args)
        ctx.args = []
        return []


def _codes() -> dict[int, str]:
    """The CLI's exit codes, and those that every verb has."""
    own = {int(code): t(f"pulumi.exit_{code.name.lower()}") for code in Code}
    return own | {int(code): t(f"cli.exit_{code.name.lower()}") for code in (ExitCode.BUG, ExitCode.INTERRUPTED)}


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(cls=Untouched, help=t("pulumi.help"), epilog=epilog("yiwang pulumi up --stack province --yes", _codes()))
    def pulumi(arguments: Annotated[list[str], typer.Argument(metavar="COMMAND ARGS...", help=t("pulumi.help_arguments"))]) -> None:
        """Exits with the CLI's codes."""
        raise typer.Exit(run(arguments))
