"""The configuration a run gets: the stack's, and where it says nothing the project's; checked against the project's types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from yiwang.engine.commandline import keys
from yiwang.engine.commandline.failure import CommandError

_TYPES = {"string": str, "boolean": bool, "integer": int, "array": list, "object": dict}


def declared(project: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What ``config`` of Pulumi.yaml declares, by full key; a plain value is a default of a key without a type."""
    found = project.get("config") or {}
    if isinstance(found, str):
        # The directory of the settings' files: of old.
        raise CommandError("project config directory is not supported here; name it with --config-file")
    entries = {}
    for key, entry in found.items():
        shaped = entry if isinstance(entry, dict) and {"type", "default", "value", "secret", "description"} & set(entry) else None
        entries[keys.full_key(str(key), str(project["name"]))] = {"default": entry} if shaped is None else shaped
    return entries


def merged(project: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's configuration with the project's values and defaults below it; keys are full."""
    name = str(project["name"])
    found = {keys.full_key(str(key), name): value for key, value in config.items()}
    for key, entry in declared(project).items():
        value = entry.get("value") if entry.get("default") is None else entry["default"]
        if key not in found and value is not None:
            # As typed by hand: numbers and truth values of the project are text for the program.
            found[key] = value if isinstance(value, (str, dict, list)) else _text(value)
    return found


def _text(value: Any) -> str:
    return json.dumps(value)


def check(project: Mapping[str, Any], stack: str, config: Mapping[str, Any], decrypt: keys.Decrypt) -> None:
    """Raise CommandError for what the project declares and the stack lacks, or has of another type."""
    name = str(project["name"])
    entries = declared(project)
    missing = [keys.shown_key(key, name) for key in sorted(entries) if key.startswith(f"{name}:") and key not in config]
    if missing:
        listed = ", ".join(f"'{key}'" for key in missing[:-1])
        listed = f"{listed} and '{missing[-1]}'" if listed else f"'{missing[-1]}'"
        raise CommandError(f"Stack '{stack}' is missing configuration value{'s' if len(missing) > 1 else ''} {listed}")
    for key, entry in entries.items():
        if not entry.get("type") or key not in config:
            continue
        shown, value = keys.shown_key(key, name), config[key]
        if entry.get("secret") and not keys.has_secure(value):
            raise CommandError(f"Stack '{stack}' with configuration key '{shown}' must be encrypted as it's secret")
        if not _fits(entry["type"], entry.get("items"), keys.opened(value, decrypt)):
            kind = _name(entry["type"], entry.get("items"))
            raise CommandError(f"Stack '{stack}' with configuration key '{shown}' must be of type '{kind}'")


def _name(kind: str, items: Any) -> str:
    if kind == "array" and isinstance(items, dict):
        return f"array<{_name(items.get('type', ''), items.get('items'))}>"
    return kind


def _fits(kind: str, items: Any, value: Any) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if isinstance(value, str) and kind != "string":
        # Typed on a command line, where everything is text.
        try:
            value = json.loads(value)
        except ValueError:
            return False
    wanted = _TYPES.get(kind)
    if wanted is None or not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return False
    if isinstance(value, list) and isinstance(items, dict):
        return all(_fits(items.get("type", ""), items.get("items"), item) for item in value)
    return True
