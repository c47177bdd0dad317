"""Role variables in the inventory, checked against the roles' own ``meta/argument_specs.yml``."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from yiwang import paths
from yiwang.inventory import drawer, rolevalues
from yiwang.inventory.document import Node
from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.inventory.facts import Facts, close, nearest
from yiwang.inventory.hosts import PREFIXES
from yiwang.inventory.sources import Definition, Sources
from yiwang.inventory.values import WrongError
from yiwang.messages import t

SET_BY_KIT = "Set by the kit"

_TEXT = ("str", "path", "raw", "jsonarg", "bytes", "bits")


def options() -> Mapping[str, Mapping[str, Any]]:
    """Every public variable of every role, with its argument specification."""
    files = tuple(sorted(paths.data("roles").glob("*/meta/argument_specs.yml")))
    return _options(tuple((file, file.stat().st_mtime_ns) for file in files))


@functools.lru_cache(maxsize=4)
def _options(files: tuple[tuple[Path, int], ...]) -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file, _ in files:
        specs = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - one of the two safe loaders
        for entry in (specs or {}).get("argument_specs", {}).values():
            for name, option in (entry.get("options") or {}).items():
                found.setdefault(name, option or {})
    return found


def check(sources: Sources, facts: Facts | None, findings: Findings) -> None:
    """Check each place that gives a role variable, once."""
    places = [place for place in sources.definitions if any(not key.startswith(PREFIXES) for key in place.node.items or {})]
    if not places:
        return
    known = options()
    writable = [name for name, option in known.items() if not _set_by_kit(option)]
    for place in places:
        for key, node in (place.node.items or {}).items():
            if key.startswith(PREFIXES):
                continue
            checker = _Checker(place, place.node.line_of((key,)), findings)
            path = (*place.prefix, key)
            if key not in known:
                checker.add(path, "", t("inventory.unknown_variable"), _meant(key, writable))
            elif _set_by_kit(known[key]):
                checker.add(path, "", t("inventory.set_by_kit"), t("inventory.set_by_kit_fix"))
            else:
                checker.value(node, known[key], path)
                checker.content(node, key, path, facts.sites if facts is not None else ())


def _checks(kind: Literal["values", "names"]) -> Mapping[str, rolevalues.Validator]:
    """The checks of all roles, by variable."""
    return {variable: check for each in drawer.drawers().values() for variable, check in getattr(each, kind).items()}


def _meant(key: str, known: Iterable[str]) -> str:
    return nearest(key, known) if close(key, known) else t("inventory.unknown_variable_fix")


def _set_by_kit(option: Mapping[str, Any]) -> bool:
    description = option.get("description", "")
    return bool(option.get("no_log")) or (isinstance(description, str) and description.startswith(SET_BY_KIT))


class _Checker:
    def __init__(self, place: Definition, line: int, findings: Findings) -> None:
        self.place = place
        self.first = line
        self.findings = findings

    def add(self, path: KeyPath, value: str, expected: str, fix: str) -> None:
        line = self.place.node.line_of(path[len(self.place.prefix) :]) or self.first
        self.findings.add(Finding(self.place.file, line, path, value, expected, fix))

    def wrong(self, node: Node, path: KeyPath, what: str, **details: object) -> None:
        self.add(path, shown(node.plain()), t(f"inventory.expect_{what}", **details), t(f"inventory.fix_{what}", **details))

    def content(self, node: Node, variable: str, path: KeyPath, sites: Iterable[str]) -> None:
        """What the variable holds, where its type is right: see ``rolevalues``. The kit's own roots are named after sites."""
        leaves = [((*path, index), entry) for index, entry in enumerate(node.entries or ())]
        leaves += [((*path, key), entry) for key, entry in (node.items or {}).items()]
        leaves = leaves if node.entries is not None or node.items is not None else [(path, node)]
        kind = options()[variable].get("type", "str")
        expected = "int" if kind == "int" else "str"
        for place, leaf in leaves:
            if _is_type(node, kind) and _is_type(leaf, expected):
                self.judge(_checks("values").get(variable), leaf.scalar, place, shown(leaf.plain()))
        keys = _checks("names").get(variable)
        for name in (node.items or {}) if keys is not None else ():
            self.judge(keys, name, (*path, name), shown(name))
            if name in sites:
                self.add((*path, name), shown(name), t("inventory.expect_free_trust"), t("inventory.fix_free_trust"))

    def judge(self, validator: rolevalues.Validator | None, value: Any, path: KeyPath, text: str) -> None:
        if validator is None:
            return
        try:
            validator(value)
        except WrongError as wrong:
            expected, fix = (t(f"inventory.{part}_{wrong.what}", **wrong.details) for part in ("expect", "fix"))
            self.add(path, text, expected, fix)

    def value(self, node: Node, option: Mapping[str, Any], path: KeyPath) -> None:
        """One value against its option: type, choices, elements, options below it."""
        kind = option.get("type", "str")
        if not isinstance(kind, str) or kind == "raw":
            return
        if not _is_type(node, kind):
            self.wrong(node, path, f"type_{kind}" if kind in ("int", "bool", "float", "list", "dict") else "type_str")
            return
        choices = option.get("choices")
        if choices and node.entries is None and node.scalar not in choices:
            self.wrong(node, path, "choice", options=", ".join(str(choice) for choice in choices))
        if node.entries is not None:
            element = {"type": option["elements"], "options": option.get("options"), "choices": choices} if "elements" in option else None
            for index, entry in enumerate(node.entries):
                if element is not None:
                    self.value(entry, element, (*path, index))
        elif node.items is not None and option.get("options"):
            self.mapping(node, option["options"], path)

    def mapping(self, node: Node, inner: Mapping[str, Any], path: KeyPath) -> None:
        for key, entry in (node.items or {}).items():
            if key in inner:
                self.value(entry, inner[key] or {}, (*path, key))
            else:
                self.add((*path, key), "", t("inventory.unknown_key"), nearest(key, inner))
        for key, option in inner.items():
            if (option or {}).get("required") and key not in (node.items or {}):
                self.add((*path, key), t("inventory.missing"), t("inventory.required"), t("inventory.required_fix"))


def _is_type(node: Node, kind: str) -> bool:
    value = node.scalar
    if kind == "list":
        return node.entries is not None
    if kind == "dict":
        return node.items is not None
    if node.entries is not None or node.items is not None:
        return False
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind not in _TEXT or isinstance(value, str)
