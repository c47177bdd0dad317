"""The passphrase that encrypts the secrets in the state: read from a file, a command, or made once."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import subprocess
from pathlib import Path

from yiwang.errors import ExitCode, UserError, storage_error
from yiwang.files import make_private, sync_directory, write_atomic
from yiwang.inventory.model import Passphrase
from yiwang.messages import t

COMMAND_SECONDS = 60.0
MAX_BYTES = 4096


def read(source: Passphrase, state_dir: Path) -> str:
    """The passphrase from ``source``, without the line end; made where it is to be. Raises UserError, which never quotes what was read."""
    found = present(source, state_dir)
    if found is None:
        _generate(state_dir / "passphrase", state_dir)
        found = _checked(_from_file(state_dir / "passphrase"), str(state_dir / "passphrase"))
    return found


def present(source: Passphrase, state_dir: Path) -> str | None:
    """The passphrase that there is; ``None`` where one is still to be made. Changes nothing; raises UserError as ``read`` does."""
    if source.kind == "command":
        return _checked(_from_command(source.command), " ".join(source.command))
    path = source.file if source.file is not None else state_dir / "passphrase"
    if source.kind == "generate" and not path.exists():
        # Never a new one for a state that was encrypted with one that is gone.
        if any((state_dir / ".pulumi" / "stacks").glob("**/*.json")):
            raise UserError(t("inventory.passphrase_lost", path=path), code=ExitCode.INPUT, fix=t("inventory.passphrase_lost_fix"))
        return None
    return _checked(_from_file(path), str(path))


def _generate(path: Path, state_dir: Path) -> None:
    """Make the passphrase; of two that try at once the first wins."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        make_private(state_dir)
        write_atomic(fresh, secrets.token_urlsafe(32) + "\n", mode=0o600)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        sync_directory(state_dir)
    except OSError as error:
        raise storage_error(error) or UserError(
            t("inventory.passphrase_make", path=path, reason=error.strerror or error),
            code=ExitCode.INPUT,
            fix=t("inventory.passphrase_make_fix"),
        ) from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()


def _from_file(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        # A pipe of the shell is as good as a file; a directory is a mistake, and no mode would help.
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode & 0o077:
            raise UserError(
                t("inventory.passphrase_open", path=path), code=ExitCode.INPUT, fix=t("inventory.passphrase_open_fix", path=path)
            )
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(
            t("inventory.passphrase_file", path=path, reason=error.strerror or error),
            code=ExitCode.INPUT,
            fix=t("inventory.passphrase_file_fix"),
        ) from None


def _from_command(command: tuple[str, ...]) -> bytes:
    shown = " ".join(command)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        reason = type(error).__name__ if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise UserError(t("inventory.passphrase_command", command=shown, reason=reason), code=ExitCode.INPUT) from None
    if done.returncode != 0:
        reason = t("inventory.exit_code", code=done.returncode)
        raise UserError(t("inventory.passphrase_command", command=shown, reason=reason), code=ExitCode.INPUT)
    return done.stdout


def _checked(raw: bytes, source: str) -> str:
    try:
        text = raw.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > MAX_BYTES or "\n" in text:
        raise UserError(t("inventory.passphrase_bad", source=source), code=ExitCode.INPUT, fix=t("inventory.passphrase_bad_fix"))
    return text
