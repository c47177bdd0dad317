"""Options that every verb has alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.paths import data

InventoryOption = Annotated[
    Path | None,
    typer.Option("-i", "--inventory", metavar="DIR", help=t("cli.inventory"), show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help=t("cli.json"))]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help=t("cli.quiet"))]
SiteOption = Annotated[list[str] | None, typer.Option("--site", metavar="SITE", help=t("cli.site"), show_default=False)]
HostOption = Annotated[list[str] | None, typer.Option("--host", metavar="HOST", help=t("cli.host"), show_default=False)]
EngineOption = Annotated[str, typer.Option("--engine", metavar="ENGINE", help=t("cli.engine"))]
YesOption = Annotated[bool, typer.Option("-y", "--yes", help=t("cli.yes"))]


def inventory_directory(given: Path | None) -> Path:
    """The inventory a verb works on: ``--inventory``, else ``$YIWANG_INVENTORY``, else ``inventories/lab``."""
    chosen = given or (Path(os.environ["YIWANG_INVENTORY"]) if os.environ.get("YIWANG_INVENTORY") else data("inventories") / "lab")
    return chosen.absolute()


def example(command: str, *codes: int, failed: str = "") -> str:
    """The end of a verb's help: an example, and the codes it exits with besides what every verb may; ``failed``: what 1 means here."""
    every = sorted({ExitCode(code) for code in (*codes, ExitCode.BUG, ExitCode.INTERRUPTED)})
    words = {int(code): t(f"cli.exit_{code.name.lower()}") for code in every} | ({int(ExitCode.FAILED): failed} if failed else {})
    return epilog(command, words)


def epilog(command: str, words: Mapping[int, str]) -> str:
    """The same for exit codes of any kind, each with what it means."""
    meanings = "; ".join(f"{int(code)} {meaning}" for code, meaning in words.items())
    return f"{t('cli.example')}: {command}\n\n{t('cli.exit_codes')}: {meanings}"
