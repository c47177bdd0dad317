"""Making codes: many case numbers at once, so that none that is used up goes unsaid."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.messages import language, t
from yiwang.output import Console
from yiwang.standard import case, serials
from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.kinds import Kind, Reading

# Numbers that are used up and printed in one step, which a kill can lose.
BATCH = 1000
# Seconds without a word before progress is told.
SILENCE = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Making:
    """What ``yiwang code make`` was asked for: ``count`` codes of a ``kind`` from ``parts``; case numbers are counted in ``path``."""

    kind: Kind
    parts: Mapping[str, str]
    reading: Reading
    count: int
    path: Path
    made: list[str] = field(default_factory=list)
    printed: int = 0

    @property
    def counted(self) -> bool:
        """Whether serials are used up."""
        return self.kind.name == case.KIND

    def batches(self, size: int) -> Iterator[list[str]]:
        """The codes, up to ``size`` of them in one step of the count. Raises UserError."""
        source = serials.SerialFile(self.path)
        while len(self.made) < self.count:
            length = min(size, self.count - len(self.made))
            ahead = source.ahead(length)
            try:
                batch = [str(self.kind.generate(self.parts, self.reading, ahead)) for _ in range(length)]
            except CodeError as error:
                raise self._refusal(error) from None
            self.made += batch
            yield batch

    def _refusal(self, error: CodeError) -> UserError:
        problem = error.finding.problem
        if problem is Problem.SERIALS_UNUSABLE:
            return UserError(error.text(language()), code=ExitCode.MACHINE, fix=t("code.serials_fix"))
        if problem is Problem.SERIALS_EXHAUSTED:
            return UserError(error.text(language()), code=ExitCode.INPUT, fix=t("code.exhausted_fix"))
        known = " ".join([*(f"{key}=…" for key in self.kind.needs), *(f"[{key}=…]" for key in self.kind.may)])
        return UserError(error.text(language()), code=ExitCode.INPUT, fix=t("code.parts_fix", known=known))


def run(making: Making, console: Console, doubts_of: Callable[[str], list[str]]) -> int:
    """Make the codes and print them, one a line as they are made, or as one document. Ctrl-C stops after what is used up is printed.

    Raises UserError, for Ctrl-C one that says which numbers are used up.
    """
    with _held() as stopped:
        try:
            doubts = _print(making, console, doubts_of, stopped)
        except KeyboardInterrupt:
            text = t("code.stopped_at_once", printed=making.printed, count=making.count, more=BATCH)
            raise UserError(text, code=ExitCode.INTERRUPTED) from None
    if making.printed < making.count:
        text = t("code.stopped", printed=making.printed, count=making.count, last=making.made[-1])
        raise UserError(text, code=ExitCode.INTERRUPTED)
    if console.json_output:
        console.result({"kind": making.kind.name, "codes": making.made, "warnings": doubts})
    return ExitCode.OK


def _print(making: Making, console: Console, doubts_of: Callable[[str], list[str]], stopped: Callable[[], bool]) -> list[str]:
    """Print the codes until all are or it is to be stopped. What is doubtful about them comes first: they have it alike."""
    doubts: list[str] = []
    told = console.elapsed()
    # A document comes at the end: so its numbers are used up in one step, all or none.
    for batch in making.batches(making.count if console.json_output else BATCH):
        if not making.printed:
            if making.counted:
                console.info(t("code.counted", path=making.path))
            doubts = doubts_of(batch[0])
            for doubt in doubts:
                console.warn(doubt)
        if not console.json_output:
            console.result(None, "\n".join(batch))
        making.printed += len(batch)
        if stopped():
            break
        if making.printed < making.count and console.elapsed() - told > SILENCE:
            told = console.elapsed()
            console.progress(t("code.making", made=making.printed, count=making.count))
    return doubts


@contextlib.contextmanager
def _held() -> Iterator[Callable[[], bool]]:
    """Note the first Ctrl-C instead of raising it: numbers that are used up are printed first. The second one is raised."""
    noted: list[int] = []

    def note(number: int, _: object) -> None:
        noted.append(number)
        if len(noted) > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    held = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in held:
        signal.signal(number, note)
    try:
        yield lambda: bool(noted)
    finally:
        for number in held:
            signal.signal(number, before[number])
