"""How a command fails: one message on stderr, and the CLI's exit codes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import IntEnum

from yiwang.messages import t


class Code(IntEnum):
    """The CLI's exit codes (not those of the other verbs)."""

    OK = 0
    ERROR = 1
    CONFIGURATION = 2
    NO_STACK = 6
    CHANGES = 7
    CANCELLED = 8


class CommandError(Exception):
    """A command that is refused or failed; ``text`` is said on stderr behind ``error: ``."""

    def __init__(self, text: str, code: Code = Code.ERROR) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def unavailable(what: str) -> CommandError:
    """The CLI knows ``what``, or may know it; this command line does not."""
    return CommandError(t("pulumi.unavailable", what=what))


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """A file that the command line names: what is wrong with it is the user's to know."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"could not write {name}: {error.strerror}") from None
