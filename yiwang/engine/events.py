"""What a run tells while it runs, and what of it is kept for the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from yiwang.engine.resource import Resource

Severity = Literal["debug", "info", "info#err", "warning", "error"]


@dataclass(frozen=True)
class StepEvent:
    """One step on one resource.

    ``op``: same, create, update, delete, replace (logical), create-replacement, delete-replaced, read, refresh, discard.
    ``diffs``: the properties that differ. ``keys``: those of them that force a replacement. ``detailed``: property path ->
    kind of difference, where the provider says so; ``input_diffs``: those of its paths that compare inputs with inputs.
    ``old_id``/``new_id``: provider's ids, empty where there is none.
    ``old``/``new``: the states before and after, secrets in clear, as the engine holds them: to be looked at while the event is
    handled, as they change later. None where there is none, and in the steps of a result.
    """

    op: str
    urn: str
    type: str
    name: str
    diffs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    old_id: str = ""
    new_id: str = ""
    input_diffs: frozenset[str] = frozenset()
    old: Resource | None = field(default=None, repr=False, compare=False)
    new: Resource | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class StepStarted(StepEvent):
    """The step begins."""


@dataclass(frozen=True)
class StepFinished(StepEvent):
    """The step ended. ``result``: ``done``, ``failed``, or ``none`` (a component that never registered its outputs).

    ``outcome``: what a refresh found (same, update, delete). ``error``: why it failed, one or more lines.
    """

    result: Literal["done", "failed", "none"] = "done"
    outcome: str = ""
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class Diagnostic:
    """A message for a person. ``urn``: the resource it is about, empty when about the run. Never a secret in it."""

    severity: Severity
    message: str
    urn: str = ""


@dataclass(frozen=True)
class InFlight:
    """An earlier run was killed: ``operations`` (lines like ``creating <urn>``) may or may not have happened.

    ``holder`` describes the dead run that still held the lock, empty when there was none.
    """

    operations: tuple[str, ...]
    holder: str = ""


Event = StepStarted | StepFinished | Diagnostic | InFlight
OnEvent = Callable[[Event], None]
