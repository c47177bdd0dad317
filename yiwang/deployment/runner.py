"""Runs one operation over the selected sites: waves in order, the sites of a wave side by side.

A site that fails, by its engine's result or by an error for people, never ends the others: it has a failed result like any.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from yiwang import engine
from yiwang.deployment.engines import Engine, full_name, stack_of
from yiwang.deployment.selection import Selection
from yiwang.errors import ExitCode, UserError, machine_error
from yiwang.inventory.model import Province, Site
from yiwang.messages import t

T = TypeVar("T")
Observer = Callable[[Site, Any], None]
Results = dict[str, engine.Result]
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def side_by_side() -> int:
    """How many sites run at once.

    Each is a program and a provider, two Pythons that keep a core busy while they start: more than two sites a core make all
    of them slower, and each takes some hundred MiB.
    """
    return max(2, 2 * len(os.sched_getaffinity(0)))


@dataclass
class Run:
    """What is common to the operations of one verb.

    ``replace``: URNs of what is made anew though nothing changed. ``control`` is how Ctrl-C reaches them all.
    """

    province: Province
    selection: Selection
    passphrase: str
    environment: Mapping[str, str]
    verb: str
    observer: Observer
    driver: Engine
    refresh: bool = False
    replace: tuple[str, ...] = ()
    control: engine.Control = field(default_factory=engine.Control)

    def options(self, *, refresh: bool = False, references: Mapping[str, dict[str, Any]] | None = None) -> engine.Options:
        """The engine's options for one operation of this run."""
        return engine.Options(
            refresh=refresh,
            replace=self.replace,
            environment=dict(self.environment),
            references=dict(references or {}),
            verb=self.verb,
            control=self.control,
            providers=frozenset({"yiwang"}),
        )

    def observe(self, site: Site) -> Callable[[Any], None]:
        """The observer of one site's events."""
        return lambda event: self.observer(site, event)

    def stack(self, site: Site) -> engine.Stack:
        """The stack of one site."""
        return stack_of(self.province, site, self.passphrase)

    async def preview(self, site: Site, references: Mapping[str, dict[str, Any]]) -> engine.Result:
        """What an ``up`` of one site would do; nothing is changed."""
        options = self.options(refresh=self.refresh, references=references)
        return await self.driver.preview(self.stack(site), options, self.observe(site))

    async def apply(self, site: Site) -> engine.Result:
        """Bring one site to what its program says."""
        return await self.driver.up(self.stack(site), self.options(refresh=self.refresh), self.observe(site))

    async def destroy(self, site: Site) -> engine.Result:
        """Take one site's resources away."""
        return await self.driver.destroy(self.stack(site), self.options(), self.observe(site))


def refused(error: UserError) -> engine.Result:
    """The result of a site whose operation ended with an error for people before or instead of one of its own."""
    diagnostic = engine.Diagnostic("error", error.report())
    return engine.Result(False, {}, 0, (), {}, (diagnostic,), (), code=error.code)


def for_site(site: str, error: UserError) -> UserError:
    """``error`` as it reads when it is about one site of many: a lock is named by its site, and so is the way out."""
    if error.code is not ExitCode.LOCKED:
        return error
    return UserError(t("deployment.locked", site=site, reason=error.text), code=error.code, fix=t("deployment.locked_fix", site=site))


async def _guarded(run: Run, site: Site, work: Coroutine[Any, Any, engine.Result]) -> engine.Result:
    """The result of one site. Bugs leave as they are; what a person can mend becomes a failed result."""
    try:
        return await work
    except UserError as error:
        told = for_site(site.name, error)
    except OSError as error:
        found = machine_error(error)
        if found is None:
            raise
        told = found
    result = refused(told)
    run.observer(site, result.diagnostics[0])
    return result


async def _wave(run: Run, sites: Iterable[Site], work: Callable[[Site], Coroutine[Any, Any, engine.Result]]) -> Results:
    """The result of each site, done side by side. A bug in one is raised when all have ended: none is cut off in its work."""
    slots = asyncio.Semaphore(side_by_side())

    async def one(site: Site) -> engine.Result | None:
        async with slots:
            # Ctrl-C: what has not begun does not begin.
            return None if run.control.cancelled else await _guarded(run, site, work(site))

    sites = list(sites)
    found = await asyncio.gather(*(one(site) for site in sites), return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return {site.name: each for site, each in zip(sites, found, strict=True) if isinstance(each, engine.Result)}


async def previews(run: Run) -> Results:
    """Preview all selected sites; a site sees what the preview of its parent would make, so this works before anything exists.

    Below a site whose preview failed, only sites are looked at whose parent has exports on record: others have nothing to go by.
    """
    results: Results = {}
    references: dict[str, dict[str, Any]] = {}
    failed: set[str] = set()
    for wave in run.selection.waves():
        ready = [site for site in wave if site.parent not in failed or _exports(run, site.parent)]
        failed |= {site.name for site in wave if site not in ready}
        found = await _wave(run, ready, lambda site: _preview(run, site, references))
        results |= found
        references.update({full_name(site): found[site.name].outputs for site in ready if site.name in found and found[site.name].ok})
        failed |= {name for name, result in found.items() if not result.ok}
    return results


async def _preview(run: Run, site: Site, references: Mapping[str, dict[str, Any]]) -> engine.Result:
    parent = run.province.sites.get(site.parent or "")
    if parent is None or (parent in run.selection.sites and run.driver.foresees) or _exports(run, parent.name):
        return await run.preview(site, references)
    if parent in run.selection.sites:
        return _later(run, site, parent)
    raise UserError(
        t("deployment.parent_not_up", site=site.name, parent=parent.name),
        code=ExitCode.INPUT,
        fix=t("deployment.parent_not_up_fix", parent=parent.name),
    )


def _later(run: Run, site: Site, parent: Site) -> engine.Result:
    """The preview of a site that this engine can look at only when its parent is up; an ``up`` of both does them in order."""
    note = engine.Diagnostic("warning", t("deployment.planned_later", parent=parent.name))
    run.observer(site, note)
    return engine.Result(True, {}, 0, (), {}, (note,), ())


def _exports(run: Run, name: str | None) -> bool:
    """Whether a site has exports on record, for the sites below it."""
    site = run.province.sites.get(name or "")
    return site is not None and bool(run.driver.outputs(run.stack(site)))


async def apply(run: Run, changing: Iterable[str]) -> Results:
    """Bring the sites named in ``changing``, and those below a site that changes, up to date.

    A site that fails stops its own wave's successors below it, not the other sites; those have no result.
    """
    todo = set(changing)
    results: Results = {}
    failed: set[str] = set()
    for wave in run.selection.waves():
        ready = [site for site in wave if (site.name in todo or site.parent in results) and site.parent not in failed]
        failed |= {site.name for site in wave if site.parent in failed}
        found = await _wave(run, ready, run.apply)
        results |= found
        failed |= {site.name for site in ready if site.name not in found or not found[site.name].ok}
    return results


async def destroy(run: Run) -> Results:
    """Take the selected sites away, those below first; a parent stays where a site below it could not be removed."""
    results: Results = {}
    blocked: set[str] = set()
    for wave in reversed(run.selection.waves()):
        ready = [site for site in wave if site.name not in blocked]
        found = await _wave(run, ready, run.destroy)
        results |= found
        blocked |= {site.parent for site in wave if site.parent and (site.name not in found or not found[site.name].ok)}
    return results


async def interruptible(run: Run, work: Awaitable[T], on_first: Callable[[], None]) -> T:
    """Await ``work``; the first Ctrl-C lets running steps finish and be saved, the second stops at once.

    SIGTERM, and the end of the terminal, count as Ctrl-C.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def interrupt() -> None:
        nonlocal asked
        if asked:
            run.control.terminate()
            return
        asked = True
        run.control.cancel()
        on_first()

    for number in _STOP:
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    finally:
        for number in _STOP:
            loop.remove_signal_handler(number)
