#!/usr/bin/python3
"""Writes what must never change again, once. Standard input: JSON with ``path``, ``content``, and ``group``, which may read it."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import sys
from pathlib import Path

given = json.load(sys.stdin)
path = Path(given["path"])
# Not of the name's own kind: what reads a directory of settings must not find it.
fresh = path.with_name(f".{path.name}.fresh")
with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "w", encoding="utf-8") as file:
    file.write(given["content"])
    os.fchown(file.fileno(), 0, grp.getgrnam(given.get("group", "root")).gr_gid)
    os.fchmod(file.fileno(), 0o440)
    file.flush()
    os.fsync(file.fileno())
# A link, unlike a renaming, takes the place of nothing that is there.
with contextlib.suppress(FileExistsError):
    os.link(fresh, path)
fresh.unlink()
directory = os.open(path.parent, os.O_RDONLY)
os.fsync(directory)
