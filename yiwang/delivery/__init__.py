"""What the operator's machine makes for hosts that have no package index: archives of wheels, each kept under its content's key.

``digest`` says what a host ought to have, without building anything; ``ensure`` makes the files that carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from yiwang.delivery import dependencies, wheel
from yiwang.delivery.dependencies import Target

__all__ = ["Delivery", "Target", "digest", "ensure", "made", "try_index"]


@dataclass(frozen=True)
class Delivery:
    """The two files for one kind of host: locked dependencies (a tar) and our wheel. ``built`` is false when both were there."""

    digest: str
    archive: Path
    wheel: Path
    wheel_sha256: str
    built: bool


def digest(extra: str, *, own: bool = True) -> str:
    """What an environment of ``extra`` (kit, storage …) holds: 32 hexadecimal digits over its lock file and, with ``own``, our sources.

    Raises UserError for an unknown extra.
    """
    return dependencies.combine(dependencies.lock(extra), *([wheel.source_digest()] if own else []))


def ensure(extra: str, target: Target) -> Delivery:
    """Make what is missing of the files for ``extra`` on hosts like ``target``; safe to call at the same time from several processes.

    Raises UserError when a wheel cannot be had.
    """
    archive, archive_built = dependencies.ensure(extra, target)
    own, own_sha256, own_built = wheel.ensure()
    return Delivery(digest(extra), archive, own, own_sha256, archive_built or own_built)


def made(extra: str, target: Target) -> bool:
    """Whether the locked dependencies for hosts like ``target`` are here, so that no package index is needed."""
    return dependencies.made(extra, target)


def try_index(extra: str, target: Target) -> None:
    """Fetch one small package of ``extra`` and forget it. Raises UserError when the index does not answer as ``ensure`` needs it."""
    dependencies.try_index(extra, target)
