"""Files that are whole or absent, and places that never reach a disk."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t


def write_atomic(path: Path, data: bytes | str, mode: int = 0o600) -> None:
    """Write ``data`` to ``path`` with ``mode``: a reader, or a kill, sees the old file or the new one, both whole.

    The data is on the disk when the call returns. The directory must exist.
    """
    raw = data.encode() if isinstance(data, str) else data
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        if isinstance(error, OSError):
            # A full disk names no file, the rest the temporary one.
            error.filename = str(path)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames and removals in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(directory: Path) -> Path:
    """Make ``directory``, and those above it that are missing, with mode 0700 and return it."""
    # The mode that `mkdir` takes is not for the parents.
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    return directory


def _is_tmpfs(path: str) -> bool:
    result = subprocess.run(["stat", "--file-system", "--format=%T", path], capture_output=True, text=True, check=False)  # noqa: S607
    return result.stdout.strip() in ("tmpfs", "ramfs")


def private_tmpfs() -> Path:
    """A directory of this user alone (0700) on a file system in memory: what is written there never reaches a disk.

    Raises UserError (exit 4) where the machine has no such file system.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for base in (runtime, "/dev/shm", "/run"):  # noqa: S108 - a 0700 directory of our own is made below
        if base and os.access(base, os.W_OK) and _is_tmpfs(base):
            directory = Path(base) / f"yiwang-{os.getuid()}"
            directory.mkdir(mode=0o700, exist_ok=True)
            status = directory.lstat()
            if directory.is_symlink() or status.st_uid != os.getuid():
                raise UserError(t("core.tmpfs_foreign", path=directory), code=ExitCode.MACHINE, fix=t("core.tmpfs_foreign_fix"))
            directory.chmod(0o700)
            return directory
    raise UserError(t("core.no_tmpfs"), code=ExitCode.MACHINE, fix=t("core.no_tmpfs_fix"))
