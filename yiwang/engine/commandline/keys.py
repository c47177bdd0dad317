"""Configuration keys and paths, and the values below them: what ``config get|set|rm`` do to the settings, without files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yiwang.engine import project as projects
from yiwang.engine.commandline.failure import CommandError
from yiwang.engine.project import is_secure
from yiwang.engine.values import PathPart, parse_path
from yiwang.errors import UserError
from yiwang.messages import english

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def full_key(key: str, project: str, *, path: bool = False) -> str:
    """``namespace:name`` for what was typed: ``name``, ``namespace:name`` or the old ``namespace:config:name``."""
    head, _, rest = key.partition(":")
    if path and ("[" in head or "." in head or '"' in head):
        # A colon inside a path belongs to the path.
        return f"{project}:{key}"
    name = rest.removeprefix("config:")
    if path and head and ":" in name:
        return f"{head}:{name}"
    try:
        with english():
            return projects.full_key(key, project)
    except UserError as error:
        raise CommandError(f"invalid configuration key: {error.text}") from None


def shown_key(key: str, project: str) -> str:
    """A key as it is shown to people: without the project's own namespace."""
    return key.removeprefix(f"{project}:")


def split_path(key: str) -> tuple[str, list[PathPart]]:
    """The key of the entry that the path ``key`` lies in, and the rest of the path."""
    namespace, _, name = key.partition(":")
    try:
        first, *rest = parse_path(name)
    except ValueError:
        raise CommandError(f"invalid config key path: {name}") from None
    if not isinstance(first, str) or not first:
        raise CommandError("first path segement of config key must be a string")
    return f"{namespace}:{first}", rest


def is_object(value: Any) -> bool:
    """Whether the value is a list or a map of its own, not one encrypted text."""
    return isinstance(value, (dict, list)) and not is_secure(value)


def coerced(text: str) -> Any:
    """What is typed for a place inside an object: truth values and whole numbers are such."""
    if text in {"true", "false"}:
        return text == "true"
    # Numbers that would not come back as they were typed (a leading zero, more digits than fit) stay text.
    if _INTEGER.fullmatch(text) and text != "-0" and -(2**63) <= int(text) < 2**64:
        return int(text)
    return text


def get(config: Mapping[str, Any], key: str, *, path: bool) -> tuple[bool, Any]:
    """Whether there is a value, and it."""
    entry, rest = split_path(key) if path else (key, [])
    if entry not in config:
        return False, None
    value = config[entry]
    for part in rest:
        if isinstance(value, dict) and not is_secure(value) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
            value = value[part]
        else:
            return False, None
    return True, value


def put(config: dict[str, Any], key: str, value: Any, *, path: bool) -> None:
    """Set a value (in place); a path makes the maps and lists it needs. Raises CommandError where something else is in its way."""
    entry, rest = split_path(key) if path else (key, [])
    config[entry] = _put(config.get(entry), rest, value, top=True) if rest else value


def _put(container: Any, path: list[PathPart], value: Any, *, top: bool = False) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    wanted = list if isinstance(first, int) else dict
    if container is None or (top and not is_object(container)):
        container = wanted()
    if not isinstance(container, wanted) or is_secure(container):
        raise CommandError(f"could not set config: {first}: expected {'an array' if wanted is list else 'a map'}")
    if isinstance(first, int):
        found = list(container)
        if not 0 <= first <= len(found):
            raise CommandError(f"could not set config: [{first}]: array index out of range")
        below = _put(found[first] if first < len(found) else None, rest, value)
        found[first : first + 1] = [below]
        return found
    return {**dict(container), first: _put(dict(container).get(first), rest, value)}


def remove(config: dict[str, Any], key: str, *, path: bool) -> None:
    """Remove a value (in place); one that is not there is no error."""
    entry, rest = split_path(key) if path else (key, [])
    found, _ = get(config, key, path=path)
    if not found:
        return
    if not rest:
        del config[entry]
        return
    config[entry] = _removed(config[entry], rest)


def _removed(container: Any, path: list[PathPart]) -> Any:
    first, rest = path[0], path[1:]
    copy: Any = dict(container) if isinstance(container, dict) else list(container)
    if rest:
        copy[first] = _removed(copy[first], rest)
    else:
        del copy[first]
    return copy
