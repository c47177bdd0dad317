"""The shape of a checkpoint: what has to be there and of which kind, before anything reads it. Values are not judged."""

from __future__ import annotations

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

Wrong = tuple[str, str]


def of_checkpoint(latest: Any) -> Wrong | None:
    """The first key of a ``latest`` deployment that is damaged, and what was expected there; None when all is as it should be."""
    if not isinstance(latest, dict):
        return "checkpoint.latest", t("engine.expected_map")
    if not isinstance(latest.get("manifest") or {}, dict):
        return "manifest", t("engine.expected_map")
    return _providers(latest) or _resources(latest) or _pending(latest)


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
    words = {str: "engine.expected_text", bool: "engine.expected_flag", dict: "engine.expected_map", list: "engine.expected_list"}
    for name, kind in _KINDS.items():
        value = entry.get(name)
        if value is not None and not isinstance(value, kind):
            return f"{key}.{name}", t(words[kind])
    if not entry.get("type"):
        return f"{key}.type", t("engine.expected_text")
    if entry.get("id") and not entry.get("custom"):
        return f"{key}.id", t("engine.expected_nothing")
    for name in _TEXTS:
        if not all(isinstance(item, str) for item in entry.get(name) or ()):
            return f"{key}.{name}", t("engine.expected_texts")
    return None
