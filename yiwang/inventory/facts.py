"""``province.yml`` section by section: what is right is used for further checks, what is wrong becomes a finding with its line."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from yiwang.inventory import schema
from yiwang.inventory.document import Node
from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.inventory.sources import FACTS
from yiwang.messages import t

T = TypeVar("T", bound=BaseModel)

_CODE: TypeAdapter[str] = TypeAdapter(schema.Code)
_DOMAIN: TypeAdapter[str] = TypeAdapter(schema.Domain)
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(schema.Identifier)
_BACKEND: TypeAdapter[str] = TypeAdapter(schema.Backend)
_FILE_NAME: TypeAdapter[str | None] = TypeAdapter(schema.FileName)
# The errors of pydantic's own that the schema can give, and what was expected.
_SHAPES = {"model_type": "mapping", "dict_type": "mapping", "list_type": "list", "too_short": "not_empty"}
_KEYS = ("code", "name", "domain", "state_dir", "state_backend", "passphrase", "access", "zones", "paths", "national", "sites", "contacts")
_REQUIRED = ("code", "name", "domain", "passphrase", "access", "zones", "sites")


@dataclass
class Facts:
    """The sections that are right; ``None`` stands for one that is missing or wrong (a finding says so)."""

    node: Node
    code: str | None = None
    name: schema.NameFacts | None = None
    domain: str | None = None
    state_dir: str | None = None
    state_backend: str | None = None
    passphrase: schema.PassphraseFacts | None = None
    access: schema.AccessFacts | None = None
    national: schema.NationalFacts | None = None
    zones: dict[str, schema.ZoneFacts | None] = field(default_factory=dict)
    sites: dict[str, schema.SiteFacts | None] = field(default_factory=dict)
    paths: dict[int, schema.PathFacts] = field(default_factory=dict)
    contacts: dict[int, schema.ContactFacts] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int:
        """The line of ``path`` in the file."""
        return self.node.line_of(path)

    def entry(self, path: KeyPath, index: int) -> KeyPath:
        """The place of an entry of ``path``, where a list or one value alone is written."""
        written = self.node.at(path)
        return (*path, index) if written is not None and written.entries is not None else path


def close(key: str, known: Iterable[str]) -> list[str]:
    """The known key most like ``key``, if any is like it: nearly the same letters, or the only one that begins like it."""
    options = sorted(known)
    begin = [option for option in options if len(key) > 2 and option.startswith(f"{key}_")]
    return difflib.get_close_matches(key, options, n=1, cutoff=0.7) or (begin if len(begin) == 1 else [])


def nearest(key: str, known: Iterable[str]) -> str:
    """The known key most like ``key``, or all of them when none is: the text of a fix."""
    options = sorted(known)
    for match in close(key, options):
        return t("inventory.did_you_mean", nearest=match)
    return t("inventory.known_keys", keys=", ".join(options[:12]) + (" …" if len(options) > 12 else ""))


def read(node: Node, findings: Findings) -> Facts:
    """Check the shape of the facts; every finding goes to ``findings``."""
    return _Reader(node, findings).read()


class _Reader:
    def __init__(self, node: Node, findings: Findings) -> None:
        self.node = node
        self.findings = findings

    def read(self) -> Facts:
        facts = Facts(self.node)
        items = self.node.items or {}
        for key in items:
            if key not in _KEYS:
                self.unknown((), key, _KEYS)
        for key in _REQUIRED:
            if key not in items:
                self.add((key,), t("inventory.missing"), t("inventory.required"), t("inventory.required_fix"))
        facts.code = self.leaf(_CODE, "code")
        facts.domain = self.leaf(_DOMAIN, "domain")
        facts.state_dir = self.leaf(_FILE_NAME, "state_dir")
        facts.state_backend = self.leaf(_BACKEND, "state_backend")
        facts.name = self.section(schema.NameFacts, ("name",))
        facts.passphrase = self.section(schema.PassphraseFacts, ("passphrase",))
        facts.access = self.section(schema.AccessFacts, ("access",))
        facts.national = self.section(schema.NationalFacts, ("national",)) if "national" in items else schema.NationalFacts()
        facts.zones = self.named(schema.ZoneFacts, "zones")
        facts.sites = self.named(schema.SiteFacts, "sites")
        facts.paths = self.listed(schema.PathFacts, "paths")
        facts.contacts = self.listed(schema.ContactFacts, "contacts")
        return facts

    def add(self, path: KeyPath, value: str, expected: str, fix: str) -> None:
        self.findings.add(Finding(FACTS, self.node.line_of(path), path, value, expected, fix))

    def unknown(self, base: KeyPath, key: str, known: Iterable[str]) -> None:
        """An unknown key; when it is a known one misspelt, that one is not called missing as well."""
        self.add((*base, key), "", t("inventory.unknown_key"), nearest(key, known))
        for match in close(key, known):
            node = self.node.at(base)
            if node is not None and node.items is not None and match not in node.items:
                self.findings.meant(FACTS, (*base, match))

    def leaf(self, adapter: TypeAdapter[Any], key: str) -> Any:
        node = self.node.at((key,))
        if node is None:
            return None
        try:
            return adapter.validate_python(node.plain())
        except ValidationError as error:
            self.report(None, (key,), error)
            return None

    def section(self, model: type[T], path: KeyPath) -> T | None:
        node = self.node.at(path)
        if node is None:
            return None
        try:
            return model.model_validate(node.plain())
        except ValidationError as error:
            self.report(model, path, error)
            return None

    def named(self, model: type[T], key: str) -> dict[str, T | None]:
        node = self.node.at((key,))
        if node is None:
            return {}
        if not node.items:
            what = "not_empty" if node.items is not None else "mapping"
            self.add((key,), node.shown(), t(f"inventory.expect_{what}"), t(f"inventory.fix_{what}"))
            return {}
        for name in node.items:
            try:
                _IDENTIFIER.validate_python(name)
            except ValidationError as error:
                self.report(None, (key, name), error, value=shown(name))
                self.findings.silenced.add((FACTS, (key, name)))
        return {name: self.section(model, (key, name)) for name in node.items}

    def listed(self, model: type[T], key: str) -> dict[int, T]:
        node = self.node.at((key,))
        if node is None:
            return {}
        if node.entries is None:
            self.add((key,), node.shown(), t("inventory.expect_list"), t("inventory.fix_list"))
            return {}
        read = {index: self.section(model, (key, index)) for index in range(len(node.entries))}
        return {index: entry for index, entry in read.items() if entry is not None}

    def report(self, model: type[BaseModel] | None, base: KeyPath, error: ValidationError, value: str | None = None) -> None:
        for details in error.errors(include_url=False):
            location = tuple(part for part in details["loc"] if part != "[key]")
            index = details.get("ctx", {}).get("index")
            path = (*base, *location) if index is None else (*base, *location, index)
            kind = details["type"]
            node = self.node.at(path)
            text = value if value is not None else (node.shown() if node is not None else "")
            if details["loc"] and details["loc"][-1] == "[key]":
                text = shown(location[-1])
            if kind == "missing":
                self.add(path, t("inventory.missing"), t("inventory.required"), t("inventory.required_fix"))
            elif kind == "extra_forbidden":
                self.unknown(path[:-1], str(path[-1]), _known(model, location[:-1]))
            elif kind == "wrong":
                context = details["ctx"]
                what, values = context["what"], context["details"]
                self.add(path, text, t(f"inventory.expect_{what}", **values), t(f"inventory.fix_{what}", **values))
            else:
                what = _SHAPES.get(kind, "valid")
                self.add(path, text, t(f"inventory.expect_{what}"), t(f"inventory.fix_{what}"))


def _known(model: type[BaseModel] | None, location: KeyPath) -> list[str]:
    """The keys a person may write at ``location`` below ``model``."""
    by_name = False
    for part in location:
        if model is None:
            return []
        if isinstance(part, str) and not by_name:
            fields = {info.alias or name: info for name, info in model.model_fields.items()}
            annotation = fields[part].annotation if part in fields else None
            model, by_name = _inner(annotation), typing.get_origin(annotation) is dict
        else:
            by_name = False
    return [info.alias or name for name, info in model.model_fields.items()] if model is not None else []


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _inner(argument)
        if found is not None:
            return found
    return None
