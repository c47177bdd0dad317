"""The Pulumi CLI behind the interface of both engines, driven through the Automation API."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import yaml
from pulumi import automation
from pulumi.automation import CommandError, ConcurrentUpdateError, StackNotFoundError

from yiwang import engine
from yiwang.deployment.engines.cli_events import Told
from yiwang.deployment.engines.command import Command, executable, search_path
from yiwang.deployment.engines.interface import OnEvent
from yiwang.engine import exported
from yiwang.engine.lock import Lock
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.inventory.model import Province
from yiwang.messages import t
from yiwang.rundir import RunDir

# The CLI's operation -> what the embedded engine counts it as; the parts of a replacement are counted by `replace`.
_UNCOUNTED = frozenset({"same", "read", "refresh", "create-replacement", "delete-replaced", "discard-replaced"})

Operation = Callable[..., Any]
Make = Literal["", "here", "aside"]


class CliEngine:
    """Drives the CLI. Its state lies where the inventory's ``state_backend`` says, else where the embedded engine's does.

    Each operation has a private directory in memory: a copy of the program (the CLI writes beside it), the passphrase, and a home
    of its own for the CLI. Previews cannot see what previews of other stacks would export. A stack that is not there yet is
    previewed on a copy of the backend in memory; where that is no directory, it is made and removed again.
    """

    foresees = False

    def __init__(self, province: Province) -> None:
        self._province = province
        self._backend = province.state_backend or province.state_dir.as_uri()
        self._command = Command(executable())

    async def preview(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await self._operate(stack, options, on_event, lambda chosen, **common: chosen.preview(**_asked(options), **common), dry=True)

    async def up(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await self._operate(stack, options, on_event, lambda chosen, **common: chosen.up(**_asked(options), **common))

    async def destroy(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await self._operate(stack, options, on_event, lambda chosen, **common: chosen.destroy(**common))

    async def _operate(
        self, stack: engine.Stack, options: engine.Options, on_event: OnEvent, operation: Operation, *, dry: bool = False
    ) -> engine.Result:
        loop = asyncio.get_running_loop()

        # The Automation API calls from threads of its own; observers expect to be called in the loop's.
        def later(event: engine.Event) -> None:
            loop.call_soon_threadsafe(on_event, event)

        return await asyncio.to_thread(self._perform, stack, options, Told(later), operation, make="aside" if dry else "here")

    def _perform(self, stack: engine.Stack, options: engine.Options, told: Told, operation: Operation, *, make: Make) -> engine.Result:
        ok = False
        in_flight: tuple[str, ...] = ()
        outputs: dict[str, Any] = {}
        try:
            with ExitStack() as kept:
                with self._command.stoppable(options.control):
                    chosen = kept.enter_context(self._selected(stack, options, make=make))
                    assert chosen is not None  # noqa: S101 - made where it was not there
                    in_flight = exported.in_flight(self._exported(chosen)["deployment"])
                    if in_flight:
                        told.tell(engine.InFlight(in_flight))
                    ok = _done(chosen, options, told, operation)
                outputs = exported.outputs(self._exported(chosen)["deployment"], stack.passphrase)
        except (CommandError, UserError):
            # What was under way was asked to stop, whatever it was.
            if not options.control.cancelled:
                raise
        return engine.Result(
            ok=ok,
            changes={op: number for op, number in sorted(told.counts.items()) if op not in _UNCOUNTED},
            unchanged=told.counts.get("same", 0),
            steps=told.steps,
            outputs=outputs,
            diagnostics=tuple(told.diagnostics),
            in_flight=in_flight,
            code=ExitCode.OK if ok else ExitCode.INTERRUPTED if options.control.cancelled else ExitCode.FAILED,
        )

    @contextmanager
    def _workspace(
        self, stack: engine.Stack | None, options: engine.Options | None = None, *, writes: bool = False
    ) -> Iterator[automation.LocalWorkspace]:
        """A workspace in a directory of its own, with the program of ``stack`` where there is one."""
        with RunDir() as run_dir:
            work = run_dir.path / "program"
            backend = self._backend
            directory = _directory(backend)
            if directory is not None and not writes and not (directory / ".pulumi").is_dir():
                # The CLI makes itself at home in an empty directory as soon as it looks at it.
                backend = _empty(run_dir.path).as_uri()
            elif writes and self._province.state_backend is None:
                Path(self._province.state_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
            environment = {"PATH": search_path(), "PULUMI_BACKEND_URL": backend, "PULUMI_SKIP_UPDATE_CHECK": "true"}
            if stack is not None:
                shutil.copytree(stack.project_dir, work, ignore=shutil.ignore_patterns("__pycache__", "Pulumi.*.yaml"))
                secret = run_dir.path / "passphrase"
                write_atomic(secret, stack.passphrase)
                environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(secret)
            else:
                work.mkdir()
            yield automation.LocalWorkspace(
                work_dir=str(work),
                pulumi_home=str(run_dir.path / "home"),
                env_vars={**environment, **(options.environment if options is not None else {})},
                secrets_provider="passphrase",
                pulumi_command=self._command,
            )

    @contextmanager
    def _selected(
        self, stack: engine.Stack, options: engine.Options | None = None, *, make: Make = ""
    ) -> Iterator[automation.Stack | None]:
        """The stack in a workspace. One that is not there is made, ``aside`` for the time being; else it is None."""
        with self._workspace(stack, options, writes=make == "here") as workspace, ExitStack() as afterwards:
            try:
                chosen = automation.Stack.select(stack.name, workspace)
            except StackNotFoundError:
                if not make:
                    yield None
                    return
                stays = make == "here" or _set_aside(workspace)
                chosen = automation.Stack.create(stack.name, workspace)
                if not stays:
                    afterwards.callback(self._run, chosen, "stack", "rm", "--yes")
                yield chosen
                return
            except CommandError as error:
                raise UserError(_reason(error), code=ExitCode.FAILED) from None
            salt = exported.secrets_state(self._exported(chosen)["deployment"])
            if salt:
                # The CLI looks for it beside the program, where nothing of this kit is kept.
                settings = Path(workspace.work_dir) / f"Pulumi.{stack.name}.yaml"
                write_atomic(settings, yaml.safe_dump({"encryptionsalt": salt}))
            yield chosen

    def stacks(self) -> list[engine.state.Summary]:
        """See ``Engine``."""
        with self._workspace(None) as workspace:
            try:
                listed = workspace.list_stacks(include_all=True)
            except CommandError as error:
                raise UserError(_reason(error), code=ExitCode.FAILED) from None
        found = []
        for each in listed:
            _, project, name = ("", "", *each.name.split("/"))[-3:]
            found.append(engine.state.Summary(project, name, each.resource_count or 0, (), None))
        return found

    def _deployment(self, stack: engine.Stack) -> dict[str, Any]:
        """What is recorded, as exported; empty when there is nothing."""
        with self._selected(stack) as chosen:
            return dict(self._exported(chosen)["deployment"]) if chosen is not None else {}

    def outputs(self, stack: engine.Stack, *, show_secrets: bool = False) -> dict[str, Any]:
        """See ``Engine``."""
        shown: dict[str, Any] = engine.state.show(exported.outputs(self._deployment(stack), stack.passphrase), secrets=show_secrets)
        return shown

    def resources(self, stack: engine.Stack) -> list[engine.state.Recorded]:
        """See ``Engine``."""
        return exported.resources(self._deployment(stack), stack.passphrase)

    def locks(self, stack: engine.Stack) -> list[Lock]:
        """The locks of a ``file://`` backend; what other backends have is known only to the CLI."""
        return engine.state.locks(stack) if self._province.state_backend is None else []

    def unlock(self, stack: engine.Stack, locks: Iterable[Lock]) -> list[Lock]:
        """Cancel what the CLI takes for a running update."""
        with self._selected(stack) as chosen:
            if chosen is not None:
                chosen.cancel()
        return list(locks)

    def export(self, stack: engine.Stack) -> dict[str, Any]:
        """See ``Engine``."""
        with self._selected(stack) as chosen:
            if chosen is None:
                raise UserError(t("engine.unknown_stack", name=stack.name), code=ExitCode.INPUT)
            return self._exported(chosen)

    def take(self, stack: engine.Stack, document: dict[str, Any], where: str) -> None:
        """See ``Engine``."""
        with self._selected(stack, make="here") as chosen:
            assert chosen is not None  # noqa: S101 - made where it is not there
            file = Path(chosen.workspace.work_dir) / "import.json"
            write_atomic(file, json.dumps(document))
            try:
                self._run(chosen, "stack", "import", "--file", str(file))
            except UserError as error:
                raise UserError(f"{where}: {error.text}", code=ExitCode.INPUT) from None

    def _exported(self, chosen: automation.Stack) -> dict[str, Any]:
        """What is recorded, secrets encrypted: the Automation API's own export would show them."""
        found: dict[str, Any] = json.loads(self._run(chosen, "stack", "export"))
        return {"version": found["version"], "deployment": found.get("deployment") or {}}

    def _run(self, chosen: automation.Stack, *args: str) -> str:
        """One command line on a stack, in its workspace; what it printed. Raises UserError when it fails."""
        workspace = chosen.workspace
        environment = {**(workspace.env_vars or {}), "PULUMI_HOME": str(workspace.pulumi_home)}
        try:
            return self._command.run([*args, "--stack", chosen.name], str(workspace.work_dir), environment).stdout
        except CommandError as error:
            raise UserError(_reason(error), code=ExitCode.FAILED) from None


def _done(chosen: automation.Stack, options: engine.Options, told: Told, operation: Operation) -> bool:
    """Perform the operation; whether it succeeded. Raises UserError when somebody else holds the stack."""
    try:
        operation(chosen, on_event=told.event, color="never", parallel=options.parallel, diff=False)
    except ConcurrentUpdateError:
        raise UserError(t("deployment.cli_locked"), code=ExitCode.LOCKED, fix=t("engine.locked_fix")) from None
    except CommandError as error:
        if not options.control.cancelled and not any(entry.severity == "error" for entry in told.diagnostics):
            told.error(_reason(error))
        return False
    return True


def _directory(backend: str) -> Path | None:
    """The directory of a ``file://`` backend, None for others."""
    return Path(unquote(urlsplit(backend).path)) if backend.startswith("file://") else None


def _empty(run_dir: Path) -> Path:
    """A backend in memory, for what is not to be seen afterwards."""
    found = run_dir / "backend"
    found.mkdir(mode=0o700, exist_ok=True)
    return found


def _set_aside(workspace: automation.Workspace) -> bool:
    """Let a workspace work on a copy of its backend in memory; False where that is no directory, and stays what it was."""
    environment = dict(workspace.env_vars or {})
    recorded = _directory(environment["PULUMI_BACKEND_URL"])
    if recorded is None:
        return False
    copied = _empty(Path(workspace.work_dir).parent)
    if recorded != copied and (recorded / ".pulumi" / "stacks").is_dir():
        shutil.copytree(recorded / ".pulumi" / "stacks", copied / ".pulumi" / "stacks")
    workspace.env_vars = {**environment, "PULUMI_BACKEND_URL": copied.as_uri()}
    return True


def _asked(options: engine.Options) -> dict[str, Any]:
    """The options that only a preview and an up have."""
    return {"refresh": options.refresh, "replace": list(options.replace) or None}


def _reason(error: CommandError) -> str:
    """Why a command failed: what it said last on stderr."""
    text = str(error).partition("stderr:")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines or [str(error).strip()])[-1]
