"""``yiwang version``: the kit's version and those of what it drives."""

from __future__ import annotations

import platform
from importlib import metadata

import typer

from yiwang import __version__
from yiwang.commands._options import JsonOption, QuietOption, example
from yiwang.messages import t
from yiwang.output import Console

_PARTS = ("pulumi", "ansible-core", "cryptography", "pydantic")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.version"), epilog=example("yiwang version --json", 0))
    def version(json_output: JsonOption = False, quiet: QuietOption = False) -> None:
        """Print the versions."""
        parts = {part: metadata.version(part) for part in _PARTS}
        found = {"yiwang": __version__, "python": platform.python_version(), **parts}
        Console(json_output=json_output, quiet=quiet).result(found, "\n".join(f"{name} {number}" for name, number in found.items()))
