"""What a role is made of: the digest of its sources, and what its task files say statically."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import yiwang
from yiwang import paths

SOURCES = Path("meta") / "sources.yml"
FACTS = Path("meta") / "facts.yml"
COMPONENT = Path("meta") / "component.yml"
_IGNORED = frozenset({"__pycache__", ".ansible", ".mypy_cache", ".ruff_cache"})


def role_directory(role: str) -> Path:
    """The directory of a role: under ``roles/``."""
    return paths.data("roles") / role


@functools.cache
def role_digest(role: str) -> str:
    """SHA-256 (hex) over what a role is made of, by logical names, so that a checkout and a wheel agree.

    Its files, the shared templates of its name, and what ``meta/sources.yml`` lists: repository-relative globs
    such as ``yiwang/exchange/**/*.py``. Computed once a process. Raises FileNotFoundError for an unknown role.
    """
    directory = role_directory(role)
    if not (directory / "tasks" / "main.yml").is_file():
        raise FileNotFoundError(directory / "tasks" / "main.yml")
    files = {f"roles/{role}/{path.relative_to(directory).as_posix()}": path for path in _files(directory)}
    templates = paths.data("templates") / role
    files |= {f"templates/{role}/{path.relative_to(templates).as_posix()}": path for path in _files(templates)}
    for pattern in _load(directory / SOURCES) or ():
        files |= _matches(str(pattern))
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def fact_subset(role: str) -> tuple[str, ...]:
    """The facts to gather before a role, as Ansible takes them; nothing when it lists none in ``meta/facts.yml``.

    Those (names of Ansible's fact collectors) of all roles of this kit, so that one gathering serves a whole run.
    """
    if not _load(role_directory(role) / FACTS):
        return ()
    listed = (_load(file) or () for file in paths.data("roles").glob(f"*/{FACTS}"))
    return ("!all", "!min", *sorted({str(name) for names in listed for name in names}))


def counts_hosts(role: str) -> bool:
    """Whether the number of the role's hosts matters to it: its ``meta/component.yml`` says how many there may be (``members``)."""
    return bool((_load(role_directory(role) / COMPONENT) or {}).get("members"))


def _files(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if path.is_file() and not _IGNORED.intersection(path.relative_to(directory).parts) and path.suffix not in {".pyc", ".swp"}:
            yield path


def _matches(pattern: str) -> dict[str, Path]:
    """The files of one repository-relative glob, by logical name; the first part names a tree of the kit."""
    tree, _, rest = pattern.partition("/")
    root = Path(yiwang.__file__).parent if tree == "yiwang" else paths.data(tree)
    if not rest:
        return {tree: root} if root.is_file() else {}
    return {
        f"{tree}/{path.relative_to(root).as_posix()}": path
        for path in root.glob(rest)
        if path.is_file() and not _IGNORED.intersection(path.relative_to(root).parts)
    }


class _Loader(yaml.SafeLoader):
    """Safe YAML that also reads Ansible's own tags."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _plain)


def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader) if path.is_file() else None  # noqa: S506 - derives from the safe loader


@dataclass(frozen=True)
class StaticTask:
    """One task as the files say it: its name, and the file it writes where that is written down."""

    name: str
    file: str | None = None


_WRITERS = ("template", "copy", "file", "lineinfile", "blockinfile", "assemble", "get_url", "unarchive")
_REFERENCE = re.compile(r"{{ *(?P<name>\w+) *}}")
_EXPRESSION = re.compile(r"{{.*?}}")
_NESTED = 3
_INCLUDES = ("import_tasks", "include_tasks")


def static_tasks(role: str, entry: str = "main.yml", variables: Mapping[str, Any] | None = None) -> tuple[StaticTask, ...]:
    """The named tasks that an entry file of a role leads to, in order, without running anything.

    ``variables``: values for the names in files' paths, beside the role's own; a name without a value is shown as ``…``.
    """
    directory = role_directory(role)
    own = {**(_load(directory / "defaults" / "main.yml") or {}), **(_load(directory / "vars" / "main.yml") or {}), **(variables or {})}
    found = _tasks_of(directory / "tasks", entry, set())
    return tuple(StaticTask(task.name, _filled(task.file, own) if task.file else None) for task in found)


def _filled(text: str, variables: Mapping[str, Any]) -> str:
    """The text with its plain Jinja names replaced by their values, which may hold names again."""
    for _ in range(_NESTED):
        text = _REFERENCE.sub(lambda match: _plain_value(variables.get(match["name"])), text)
    return _EXPRESSION.sub("…", text)


def _plain_value(value: Any) -> str:
    return str(value) if isinstance(value, str | int) else "…"


def _tasks_of(directory: Path, entry: str, seen: set[str]) -> Iterator[StaticTask]:
    if entry in seen:
        return
    seen.add(entry)
    for task in _load(directory / entry) or ():
        if isinstance(task, dict):
            yield from _task(directory, task, seen)


def _task(directory: Path, task: dict[str, Any], seen: set[str]) -> Iterator[StaticTask]:
    # What a rescue does is not to run.
    for key in ("block", "always"):
        for inner in task.get(key) or ():
            yield from _task(directory, inner, seen)
    arguments = {str(key).rpartition(".")[2]: value for key, value in task.items()}
    for key in _INCLUDES:
        target = arguments.get(key)
        target = target.get("file") if isinstance(target, dict) else target
        if isinstance(target, str):
            if "{{" not in target:
                yield from _tasks_of(directory, target, seen)
            return
    if "block" in task or "name" not in task:
        return
    file = None
    for key in _WRITERS:
        if isinstance(arguments.get(key), dict):
            file = arguments[key].get("dest") or arguments[key].get("path")
    several = arguments.get("yiwang_files")
    if isinstance(several, dict) and isinstance(several.get("files"), list):
        file = ", ".join(str(entry["path"]) for entry in several["files"] if entry.get("state") != "directory")
    yield StaticTask(str(task["name"]), str(file) if file else None)
