"""Runs one operation over the selected sites: waves in order, the sites of a wave side by side."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from yiwang import engine
from yiwang.deployment.engines import full_name, stack_of
from yiwang.deployment.selection import Selection
from yiwang.inventory.model import Province, Site

T = TypeVar("T")
Observer = Callable[[Site, Any], None]


@dataclass
class Run:
    """What is common to the operations of one verb; ``control`` is how Ctrl-C reaches them all."""

    province: Province
    selection: Selection
    passphrase: str
    environment: Mapping[str, str]
    verb: str
    observer: Observer
    refresh: bool = False
    control: engine.Control = field(default_factory=engine.Control)

    def options(self, *, refresh: bool = False, references: Mapping[str, dict[str, Any]] | None = None) -> engine.Options:
        """The engine's options for one operation of this run."""
        return engine.Options(
            refresh=refresh,
            environment=dict(self.environment),
            references=dict(references or {}),
            verb=self.verb,
            control=self.control,
            providers=frozenset({"yiwang"}),
        )

    def _observe(self, site: Site) -> Callable[[Any], None]:
        return lambda event: self.observer(site, event)

    async def preview(self, site: Site, references: Mapping[str, dict[str, Any]]) -> engine.Result:
        """What an ``up`` of one site would do; nothing is changed."""
        stack = stack_of(self.province, site, self.passphrase)
        return await engine.preview(stack, self.options(references=references), self._observe(site))

    async def apply(self, site: Site) -> engine.Result:
        """Bring one site to what its program says."""
        stack = stack_of(self.province, site, self.passphrase)
        return await engine.up(stack, self.options(refresh=self.refresh), self._observe(site))

    async def destroy(self, site: Site) -> engine.Result:
        """Take one site's resources away."""
        return await engine.destroy(stack_of(self.province, site, self.passphrase), self.options(), self._observe(site))


async def previews(run: Run) -> dict[str, engine.Result]:
    """Preview all selected sites; a site sees what the preview of its parent would make, so this works before anything exists."""
    results: dict[str, engine.Result] = {}
    references: dict[str, dict[str, Any]] = {}
    for wave in run.selection.waves():
        found = await asyncio.gather(*(run.preview(site, references) for site in wave))
        for site, result in zip(wave, found, strict=True):
            results[site.name] = result
            if result.ok:
                references[full_name(site)] = result.outputs
    return results


async def apply(run: Run, changing: Iterable[str]) -> dict[str, engine.Result]:
    """Bring the sites named in ``changing``, and those below a site that changes, up to date.

    A site that fails stops its own wave's successors below it, not the other sites.
    """
    todo = set(changing)
    results: dict[str, engine.Result] = {}
    failed: set[str] = set()
    for wave in run.selection.waves():
        ready = [site for site in wave if (site.name in todo or site.parent in results) and site.parent not in failed]
        failed |= {site.name for site in wave if site.parent in failed}
        found = await asyncio.gather(*(run.apply(site) for site in ready))
        for site, result in zip(ready, found, strict=True):
            results[site.name] = result
            if not result.ok:
                failed.add(site.name)
    return results


async def destroy(run: Run) -> dict[str, engine.Result]:
    """Take the selected sites away, those below first; a parent stays where a site below it could not be removed."""
    results: dict[str, engine.Result] = {}
    blocked: set[str] = set()
    for wave in reversed(run.selection.waves()):
        ready = [site for site in wave if site.name not in blocked]
        found = await asyncio.gather(*(run.destroy(site) for site in ready))
        for site, result in zip(ready, found, strict=True):
            results[site.name] = result
            if not result.ok and site.parent:
                blocked.add(site.parent)
    return results


async def interruptible(run: Run, work: Awaitable[T], on_first: Callable[[], None]) -> T:
    """Await ``work``; the first Ctrl-C (or SIGTERM) lets running steps finish and be saved, the second stops at once."""
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

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        return await work
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
