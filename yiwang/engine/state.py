"""The offline side of a stack: who holds it, what it records, backup and restore. No program and no provider runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yiwang.engine.api import Stack


@dataclass(frozen=True)
class Lock:
    """Who holds a stack. ``alive``: True, False (a process of this machine that ended), or None (cannot be told)."""

    path: Path
    user: str
    host: str
    pid: int
    since: str
    verb: str
    alive: bool | None


@dataclass(frozen=True)
class Recorded:
    """One recorded resource; secret values are shown as ``[secret]``. ``modified``: RFC 3339 time, UTC."""

    urn: str
    type: str
    name: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    parent: str
    dependencies: tuple[str, ...]
    created: str
    modified: str
    taint: bool = False
    protect: bool = False
    delete: bool = False
    init_errors: tuple[str, ...] = field(default=())


def lock_holder(stack: Stack) -> Lock | None:
    """The first lock on the stack, or None."""
    raise NotImplementedError


def unlock(stack: Stack) -> list[Lock]:
    """Remove the locks of the stack, whoever holds them, and return them."""
    raise NotImplementedError


def backup(backend: Path, target: Path) -> Path:
    """Write the state of all stacks of a backend (secrets stay encrypted) to the archive ``target`` (mode 0600)."""
    raise NotImplementedError


def restore(backend: Path, source: Path) -> list[str]:
    """Put the state of an archive made by ``backup`` in place of the present one; returns the stacks' names."""
    raise NotImplementedError


def outputs(stack: Stack, *, show_secrets: bool = False) -> dict[str, Any]:
    """The recorded stack outputs; secrets as ``[secret]`` unless ``show_secrets``."""
    raise NotImplementedError


def resources(stack: Stack) -> list[Recorded]:
    """The recorded resources, each after those it depends on."""
    raise NotImplementedError


def taint(stack: Stack, urn: str) -> None:
    """Mark a resource: the next ``up`` replaces it. Raises UserError when it is not recorded or the stack is locked."""
    raise NotImplementedError


def show(value: Any, *, secrets: bool = False) -> Any:
    """An output for people: secrets as ``[secret]`` (or in clear), values not known yet as ``[unknown]``."""
    raise NotImplementedError
