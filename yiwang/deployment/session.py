"""Sets a run up for a verb: inventory, selection, private directory, passphrase, progress; and asks the person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from yiwang import inventory
from yiwang.deployment import runner
from yiwang.deployment.engines import environment
from yiwang.deployment.progress import Progress
from yiwang.deployment.selection import Selection, select
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province
from yiwang.messages import t
from yiwang.output import Console
from yiwang.rundir import RunDir

T = TypeVar("T")


@dataclass
class Session:
    """One verb at work."""

    console: Console
    province: Province
    selection: Selection
    run_dir: Path
    passphrase: str
    progress: Progress
    verb: str

    def run(self, *, refresh: bool = False, detail: bool = False, reapply: bool = False, destroy_data: bool = False) -> runner.Run:
        """A run with this session's sites, hosts and observers."""
        variables: Mapping[str, str] = environment(
            self.province, self.selection, self.run_dir, detail=detail, reapply=reapply, destroy_data=destroy_data
        )
        return runner.Run(self.province, self.selection, self.passphrase, variables, self.verb, self.progress.engine_event, refresh=refresh)

    def preview(self, run: runner.Run) -> dict[str, Any]:
        """Preview the selected sites: the engine's result of each."""
        self.progress.previewing = True
        try:
            return self.do(run, lambda: runner.previews(run))
        finally:
            self.progress.previewing = False

    def do(self, run: runner.Run, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` with progress shown and Ctrl-C handled."""

        async def following() -> T:
            async with self.progress.following():
                return await runner.interruptible(run, work(), lambda: self.console.warn(t("deployment.finishing")))

        return asyncio.run(following())


@contextmanager
def session(
    verb: str,
    directory: Path,
    console: Console,
    sites: list[str] | None = None,
    hosts: list[str] | None = None,
) -> Iterator[Session]:
    """The session of one verb. Raises UserError for a bad inventory or selection, before anything is made."""
    province = inventory.load(directory)
    selection = select(province, sites, hosts)
    passphrase = province.passphrase()
    with RunDir() as run_dir:
        yield Session(console, province, selection, run_dir.path, passphrase, Progress(console, run_dir.events), verb)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a question that defaults to no. Raises UserError when it is declined, or when there is no terminal and no ``--yes``."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(t("deployment.needs_yes"), code=ExitCode.INPUT, fix=t("deployment.needs_yes_fix"))
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
        raise UserError(t("deployment.declined"), code=ExitCode.FAILED)


def require_success(results: Mapping[str, Any]) -> None:
    """Raises UserError naming the sites that failed, if any did."""
    failed = [name for name, result in results.items() if not result.ok]
    if failed:
        raise UserError(t("deployment.sites_failed", sites=", ".join(failed)))
