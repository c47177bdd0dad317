"""A directory of finished results, each under the key of what it was made from: whole or absent, also after a power cut.

A result carries the list of its files' hashes (as ``sha256sum --check`` reads it) and is held against it at each use; what does not
match is made again. The modification time of a result's directory is when it was last asked for.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from yiwang import paths
from yiwang.files import sync_directory

SUMS = "SHA256SUMS"
# What is kept of each kind however old it is, and how long everything is kept after it was last asked for.
KEPT = 3
KEPT_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class Result:
    """A finished directory, the sha256 of each file in it by name, and whether it was made now."""

    directory: Path
    hashes: dict[str, str]
    built: bool


def root() -> Path:
    """The cache of all deliveries."""
    return paths.cache() / "wheelhouse"


def ensure(kind: str, key: str, make: Callable[[Path], None]) -> Result:
    """The result of ``key``; ``make`` fills a new directory with files, which appears only when it is done and on the disk.

    ``kind`` says what replaces what: the newest few of a kind are kept, older ones go once nobody has asked for them for a while.
    """
    name = f"{kind}-{key}"
    target = root() / name
    with _locked(name):
        _clear(name)
        hashes = _verified(target)
        if hashes is not None:
            os.utime(target)
            return Result(target, hashes, built=False)
        if target.exists():
            _remove(name)
        hashes = _make(name, make)
    prune()
    return Result(target, hashes, built=True)


def has(kind: str, key: str) -> bool:
    """Whether ``ensure`` would find the result whole."""
    return _verified(root() / f"{kind}-{key}") is not None


def prune() -> list[str]:
    """Remove what is neither among the newest of its kind nor was asked for lately, and return the names.

    What another process is making or checking is passed over.
    """
    by_kind: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for path in root().iterdir():
        # Somebody else may prune at the same time.
        with suppress(FileNotFoundError):
            if path.is_dir() and not path.name.startswith("."):
                by_kind[path.name.rpartition("-")[0]].append((path.stat().st_mtime, path.name))
    old = [name for results in by_kind.values() for _, name in sorted(results, reverse=True)[KEPT:]]
    removed = []
    for name in old:
        with _locked(name, wait=False) as held:
            # Asked again under the lock: somebody may have used it, or pruned it, since.
            if held and (root() / name).is_dir() and time.time() - (root() / name).stat().st_mtime > KEPT_SECONDS:
                _remove(name)
                removed.append(name)
    for lock in root().glob(".*.lock"):
        name = lock.name.removeprefix(".").removesuffix(".lock")
        if not (root() / name).exists():
            with _locked(name, wait=False) as held:
                if held and not (root() / name).exists():
                    _clear(name)
                    lock.unlink()
    return removed


def _make(name: str, make: Callable[[Path], None]) -> dict[str, str]:
    """Make a result beside its place and move it there when all of it is on the disk; returns the hashes."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root()))
    try:
        make(fresh)
        hashes = {file.name: _sha256(file) for file in sorted(fresh.iterdir())}
        (fresh / SUMS).write_text("".join(f"{digest}  {file}\n" for file, digest in hashes.items()), encoding="utf-8")
        for file in fresh.iterdir():
            with file.open("rb") as content:
                os.fsync(content.fileno())
        fresh.chmod(0o755)
        sync_directory(fresh)
        fresh.rename(root() / name)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    sync_directory(root())
    return hashes


def _verified(target: Path) -> dict[str, str] | None:
    """The hashes of a result whose files are what they were when it was made; None for any other."""
    try:
        lines = (target / SUMS).read_text(encoding="utf-8").splitlines()
        hashes = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        return hashes if all(_sha256(target / name) == digest for name, digest in hashes.items()) else None
    except (OSError, UnicodeDecodeError):
        return None


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _remove(name: str) -> None:
    """Take a result away under the lock; killed in between, it is gone already and the rest is cleared away later."""
    gone = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root()))
    (root() / name).rename(gone / name)
    shutil.rmtree(gone)


def _clear(name: str) -> None:
    """Clear away what a holder of the lock that was killed has left: the lock says that nobody works on it any more."""
    for stale in root().glob(f".{name}.*"):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)


@contextmanager
def _locked(name: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of one result; without ``wait``, the value is false when another holds it."""
    root().mkdir(parents=True, exist_ok=True)
    path = root() / f".{name}.lock"
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            # A pruner may have removed the file while this process waited for it: then others lock a new one.
            if _same(file.fileno(), path):
                yield True
                return


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
