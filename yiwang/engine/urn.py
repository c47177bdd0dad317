"""URNs, and the URNs a resource may have had before (aliases)."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


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


def matches(urn: str, patterns: Iterable[str]) -> bool:
    """Whether ``urn`` is one of ``patterns``; ``*`` matches within a part, ``**`` anything."""
    return any(urn == pattern or ("*" in pattern and fnmatch.fnmatchcase(urn, pattern.replace("**", "*"))) for pattern in patterns)


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


def earlier(urn: str, parent: str, stack_urn: str, aliases: Iterable[Alias], inherited: Iterable[str]) -> list[str]:
    """All URNs the resource ``urn`` may have in the state besides its own, nearest first.

    ``inherited``: the earlier URNs of its parent; a name that begins with the parent's name follows the parent's.
    """
    stack, project = urn.split("::", 2)[0].removeprefix("urn:pulumi:"), urn.split("::", 2)[1]
    type_, name = type_of(urn), name_of(urn)
    inherited = list(inherited)
    found: list[str] = []

    def below(former_parent: str, type_: str, name: str) -> str:
        mine = name_of(parent)
        former = name_of(former_parent) + name.removeprefix(mine) if name.startswith(mine) else name
        return make(stack, project, former_parent, type_, former)

    for alias in aliases:
        if alias.urn:
            found.append(alias.urn)
            continue
        its_type, its_name = alias.type or type_, alias.name or name
        its_parent = stack_urn if alias.no_parent else alias.parent or parent
        found.append(make(alias.stack or stack, alias.project or project, its_parent, its_type, its_name))
        if not alias.no_parent and not alias.parent:
            found += [below(former, its_type, its_name) for former in inherited]
    found += [below(former, type_, name) for former in inherited]
    return [candidate for candidate in dict.fromkeys(found) if candidate != urn]
