"""Values that a verb is given as arguments, in a file, or on standard input, one a line."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.standard.errors import shown_path

STDIN = Path("-")
# No code is longer than a few hundred characters; a file without line ends is not read into memory.
LONGEST_LINE = 64 * 1024
# What goes on without a line end for longer is no file of values, and may have no end.
ENDLESS = 64 * 1024 * 1024


class Cut(str):
    """The beginning of a line that is longer than what is kept of one."""

    __slots__ = ()


def path_option(option: str, text: str | None) -> Path | None:
    """The path that an ``option`` names; None where it is not there. Raises UserError (exit 3) for one that is empty."""
    if text == "":
        raise UserError(t("code.empty_option", option=option), code=ExitCode.INPUT, fix=t("code.empty_option_fix", option=option))
    return None if text is None else Path(text)


def given(values: Iterable[str] | None, file: Path | None) -> Iterator[str]:
    """The values of the command line, else the lines of ``file`` (``-`` is standard input, which is read too where it is piped in).

    Raises UserError (exit 3) where there is nothing to read, or both. Lines that are empty are left out; bytes that are no UTF-8 stay in
    the text as Python keeps them in arguments, so that such a line is a wrong value and not the end of the run. Of a line that is too long
    the beginning is given, as ``Cut``.
    """
    values = list(values or ())
    if values and file is not None:
        raise UserError(t("code.both"), code=ExitCode.INPUT, fix=t("code.both_fix"))
    if values:
        return iter(values)
    if file is not None and file != STDIN:
        return _file(file)
    if sys.stdin is None or (file is None and sys.stdin.isatty()):
        raise UserError(t("code.nothing"), code=ExitCode.INPUT, fix=t("code.nothing_fix"))
    return _lines(sys.stdin.buffer, t("code.stdin"))


def _file(path: Path) -> Iterator[str]:
    try:
        opened = path.open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(shown_path(path), error) from None
    with opened:
        yield from _lines(opened, shown_path(path))


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    found = False
    for number, (raw, cut) in enumerate(_read(stream, name)):
        line = raw if number else raw.removeprefix(codecs.BOM_UTF8)
        text = line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")
        if text:
            found = True
            yield Cut(text) if cut else text
    if not found:
        raise UserError(t("code.empty", name=name), code=ExitCode.INPUT, fix=t("code.nothing_fix"))


def _read(stream: BinaryIO, name: str) -> Iterator[tuple[bytes, bool]]:
    """The lines of ``stream``, each with whether it is cut to the longest one that is kept. Raises UserError where it cannot be read."""
    try:
        while line := stream.readline(LONGEST_LINE):
            rest, length = line, len(line)
            while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(LONGEST_LINE)
                length += len(rest)
                if length > ENDLESS:
                    raise UserError(t("code.endless", name=name), code=ExitCode.INPUT, fix=t("code.endless_fix"))
            yield line, length - len(rest) + len(rest.rstrip(b"\r\n")) > LONGEST_LINE
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError | ValueError) -> UserError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UserError(t("code.unreadable", name=name, reason=reason), code=ExitCode.INPUT, fix=t("code.unreadable_fix"))
