"""What to do about one registration, and in which order to delete: pure functions, no I/O.

A registration goes ``prepare_inputs`` → (provider: Check) → (provider: Diff) → ``difference`` → ``decide``. Deletions go
``affected`` (who could be forced into a delete-before-replace) and ``waits`` (who has to be gone first).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from yiwang.engine.resource import Resource
from yiwang.engine.urn import provider_urn
from yiwang.engine.values import UNKNOWN, PathPart, Properties, Value, equal, has_unknown, parse_path, path_covers, reset_path, reveal
from yiwang.messages import t

# Keys that need no quotes in a property path.
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
Operation = Literal["create", "same", "update", "replace"]


class PlanError(Exception):
    """The registration cannot be done at all; the message is for the person, about the resource."""


@dataclass(frozen=True)
class DiffAnswer:
    """A provider's answer to Diff. ``changes`` None: it cannot say. ``detailed``: property path -> kind of difference.

    ``unavailable``: why nothing can be said at all, for the person.
    ``input_diffs``: those paths of ``detailed`` that compare inputs with inputs.
    """

    changes: bool | None = None
    replaces: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    delete_before_replace: bool = False
    unavailable: str = ""
    input_diffs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Difference:
    """What a registration changes. ``keys``: the properties that force a replacement."""

    changes: bool = False
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, str] = field(default_factory=dict)
    delete_first: bool = False
    input_diffs: frozenset[str] = frozenset()

    @property
    def replaces(self) -> bool:
        """Whether the provider, or the program by ``replace_on_changes``, wants a replacement."""
        return bool(self.keys) or any(kind.endswith("replace") for kind in self.detailed.values())


@dataclass(frozen=True)
class Situation:
    """What is to be known about a registration besides its states.

    ``recreating``: its old state was deleted earlier in this run. ``must_redo``: an earlier run was killed during its update
    or left init errors. ``triggered``: its replacement trigger changed. ``delete_before_replace``: the program's wish, None
    when it has none.
    """

    recreating: bool = False
    must_redo: bool = False
    triggered: bool = False
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


def prepare_inputs(inputs: Properties, old: Resource | None, ignore: Sequence[str]) -> tuple[Properties, list[str]]:
    """The inputs to check: what the program gave, with the old values where changes are to be ignored; and where that cannot be."""
    if old is None or not ignore:
        return inputs, []
    result, before = copy.deepcopy(inputs), copy.deepcopy(old.inputs)
    return result, [path for path in ignore if not _reset(before, result, path)]


def _reset(old: Properties, new: Properties, path: str) -> bool:
    try:
        parts = parse_path(path)
    except ValueError:
        # What is no path ignores nothing.
        return True
    return not parts or reset_path(old, new, parts)


def changed_keys(old: Properties, new: Properties) -> tuple[str, ...]:
    """The top-level properties that differ; secrets are compared by what is in them."""
    before, after = reveal(old), reveal(new)
    return tuple(key for key in sorted({*before, *after}) if key not in before or key not in after or not equal(before[key], after[key]))


INIT_ERROR = "#initerror"


def difference(
    answer: DiffAnswer, old: Properties, new: Properties, replace_on_changes: Iterable[str] = (), *, init_errors: bool = False
) -> Difference:
    """What a provider's answer means. ``old`` and ``new`` are inputs, for a provider that cannot say.

    ``replace_on_changes`` sees only what the provider named: its changed properties and its detailed difference, and that
    the object had not become ready.
    """
    changes, diffs, detailed, input_diffs = answer.changes, answer.diffs, dict(answer.detailed), answer.input_diffs
    if changes is None:
        found = changed_keys(old, new)
        changes, diffs = bool(found), diffs or found
        if not detailed:
            detailed = changed_paths(reveal(old), reveal(new))
            input_diffs = frozenset(detailed)
    keys = list(answer.replaces)
    patterns = [_pattern(pattern) for pattern in replace_on_changes]
    if init_errors and _inside(INIT_ERROR, patterns):
        changes, keys = True, [*keys, INIT_ERROR]
    if changes:
        keys += [key for key in diffs if _inside(key, patterns)]
        for path, kind in detailed.items():
            if _inside(path, patterns) and not kind.endswith("replace"):
                detailed[path] = f"{kind}-replace"
    return Difference(
        changes=changes,
        keys=tuple(dict.fromkeys(keys)),
        diffs=diffs,
        detailed=detailed,
        delete_first=answer.delete_before_replace,
        input_diffs=input_diffs,
    )


def _pattern(path: str) -> list[PathPart]:
    try:
        return parse_path(path)
    except ValueError:
        raise PlanError(t("engine.bad_path", path=path)) from None


def changed_paths(old: Value, new: Value, path: str = "") -> dict[str, str]:
    """What differs between two values, as a detailed difference: path -> add, delete or update."""
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(_child(path, key), old.get(key), new.get(key)) for key in sorted({*old, *new})]
    elif isinstance(old, list) and isinstance(new, list):
        ends = range(max(len(old), len(new)))
        pairs = [(f"{path}[{at}]", old[at] if at < len(old) else None, new[at] if at < len(new) else None) for at in ends]
    elif equal(old, new):
        return {}
    else:
        return {path: "add" if old is None else "delete" if new is None else "update"}
    return {found: kind for place, before, after in pairs for found, kind in changed_paths(before, after, place).items()}


def _child(path: str, key: str) -> str:
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}" if path else key
    quoted = key.replace('"', '\\"')
    return f'{path}["{quoted}"]'


def _inside(path: str, patterns: Iterable[list[PathPart]]) -> bool:
    """Whether ``path`` is one of ``patterns`` or lies inside one."""
    try:
        parts = parse_path(path)
    except ValueError:
        return False
    return any(len(pattern) <= len(parts) and path_covers(pattern, parts) for pattern in patterns)


def forced_key(new: Resource, old: Resource, *, replaced: Collection[str], asked: bool, provider_replaces: bool) -> str:
    """The property that stands for a replacement which does not depend on the inputs; empty when there is none.

    ``replaced``: the URNs replaced so far. ``asked``: the run is to replace it, or it is tainted. ``provider_replaces``: its provider is
    another one now, which cannot manage what the former one made.
    """
    if asked:
        return "id"
    if any(urn in replaced for urn in new.replace_with):
        return "replaceWith"
    if new.deleted_with and new.deleted_with in replaced:
        return "deletedWith"
    return "provider" if provider_replaces or bool(old.provider) != bool(new.provider) else ""


def triggered(new: Value, old: Value) -> bool:
    """Whether a replacement trigger asks for a replacement: it has another value, or one that is not known yet."""
    before, after = reveal(old), reveal(new)
    if has_unknown(before) or has_unknown(after):
        return True
    return before is not None and after is not None and not equal(before, after)


def decide(new: Resource, old: Resource | None, found: Difference, situation: Situation) -> Decision:
    """The step for a registration whose new state is ``new``."""
    if old is None or situation.recreating:
        return Decision("create", difference=found)
    if old.external and not new.external:
        # What was only read is not touched: another object takes its place.
        return Decision("replace", difference=Difference())
    if old.pending_replacement or situation.triggered or (found.changes and found.replaces):
        wish = situation.delete_before_replace
        delete_first = found.delete_first if wish is None else wish
        return Decision("replace", delete_first=delete_first or old.pending_replacement, difference=found)
    if found.changes or situation.must_redo:
        return Decision("update", difference=found)
    return Decision("same", difference=found)


def may_not_replace(new: Resource, old: Resource, decision: Decision) -> bool:
    """Whether the decision is a replacement of a protected resource; unprotecting and replacing at once is allowed."""
    return decision.operation == "replace" and old.protect and new.protect and not old.external


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
    "replacement_trigger",
    "import_id",
    "external",
    "taint",
    "init_errors",
)


def must_write(old: Resource, new: Resource) -> bool:
    """Whether a resource that stays the same has to be recorded again."""
    return any(not equal(getattr(old, name) or None, getattr(new, name) or None) for name in _COMPARED)


def affected(resource: Resource, gone: set[str], root: str) -> tuple[bool, Properties | None]:
    """How a delete-before-replace of ``root``, and so of ``gone``, reaches a dependent.

    Returns whether it has to go for certain, and otherwise the inputs to ask its provider about: those that come from
    ``gone`` unknown. None when nothing of it comes from there.
    """
    if resource.deleted_with in gone or root in resource.replace_with or provider_urn(resource.provider) in gone:
        return True, None
    hit = {key for key, sources in resource.property_dependencies.items() if not gone.isdisjoint(sources or ())}
    if hit.isdisjoint(resource.inputs):
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


def delete_op(resource: Resource) -> str:
    """The name of the step that deletes ``resource``."""
    if resource.external:
        return "discard-replaced" if resource.delete else "discard"
    if resource.delete:
        return "delete-replaced"
    return "remove-pending-replace" if resource.pending_replacement else "delete"


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
