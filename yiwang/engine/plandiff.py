"""What a plan says about the properties and options of a resource, and whether that was kept. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yiwang.engine.passphrase import Manager
from yiwang.engine.urn import provider_urn
from yiwang.engine.values import UNKNOWN, Properties, Value, equal, mask
from yiwang.messages import t


@dataclass(frozen=True)
class PlanDiff:
    """Properties that are to be added, removed and changed."""

    adds: Properties = field(default_factory=dict, repr=False)
    deletes: Sequence[str] = ()
    updates: Properties = field(default_factory=dict, repr=False)

    def dump(self, urn: str, secrets: Manager) -> dict[str, Any]:
        """As a plan file has it."""
        written = {"adds": secrets.seal(self.adds, urn), "deletes": sorted(self.deletes), "updates": secrets.seal(self.updates, urn)}
        return {key: value for key, value in written.items() if value}

    @staticmethod
    def load(written: Mapping[str, Any], urn: str, secrets: Manager) -> PlanDiff:
        """The reverse of ``dump``. Raises ValueError for a secret that cannot be decrypted."""
        opened = {key: secrets.open(written.get(key) or {}, urn) for key in ("adds", "updates")}
        return PlanDiff(opened["adds"], tuple(written.get("deletes") or ()), opened["updates"])


def between(old: Properties, new: Properties) -> PlanDiff:
    """What has to be done to ``old`` to get ``new``; null is no value."""
    before = {key: value for key, value in old.items() if value is not None}
    after = {key: value for key, value in new.items() if value is not None}
    return PlanDiff(
        adds={key: value for key, value in after.items() if key not in before},
        deletes=tuple(sorted(set(before) - set(after))),
        updates={key: value for key, value in after.items() if key in before and not equal(before[key], value)},
    )


def fits(planned: Value, value: Value) -> bool:
    """Whether ``value`` is what was planned; what was not known then may be anything."""
    if UNKNOWN in (planned, value):
        return True
    if isinstance(planned, dict) and isinstance(value, dict):
        missing = [key for key in planned if key not in value and planned[key] not in (None, UNKNOWN)]
        added = [key for key in value if key not in planned and value[key] is not None]
        return not missing and not added and all(fits(planned[key], value[key]) for key in planned if key in value)
    if isinstance(planned, list) and isinstance(value, list):
        return len(planned) == len(value) and all(map(fits, planned, value))
    return equal(planned, value)


def violated(old: Properties, new: Properties, planned: PlanDiff) -> str:
    """How the change from ``old`` to ``new`` goes against the plan; empty when it does not."""
    before = {key: value for key, value in old.items() if value is not None}
    after = {key: value for key, value in new.items() if value is not None}
    found = []
    for key in {*before, *after, *planned.adds, *planned.updates, *planned.deletes}:
        what = _what_happens(key, before, after)
        if not _allowed(key, what, before, after, planned):
            found.append(f"{_expected(key, planned)}{what}{key}{_shown(key, after, planned)}")
    return t("engine.plan_properties", changes=", ".join(sorted(found))) if found else ""


def _what_happens(key: str, before: Properties, after: Properties) -> str:
    if key not in after:
        return "-"
    if key not in before:
        return "+"
    return "=" if fits(before[key], after[key]) else "~"


def _allowed(key: str, what: str, before: Properties, after: Properties, planned: PlanDiff) -> bool:
    if key in planned.adds:
        # It may be there already; one that was not known may turn out to have no value.
        return planned.adds[key] == UNKNOWN if what == "-" else fits(planned.adds[key], after[key])
    if key in planned.updates:
        if what == "-":
            return bool(planned.updates[key] == UNKNOWN)
        return what != "+" and fits(planned.updates[key], after[key])
    if key in planned.deletes:
        return what == "-"
    return what == "=" or (what == "-" and before.get(key, UNKNOWN) == UNKNOWN)


def _expected(key: str, planned: PlanDiff) -> str:
    return "+" if key in planned.adds else "~" if key in planned.updates else "-" if key in planned.deletes else "="


def _shown(key: str, after: Properties, planned: PlanDiff) -> str:
    """The values, for people: never a secret."""
    values = [place[key] for place in (planned.adds, planned.updates, after) if key in place]
    texts = [json.dumps(mask(value), ensure_ascii=False) for value in values]
    return f"[{'!='.join('{' + text + '}' for text in texts)}]" if texts else ""


def options_differ(wanted: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The first option of a resource that is not as planned; empty when all are."""
    if wanted["custom"] != asked["custom"]:
        return t("engine.plan_kind", expected="custom" if wanted["custom"] else "component")
    if not _same_provider(wanted["provider"], asked["provider"]):
        return t("engine.plan_option", option="provider", expected=wanted["provider"])
    for key, name in (("parent", "parent"), ("protect", "protect"), ("deleteBeforeReplace", "deleteBeforeReplace"), ("id", "importID")):
        if wanted[key] != asked[key]:
            return t("engine.plan_option", option=name, expected=_go(wanted[key]))
    for operation in ("create", "update", "delete", "read"):
        expected = wanted["customTimeouts"].get(operation) or 0
        if expected != (asked["customTimeouts"].get(operation) or 0):
            return t("engine.plan_option", option=f"{operation} timeout", expected=expected)
    for key in ("ignoreChanges", "additionalSecretOutputs", "dependencies"):
        change = _sets_differ(wanted[key], asked[key])
        if change:
            return t("engine.plan_set", option=key, changes=change)
    change = _sets_differ(map(_flat, wanted["structuredAliases"]), map(_flat, asked["structuredAliases"]))
    return t("engine.plan_aliases", changes=change) if change else ""


def _same_provider(wanted: str, asked: str) -> bool:
    same_urn = wanted and asked and provider_urn(wanted) == provider_urn(asked)
    return wanted == asked or bool(same_urn and wanted.endswith(UNKNOWN))


def sources_differ(wanted: Mapping[str, Sequence[str]], asked: Mapping[str, Sequence[str]]) -> str:
    """The first property that comes from other resources than planned; one that turned out to have no value is left out."""
    for key, urns in wanted.items():
        change = _sets_differ(urns or (), asked[key] or ()) if key in asked else ""
        if change:
            return t("engine.plan_sources", key=key, changes=change)
    return ""


def _sets_differ(wanted: Any, asked: Any) -> str:
    before, after = set(wanted), set(asked)
    added, deleted = (", ".join(sorted(names)) for names in (after - before, before - after))
    parts = [t("engine.plan_added", names=added) if added else "", t("engine.plan_deleted", names=deleted) if deleted else ""]
    return "; ".join(filter(None, parts))


def _flat(alias: Mapping[str, Any]) -> str:
    parts = [str(alias.get(key) or "") for key in ("URN", "Name", "Type", "Project", "Stack", "Parent", "NoParent")]
    return f"{{{' '.join(parts)}}}"


def _go(value: Any) -> str:
    return t("engine.plan_no_value") if value is None else str(value).lower() if isinstance(value, bool) else str(value)
