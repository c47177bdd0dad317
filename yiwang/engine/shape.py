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
    **dict.fromkeys(("dependencies", "initErrors", "additionalSecretOutputs", "replaceWith", "ignoreChanges", "replaceOnChanges"), list),
}
_TEXTS = ("dependencies", "initErrors", "additionalSecretOutputs", "replaceWith", "ignoreChanges", "replaceOnChanges")
_URN_PARTS = 4
_WORDS = {str: "engine.expected_text", bool: "engine.expected_flag", dict: "engine.expected_map", list: "engine.expected_list"}
# Keys of Pulumi.yaml and of a stack's settings -> their kind; outer ones first. What is not here is kept or ignored.
_PROJECT: dict[str, type] = {
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
}
_SETTINGS: dict[str, type] = {"config": dict, "encryptionsalt": str}
_NAME = re.compile(r"[A-Za-z0-9_.-]+")

Wrong = tuple[str, str]


def of_checkpoint(latest: Any) -> Wrong | None:
    """The first key of a ``latest`` deployment that is damaged, and what was expected there; None when all is as it should be."""
    if not isinstance(latest, dict):
        return "checkpoint.latest", t("engine.expected_map")
    if not isinstance(latest.get("manifest") or {}, dict):
        return "manifest", t("engine.expected_map")
    return _providers(latest) or _resources(latest) or _pending(latest)


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
    return None


def of_settings(data: Mapping[str, Any]) -> Wrong | None:
    """The same for a stack's settings, ``Pulumi.<stack>.yaml``."""
    return _of_kinds(data, _SETTINGS)


def _of_kinds(data: Mapping[str, Any], kinds: Mapping[str, type]) -> Wrong | None:
    for key, kind in kinds.items():
        found: Any = data
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None and not isinstance(found, kind):
            return key, t(_WORDS[kind])
    return None


def _providers(latest: dict[str, Any]) -> Wrong | None:
    provider = latest.get("secrets_providers") or {}
    if not isinstance(provider, dict):
        return "secrets_providers", t("engine.expected_map")
    state = provider.get("state") or {}
    if not isinstance(state, dict):
        return "secrets_providers.state", t("engine.expected_map")
    if not isinstance(state.get("salt") or "", str):
        return "secrets_providers.state.salt", t("engine.expected_text")
    return None


def _resources(latest: dict[str, Any]) -> Wrong | None:
    entries = latest.get("resources") or []
    if not isinstance(entries, list):
        return "resources", t("engine.expected_list")
    found = (_resource(entry, f"resources[{number}]") for number, entry in enumerate(entries))
    return next((wrong for wrong in found if wrong), None)


def _pending(latest: dict[str, Any]) -> Wrong | None:
    entries = latest.get("pending_operations") or []
    if not isinstance(entries, list):
        return "pending_operations", t("engine.expected_list")
    for number, entry in enumerate(entries):
        key = f"pending_operations[{number}]"
        if not isinstance(entry, dict):
            return key, t("engine.expected_map")
        if not isinstance(entry.get("type"), str):
            return f"{key}.type", t("engine.expected_text")
        wrong = _resource(entry.get("resource"), f"{key}.resource")
        if wrong:
            return wrong
    return None


def _resource(entry: Any, key: str) -> Wrong | None:
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
    return None
