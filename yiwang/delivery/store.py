"""A directory of finished results, each under the key of what it was made from: whole or absent."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from yiwang import paths
from yiwang.files import sync_directory


def root() -> Path:
    """The cache of all deliveries."""
    return paths.cache() / "wheelhouse"


def ensure(key: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """The directory of ``key`` and whether it was made now; ``make`` fills a new directory, which appears only when it is done."""
    target = root() / key
    if target.is_dir():
        return target, False
    with _one_at_a_time(key):
        if target.is_dir():
            return target, False
        fresh = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=root()))
        try:
            make(fresh)
            fresh.chmod(0o755)
            fresh.rename(target)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        sync_directory(root())
    return target, True


@contextmanager
def _one_at_a_time(key: str) -> Iterator[None]:
    root().mkdir(parents=True, exist_ok=True)
    with (root() / f".{key}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # A holder that was killed has left a half-made directory; the lock says that nobody works on it any more.
        for stale in root().glob(f".{key}.*"):
            if stale.is_dir():
                shutil.rmtree(stale, ignore_errors=True)
        yield
