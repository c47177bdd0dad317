"""The command line: a table of contents of the verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import io
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import typer
from typer import exceptions
from typer.core import TyperGroup

from yiwang import usage
from yiwang.errors import ExitCode, UserError, machine_error
from yiwang.files import make_private, write_atomic
from yiwang.messages import t
from yiwang.output import Console, say
from yiwang.paths import cache

# Each verb is a module yiwang/commands/<verb>.py with a `register(app)`, imported only when it is asked for.
VERBS = (
    "new",
    "inventory",
    "lab",
    "preflight",
    "plan",
    "up",
    "upgrade",
    "down",
    "status",
    "outputs",
    "rotate",
    "backup",
    "restore",
    "drill",
    "state",
    "host",
    "pulumi",
    "code",
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


def _wants_json(arguments: list[str]) -> bool:
    """Whether the command line asks for one JSON document; known before it is parsed, as that may be what fails."""
    if arguments[:1] == ["pulumi"]:
        # That command line says its errors itself, on stderr alone.
        return False
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours


def _refuse(console: Console, error: UserError) -> int:
    """Say an error: its lines on stderr, and with ``--json`` the document of a verb that has none on stdout."""
    # Where nothing can be written (a full disk), the exit code has to do.
    with contextlib.suppress(OSError):
        console.error(error.report())
    with contextlib.suppress(OSError):
        fix = {"fix": error.fix} if error.fix else {}
        console.refusal({"ok": False, "code": error.code, "error": error.text, **fix, "more": error.lines})
    return error.code


def _bug_log(text: str) -> Path | None:
    """Keep the traceback of a bug where the caches are, else where temporary files are; None where neither can be written."""
    name = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%S}.log"
    with contextlib.suppress(OSError, RuntimeError):  # no home directory is a RuntimeError
        path = make_private(cache() / "bugs") / name
        write_atomic(path, text)
        return path
    with contextlib.suppress(OSError):
        path = Path(tempfile.mkdtemp(prefix="yiwang-bug-")) / name
        write_atomic(path, text)
        return path
    return None


def _report_bug(console: Console, error: Exception) -> int:
    trace = "".join(traceback.format_exception(error))
    what = f"{type(error).__name__}: {error}"
    path = _bug_log(trace)
    with contextlib.suppress(OSError):
        console.error(t("core.bug", error=what, path=path) if path else f"{t('core.bug_unwritten', error=what)}\n{trace}")
    with contextlib.suppress(OSError):
        console.refusal({"ok": False, "code": ExitCode.BUG, "error": what, "log": path})
    return ExitCode.BUG


def _no_directory(error: OSError) -> UserError | None:
    """The error for a person where the directory they are in is no more."""
    if not isinstance(error, FileNotFoundError) or error.filename is not None:
        return None
    try:
        Path.cwd()
    except FileNotFoundError:
        return UserError(t("core.no_directory"), code=ExitCode.MACHINE, fix=t("core.no_directory_fix"))
    return None


def _refuse_usage(console: Console, error: exceptions.TyperException, given: list[str]) -> int:
    """Say what is wrong with the command line; of a group without a verb its help, as of ``yiwang`` alone."""
    if usage.is_help(error):
        with contextlib.suppress(OSError):
            say(sys.stderr, error.format_message())
        return ExitCode.INPUT
    context = getattr(error, "ctx", None)
    command = usage.command_path(error, typer.main.get_command(app), given)
    text = t("core.usage", message=usage.message(error), command=command)
    before_the_verb = context is not None and context.parent is None and given[0].startswith("-")
    return _refuse(console, UserError(text, code=ExitCode.INPUT, fix=t("core.usage_order") if before_the_verb else ""))


def run(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code; no exception leaves it."""
    given = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal's encoding does not have is shown by its number.
            stream.reconfigure(errors="backslashreplace")
    console = Console(json_output=_wants_json(given))
    try:
        code = typer.main.get_command(app).main(args=given, prog_name="yiwang", standalone_mode=False)
    except exceptions.TyperException as error:
        return _refuse_usage(console, error, given)
    except (exceptions.Abort, KeyboardInterrupt):
        code = int(ExitCode.INTERRUPTED)
    except UserError as error:
        return _refuse(console, error)
    except OSError as error:
        found = _no_directory(error) or machine_error(error)
        return _report_bug(console, error) if found is None else _refuse(console, found)
    except SystemExit:
        # Typer's answer to a reader of its help that went away.
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the boundary: everything else is a bug, kept with its traceback
        return _report_bug(console, error)
    if code == ExitCode.INTERRUPTED and not isinstance(code, ExitCode):
        # Before the verb could say so itself, which it does with a code of ours.
        return _refuse(console, UserError(t("core.interrupted"), code=ExitCode.INTERRUPTED))
    return code if isinstance(code, int) else ExitCode.OK


def main() -> None:
    """The console script ``yiwang``."""
    sys.exit(run())
