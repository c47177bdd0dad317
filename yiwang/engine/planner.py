"""What to do about one registration, and in which order to delete: pure functions, no I/O.

A registration goes ``prepare_inputs`` → (provider: Check) → (provider: Diff) → ``difference`` → ``decide``. Deletions go
``affected`` (who could be forced into a delete-before-replace) and ``waits`` (who has to be gone first).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from yiwang.engine.resource import Resource
from yiwang.engine.values import UNKNOWN, PathPart, Properties, parse_path, path_covers, reset_path, reveal
from yiwang.messages import t

Operation = Literal["create", "same", "update", "replace"]


class PlanError(Exception):
    """The registration cannot be done at all; the message is for the person, about the resource."""


@dataclass(frozen=True)
class DiffAnswer:
    """A provider's answer to Diff. ``changes`` None: it cannot say. ``detailed``: property path -> kind of difference."""

    changes: bool | None = None
    replaces: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Difference:
    """What a registration changes. ``keys``: the properties that force a replacement."""

    changes: bool = False
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    delete_first: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the provider, or the program by ``replace_on_changes``, wants a replacement."""
        return bool(self.keys) or any(kind.endswith("replace") for kind in self.detailed.values())


@dataclass(frozen=True)
class Situation:
    """What is to be known about a registration besides its states.

    ``recreating``: its old state was deleted earlier in this run. ``must_redo``: an earlier run was killed during its update
    or left init errors. ``provider_replaced``: its provider was replaced in this run. ``replace_trigger``: one of
    ``replace_with`` was. ``delete_before_replace``: the program's wish, None when it has none.
    """

    recreating: bool = False
    must_redo: bool = False
    provider_replaced: bool = False
    replace_trigger: bool = False
    delete_before_replace: bool | None = None


@dataclass(frozen=True)
class Decision:
    """``operation``, and for a replacement whether the old one is deleted first; ``steps`` are the names of the steps."""

    operation: Operation
    delete_first: bool = False
    difference: Difference = field(default_factory=Difference)

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the resource itself, in order, as far as they come before the end of the program."""
        if self.operation != "replace":
            return (self.operation,)
        if self.delete_first:
            return ("delete-replaced", "replace", "create-replacement")
        return ("create-replacement", "replace")


def prepare_inputs(inputs: Properties, old: Resource | None, ignore: Sequence[str]) -> Properties:
    """The inputs to check: what the program gave, with the old values where changes are to be ignored."""
    if old is None or not ignore:
        return inputs
    result = copy.deepcopy(inputs)
    for path in ignore:
        reset_path(old.inputs, result, parse_path(path))
    return result


def changed_keys(old: Properties, new: Properties) -> tuple[str, ...]:
    """The top-level properties that differ; secrets are compared by what is in them."""
    before, after = reveal(old), reveal(new)
    return tuple(key for key in sorted({*before, *after}) if key not in before or key not in after or before[key] != after[key])


def difference(answer: DiffAnswer, old: Properties, new: Properties, replace_on_changes: Iterable[str] = ()) -> Difference:
    """What a provider's answer means. ``old`` and ``new`` are inputs, for a provider that cannot say.

    ``replace_on_changes`` sees only what the provider named: its changed properties and its detailed difference.
    """
    changes, diffs = answer.changes, answer.diffs
    if changes is None:
        found = changed_keys(old, new)
        changes, diffs = bool(found), diffs or found
    keys = list(answer.replaces)
    detailed = dict(answer.detailed)
    if changes:
        patterns = [parse_path(pattern) for pattern in replace_on_changes]
        keys += [key for key in diffs if _inside(key, patterns)]
        for path, kind in detailed.items():
            if _inside(path, patterns) and not kind.endswith("replace"):
                detailed[path] = f"{kind}-replace"
    return Difference(
        changes=changes, keys=tuple(dict.fromkeys(keys)), diffs=diffs, detailed=detailed, delete_first=answer.delete_before_replace
    )


def _inside(path: str, patterns: Iterable[list[PathPart]]) -> bool:
    """Whether ``path`` is one of ``patterns`` or lies inside one."""
    parts = parse_path(path)
    return any(len(pattern) <= len(parts) and path_covers(pattern, parts) for pattern in patterns)


def decide(new: Resource, old: Resource | None, found: Difference, situation: Situation) -> Decision:
    """The step for a registration whose new state is ``new``. Raises PlanError when a protected resource would be replaced."""
    if old is None or situation.recreating or (old.external and not new.external):
        return Decision("create", difference=found)
    forced = (
        old.pending_replacement
        or old.taint
        or situation.replace_trigger
        or situation.provider_replaced
        or old.custom != new.custom
        or old.type != new.type
    )
    if forced or (found.changes and found.replaces):
        if old.protect:
            raise PlanError(t("engine.protected_replace", urn=new.urn))
        wish = situation.delete_before_replace
        delete_first = found.delete_first if wish is None else wish
        return Decision("replace", delete_first=delete_first or old.pending_replacement, difference=found)
    if found.changes or situation.must_redo:
        return Decision("update", difference=found)
    return Decision("same", difference=found)


# What a `same` step compares to know whether the state has to be written. Like the CLI, not the place in the source.
_COMPARED = (
    "urn",
    "type",
    "id",
    "inputs",
    "outputs",
    "parent",
    "provider",
    "dependencies",
    "property_dependencies",
    "protect",
    "retain_on_delete",
    "deleted_with",
    "replace_with",
    "custom_timeouts",
    "ignore_changes",
    "replace_on_changes",
    "additional_secret_outputs",
    "external",
    "taint",
    "init_errors",
)


def must_write(old: Resource, new: Resource) -> bool:
    """Whether a resource that stays the same has to be recorded again."""
    return any((getattr(old, name) or None) != (getattr(new, name) or None) for name in _COMPARED)


def affected(resource: Resource, gone: set[str]) -> tuple[bool, Properties | None]:
    """How a delete-before-replace of ``gone`` reaches a dependent.

    Returns whether it has to go for certain (``deleted_with``), and otherwise the inputs to ask its provider about: those
    that come from ``gone`` unknown. None when nothing of it comes from there.
    """
    if resource.deleted_with in gone:
        return True, None
    hit = {key for key, sources in resource.property_dependencies.items() if not gone.isdisjoint(sources or ())}
    if not hit:
        return False, None
    return False, {key: UNKNOWN if key in hit else value for key, value in resource.inputs.items()}


def waits(todo: Sequence[Resource]) -> list[list[int]]:
    """For each resource to delete, the positions in ``todo`` of those that have to be gone before it: its dependents.

    ``todo`` is in dependency order (each after what it needs), so nothing waits in a circle. Of two states of one URN (a
    replaced one that is still there) a dependent needs the one of its own age.
    """
    by_urn: dict[str, list[int]] = {}
    for position, resource in enumerate(todo):
        by_urn.setdefault(resource.urn, []).append(position)
    dependents: list[list[int]] = [[] for _ in todo]
    for position, resource in enumerate(todo):
        for needed in resource.needs():
            states = [other for other in by_urn.get(needed, ()) if other < position]
            same_age = [other for other in states if todo[other].delete == resource.delete]
            for other in same_age or states:
                dependents[other].append(position)
    return dependents


def levels(dependents: Sequence[Sequence[int]]) -> list[int]:
    """For the answer of ``waits``: in which wave each is deleted, 0 for those nothing depends on."""
    found = [0] * len(dependents)
    for position in reversed(range(len(dependents))):
        # Dependents come later in the order, so theirs are known.
        found[position] = max((found[other] + 1 for other in dependents[position]), default=0)
    return found


def without_call(resource: Resource, deleted: set[str]) -> bool:
    """Whether deleting ``resource`` needs no provider: it has no real object of its own, or that goes elsewhere."""
    return (
        not resource.custom
        or resource.external
        or resource.is_provider
        or resource.retain_on_delete
        or resource.pending_replacement
        or (bool(resource.deleted_with) and resource.deleted_with in deleted)
    )


def closure(resources: Iterable[Resource], roots: set[str]) -> set[str]:
    """``roots`` and the URNs of all that depend on them."""
    found = set(roots)
    listed = list(resources)
    grown = True
    while grown:
        grown = False
        for resource in listed:
            if resource.urn not in found and not found.isdisjoint(resource.needs()):
                found.add(resource.urn)
                grown = True
    return found
