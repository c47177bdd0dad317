"""The two kinds of error: those meant for people, and bugs.

``UserError`` carries one line for a person, the fix, and an exit code of the documented table; the
command line prints it without a traceback. Anything else is a bug: its traceback goes to a log file.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum

from yiwang.messages import language, t


class ExitCode(IntEnum):
    """The exit codes of every verb (the table in README.md is compared with this one by a test)."""

    OK = 0
    FAILED = 1
    CHANGES = 2
    INPUT = 3
    MACHINE = 4
    LOCKED = 5
    HOST = 6
    FINDINGS = 7
    BUG = 70
    INTERRUPTED = 130


def with_fix(text: str, fix: str) -> str:
    """What is wrong and, where there is one, what to do about it, joined as the language in use joins sentences."""
    separator = "；" if language() == "zh" else "; "
    return f"{text}{separator}{fix}" if fix else text


class UserError(Exception):
    """An error a person can act on.

    ``text`` says what is wrong (with file, key and value where there are any); ``fix`` says what to do.
    ``lines`` may hold further findings of the same kind, one line each.
    """

    def __init__(self, text: str, *, code: ExitCode = ExitCode.FAILED, fix: str = "", lines: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.fix = fix
        self.lines = lines

    def report(self) -> str:
        """The text to print: one line for each finding, the fix behind the first where there is one."""
        return "\n".join((with_fix(self.text, self.fix), *self.lines))


class TornError(UserError):
    """The same where only a part of a document is on stdout."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# A file where a directory has to be, or the reverse.
_MISPLACED = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST})
_OF_THE_MACHINE = _FULL | _FORBIDDEN | {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def storage_error(error: OSError) -> UserError | None:
    """The same (exit 4) where a disk is full or only readable: then no other file or key would help."""
    return machine_error(error) if error.errno in _FULL | {errno.EROFS} else None


def machine_error(error: OSError) -> UserError | None:
    """The error for a person (exit 4) when ``error`` is about the machine (disk full, not writable), else None: it is a bug."""
    if error.errno not in _OF_THE_MACHINE:
        return None
    reason = os.strerror(error.errno)
    text = t("core.machine_at", path=error.filename, reason=reason) if error.filename else t("core.machine", reason=reason)
    kind = "full" if error.errno in _FULL else "forbidden" if error.errno in _FORBIDDEN else "other"
    return UserError(text, code=ExitCode.MACHINE, fix=t(f"core.machine_{kind}_fix"))


def misplaced_error(error: OSError) -> UserError | None:
    """The same (exit 3) for a file where a directory has to be, or the reverse, in a place that is the user's."""
    if error.errno not in _MISPLACED or not error.filename:
        return None
    text = t("core.machine_at", path=error.filename, reason=os.strerror(error.errno or 0))
    return UserError(text, code=ExitCode.INPUT, fix=t("core.machine_other_fix"))
