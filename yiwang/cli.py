"""The command line: a table of contents of the verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import datetime
import importlib
import sys
import traceback
from typing import Any

import typer
from typer import exceptions
from typer.core import TyperGroup

from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.messages import t
from yiwang.output import Console
from yiwang.paths import cache

# Each verb is a module yiwang/commands/<verb>.py with a `register(app)`, imported only when it is asked for.
VERBS = (
    "new",
    "inventory",
    "lab",
    "preflight",
    "plan",
    "up",
    "down",
    "status",
    "outputs",
    "rotate",
    "state",
    "host",
    "doctor",
    "version",
)


class LazyGroup(TyperGroup):
    """Lists all verbs and imports the module of a verb only when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class asks so
        """The verbs in the order of the table above."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class asks so
        """The command of one verb, imported now."""
        if cmd_name not in VERBS:
            return None
        verb = typer.Typer(rich_markup_mode=None, add_completion=False)
        importlib.import_module(f"yiwang.commands.{cmd_name}").register(verb)
        command: Any = typer.main.get_command(verb)
        # A Typer application with one command is that command; one with a group holds it under its name.
        found = getattr(command, "commands", {}).get(cmd_name, command)
        found.name = cmd_name
        return found


app = typer.Typer(cls=LazyGroup, name="yiwang", add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True, help=t("cli.help"))
def _root(ctx: typer.Context) -> None:
    """Without a verb: the list of verbs, as an error."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help(), file=sys.stderr)
        raise typer.Exit(ExitCode.INPUT)


def _report_bug(error: BaseException) -> int:
    directory = make_private(cache() / "bugs")
    path = directory / f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}.log"
    write_atomic(path, "".join(traceback.format_exception(error)))
    Console().error(t("core.bug", error=f"{type(error).__name__}: {error}", path=path))
    return ExitCode.BUG


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; no exception leaves it."""
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name="yiwang", standalone_mode=False)
    except exceptions.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "yiwang"
        Console().error(t("core.usage", message=error.format_message().rstrip("."), command=command))
        return ExitCode.INPUT
    except (exceptions.Abort, KeyboardInterrupt):
        Console().error(t("core.interrupted"))
        return ExitCode.INTERRUPTED
    except UserError as error:
        Console().error(error.report())
        return error.code
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the boundary: everything else is a bug, kept with its traceback
        return _report_bug(error)
    return code if isinstance(code, int) else ExitCode.OK


def main() -> None:
    """The console script ``yiwang``."""
    sys.exit(run())
