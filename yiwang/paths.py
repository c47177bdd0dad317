"""Where the kit's own trees, caches and records lie."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data(tree: str) -> Path:
    """The directory of one of the kit's trees (``roles``, ``stacks``, ``inventories``, ``requirements`` …).

    In a checkout that is the repository's own directory; in an installed wheel the copy it carries.
    """
    checkout = _PACKAGE.parent / tree
    if (_PACKAGE.parent / "pyproject.toml").is_file():
        return checkout
    return _PACKAGE / "_data" / tree


def cache() -> Path:
    """The root of all caches, ``$XDG_CACHE_HOME/yiwang`` or ``~/.cache/yiwang``; each entry is keyed by content."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "yiwang"


def state() -> Path:
    """The root of what must not be lost and belongs to no inventory, ``$XDG_STATE_HOME/yiwang`` or ``~/.local/state/yiwang``."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "yiwang"
