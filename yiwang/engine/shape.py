"""The shape of the files the engine reads: what has to be there and of which kind, before anything uses it. Values are not judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yiwang.messages import t

# Key of a resource -> its kind; None stands for nothing recorded, and other keys are kept as they are.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("urn", "type", "id", "parent", "provider", "deletedWith", "importID", "sourcePosition", "created", "modified"), str),
    **dict.fromkeys(("custom", "delete", "protect", "taint", "external", "pendingReplacement", "retainOnDelete"), bool),
    **dict.fromkeys(("inputs", "outputs", "propertyDependencies", "customTimeouts"), dict),
    **dict.fromkeys(
        ("dependencies", "initErrors", "additionalSecretOutputs", "replaceWith", "ignoreChanges", "replaceOnChanges", "hideDiff"), list
    ),
}
_TEXTS = ("dependencies", "initErrors", "additionalSecretOutputs", "replaceWith", "ignoreChanges", "replaceOnChanges")
_URN_PARTS = 4
_REFERENCE_PARTS = _URN_PARTS + 1
# RFC 3339, as the CLI writes and reads times.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
PENDING = ("creating", "updating", "deleting", "reading", "importing")
_DEPLOYMENT: dict[str, type | tuple[type, ...]] = {
    "manifest": dict,
    "secrets_providers": dict,
    "secrets_providers.state": dict,
    "secrets_providers.state.salt": str,
    "resources": list,
    "pending_operations": list,
}
_TYPES = ("string", "integer", "boolean", "array", "object")
_WORDS = {str: "engine.expected_text", bool: "engine.expected_flag", dict: "engine.expected_map", list: "engine.expected_list"}
# Keys of Pulumi.yaml and of a stack's settings -> their kind; outer ones first. What is not here is kept or ignored.
_PROJECT: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "main": str,
    "stackConfigDir": str,
    "backend": dict,
    "backend.url": str,
    "options": dict,
    "options.refresh": str,
    "runtime.name": str,
    "runtime.options": dict,
    "runtime.options.virtualenv": str,
    "plugins": dict,
    "plugins.providers": list,
    # A text is the older way to name the directory of the settings.
    "config": (dict, str),
}
_SETTINGS: dict[str, type | tuple[type, ...]] = {"config": dict, "encryptionsalt": str}
_NAME = re.compile(r"[A-Za-z0-9_.-]+")

Wrong = tuple[str, str]


def of_checkpoint(latest: Any) -> Wrong | None:
    """The first key of a ``latest`` deployment that is damaged, and what was expected there; None when all is as it should be."""
    if not isinstance(latest, dict):
        return "checkpoint.latest", t("engine.expected_map")
    return _of_kinds(latest, _DEPLOYMENT) or _resources(latest) or _pending(latest)


def of_project(data: Mapping[str, Any]) -> Wrong | None:
    """The same for what ``Pulumi.yaml`` says."""
    wrong = _of_kinds(data, _PROJECT)
    if wrong:
        return wrong
    # It becomes the name of a directory in the backend, and stands between the colons of URNs.
    name = data.get("name") or "-"
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        return "name", t("engine.expected_name")
    for number, entry in enumerate((data.get("plugins") or {}).get("providers") or []):
        key = f"plugins.providers[{number}]"
        if not isinstance(entry, dict):
            return key, t("engine.expected_map")
        for part in ("name", "path"):
            if not entry.get(part) or not isinstance(entry[part], str):
                return f"{key}.{part}", t("engine.expected_text")
    return _config(data.get("config"))


def _config(config: Any) -> Wrong | None:
    for key, said in config.items() if isinstance(config, dict) else ():
        kind = said.get("type") if isinstance(said, dict) else None
        if kind is not None and kind not in _TYPES:
            return f"config.{key}.type", " / ".join(_TYPES)
    return None


def of_settings(data: Mapping[str, Any]) -> Wrong | None:
    """The same for a stack's settings, ``Pulumi.<stack>.yaml``."""
    return _of_kinds(data, _SETTINGS)


def _of_kinds(data: Mapping[str, Any], kinds: Mapping[str, type | tuple[type, ...]]) -> Wrong | None:
    for key, kind in kinds.items():
        found: Any = data
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, kind):
            return key, t(_WORDS[kind[0] if isinstance(kind, tuple) else kind])
    return None


def _resources(latest: dict[str, Any]) -> Wrong | None:
    entries = latest.get("resources") or []
    found = (of_resource(entry, f"resources[{number}]") for number, entry in enumerate(entries))
    return next((wrong for wrong in found if wrong), None)


def _pending(latest: dict[str, Any]) -> Wrong | None:
    entries = latest.get("pending_operations") or []
    for number, entry in enumerate(entries):
        key = f"pending_operations[{number}]"
        if not isinstance(entry, dict):
            return key, t("engine.expected_map")
        if entry.get("type") not in PENDING:
            return f"{key}.type", " / ".join(PENDING)
        wrong = of_resource(entry.get("resource"), f"{key}.resource")
        if wrong:
            return wrong
    return None


def of_resource(entry: Any, key: str) -> Wrong | None:
    """The same for one recorded resource, which is at ``key``."""
    if not isinstance(entry, dict):
        return key, t("engine.expected_map")
    urn = entry.get("urn")
    if not isinstance(urn, str) or not urn.startswith("urn:") or urn.count("::") < _URN_PARTS - 1:
        return f"{key}.urn", "urn:pulumi:<stack>::<project>::<type>::<name>"
    for name, kind in _KINDS.items():
        value = entry.get(name)
        if value is not None and not isinstance(value, kind):
            return f"{key}.{name}", t(_WORDS[kind])
    if not entry.get("type"):
        return f"{key}.type", t("engine.expected_text")
    if entry.get("id") and not entry.get("custom"):
        return f"{key}.id", t("engine.expected_nothing")
    for name in _TEXTS:
        if not all(isinstance(item, str) for item in entry.get(name) or ()):
            return f"{key}.{name}", t("engine.expected_texts")
    return _within(entry, key)


def _within(entry: Mapping[str, Any], key: str) -> Wrong | None:
    """What is wrong inside the values of a resource whose own keys are of the right kind."""
    for name, sources in (entry.get("propertyDependencies") or {}).items():
        if not isinstance(sources or [], list) or not all(isinstance(source, str) for source in sources or ()):
            return f"{key}.propertyDependencies.{name}", t("engine.expected_texts")
    for name, seconds in (entry.get("customTimeouts") or {}).items():
        if not isinstance(seconds or 0, (int, float)) or isinstance(seconds, bool):
            return f"{key}.customTimeouts.{name}", t("engine.expected_seconds")
    if entry.get("provider") and entry["provider"].count("::") < _REFERENCE_PARTS - 1:
        return f"{key}.provider", "<urn>::<id>"
    wrong = next((name for name in ("created", "modified") if entry.get(name) and not _TIME.fullmatch(entry[name])), None)
    return (f"{key}.{wrong}", t("engine.expected_time")) if wrong else None
