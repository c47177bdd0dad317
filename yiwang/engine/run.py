"""One operation on one stack, from the lock to the checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from yiwang.engine import deletes, journal, refreshing
from yiwang.engine import store as stores
from yiwang.engine import urn as urns
from yiwang.engine.api import Control, Options, Result, Stack
from yiwang.engine.client import CHANNEL_OPTIONS
from yiwang.engine.context import Context, HaltedError, Mode
from yiwang.engine.events import InFlight, OnEvent
from yiwang.engine.executor import Executor
from yiwang.engine.gate import Gate
from yiwang.engine.lock import Lock
from yiwang.engine.monitor import Monitor
from yiwang.engine.planner import PlanError
from yiwang.engine.plans import SALT, Constraint, Draft
from yiwang.engine.program import RAISED, TOLD, Program
from yiwang.engine.project import load_config, load_project, stack_settings
from yiwang.engine.providers import Providers
from yiwang.engine.references import Builtin
from yiwang.engine.registry import Registry
from yiwang.engine.report import Reporter
from yiwang.engine.service import Engine
from yiwang.engine.snapshot import Snapshot
from yiwang.engine.targets import Patterns
from yiwang.engine.transforms import Transforms
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# Stacks whose program was looked at in this process: all its packages are available.
_examined: set[tuple[Path, str, str]] = set()
_CODES = frozenset(ExitCode)
# Steps that change nothing.
_CHANGELESS = frozenset({"same", "read", "refresh", "discard"})
_MODES: dict[str, Mode] = {"refresh": "refresh", "destroy": "destroy"}


async def execute(kind: str, stack: Stack, options: Options, on_event: OnEvent) -> Result:
    """Run ``preview``, ``up``, ``refresh`` or ``destroy``; see ``api``."""
    run = _Run(kind, stack, options, on_event)
    result = await run.execute()
    if kind == "preview" or (kind == "up" and run.gate.is_open):
        _examined.add(run.key)
    return result


@dataclass
class _Run:
    """``kind``: an operation, or ``examine``: a preview that starts no provider."""

    kind: str
    stack: Stack
    options: Options
    on_event: OnEvent

    def __post_init__(self) -> None:
        self.reporter = Reporter(self.on_event)
        self.project = load_project(self.stack.project_dir)
        self.store = stores.of(self.stack)
        self.dry = self.kind in {"preview", "examine"} or self.options.preview_only
        self.key = (self.store.root, self.project.name, self.stack.name)
        # What the program needs is known only when it runs: it runs once for nothing, so that no half is ever made.
        self.gate = Gate(self._examine if self.kind == "up" and self.options.examine and self.key not in _examined else None)
        self.program: Program | None = None
        self.code = ExitCode.FAILED

    async def execute(self) -> Result:
        self._require_program()
        with contextlib.nullcontext([]) if self.dry else self.store.locked(self.options.verb) as dead, _directory() as directory:
            if not self.dry:
                await asyncio.to_thread(journal.recover, self.store)
            context = await self._context(directory)
            operations = tuple(entry.describe() for entry in context.snapshot.pending)
            self._tell_of_earlier(dead, operations)
            executor = Executor(context)
            context.providers.refuse(resource.type for resource in context.snapshot if resource.custom)
            async with self._served(context, executor, directory):
                await self._guarded(context, executor)
            result = self._result(context, executor, operations)
            if self.options.ended is not None:
                self.options.ended(result)
            return result

    @property
    def _runs(self) -> bool:
        """Whether the program is run."""
        return self.kind in {"up", "preview", "examine"} or self.options.run_program

    def _require_program(self) -> None:
        """Raises UserError where the program to be run is not there."""
        if self._runs and not self.options.client and not self.project.main.is_file():
            text = t("engine.no_program", path=self.project.main)
            raise UserError(text, code=ExitCode.INPUT, fix=t("engine.no_program_fix", project=self.project.directory / "Pulumi.yaml"))

    async def _examine(self) -> None:
        quiet = replace(self.options, refresh=False, ended=None)
        await _Run("examine", self.stack, quiet, lambda _event: None).execute()

    async def _context(self, directory: Path) -> Context:
        settings = stack_settings(self.project, self.stack.name) if self.options.settings else {}
        salt = str(settings.get("encryptionsalt") or (self.options.plan or {}).get(SALT) or "")
        loaded = await asyncio.to_thread(journal.load, self.store, self.stack.passphrase, salt)
        holder = next((found for found in self.store.locks() if found.alive is not False), None) if self.dry else None
        if holder is not None:
            # What a living run has under way is no leftover of a dead one.
            loaded.deployment.pending.clear()
            self.reporter.diagnostic("warning", t("engine.held", holder=holder.describe()))
        # Without settings the caller has done what the project says of its keys.
        project = self.project if self.options.settings else replace(self.project, config={})
        config = load_config(project, settings, loaded.secrets, self.options.config, self.options.secret_config, self.stack.name)
        references = self.options.references
        builtin = Builtin(self.store.root, self.project.name, self.stack.passphrase, references, dry=self.dry)
        providers = Providers(
            self.project,
            builtin,
            allowed=self.options.providers,
            environment=self.options.environment,
            directory=directory,
            workers=max(self.options.parallel, 1) * 2,
            on_line=self._line,
            blank=self.kind == "examine",
        )
        snapshot = Snapshot(self.store, loaded.deployment, loaded.secrets, dry=self.dry, digest=loaded.digest)
        return Context(
            self.stack,
            self.options,
            self.project,
            config,
            snapshot,
            providers,
            self.reporter,
            self.dry,
            mode=_MODES.get(self.kind, "update"),
            draft=Draft() if self.kind == "preview" else None,
            constraint=Constraint(self.options.plan, loaded.secrets) if self.options.plan is not None and self.kind == "up" else None,
            secrets=loaded.secrets,
            gate=self.gate,
        )

    def _tell_of_earlier(self, dead: list[Lock], operations: tuple[str, ...]) -> None:
        holder = dead[0].describe() if dead else ""
        if holder:
            self.reporter.diagnostic("warning", t("engine.took_over", holder=holder))
        if operations:
            self.on_event(InFlight(operations, holder))

    @contextlib.asynccontextmanager
    async def _served(self, context: Context, executor: Executor, directory: Path) -> AsyncIterator[None]:
        """The monitor and the engine service on a socket; at the end the providers are ended."""
        address = f"unix:{directory / 'engine.sock'}"
        server = grpc.aio.server(options=CHANNEL_OPTIONS)
        transforms = Transforms(directory)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(context, executor, transforms), server)
        engine_pb2_grpc.add_EngineServicer_to_server(Engine(self.reporter), server)
        server.add_insecure_port(address)
        await server.start()
        context.providers.engine_address = address
        self.address = address
        try:
            yield
        finally:
            await transforms.close()
            await context.providers.close(at_once=self.options.control.terminated)
            await server.stop(0)

    async def _guarded(self, context: Context, executor: Executor) -> None:
        """Run the operation; cancelled or not, what happened is in the checkpoint when this returns."""
        control = self.options.control
        work = asyncio.create_task(self._operate(context, executor))

        def changed(control: Control) -> None:
            if self.program is not None:
                self.program.kill()
            if control.terminated:
                executor.abandon()
                work.cancel()

        control.watch(changed)
        try:
            if control.cancelled:
                changed(control)
            await work
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if not control.terminated:
                raise
        finally:
            control.unwatch(changed)
            if control.cancelled:
                if not self.reporter.failed:
                    self.code = ExitCode.INTERRUPTED
                self.reporter.error(t("engine.cancelled"))
            await executor.drain()
            await self.gate.close()
            try:
                # A run that was refused before it changed anything leaves nothing behind.
                if context.snapshot.began or not isinstance(executor.fatal, UserError):
                    await context.snapshot.fold()
            finally:
                context.snapshot.close()

    async def _operate(self, context: Context, executor: Executor) -> None:
        if self.kind == "refresh" and self.options.clear_pending_creates:
            context.snapshot.forget_creates()
        registry = executor.registry
        refreshes = self.options.refresh or self.kind == "refresh"
        targets = registry.targets
        first = (targets.wanted, targets.excluded) if refreshes and not self.options.run_program else ()
        if self._unknown(registry, *first, targets.to_replace):
            self.reporter.failed = True
            return
        before = {state.urn for state in context.snapshot}
        if refreshes and not self.options.run_program:
            await refreshing.refresh(context, registry, outcomes=self.kind == "refresh")
            registry.look_again()
        if self._runs and not context.halted:
            context.providers.warm_up({urns.package_of(state.type) for state in context.snapshot if state.is_provider})
            await self._program(context, executor)
        if self.kind == "examine" or self.reporter.failed or context.halted:
            return
        unknown = self._unknown(registry, targets.wanted)
        with contextlib.suppress(HaltedError):
            if self.kind == "refresh" and self.options.run_program:
                await refreshing.refresh(context, registry, outcomes=True)
                refreshing.forget(context, before)
            elif self.kind != "refresh":
                await deletes.orphans(context, registry)
                await self._leftovers(context, registry)
        self.reporter.failed = self.reporter.failed or unknown
        missed = context.constraint.missed(before) if context.constraint is not None and not self.reporter.failed else []
        for urn in missed:
            self.reporter.error(t("engine.plan_missed", urn=urn), urn)

    async def _leftovers(self, context: Context, registry: Registry) -> None:
        try:
            await deletes.delete_leftovers(context, registry)
        except PlanError as error:
            self.reporter.error(str(error))

    def _unknown(self, registry: Registry, *named: Patterns) -> bool:
        """Tell of those named that are no resources of this stack; whether there are any."""
        known = registry.known()
        missing = [urn for patterns in named for urn in patterns.missing(known)]
        for urn in dict.fromkeys(missing):
            forgot = "" if "$" in urn else t("engine.forgot_to_escape")
            self.reporter.diagnostic("error", t("engine.unknown_target", urn=urn) + forgot)
        return bool(missing)

    async def _program(self, context: Context, executor: Executor) -> None:
        self.program = Program(self.project, self.stack.name, context.config, self.options.environment, client=self.options.client)
        code = await self.program.run(self.address, parallel=self.options.parallel, dry_run=self.dry, on_line=self._line)
        await executor.drain()
        if executor.fatal is not None:
            raise executor.fatal
        executor.settle_stack_outputs(program_failed=code != 0)
        if code == 0:
            self.gate.open()
            return
        told = code - TOLD
        if told in _CODES and not context.halted:
            self.code = ExitCode(told)
        elif code != RAISED and not context.halted:
            self.reporter.diagnostic("error", t("engine.program_exit", code=code))
        # A program that was ended because somebody asked for it is no failure.
        self.reporter.failed = self.reporter.failed or not self.options.control.cancelled

    def _line(self, stream: str, text: str) -> None:
        """A line a program or a provider printed."""
        self.reporter.diagnostic("info" if stream == "stdout" else "info#err", text)

    def _result(self, context: Context, executor: Executor, operations: tuple[str, ...]) -> Result:
        reporter = self.reporter
        if reporter.unplanned:
            reporter.failed = reporter.step_failed = True
        if self.options.expect_no_changes and not reporter.failed and not _CHANGELESS.issuperset(reporter.counts):
            operation = "preview" if self.dry else "update" if self.kind == "up" else self.kind
            reporter.error(t("engine.changes_not_expected", operation=operation))
        if reporter.step_failed:
            reporter.diagnostic("error", t("engine.preview_failed" if self.dry else "engine.update_failed"))
        registered = executor.registry.new.get(executor.registry.stack_urn)
        stacks = (state for state in context.snapshot if state.type == urns.STACK_TYPE and not state.delete)
        state = registered or next(stacks, None)
        counts = dict(sorted(reporter.counts.items()))
        unchanged = counts.pop("same", 0)
        return Result(
            ok=not reporter.failed,
            changes={op: number for op, number in counts.items() if op not in {"read", "refresh"}},
            unchanged=unchanged,
            steps=reporter.steps(),
            outputs=dict(state.outputs) if state is not None else {},
            diagnostics=tuple(reporter.diagnostics),
            in_flight=operations,
            code=self.code if reporter.failed else ExitCode.OK,
            plan=context.draft.dump(context.config, context.secrets) if context.draft is not None and not reporter.failed else None,
        )


_PREFIX = "yiwang-engine-"
# The kernel's limit on the path of a socket, and what this program appends to the directory, with a long package's name.
_SOCKET_PATH = 107
_SOCKET_NAME = 80


def _short_enough(*bases: Path) -> Path:
    """The first of ``bases`` where the sockets' paths fit. Raises UserError (exit 4) when there is none."""
    for base in bases:
        if len(os.fsencode(base)) <= _SOCKET_PATH - _SOCKET_NAME and base.is_dir():
            return base
    raise UserError(t("engine.long_directory", path=bases[0]), code=ExitCode.MACHINE, fix=t("engine.long_directory_fix"))


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """A directory of mode 0700 for the sockets; those of runs that were killed are removed."""
    base = _short_enough(Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 - the directory made in it is private
    # A process number says something only within its own pid namespace.
    ours = f"{_PREFIX}{Path('/proc/self/ns/pid').stat().st_ino}-"
    for left in base.glob(f"{ours}*"):
        pid = left.name.removeprefix(ours).partition("-")[0]
        with contextlib.suppress(OSError):
            if pid.isdigit() and left.stat().st_uid == os.getuid() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{ours}{os.getpid()}-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
