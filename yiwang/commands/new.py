"""``yiwang new``: an inventory to begin with, commented and valid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yiwang.commands._options import JsonOption, QuietOption, example
from yiwang.inventory.create import create
from yiwang.inventory.errors import display
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("inventory.help_new"), epilog=example("yiwang new inventories/shandong --province 370000 --city 370100", 0, 3, 4))
    def new(
        directory: Annotated[Path, typer.Argument(metavar="DIR", help=t("inventory.help_dir"), show_default=False)],
        province: Annotated[str, typer.Option("--province", metavar="CODE", help=t("inventory.help_province"), show_default=False)],
        city: Annotated[list[str] | None, typer.Option("--city", metavar="CODE", help=t("inventory.help_city"), show_default=False)] = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Write the inventory."""
        written = create(directory, province, tuple(city or ()))
        files = sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())
        console = Console(json_output=json_output, quiet=quiet)
        console.result({"directory": written, "files": files}, t("inventory.created", directory=display(written), files=", ".join(files)))
        console.info(t("inventory.created_next", directory=display(written)))
