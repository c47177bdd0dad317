"""Which resources a run is about: ``--target``, ``--exclude``, ``--replace`` and what depends on them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from yiwang.engine import urn as urns
from yiwang.engine.api import Options
from yiwang.engine.resource import Resource


class Patterns:
    """URNs, and patterns of URNs: ``*`` stands for anything without a colon, ``**`` for anything."""

    def __init__(self, patterns: Iterable[str]) -> None:
        listed = list(dict.fromkeys(patterns))
        self._literals = tuple(pattern for pattern in listed if "*" not in pattern)
        self._exact = frozenset(self._literals)
        self._globs = [_compiled(pattern) for pattern in listed if "*" in pattern]

    def __bool__(self) -> bool:
        return bool(self._exact or self._globs)

    def missing(self, known: AbstractSet[str]) -> list[str]:
        """Those written out that are not among ``known``."""
        return [urn for urn in self._literals if urn not in known]

    def __contains__(self, urn: object) -> bool:
        return urn in self._exact or any(glob.fullmatch(str(urn)) for glob in self._globs)


def _compiled(pattern: str) -> re.Pattern[str]:
    segments = (part.split("*") for part in pattern.split("**"))
    return re.compile(".*".join("[^:]*".join(map(re.escape, parts)) for parts in segments))


class Targets:
    """What one run may touch. Targets come before excludes where both are given."""

    def __init__(self, options: Options) -> None:
        self.wanted = Patterns([*options.targets, *options.target_replace])
        self.excluded = Patterns(options.excludes)
        self.to_replace = Patterns([*options.replace, *options.target_replace])
        self._dependents = options.target_dependents
        self._exclude_dependents = options.exclude_dependents
        # Those named so far, with what depends on them where that counts too: what depends on something comes after it.
        self._inside: set[str] = set()
        self._outside: set[str] = set()

    @property
    def limited(self) -> bool:
        """Whether the run is about a part of the stack."""
        return bool(self.wanted or self.excluded)

    def includes(self, resource: Resource) -> bool:
        """Whether the run is about ``resource``. To be asked in the order of registration."""
        if self.wanted:
            found = resource.urn in self.wanted or (self._dependents and not self._inside.isdisjoint(resource.needs()))
            if found:
                self._inside.add(resource.urn)
            return found
        if not self.excluded:
            return True
        found = resource.urn in self.excluded or (self._exclude_dependents and not self._outside.isdisjoint(resource.needs()))
        if found:
            self._outside.add(resource.urn)
        return not found

    def updates(self, resource: Resource) -> bool:
        """The same for a registration: providers and the stack itself always take part."""
        found = self.includes(resource)
        return found or resource.is_provider or resource.type == urns.STACK_TYPE

    def deletable(self, resources: Sequence[Resource]) -> set[str]:
        """The URNs that may be deleted: the targets and all that needs them, or all but the excluded and what they need."""
        every = {resource.urn for resource in resources}
        if self.wanted:
            return closure(resources, {urn for urn in every if urn in self.wanted})
        if not self.excluded:
            return every
        kept = {urn for urn in every if urn in self.excluded}
        if self._exclude_dependents:
            kept = closure(resources, kept)
        return every - needed(resources, kept)

    def unspecified(self, going: Iterable[str]) -> list[str]:
        """Those among ``going`` that are no targets, where what depends on a target was not asked for."""
        if not self.wanted or self._dependents:
            return []
        return sorted({urn for urn in going if urn not in self.wanted})


def closure(resources: Iterable[Resource], roots: set[str]) -> set[str]:
    """``roots`` and the URNs of all that depend on them."""
    dependents: dict[str, set[str]] = {}
    for resource in resources:
        for urn in resource.needs():
            dependents.setdefault(urn, set()).add(resource.urn)
    return _reached(dependents, roots)


def needed(resources: Iterable[Resource], roots: set[str]) -> set[str]:
    """``roots`` and the URNs of all that they depend on."""
    needs: dict[str, set[str]] = {}
    for resource in resources:
        needs.setdefault(resource.urn, set()).update(resource.needs())
    return _reached(needs, roots)


def _reached(edges: Mapping[str, set[str]], roots: set[str]) -> set[str]:
    found, frontier = set(roots), list(roots)
    while frontier:
        fresh = edges.get(frontier.pop(), set()) - found
        found |= fresh
        frontier += fresh
    return found
