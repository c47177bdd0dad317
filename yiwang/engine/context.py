"""What the parts of one run share."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from yiwang.engine.api import Options, Stack
from yiwang.engine.gate import Gate
from yiwang.engine.passphrase import Manager
from yiwang.engine.plans import Constraint, Draft
from yiwang.engine.project import Config, Project
from yiwang.engine.providers import Providers
from yiwang.engine.report import Reporter
from yiwang.engine.snapshot import Snapshot

Mode = Literal["update", "refresh", "destroy"]


class HaltedError(Exception):
    """Nothing new is to start: a step failed, or the run was cancelled."""


class StepError(Exception):
    """A step failed and was reported."""


async def all_ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait until all have ended, whatever becomes of them: none goes on after its run. Then raise the first error of them."""
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


@dataclass
class Context:
    """One run of one stack. ``dry``: nothing is changed. ``slots``: how many steps may run at the same time.

    ``mode``: what the program is run for, if it is: to bring its resources about, or to read or delete what is recorded.
    ``draft``: the plan that is being made. ``constraint``: the plan to be kept.
    """

    stack: Stack
    options: Options
    project: Project
    config: Config
    snapshot: Snapshot
    providers: Providers
    reporter: Reporter
    dry: bool
    secrets: Manager
    mode: Mode = "update"
    draft: Draft | None = None
    constraint: Constraint | None = None
    gate: Gate = field(default_factory=Gate)
    slots: asyncio.Semaphore = field(init=False)
    _seeds: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the slots, and watch the steps where a plan is made or kept to."""
        self.slots = asyncio.Semaphore(max(self.options.parallel, 1))
        for plan in (self.constraint, self.draft):
            if plan is not None:
                self.reporter.watchers.append(plan.step)

    def seed(self, urn: str) -> bytes:
        """What the random parts of a resource's inputs are made from: the same all through a run, and as planned."""
        if urn not in self._seeds:
            planned = self.constraint.seed(urn) if self.constraint is not None else None
            self._seeds[urn] = planned or os.urandom(32)
        return self._seeds[urn]

    @property
    def limited(self) -> bool:
        """Whether the run is about a part of the stack."""
        return bool(self.options.targets or self.options.target_replace or self.options.excludes)

    @property
    def refreshes(self) -> bool:
        """Whether what is recorded is read when the program registers it."""
        return self.options.run_program and (self.mode == "refresh" or self.options.refresh)

    @property
    def halted(self) -> bool:
        """Whether nothing new is to start."""
        return self.options.control.cancelled or (self.reporter.failed and not self.options.continue_on_error)
