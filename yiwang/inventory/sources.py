"""The files of an inventory: found as Ansible finds them, read once, parsed with line numbers."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from yiwang.inventory.document import MAX_BYTES, Node, parse
from yiwang.inventory.errors import Finding, Findings, KeyPath
from yiwang.messages import t

FACTS = "province.yml"
HOSTS = "hosts.yml"
VARS = {"group": "group_vars", "host": "host_vars"}
MAX_FILES = 5000
# `localhost` is the operator's machine to roles (delegate_to), `operator` the operator's place in a lab; the others are groups of
# Ansible's own, which resolves hosts of that name to nonsense.
RESERVED_HOSTS = ("localhost", "operator", "all", "ungrouped")

_VARS_SUFFIXES = ("", ".yml", ".yaml", ".json")
# Notes for people; Ansible passes them over too.
_NOTES = (".md", ".txt")
_RANGE = re.compile(r"\[([0-9a-zA-Z]+):([0-9a-zA-Z]+)(?::[0-9]+)?\]")


@dataclass(frozen=True)
class Definition:
    """Variables written at one place for one group or host: ``prefix`` is where they lie in ``file``."""

    scope: str
    name: str
    file: str
    prefix: KeyPath
    node: Node


@dataclass
class Sources:
    """The parsed files: ``facts`` and ``hosts`` are ``None`` when they cannot be read."""

    directory: Path
    raw: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, Node] = field(default_factory=dict)
    definitions: list[Definition] = field(default_factory=list)
    groups: dict[str, tuple[KeyPath, int]] = field(default_factory=dict)
    host_entries: dict[str, list[tuple[KeyPath, int]]] = field(default_factory=dict)
    children: dict[str, set[str]] = field(default_factory=dict)
    odd_keys: list[tuple[KeyPath, int]] = field(default_factory=list)

    def digest(self) -> str:
        """SHA-256 over names and bytes of the files that Ansible reads."""
        total = hashlib.sha256()
        for name in sorted(self.raw):
            if name != FACTS:
                total.update(f"{name}\0{len(self.raw[name])}\0".encode("utf-8", "surrogateescape") + self.raw[name])
        return total.hexdigest()

    def unchanged(self) -> bool:
        """Whether the files still are what was read."""
        try:
            return all((self.directory / name).read_bytes() == raw for name, raw in self.raw.items())
        except OSError:
            return False

    def in_order(self, hosts: Iterable[str]) -> list[str]:
        """``hosts`` in the order in which ``hosts.yml`` first names them; those of a range (``web[01:10]``) by name."""
        patterns = {name: index for index, name in enumerate(self.host_entries)}
        ranges = [name for name in patterns if "[" in name]

        def place(host: str) -> tuple[int, str]:
            pattern = host if host in patterns else next((name for name in ranges if matches(name, host)), "")
            return patterns.get(pattern, len(patterns)), host

        return sorted(hosts, key=place)

    def locate(self, host: str, groups: tuple[str, ...], key: str, value: object) -> tuple[str, int, KeyPath]:
        """File, line and key path of the place that gives ``key`` of ``host`` its value; the host's own entry when there is none."""
        places: list[tuple[bool, bool, int, Definition]] = []
        for index, place in enumerate(self.definitions):
            node = place.node.at((key,))
            applies = matches(place.name, host) if place.scope == "host" else place.name in (*groups, "all")
            if node is not None and applies:
                places.append((node.plain() != value, place.scope == "group", index, place))
        if places:
            place = min(places, key=lambda found: found[:3])[3]
            return place.file, place.node.line_of((key,)), (*place.prefix, key)
        for name, entries in self.host_entries.items():
            if matches(name, host):
                return HOSTS, entries[0][1], (*entries[0][0], key)
        return HOSTS, 0, (host, key)


def matches(pattern: str, host: str) -> bool:
    """Whether a host written as ``pattern`` (a name, or a range like ``web[01:10]``) may be ``host``."""
    if "[" not in pattern:
        return pattern == host
    expression = "".join(
        "[0-9a-zA-Z]+" if index % 3 == 1 else ("" if index % 3 == 2 else re.escape(piece))
        for index, piece in enumerate(_RANGE.split(pattern))
    )
    return re.fullmatch(expression, host) is not None


def read(directory: Path, findings: Findings) -> Sources:
    """Read and parse everything; what is missing or cannot be read goes to ``findings``."""
    sources = Sources(directory)
    for name in (FACTS, HOSTS):
        _read_file(sources, directory / name, name, findings, required=True)
    for scope, folder in VARS.items():
        for path in _vars_files(directory / folder, findings, folder):
            name = str(path.relative_to(directory))
            _read_file(sources, path, name, findings, required=False)
            node = sources.documents.get(name)
            owner = path.relative_to(directory).parts[1]
            owner = owner if (directory / folder / owner).is_dir() else _stem(owner)
            if node is not None and _is_mapping(node, name, findings):
                sources.definitions.append(Definition(scope, owner, name, (), node))
    hosts = sources.documents.get(HOSTS)
    if hosts is not None and _is_mapping(hosts, HOSTS, findings):
        for group, node in (hosts.items or {}).items():
            _group(sources, group, node, (group,), hosts.key_lines[group], findings)
    return sources


def _may_hold(sources: Sources, group: str, child: str) -> bool:
    """Record ``child`` below ``group``, unless ``group`` lies below ``child``."""
    rest, seen = [child], set()
    while rest:
        name = rest.pop()
        if name == group:
            return False
        if name not in seen:
            seen.add(name)
            rest.extend(sources.children.get(name, ()))
    sources.children.setdefault(group, set()).add(child)
    return True


def _stem(name: str) -> str:
    for suffix in _VARS_SUFFIXES[1:]:
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _vars_files(folder: Path, findings: Findings, name: str, depth: int = 0) -> Iterator[Path]:
    """The files Ansible would read below ``folder``: hidden ones and backups are skipped, directories are followed."""
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            findings.add(Finding(name, 0, (), "", t("inventory.not_directory"), t("inventory.not_directory_fix", name=name)))
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        findings.add(Finding(name, 0, (), "", t("inventory.unreadable", reason=error.strerror), t("inventory.unreadable_fix")))
        return
    for index, path in enumerate(entries):
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        if depth > 8 or index >= MAX_FILES:
            findings.add(Finding(name, 0, (), "", t("inventory.too_many_files"), t("inventory.too_many_files_fix")))
            return
        if path.is_dir():
            yield from _vars_files(path, findings, f"{name}/{path.name}", depth + 1)
        elif depth == 0 and path.suffix not in (*_VARS_SUFFIXES, *_NOTES):
            fix = t("inventory.vars_suffix_fix")
            findings.add(Finding(f"{name}/{path.name}", 0, (), "", t("inventory.vars_suffix"), fix))
        elif path.suffix in _VARS_SUFFIXES:
            yield path


def _read_file(sources: Sources, path: Path, name: str, findings: Findings, *, required: bool) -> None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            findings.add(Finding(name, 0, (), "", t("inventory.not_file"), t("inventory.not_file_fix", name=name)))
            return
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        findings.add(Finding(name, 0, (), "", t("inventory.no_file"), t("inventory.no_file_fix")))
        return
    except OSError as error:
        findings.add(Finding(name, 0, (), "", t("inventory.unreadable", reason=error.strerror), t("inventory.unreadable_fix")))
        return
    node = parse(name, raw, findings)
    sources.raw[name] = raw
    if node is not None:
        sources.documents[name] = node
    elif required and not any(finding.file == name for finding in findings.found.values()):
        findings.add(Finding(name, 0, (), "", t("inventory.empty_file"), t("inventory.no_file_fix")))


def _is_mapping(node: Node, name: str, findings: Findings, path: KeyPath = (), *, may_be_empty: bool = False) -> bool:
    if node.items is not None:
        return True
    if not (may_be_empty and node.entries is None and node.scalar is None):
        findings.add(Finding(name, node.line, path, "", t("inventory.expect_mapping"), t("inventory.mapping_fix")))
    return False


def _group(sources: Sources, name: str, node: Node, path: KeyPath, line: int, findings: Findings) -> None:
    sources.groups.setdefault(name, (path, line))
    if not _is_mapping(node, HOSTS, findings, path, may_be_empty=True):
        return
    items = node.items or {}
    sources.odd_keys += [((*path, key), node.key_lines[key]) for key in items if key not in ("hosts", "vars", "children")]
    for key, value in items.items():
        if key not in ("hosts", "vars", "children") or not _is_mapping(value, HOSTS, findings, (*path, key), may_be_empty=True):
            continue
        if key == "vars":
            sources.definitions.append(Definition("group", name, HOSTS, (*path, key), value))
        for child, entry in (value.items or {}).items():
            child_path, child_line = (*path, key, child), value.key_lines[child]
            if key == "children":
                if not _may_hold(sources, name, child):
                    text, fix = t("inventory.group_loop"), t("inventory.group_loop_fix")
                    findings.add(Finding(HOSTS, child_line, child_path, "", text, fix))
                    continue
                _group(sources, child, entry, child_path, child_line, findings)
            elif key == "hosts":
                _host(sources, child, entry, child_path, child_line, findings)


def _host(sources: Sources, name: str, node: Node, path: KeyPath, line: int, findings: Findings) -> None:
    if name in RESERVED_HOSTS and name not in sources.host_entries:
        findings.add(Finding(HOSTS, line, path, "", t("inventory.expect_free_host"), t("inventory.fix_free_host")))
    sources.host_entries.setdefault(name, []).append((path, line))
    if _is_mapping(node, HOSTS, findings, path, may_be_empty=True):
        sources.definitions.append(Definition("host", name, HOSTS, path, node))
