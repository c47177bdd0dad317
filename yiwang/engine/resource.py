"""One resource as the engine knows it: the recorded state, and what a program asks for."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yiwang.engine import urn as urns
from yiwang.engine.values import Properties


def now() -> str:
    """The time in UTC as the checkpoint writes it, with nanoseconds."""
    stamp = time.time_ns()
    moment = datetime.datetime.fromtimestamp(stamp // 10**9, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{stamp % 10**9:09d}Z"


@dataclass(eq=False, slots=True)
class Resource:
    """The recorded state of one resource (``ResourceV3`` of the checkpoint), with secrets in clear.

    Two states of one URN are different objects, so resources compare by identity. ``extra`` keeps fields this engine
    does not use. ``custom_timeouts`` are seconds.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    # Not in the representation: it may end in a log.
    inputs: Properties = field(default_factory=dict, repr=False)
    outputs: Properties = field(default_factory=dict, repr=False)
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    taint: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replacement_trigger: Any = field(default=None, repr=False)
    hide_diff: list[list[Any]] = field(default_factory=list)
    import_id: str = ""
    source_position: str = ""
    created: str = ""
    modified: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name in the URN."""
        return urns.name_of(self.urn)

    @property
    def is_provider(self) -> bool:
        """Whether it is a provider resource."""
        return urns.is_provider(self.type)

    def reference(self) -> str:
        """How resources refer to this provider resource."""
        return f"{self.urn}::{self.id}"

    def needs(self) -> set[str]:
        """The URNs of everything this resource depends on."""
        found = {self.parent, self.deleted_with, urns.provider_urn(self.provider), *self.dependencies, *self.replace_with}
        for dependencies in self.property_dependencies.values():
            found.update(dependencies or ())
        found.discard("")
        found.discard(self.urn)
        return found

    def rename(self, former: str, urn: str, *, provider: bool) -> None:
        """Refer to ``urn`` where ``former`` was referred to; with ``provider`` in the reference to the provider too."""
        prefix = f"{former}::"
        self.parent = urn if self.parent == former else self.parent
        self.deleted_with = urn if self.deleted_with == former else self.deleted_with
        self.dependencies = [urn if entry == former else entry for entry in self.dependencies]
        self.replace_with = [urn if entry == former else entry for entry in self.replace_with]
        self.property_dependencies = {
            key: [urn if entry == former else entry for entry in entries or ()] for key, entries in self.property_dependencies.items()
        }
        if provider and self.provider.startswith(prefix):
            self.provider = f"{urn}::{self.provider.removeprefix(prefix)}"

    def refers_to(self) -> tuple[object, ...]:
        """What it refers to, as it is recorded, but for the provider."""
        return self.parent, self.deleted_with, self.dependencies, self.replace_with, self.property_dependencies

    def forget(self, missing: set[str]) -> None:
        """Refer to none of the URNs ``missing``; the provider stays what it is."""
        if not missing:
            return
        self.parent = "" if self.parent in missing else self.parent
        self.deleted_with = "" if self.deleted_with in missing else self.deleted_with
        self.dependencies = [urn for urn in self.dependencies if urn not in missing]
        self.replace_with = [urn for urn in self.replace_with if urn not in missing]
        self.property_dependencies = {
            key: [urn for urn in entries or () if urn not in missing] for key, entries in self.property_dependencies.items()
        }

    def timeout(self, operation: str) -> float:
        """The custom timeout of create, update, delete or read in seconds; 0 when there is none."""
        return float(self.custom_timeouts.get(operation) or 0)


@dataclass(frozen=True)
class Goal:
    """What a program asks for by one registration. ``delete_before_replace`` None: the provider decides.

    ``protect``, ``retain_on_delete`` None: as the parent.
    """

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict, repr=False)
    provider: str = ""
    package: str = ""
    version: str = ""
    plugin_url: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    aliases: tuple[urns.Alias, ...] = ()
    import_id: str = ""
    replacement_trigger: Any = field(default=None, repr=False)
    hide_diffs: tuple[Sequence[Any], ...] = ()
    source_position: str = ""

    def below(self, parent: Goal) -> Goal:
        """The same with what is not said here as the parent has it."""
        return replace(
            self,
            protect=parent.protect if self.protect is None else self.protect,
            retain_on_delete=parent.retain_on_delete if self.retain_on_delete is None else self.retain_on_delete,
            deleted_with=self.deleted_with or parent.deleted_with,
        )

    def resource(self, urn: str) -> Resource:
        """A new state for this goal, without id and outputs."""
        moment = now()
        return Resource(
            urn=urn,
            type=self.type,
            custom=self.custom,
            inputs=self.inputs,
            parent=self.parent,
            provider=self.provider,
            dependencies=list(self.dependencies),
            property_dependencies=self.property_dependencies,
            protect=bool(self.protect),
            ignore_changes=list(self.ignore_changes),
            replace_on_changes=list(self.replace_on_changes),
            additional_secret_outputs=list(self.additional_secret_outputs),
            custom_timeouts=self.custom_timeouts,
            retain_on_delete=bool(self.retain_on_delete),
            deleted_with=self.deleted_with,
            replace_with=list(self.replace_with),
            replacement_trigger=self.replacement_trigger,
            hide_diff=[list(path) for path in self.hide_diffs],
            import_id=self.import_id,
            source_position=self.source_position,
            created=moment,
            modified=moment,
        )
