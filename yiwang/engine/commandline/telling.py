"""Who is told of a run: the event log, and stdout in one of three forms."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from yiwang.engine.api import Result
from yiwang.engine.commandline import event_log
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.display import Display
from yiwang.engine.commandline.events_json import Events
from yiwang.engine.commandline.place import out
from yiwang.engine.commandline.preview_json import Digest
from yiwang.engine.events import Event


class Teller:
    """One run's audience; to be used with ``with``, so that the log is whole however the run ends."""

    def __init__(self, call: Call, kind: str, stack: str, config: Mapping[str, str], *, dry: bool) -> None:
        self._call = call
        self._kind = kind
        self._config = config
        self._began = time.monotonic()
        self._log = event_log.opened(call.text("event-log"), Path.cwd()) if call.text("event-log") else None
        json_form = call.given("json")
        self._lines = json_form and not dry
        self._events = Events(planning=dry) if self._log is not None or self._lines else None
        sames, replacements = call.given("show-sames"), call.given("show-replacement-steps")
        self._digest = Digest(sames=sames, replacements=replacements) if json_form and dry else None
        self._display = None if json_form else Display(kind, stack, dry=dry, sames=sames, whole=call.given("urns"), diff=call.given("diff"))

    @property
    def details(self) -> list[str]:
        """What ``--diff`` tells, a line each; empty where all is told as JSON."""
        return self._display.details if self._display is not None else []

    def __enter__(self) -> Self:
        """Begin: the configuration is what is told first."""
        if self._events is not None:
            self._line(self._events.prelude(self._config))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let the log arrive."""
        if self._log is not None:
            self._log.close()

    def of(self, event: Event) -> None:
        """One event. A log that cannot be written any more does not stop the run."""
        if self._events is not None:
            line = self._events.of(event)
            if line is not None:
                self._line(line)
        if self._digest is not None:
            self._digest.of(event)
        if self._display is not None:
            self._display.of(event)

    def end(self, result: Result | None) -> None:
        """The summary; ``result`` None: the run ended with an error that is said elsewhere."""
        seconds = time.monotonic() - self._began
        same = {"same": result.unchanged} if result is not None and result.unchanged else {}
        changes = {**result.changes, **same} if result is not None else {}
        if self._events is not None:
            for line in self._events.end(changes=changes, seconds=seconds, ok=result is not None and result.ok):
                self._line(line)
        if result is None:
            return
        if self._digest is not None:
            out(self._digest.document(config=self._config, changes=changes, seconds=seconds))
        if self._display is not None:
            shown = self._kind == "up" and not self._call.given("suppress-outputs")
            outputs = result.outputs if shown else None
            self._display.end(changes=changes, seconds=seconds, outputs=outputs, secrets=self._call.given("show-secrets"))

    def _line(self, line: str) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.write(line)
        if self._lines:
            out(line)
