"""YAML with line numbers, read without trust: bounded in size, depth and expansion; no tags, no duplicate keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.messages import t

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 200_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTRUCT = yaml.SafeLoader("")
_PREFIX = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_PREFIX + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq"))
_SCALARS = {
    f"{_PREFIX}null": _CONSTRUCT.construct_yaml_null,
    f"{_PREFIX}bool": _CONSTRUCT.construct_yaml_bool,
    f"{_PREFIX}int": _CONSTRUCT.construct_yaml_int,
    f"{_PREFIX}float": _CONSTRUCT.construct_yaml_float,
}


@dataclass
class Node:
    """One value of a document: ``scalar``, ``items`` of a mapping, or ``entries`` of a list, and the line it begins on.

    ``written``: how a number stands in the file; 010 is eight to YAML, and 0x10 sixteen.
    """

    line: int
    scalar: Any = None
    written: str = ""
    items: dict[str, Node] | None = None
    entries: list[Node] | None = None
    key_lines: dict[str, int] = field(default_factory=dict)
    size: int = 1

    def plain(self) -> Any:
        """The value as plain Python data."""
        if self.items is not None:
            return {key: node.plain() for key, node in self.items.items()}
        if self.entries is not None:
            return [node.plain() for node in self.entries]
        return self.scalar

    def shown(self) -> str:
        """The value as it is shown in a finding."""
        return self.written or shown(self.plain())

    def at(self, path: KeyPath) -> Node | None:
        """The node at ``path`` below this one, or ``None``."""
        node: Node | None = self
        for part in path:
            if node is None:
                return None
            if isinstance(part, int):
                node = node.entries[part] if node.entries is not None and 0 <= part < len(node.entries) else None
            else:
                node = node.items.get(part) if node.items is not None else None
        return node

    def line_of(self, path: KeyPath) -> int:
        """The line of the key at ``path``, or of the nearest key above it that exists."""
        node, line = self, self.line
        for part in path:
            if isinstance(part, str) and node.items is not None and part in node.items:
                line, node = node.key_lines.get(part, line), node.items[part]
            elif isinstance(part, int) and node.entries is not None and 0 <= part < len(node.entries):
                node = node.entries[part]
                line = node.line
            else:
                break
        return line

    def walk(self, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
        """Every node with its path, this one first."""
        yield path, self
        for key, node in (self.items or {}).items():
            yield from node.walk((*path, key))
        for index, node in enumerate(self.entries or ()):
            yield from node.walk((*path, index))


class _Stop(Exception):  # noqa: N818 - control flow inside this module
    """The document cannot be read further; the finding has been recorded."""


class _Composer:
    """Builds nodes from the parser's events: never deeper than ``MAX_DEPTH``, never more than ``MAX_NODES`` once aliases are followed."""

    def __init__(self, file: str, text: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings
        self.loader = _LOADER(text)
        self.anchors: dict[str, Node | None] = {}

    def find(self, line: int, path: KeyPath, value: str, expected: str, fix: str) -> None:
        self.findings.add(Finding(self.file, line, path, value, expected, fix))

    def stop(self, line: int, path: KeyPath, expected: str, fix: str) -> _Stop:
        self.find(line, path, "", expected, fix)
        return _Stop()

    def document(self) -> Node | None:
        """The only document of the file; ``None`` for an empty file."""
        self.loader.get_event()
        if self.loader.check_event(yaml.StreamEndEvent):
            return None
        self.loader.get_event()
        node = self.node((), 0)
        self.loader.get_event()
        if not self.loader.check_event(yaml.StreamEndEvent):
            line = self.loader.peek_event().start_mark.line + 1
            raise self.stop(line, (), t("inventory.one_document"), t("inventory.one_document_fix"))
        return node

    def node(self, path: KeyPath, depth: int) -> Node:
        event = self.loader.get_event()
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise self.stop(line, path[:4], t("inventory.too_deep", limit=MAX_DEPTH), t("inventory.too_deep_fix"))
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, line, path)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.tag(event, line, path)
        if isinstance(event, yaml.MappingStartEvent):
            node = self.mapping(line, path, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(line, path, depth)
        else:
            node = Node(line, self.scalar(event, line, path))
            if isinstance(node.scalar, int | float) and not isinstance(node.scalar, bool):
                node.written = event.value
        if node.size > MAX_NODES:
            raise self.stop(line, path, t("inventory.too_big", limit=MAX_NODES), t("inventory.too_big_fix"))
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, line: int, path: KeyPath) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            key = "recursive" if event.anchor in self.anchors else "no_anchor"
            raise self.stop(line, path, t(f"inventory.{key}", anchor=event.anchor), t(f"inventory.{key}_fix"))
        return target

    def tag(self, event: Any, line: int, path: KeyPath) -> None:
        tag = event.tag
        if tag is None or tag == "!" or tag in _PLAIN_TAGS:
            return
        if tag == "!vault":
            self.findings.add_secret(self.file, line, path)
            return
        shown_tag = tag.replace(_PREFIX, "!!")
        self.findings.add_final(Finding(self.file, line, path, shown_tag, t("inventory.no_tags"), t("inventory.no_tags_fix")))

    def mapping(self, line: int, path: KeyPath, depth: int) -> Node:
        node = Node(line, items={})
        merged: list[Node] = []
        items: dict[str, Node] = {}
        while not self.loader.check_event(yaml.MappingEndEvent):
            key_line = self.loader.peek_event().start_mark.line + 1
            key, is_merge = self.key(path, depth)
            value = self.node((*path, key), depth + 1)
            node.size += value.size + 1
            if is_merge:
                merged.extend(value.entries if value.entries is not None else [value])
                continue
            if key in items:
                text, fix = t("inventory.duplicate", line=node.key_lines[key]), t("inventory.duplicate_fix")
                self.findings.add_final(Finding(self.file, key_line, (*path, key), "", text, fix))
            items[key], node.key_lines[key] = value, key_line
        self.loader.get_event()
        for source in merged:
            if source.items is None:
                raise self.stop(line, path, t("inventory.bad_merge"), t("inventory.bad_merge_fix"))
            for key, value in source.items.items():
                items.setdefault(key, value)
                node.key_lines.setdefault(key, source.key_lines[key])
        node.items = items
        return node

    def key(self, path: KeyPath, depth: int) -> tuple[str, bool]:
        event = self.loader.peek_event()
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.ScalarEvent):
            raise self.stop(line, path, t("inventory.key_text"), t("inventory.key_text_fix"))
        tag = event.tag or self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        node = self.node(path, depth + 1)
        if tag == f"{_PREFIX}merge":
            return event.value, True
        if not isinstance(node.scalar, str):
            place = (*path, event.value)
            self.findings.add_final(Finding(self.file, line, place, "", t("inventory.key_text"), t("inventory.key_text_fix")))
        return str(event.value), False

    def sequence(self, line: int, path: KeyPath, depth: int) -> Node:
        entries: list[Node] = []
        size = 1
        while not self.loader.check_event(yaml.SequenceEndEvent):
            entries.append(self.node((*path, len(entries)), depth + 1))
            size += entries[-1].size
        self.loader.get_event()
        return Node(line, entries=entries, size=size)

    def scalar(self, event: Any, line: int, path: KeyPath) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        construct = _SCALARS.get(tag)
        if construct is None:
            return event.value
        try:
            return construct(yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, OverflowError, IndexError):
            self.find(line, path, shown(event.value), t("inventory.bad_scalar"), t("inventory.bad_scalar_fix"))
            return event.value


def parse(file: str, raw: bytes, findings: Findings) -> Node | None:
    """The document in ``raw``; ``None`` when it is empty or cannot be read, what is wrong goes to ``findings``."""
    if len(raw) > MAX_BYTES:
        findings.add(Finding(file, 0, (), "", t("inventory.file_big", limit=MAX_BYTES // 1024), t("inventory.file_big_fix")))
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        findings.add(Finding(file, line, (), "", t("inventory.not_text"), t("inventory.not_text_fix")))
        return None
    try:
        composer = _Composer(file, text, findings)
        return composer.document()
    except _Stop:
        return None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1 if isinstance(error.position, int) else 1
        findings.add(Finding(file, line, (), "", t("inventory.not_text"), t("inventory.not_text_fix")))
    except yaml.YAMLError as error:
        findings.add(_syntax(file, text, error))
    return None


def _syntax(file: str, text: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line = mark.line + 1 if mark is not None else 1
    problem = getattr(error, "problem", None) or type(error).__name__
    lines = text.splitlines()
    found = lines[line - 1] if line <= len(lines) else ""
    if "\t" in found[: len(found) - len(found.lstrip())]:
        return Finding(file, line, (), "", t("inventory.tab"), t("inventory.tab_fix"))
    return Finding(file, line, (), "", t("inventory.not_yaml", problem=problem), t("inventory.not_yaml_fix"))
