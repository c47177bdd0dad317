"""Reads what the provider appends to the run's events file: one JSON object a line (yiwang/provider/README.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class EventTail:
    """Reads an events file from where it last stopped; a line that is not complete yet waits for the next read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[Event]:
        """The events appended since the last read."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            raw = file.read()
        end = raw.rfind(b"\n") + 1
        self._offset += end
        for line in raw[:end].splitlines():
            yield json.loads(line)
