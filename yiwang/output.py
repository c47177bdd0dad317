"""What a verb prints: the result to stdout (text or JSON), everything else to stderr."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, TextIO

from yiwang.errors import ExitCode, TornError
from yiwang.messages import t
from yiwang.signals import held


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: dataclasses and models as objects, paths and addresses as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Path,)):
        return str(value)
    return str(value)


def say(stream: TextIO, text: str, end: str = "\n") -> bool:
    """Print ``text`` on ``stream``, all of it, however slow its reader is; False where the reader went away.

    One that went away (``| head``) is no reason to stop what is under way. Raises OSError where the text cannot be kept for another reason
    (a full disk).
    """
    try:
        _write(stream, text + end)
    except BrokenPipeError:
        _discard(stream)
        return False
    except OSError as error:
        _discard(stream)
        error.filename = error.filename or getattr(stream, "name", None)
        raise
    return True


def _write(stream: TextIO, text: str) -> None:
    """Write all of ``text``: left to itself, an unbuffered stream (``PYTHONUNBUFFERED``) loses what a signal cuts off."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):
        # In memory, where nothing is cut off.
        stream.write(text)
        stream.flush()
        return
    stream.flush()
    left = memoryview(text.encode(stream.encoding, stream.errors or "strict"))
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            # Others that share the pipe can have made it one that does not wait.
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()


def _discard(stream: TextIO) -> None:
    """Send what is left in ``stream``, and what will be written to it, nowhere: else the end of the process fails on it."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Console:
    """One verb's way to the person, or to the program, that started it.

    ``json_output``: exactly one JSON document on stdout at the end. ``quiet``: no progress and no notes; errors,
    warnings and the result stay.
    """

    # Documents that were begun, by whichever console.
    _documents: ClassVar[int] = 0

    def __init__(self, *, json_output: bool = False, quiet: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json_output = json_output
        self.quiet = quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._started = time.monotonic()
        self._before = Console._documents

    def elapsed(self) -> float:
        """Seconds since the verb began."""
        return time.monotonic() - self._started

    def info(self, text: str) -> None:
        """A note for a person; silent with ``--quiet``."""
        if not self.quiet:
            say(self._err, text)

    def progress(self, text: str) -> None:
        """A line of progress with the time since the start; silent with ``--quiet``."""
        if not self.quiet:
            say(self._err, f"[{self.elapsed():6.1f}s] {text}")

    def warn(self, text: str) -> None:
        """A warning; shown always."""
        say(self._err, f"{t('core.warning')}: {text}")

    def error(self, text: str) -> None:
        """An error, one line for each finding; shown always."""
        for line in text.splitlines():
            say(self._err, f"{t('core.error')}: {line}")

    def result(self, value: Any, text: str = "") -> bool:
        """The verb's result: ``value`` as JSON with ``--json``, else ``text``; False where its reader went away.

        A document is printed whole before Ctrl-C counts. Raises TornError for a second Ctrl-C, which stops at once.
        """
        if not self.json_output:
            return say(self._out, text) if text else True
        # Where the stream cannot hold every character, JSON has its own way to write them.
        every = (getattr(self._out, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")
        document = json.dumps(plain(value), ensure_ascii=not every, indent=2)
        try:
            with held(signal.SIGINT):
                Console._documents += 1
                return say(self._out, document)
        except KeyboardInterrupt:
            raise TornError(t("core.torn"), code=ExitCode.INTERRUPTED) from None

    def refusal(self, value: Any) -> None:
        """The document of a verb that has no result; none where one was begun since this console was made: no other may follow."""
        if self.json_output and Console._documents == self._before:
            self.result(value)


def table(rows: list[list[str]], header: list[str]) -> str:
    """Rows as aligned columns; Chinese characters count as two."""
    widths = [max(_width(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: list[str]) -> str:
        return "  ".join(cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(row)).rstrip()

    return "\n".join(line(row) for row in [header, *rows])


def _width(text: str) -> int:
    return sum(2 if ord(character) >= 0x1100 else 1 for character in text)
