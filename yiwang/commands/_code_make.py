"""Making codes: many case numbers at once, so that none that is used up goes unsaid."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from yiwang.errors import ExitCode, TornError, UserError
from yiwang.messages import language, t
from yiwang.output import Console
from yiwang.signals import Held, held
from yiwang.standard import case, serials
from yiwang.standard.errors import CodeError, Problem, shown_path
from yiwang.standard.kinds import Kind, Reading

# Numbers that are used up and printed in one step, which a kill can lose.
BATCH = 1000
# Seconds without a word before progress is told.
SILENCE = 2.0


class _StopError(Exception):
    """Ctrl-C while others count: nothing is used up."""


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

    def batches(self, size: int, stopped: Held) -> Iterator[list[str]]:
        """The codes, up to ``size`` of them in one step of the count, until it is ``stopped``. Raises UserError."""

        def waiting() -> None:
            if stopped:
                raise _StopError

        source = serials.SerialFile(self.path, waiting=waiting)
        while len(self.made) < self.count and not stopped:
            length = min(size, self.count - len(self.made))
            ahead = source.ahead(length)
            try:
                batch = [str(self.kind.generate(self.parts, self.reading, ahead)) for _ in range(length)]
            except _StopError:
                return
            except CodeError as error:
                raise self._refusal(error) from None
            self.made += batch
            yield batch

    def _refusal(self, error: CodeError) -> UserError:
        problem, text = error.finding.problem, error.text(language())
        if problem is Problem.SERIALS_LOCKED:
            return UserError(text, code=ExitCode.LOCKED, fix=t("code.locked_fix"))
        if problem is Problem.SERIALS_UNUSABLE:
            return UserError(text, code=ExitCode.MACHINE, fix=t("code.serials_fix"))
        if problem is Problem.SERIALS_EXHAUSTED:
            return UserError(text, code=ExitCode.INPUT, fix=t("code.exhausted_fix"))
        known = " ".join([*(f"{key}=…" for key in self.kind.needs), *(f"[{key}=…]" for key in self.kind.may)])
        return UserError(text, code=ExitCode.INPUT, fix=t("code.parts_fix", known=known))

    def unread(self) -> UserError:
        """The error where the reader went away before all that is used up was printed."""
        values = {"made": len(self.made), "count": self.count, "lost": len(self.made) - self.printed, "last": self.made[-1]}
        return UserError(t("code.unread", **values), code=ExitCode.FAILED)

    def cut_short(self) -> UserError:
        """The error where Ctrl-C came before all were made."""
        values = {"printed": self.printed, "count": self.count}
        text = t("code.stopped", **values, last=self.made[-1]) if self.made else t("code.stopped_before", count=self.count)
        return UserError(text, code=ExitCode.INTERRUPTED)

    def cut_off(self, step: int) -> UserError:
        """The error where a second Ctrl-C came while codes were made or printed, ``step`` of them at a time."""
        more = min(step, self.count - self.printed)
        return UserError(t("code.stopped_at_once", printed=self.printed, count=self.count, more=more), code=ExitCode.INTERRUPTED)


def run(making: Making, console: Console, doubts_of: Callable[[str], list[str]]) -> int:
    """Make the codes and print them, one a line as they are made, or as one document. Ctrl-C stops after what is used up is printed.

    Raises UserError, for Ctrl-C and for a reader that went away one that says which numbers are used up.
    """
    with held(signal.SIGINT, signal.SIGTERM) as stopped:
        try:
            whole = (_document if console.json_output else _lines)(making, console, doubts_of, stopped)
        except KeyboardInterrupt:
            raise making.cut_off(making.count if console.json_output else BATCH) from None
    if not whole and making.counted:
        raise making.unread()
    if making.printed < making.count and whole:
        raise making.cut_short()
    return ExitCode.OK


def _document(making: Making, console: Console, doubts_of: Callable[[str], list[str]], stopped: Held) -> bool:
    """Print one document of all codes, which are used up in one step, all or none; False where its reader went away."""
    try:
        for batch in making.batches(making.count, stopped):
            doubts = _tell(making, console, doubts_of, batch)
            whole = console.result({"kind": making.kind.name, "codes": batch, "warnings": doubts})
            making.printed = len(batch) if whole else 0
            return whole
    except TornError as error:
        values = {"count": making.count, "first": making.made[0], "last": making.made[-1]}
        raise TornError(t("code.torn", **values), code=error.code) from None
    return True


def _lines(making: Making, console: Console, doubts_of: Callable[[str], list[str]], stopped: Held) -> bool:
    """Print the codes until all are or it is to be stopped; False where the reader went away."""
    told = console.elapsed()
    for batch in making.batches(BATCH, stopped):
        if not making.printed:
            _tell(making, console, doubts_of, batch)
        if not console.result(None, "\n".join(batch)):
            return False
        making.printed += len(batch)
        if making.printed < making.count and not stopped and console.elapsed() - told > SILENCE:
            told = console.elapsed()
            console.progress(t("code.making", made=making.printed, count=making.count))
    return True


def _tell(making: Making, console: Console, doubts_of: Callable[[str], list[str]], batch: list[str]) -> list[str]:
    """Say where codes are counted and what is doubtful about them, which they have alike."""
    if making.counted:
        console.info(t("code.counted", path=shown_path(making.path)))
    doubts = doubts_of(batch[0])
    for doubt in doubts:
        console.warn(doubt)
    return doubts
