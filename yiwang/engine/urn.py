"""URNs, and the URNs a resource may have had before (aliases)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
# A whole URN has them; what a program gives as an alias need not be one.
_SEPARATORS = 3


def make(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource. ``parent`` is a URN or empty; the stack as a parent leaves no trace in the type."""
    chain = qualified_type(parent) if parent else ""
    prefix = f"{chain}$" if chain and chain.rsplit("$", 1)[-1] != STACK_TYPE else ""
    return f"urn:pulumi:{stack}::{project}::{prefix}{type_}::{name}"


def qualified_type(urn: str) -> str:
    """The type with those of its parents: ``a:b:Parent$a:b:Child``."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The resource's own type."""
    return qualified_type(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """The resource's name."""
    return urn.split("::", 3)[3]


def package_of(type_: str) -> str:
    """The package that makes resources of ``type_``; for a provider type the package it is the provider of."""
    if type_.startswith(PROVIDER_PREFIX):
        return type_.removeprefix(PROVIDER_PREFIX)
    return type_.split(":", 1)[0]


def is_provider(type_: str) -> bool:
    """Whether ``type_`` is a provider resource's."""
    return type_.startswith(PROVIDER_PREFIX)


def is_default_provider(urn: str) -> bool:
    """Whether ``urn`` is a provider the engine made by itself."""
    name = name_of(urn)
    return is_provider(type_of(urn)) and (name == "default" or name.startswith("default_"))


def provider_urn(reference: str) -> str:
    """The URN in a provider reference (``<urn>::<id>``)."""
    return reference.rsplit("::", 1)[0]


@dataclass(frozen=True)
class Alias:
    """One alias as a program gives it: a whole ``urn``, or what differs from the resource's present names."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


def earlier(urn: str, parent: str, aliases: Iterable[Alias], former: Mapping[str, Sequence[str]]) -> list[str]:
    """All URNs the resource ``urn`` may have in the state besides its own, nearest first.

    ``former``: what the resources registered before may have been called. Children follow their parent; a name that begins
    with the parent's name follows that too.
    """
    found = [candidate for alias in aliases for candidate in _of_alias(alias, urn, parent, former)]
    explicit = [(type_of(entry), name_of(entry)) for entry in found if entry.count("::") >= _SEPARATORS]
    for above in former.get(parent, ()):
        for type_, name in [(type_of(urn), name_of(urn)), *explicit]:
            mine = name_of(parent)
            follows = name_of(above) + name.removeprefix(mine) if name.startswith(mine) else name
            found.append(make(*_place(urn), above, type_, follows))
    return [candidate for candidate in dict.fromkeys(found) if candidate != urn]


def _of_alias(alias: Alias, urn: str, parent: str, former: Mapping[str, Sequence[str]]) -> list[str]:
    if alias.urn:
        return [alias.urn]
    above = [""] if alias.no_parent else [*former.get(alias.parent, ()), alias.parent] if alias.parent else [parent]
    return [_below(alias, urn, place) for place in above]


def _below(alias: Alias, urn: str, above: str) -> str:
    type_, name = alias.type or type_of(urn), alias.name or name_of(urn)
    if above and type_of(above) != STACK_TYPE:
        # Stack and project are those of the parent.
        return f"{above.rsplit('::', 1)[0]}${type_}::{name}"
    stack, project = _place(urn)
    return make(alias.stack or stack, alias.project or project, "", type_, name)


def _place(urn: str) -> tuple[str, str]:
    """The stack and the project in a URN."""
    stack, project, _ = urn.split("::", 2)
    return stack.removeprefix("urn:pulumi:"), project
