"""What the parts of one run share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from yiwang.engine.api import Options, Stack
from yiwang.engine.project import Config, Project
from yiwang.engine.providers import Providers
from yiwang.engine.report import Reporter
from yiwang.engine.snapshot import Snapshot

Mode = Literal["update", "refresh", "destroy"]


class HaltedError(Exception):
    """Nothing new is to start: a step failed, or the run was cancelled."""


class StepError(Exception):
    """A step failed and was reported."""


@dataclass
class Context:
    """One run of one stack. ``dry``: nothing is changed. ``slots``: how many steps may run at the same time.

    ``mode``: what the program is run for, if it is: to bring its resources about, or to read or delete what is recorded.
    """

    stack: Stack
    options: Options
    project: Project
    config: Config
    snapshot: Snapshot
    providers: Providers
    reporter: Reporter
    dry: bool
    mode: Mode = "update"
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Make the slots."""
        self.slots = asyncio.Semaphore(max(self.options.parallel, 1))

    @property
    def refreshes(self) -> bool:
        """Whether what is recorded is read when the program registers it."""
        return self.options.run_program and (self.mode == "refresh" or self.options.refresh)

    @property
    def halted(self) -> bool:
        """Whether nothing new is to start."""
        return self.options.control.cancelled or (self.reporter.failed and not self.options.continue_on_error)
