"""The passphrase that encrypts the secrets in the state: read from a file, a command, or made once."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from yiwang.errors import ExitCode, UserError, storage_error
from yiwang.files import make_private, sync_directory, write_atomic
from yiwang.inventory import secret_source
from yiwang.inventory.model import Passphrase
from yiwang.messages import t

KEY = "passphrase"


def read(source: Passphrase, state_dir: Path) -> str:
    """The passphrase from ``source``, without the line end; made where it is to be. Raises UserError, which never quotes what was read."""
    found = present(source, state_dir)
    if found is None:
        _generate(state_dir / "passphrase", state_dir)
        found = secret_source.from_file(state_dir / "passphrase", KEY)
    return found


def present(source: Passphrase, state_dir: Path) -> str | None:
    """The passphrase that there is; ``None`` where one is still to be made. Changes nothing; raises UserError as ``read`` does."""
    if source.kind == "command":
        return secret_source.from_command(source.command, KEY)
    path = source.file if source.file is not None else state_dir / "passphrase"
    if source.kind == "generate" and not path.exists():
        # Never a new one for a state that was encrypted with one that is gone.
        if any((state_dir / ".pulumi" / "stacks").glob("**/*.json")):
            raise UserError(t("inventory.passphrase_lost", path=path), code=ExitCode.INPUT, fix=t("inventory.passphrase_lost_fix"))
        return None
    return secret_source.from_file(path, KEY)


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
