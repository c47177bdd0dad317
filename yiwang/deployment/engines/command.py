"""The Pulumi CLI as a process: found, started apart from the terminal, asked to stop when the person asks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from yiwang import engine
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# Names the executable; otherwise it is `pulumi` on PATH.
VARIABLE = "YIWANG_PULUMI"
# The first with all that the installed SDK asks for.
OLDEST = VersionInfo(3, 210, 0)


def executable() -> Path:
    """The CLI's executable. Raises UserError (exit 4) when there is none."""
    given = os.environ.get(VARIABLE) or "pulumi"
    found = shutil.which(given)
    if found is None:
        raise UserError(t("deployment.no_cli", name=given), code=ExitCode.MACHINE, fix=t("deployment.no_cli_fix", variable=VARIABLE))
    return Path(found).absolute()


def search_path() -> str:
    """PATH with this Python's programs first: the program's Python, and the provider's executable, are there."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _version(path: Path) -> VersionInfo:
    try:
        done = subprocess.run([path, "version"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        found = VersionInfo.parse(done.stdout.strip().removeprefix("v"))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        text = t("deployment.cli_unusable", path=path, reason=error)
        raise UserError(text, code=ExitCode.MACHINE, fix=t("deployment.no_cli_fix", variable=VARIABLE)) from None
    if found < OLDEST:
        text = t("deployment.cli_old", path=path, version=found, oldest=OLDEST)
        raise UserError(text, code=ExitCode.MACHINE, fix=t("deployment.no_cli_fix", variable=VARIABLE))
    return found


class _Operation:
    """The processes of one operation. Each is asked to stop as often as the person asks; afterwards none is begun."""

    def __init__(self, control: engine.Control) -> None:
        self._control = control
        self._running: set[subprocess.Popen[str]] = set()
        # A process that is just being started is asked too, or not started.
        self._changing = threading.Lock()

    @contextmanager
    def process(self, arguments: list[str], directory: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
        """A process while it runs. Raises CommandError when the person has asked to stop."""
        with self._changing:
            if self._control.cancelled:
                raise create_command_error(CommandResult(stdout="", stderr="", code=ExitCode.INTERRUPTED))
            process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
        with process:
            try:
                yield process
            finally:
                self._running.discard(process)

    def stop(self, control: engine.Control) -> None:
        """The person asks: the first time, or again."""
        del control
        with self._changing:
            for process in self._running:
                process.send_signal(signal.SIGINT)


# The operation for which processes are started: several run at once, each in a thread of its own, and share one command.
_current: ContextVar[_Operation | None] = ContextVar("operation", default=None)


class Command(PulumiCommand):
    """Runs the CLI for the Automation API.

    It runs in a session of its own, so that Ctrl-C reaches it once, from here: the first lets running steps finish and be saved,
    the second ends it. When this process is killed, the kernel sends it the first of these.
    """

    def __init__(self, path: Path) -> None:
        self.command = str(path)
        self.version = _version(path)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """Run one command line to its end. Raises CommandError when it fails."""
        setpriv = shutil.which("setpriv")
        tie = [setpriv, "--pdeathsig", "INT", "--"] if setpriv else []
        # In the background of a shell Ctrl-C is ignored, and who starts with it ignored would not hear when it is asked to stop.
        command = ["env", "--default-signal=INT", *tie, self.command, "--non-interactive", *args]
        environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        operation = _current.get() or _Operation(engine.Control())
        with operation.process(command, cwd, environment) as process:
            out, err = process.communicate()
        for callback, text in ((on_output, out), (on_error, err)):
            if callback is not None:
                list(map(callback, text.splitlines()))
        result = CommandResult(stdout=out.rstrip("\n"), stderr=err.rstrip("\n"), code=process.returncode)
        if process.returncode:
            raise create_command_error(result)
        return result

    @contextmanager
    def stoppable(self, control: engine.Control) -> Iterator[None]:
        """What is started inside is asked to stop once for each level of ``control``: the CLI counts how often it is asked."""
        operation = _Operation(control)
        token = _current.set(operation)
        control.watch(operation.stop)
        try:
            yield
        finally:
            control.unwatch(operation.stop)
            _current.reset(token)
