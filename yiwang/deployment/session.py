"""Sets a run up for a verb: inventory, selection, private directory, passphrase, progress; and asks the person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from yiwang import engine, inventory
from yiwang.deployment import changes, recorded, runner
from yiwang.deployment.engines import Engine, choose, environment, stack_of
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.events import Event
from yiwang.deployment.progress import Progress
from yiwang.deployment.selection import Selection, select
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.messages import t
from yiwang.output import Console, say
from yiwang.rundir import RunDir

T = TypeVar("T")
_CHANGING = frozenset({"up", "upgrade", "down", "rotate", "restore"})


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
    departed: list[recorded.Departed]
    """Sites that are recorded and no longer in the inventory; none where the verb was asked for certain sites."""
    driver: Engine

    def run(
        self,
        *,
        refresh: bool = False,
        detail: bool = False,
        reapply: bool = False,
        upgrade: bool = False,
        destroy_data: bool = False,
        gone: Iterable[str] = (),
        replace: Iterable[str] = (),
    ) -> runner.Run:
        """A run with this session's sites, hosts and observers. ``replace``: URNs of what is to be made anew."""
        variables: Mapping[str, str] = environment(
            self.province,
            self.selection,
            self.run_dir,
            detail=detail,
            reapply=reapply,
            upgrade=upgrade,
            destroy_data=destroy_data,
            gone=gone,
        )
        return runner.Run(
            self.province,
            self.selection,
            self.passphrase,
            variables,
            self.verb,
            self.progress.engine_event,
            self.driver,
            refresh=refresh,
            replace=tuple(replace),
        )

    def stack(self, site: Site) -> engine.Stack:
        """The stack of one site."""
        return stack_of(self.province, site, self.passphrase)

    def preview(self, run: runner.Run) -> list[changes.SiteChanges]:
        """Preview the selected sites: the record of each. A run with ``refresh`` reads the hosts for it.

        Raises UserError when all fail alike by something a person got wrong.
        """
        results = self.previews(run)
        found = self.record(results, self.progress.events, self.unplanned(results))
        changes.refuse_common(found)
        return found

    def previews(self, run: runner.Run) -> runner.Results:
        """The engine's result of the preview of each selected site that could be looked at."""
        self.progress.previewing = True
        try:
            return self.do(run, lambda: runner.previews(run))
        finally:
            self.progress.previewing = False

    def record(
        self, results: runner.Results, events: Iterable[Event], not_started: Mapping[str, str] | None = None
    ) -> list[changes.SiteChanges]:
        """The record of the selected sites, in the order of the inventory."""
        ordered = {site.name: results[site.name] for site in self.selection.sites if site.name in results}
        found = {site.site: site for site in changes.collect(ordered, events, not_started=not_started)}
        return [found[site.name] for site in self.selection.sites if site.name in found]

    def not_started(self, results: runner.Results, todo: Iterable[str]) -> dict[str, str]:
        """Of the sites ``todo``, and those below a failed one, which have no result, and why."""
        wanted, missing = set(todo), dict[str, str]()
        for site in self.selection.sites:
            if site.name in results:
                continue
            parent = site.parent or ""
            if parent in missing or (parent in results and not results[parent].ok):
                missing[site.name] = t("deployment.not_started", site=parent)
            elif site.name in wanted:
                missing[site.name] = t("deployment.not_started_stopped")
        return missing

    def unplanned(self, results: runner.Results) -> dict[str, str]:
        """The selected sites that were not previewed, and why."""
        return self.not_started(results, [site.name for site in self.selection.sites])

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
    *,
    engine_name: str = EMBEDDED,
    with_departed: bool = False,
) -> Iterator[Session]:
    """The session of one verb. Raises UserError for a bad inventory, selection or engine, before anything is made.

    ``with_departed``: sites that are only recorded can be selected too, and are when nothing is.
    """
    province = inventory.load(directory)
    chosen = choose(province, engine_name)
    departed = recorded.departed(province, chosen)
    selection = select(province, sites, hosts, departed=[gone.site for gone in departed], with_departed=with_departed)
    # What only looks makes nothing, not even a passphrase.
    passphrase = province.passphrase() if verb in _CHANGING else province.present_passphrase() or ""
    with RunDir() as run_dir:
        # Who asks for one site does not want to hear of others.
        told = [] if sites or hosts else departed
        yield Session(console, province, selection, run_dir.path, passphrase, Progress(console, run_dir.events), verb, told, chosen)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a question that defaults to no. Raises UserError when it is declined, or when there is no terminal and no ``--yes``."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(t("deployment.needs_yes"), code=ExitCode.INPUT, fix=t("deployment.needs_yes_fix"))
    say(sys.stderr, f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
        raise UserError(t("deployment.declined"), code=ExitCode.FAILED)
