"""Where a secret comes from: a private file, or what a command prints. An inventory names the place and never holds the secret."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

COMMAND_SECONDS = 60.0
MAX_BYTES = 4096


@dataclass(frozen=True)
class SecretSource:
    """Exactly one of ``file`` and ``command`` (an argument list, run without a shell); ``key``: where ``province.yml`` names it."""

    key: str
    file: Path | None = None
    command: tuple[str, ...] = ()

    def read(self) -> str:
        """The secret, without the line end. Raises UserError, which never quotes what was read."""
        return from_file(self.file, self.key) if self.file is not None else from_command(self.command, self.key)


def from_file(path: Path, key: str) -> str:
    """The secret in a file that nobody else may read."""
    try:
        mode = path.stat().st_mode
        # A pipe of the shell is as good as a file; a directory is a mistake, and no mode would help.
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode & 0o077:
            raise UserError(
                t("inventory.source_open", key=key, path=path), code=ExitCode.INPUT, fix=t("inventory.source_open_fix", path=path)
            )
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(
            t("inventory.source_file", key=key, path=path, reason=error.strerror or error),
            code=ExitCode.INPUT,
            fix=t("inventory.source_file_fix", key=key),
        ) from None
    return _line(raw, str(path), key)


def from_command(command: tuple[str, ...], key: str) -> str:
    """The secret that a command prints."""
    shown = " ".join(command)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        reason = type(error).__name__ if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise UserError(t("inventory.source_command", key=key, command=shown, reason=reason), code=ExitCode.INPUT) from None
    if done.returncode != 0:
        reason = t("inventory.exit_code", code=done.returncode)
        raise UserError(t("inventory.source_command", key=key, command=shown, reason=reason), code=ExitCode.INPUT)
    return _line(done.stdout, shown, key)


def _line(raw: bytes, source: str, key: str) -> str:
    try:
        text = raw.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > MAX_BYTES or "\n" in text:
        raise UserError(t("inventory.source_bad", key=key, source=source), code=ExitCode.INPUT, fix=t("inventory.source_bad_fix"))
    return text
