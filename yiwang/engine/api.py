"""The four operations on a stack. Light to import: the machinery is loaded when an operation starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yiwang.engine.events import Diagnostic, OnEvent, StepFinished
from yiwang.errors import ExitCode

# The variable by which gRPC is told what to log; the processes we start are told the same.
QUIET = "GRPC_VERBOSITY"


@dataclass(frozen=True)
class Stack:
    """One stack: the program's directory (with ``Pulumi.yaml``), the stack's name, and where its state lies.

    ``backend`` is the directory that holds ``.pulumi`` (made when missing).
    """

    project_dir: Path
    name: str
    backend: Path
    passphrase: str = field(repr=False)


class Control:
    """The way to stop runs that are under way; one may be given to several runs."""

    def __init__(self) -> None:
        self._level = 0
        self._watchers: list[Callable[[Control], None]] = []

    @property
    def cancelled(self) -> bool:
        """No new steps are to start."""
        return self._level >= 1

    @property
    def terminated(self) -> bool:
        """Running steps are not to be waited for."""
        return self._level >= 2

    def cancel(self) -> None:
        """Finish the running steps, save, and end as failed."""
        self._raise_to(1)

    def terminate(self) -> None:
        """Stop at once: plugins are killed, what was in flight is reported by the next run."""
        self._raise_to(2)

    def watch(self, callback: Callable[[Control], None]) -> None:
        """Call ``callback(control)`` at each change (for the engine)."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[Control], None]) -> None:
        """The reverse of ``watch``."""
        self._watchers.remove(callback)

    def _raise_to(self, level: int) -> None:
        if level > self._level:
            self._level = level
            for callback in list(self._watchers):
                callback(self)


@dataclass(frozen=True)
class Options:
    """How to run.

    ``parallel``: steps at the same time. ``refresh`` (up): read all resources first. ``targets``: URNs (or patterns with
    ``*``) to which the run is limited, with ``target_dependents`` also what depends on them. ``environment``: added to that
    of the program and the providers.
    ``config``/``secret_config``: stack configuration (``project:key`` or ``key``), over what ``Pulumi.<stack>.yaml`` has.
    ``references``: full stack name -> outputs (as in ``Result.outputs``) that previews use in place of recorded ones.
    ``providers``: packages whose executables may be run. ``preview_only`` (refresh, destroy): change nothing.
    ``verb``: shown to others while the stack is locked.
    ``run_program``: refresh and destroy run the program, so that providers are configured as it says now; up with ``refresh``
    reads each resource when the program registers it.
    ``excludes``: the reverse of ``targets``, with ``exclude_dependents`` also what depends on them. ``replace``: URNs (or
    patterns) that are to be replaced; ``target_replace`` the same, and the run is limited to them.
    ``clear_pending_creates`` (refresh): creates that a killed run left are forgotten. ``expect_no_changes``: the run fails
    afterwards when something changed, or would change. ``plan`` (up): a plan as ``Result.plan`` has it; what it does not
    allow is refused.
    ``examine``: before the first change by an ``up`` that was not previewed in this process the program is run once for
    nothing, to know its packages.
    ``settings``: ``Pulumi.<stack>.yaml`` is read; without, ``config`` and ``secret_config`` are all there is.
    ``client``: the address of a language host that runs the program in place of a process of ours (inline programs).
    ``ended``: called with the result while the stack is still held.
    """

    parallel: int = 8
    refresh: bool = False
    targets: tuple[str, ...] = ()
    target_dependents: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    secret_config: Mapping[str, str] = field(default_factory=dict, repr=False)
    references: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    verb: str = "up"
    continue_on_error: bool = False
    providers: frozenset[str] = frozenset({"yiwang"})
    preview_only: bool = False
    run_program: bool = False
    excludes: tuple[str, ...] = ()
    exclude_dependents: bool = False
    replace: tuple[str, ...] = ()
    target_replace: tuple[str, ...] = ()
    clear_pending_creates: bool = False
    expect_no_changes: bool = False
    plan: Mapping[str, Any] | None = field(default=None, repr=False)
    examine: bool = True
    settings: bool = True
    client: str = ""
    ended: Callable[[Result], None] | None = None
    control: Control = field(default_factory=Control)


@dataclass(frozen=True)
class Result:
    """How a run ended.

    ``changes``: operation -> number of resources it changed (or would change), ``same`` and default providers left out;
    ``unchanged``: how many were the same. ``steps``: each step, in the order in which they began. ``outputs``: the stack's
    outputs as the engine keeps them: secrets as marked objects, values not known yet as the unknown mark; ``state.show``
    makes them fit for people. ``in_flight``: what an earlier killed run had under way (``creating <urn>``).
    ``code``: what a verb exits with for this run: OK when it is ``ok``, the code of the UserError its program ended with (one
    error diagnostic says what and the fix), and FAILED for everything else.
    ``plan`` (preview): what the run would do, in the form of the CLI's plan files (``DeploymentPlanV1``), secrets encrypted.
    """

    ok: bool
    changes: dict[str, int]
    unchanged: int
    steps: tuple[StepFinished, ...]
    outputs: dict[str, Any] = field(repr=False)
    diagnostics: tuple[Diagnostic, ...]
    in_flight: tuple[str, ...]
    code: ExitCode = ExitCode.OK
    plan: Mapping[str, Any] | None = field(default=None, repr=False)


def _ignore(_event: object) -> None:
    """The default observer."""


async def preview(stack: Stack, options: Options | None = None, on_event: OnEvent = _ignore) -> Result:
    """What ``up`` would do. Nothing is written and the stack is not locked.

    Raises UserError for what stands before a run: a bad project, a wrong passphrase, a package that is not available.
    """
    return await _run("preview", stack, options, on_event)


async def up(stack: Stack, options: Options | None = None, on_event: OnEvent = _ignore) -> Result:
    """Bring the stack's resources to what its program says.

    Packages that are not available are refused before anything is made. Raises UserError as ``preview`` does, and with
    exit code 5 when somebody else holds the stack's lock.
    """
    return await _run("up", stack, options, on_event)


async def refresh(stack: Stack, options: Options | None = None, on_event: OnEvent = _ignore) -> Result:
    """Read the recorded resources back from their providers; the program is not run. Raises as ``up`` does."""
    return await _run("refresh", stack, options, on_event)


async def destroy(stack: Stack, options: Options | None = None, on_event: OnEvent = _ignore) -> Result:
    """Delete all recorded resources, dependents first; the program is not run. Raises as ``up`` does."""
    return await _run("destroy", stack, options, on_event)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Load gRPC without its log: connections that end with their process are no news. It looks once, when it is loaded."""
    given = os.environ.get(QUIET)
    os.environ[QUIET] = given or "NONE"
    try:
        yield
    finally:
        if given is None:
            del os.environ[QUIET]


def machinery() -> Callable[[str, Stack, Options, OnEvent], Coroutine[Any, Any, Result]]:
    """What runs an operation. Loading gRPC for it takes half a second, once."""
    with _quiet():
        from yiwang.engine.run import execute  # noqa: PLC0415 - only when something runs

    return execute


async def _run(kind: str, stack: Stack, options: Options | None, on_event: OnEvent) -> Result:
    return await machinery()(kind, stack, options or Options(), on_event)
