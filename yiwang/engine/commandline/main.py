"""The way of one command line: parsed, run, and its failure said in one place."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from yiwang.engine.commandline import arguments
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import Code, CommandError
from yiwang.engine.commandline.workspace import Workspace
from yiwang.errors import UserError, machine_error, misplaced_error
from yiwang.messages import t
from yiwang.output import say

# Command -> module and function; a module is loaded only when one of its commands is asked for.
_HANDLERS = {
    "version": "stack.version",
    "whoami": "stack.whoami",
    "preview": "operation.run",
    "up": "operation.run",
    "refresh": "operation.run",
    "destroy": "operation.run",
    "cancel": "cancel.cancel",
    "stack": "stack.overview",
    "stack init": "stack.init",
    "stack select": "stack.select",
    "stack ls": "stack.list_",
    "stack rm": "stack.remove",
    "stack export": "state.export",
    "stack import": "state.import_",
    "stack output": "state.output",
    "stack history": "history.show",
    "config": "config.list_",
    "config get": "config.get",
    "config set": "config.set_",
    "config set-all": "config.set_all",
    "config rm": "config.remove",
    "config rm-all": "config.remove",
    "plugin": "stack.plugins",
    "plugin ls": "stack.plugins",
}


def run(given: Sequence[str]) -> int:
    """Run one command line; its exit code. An exception that leaves it is a bug, or Ctrl-C."""
    try:
        _require_text(given)
        call = arguments.parse(given)
        if call.given("help") or not call.words:
            say(sys.stdout, usage(call.words))
            return Code.OK
        return _handler(call)(call, _workspace(call))
    except CommandError as error:
        return _failed(error.text, error.code)
    except UserError as error:
        return _failed(error.report(), Code.ERROR)
    except OSError as error:
        found = machine_error(error) or misplaced_error(error)
        if found is None:
            raise
        return _failed(found.report(), Code.ERROR)


def _require_text(given: Sequence[str]) -> None:
    """Raises CommandError for bytes that are no UTF-8: files that hold them could not be read back."""
    for word in given:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise CommandError(f"an argument is no UTF-8: {word.encode(errors='backslashreplace').decode()}") from None


def _failed(text: str, code: Code) -> int:
    if text:
        say(sys.stderr, f"error: {text}")
    return code


def _handler(call: Call) -> Callable[[Call, Workspace], int]:
    module, _, function = _HANDLERS[" ".join(call.words)].partition(".")
    found: Callable[[Call, Workspace], int] = getattr(importlib.import_module(f"yiwang.engine.commandline.{module}"), function)
    return found


def _workspace(call: Call) -> Workspace:
    if call.text("cwd"):
        try:
            os.chdir(call.text("cwd"))
        except OSError as error:
            raise CommandError(f"could not change to directory {call.text('cwd')}: {error.strerror}") from None
    return Workspace(Path.cwd(), os.environ)


def usage(words: tuple[str, ...]) -> str:
    """The commands below ``words`` and the flags of it."""
    command = arguments.COMMANDS[words]
    below = [" ".join(found) for found in arguments.COMMANDS if len(found) == len(words) + 1 and found[: len(words)] == words]
    flags = [f"--{flag.name}" + (f", -{flag.letter}" if flag.letter else "") for flag in (*command.flags, *arguments.GLOBAL)]
    lines = [t("pulumi.usage", command=" ".join(("pulumi", *words)))]
    if below:
        lines += ["", t("pulumi.usage_commands"), *(f"  {name}" for name in below)]
    return "\n".join([*lines, "", t("pulumi.usage_flags"), *(f"  {flag}" for flag in flags)])
