"""The provider's progress: one JSON object a line, appended to ``events.jsonl`` of the run."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

from yiwang.provider.scrub import Scrubber


class EventLog:
    """Appends events. Nothing leaves with a known secret in it; without a path nothing is written.

    Several providers write to one file: each line is one write to a descriptor opened for appending.
    """

    def __init__(self, path: Path | None, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600) if path else None

    def write(self, event: str, **fields: Any) -> None:
        """Append one event with the present time (UTC)."""
        if self._file is None:
            return
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "event": event, **self._scrubber.value(fields)}
        os.write(self._file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
