"""The checkpoint: Pulumi's deployment v3 as JSON, with encrypted secrets. Only text here; ``store`` touches the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from yiwang.engine import urn as urns
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource, now
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# The version of the SDK whose protocol this engine speaks, as the manifest names the engine that wrote it.
VERSION = "v3.272.0"
_NEWEST = 4

# JSON key -> attribute, in the order in which the CLI writes them.
_FIELDS = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "taint": "taint",
    "external": "external",
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "provider": "provider",
    "propertyDependencies": "property_dependencies",
    "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs",
    "customTimeouts": "custom_timeouts",
    "importID": "import_id",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "replaceWith": "replace_with",
    "created": "created",
    "modified": "modified",
    "sourcePosition": "source_position",
    "ignoreChanges": "ignore_changes",
    "replaceOnChanges": "replace_on_changes",
}
_SEALED = ("inputs", "outputs")


@dataclass
class Pending:
    """An operation that had begun. ``type``: creating, updating, deleting, reading or importing."""

    type: str
    resource: Resource

    def describe(self) -> str:
        """One line for people."""
        return f"{self.type} {self.resource.urn}"


@dataclass
class Deployment:
    """All that a stack's checkpoint holds. ``secrets_state`` is the passphrase provider's state, empty for a new stack.

    ``extra`` keeps fields of ``latest`` this engine does not use.
    """

    resources: list[Resource] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    secrets_state: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def encode_resource(resource: Resource, secrets: Manager) -> dict[str, Any]:
    """A resource as the checkpoint has it: empty and false fields left out, secrets encrypted."""
    found: dict[str, Any] = {}
    for key, attribute in _FIELDS.items():
        value = getattr(resource, attribute)
        if value or key == "custom":
            found[key] = secrets.seal(value, resource.urn) if key in _SEALED else value
    if "propertyDependencies" in found:
        found["propertyDependencies"] = {key: resource.property_dependencies[key] for key in sorted(resource.property_dependencies)}
    return {**found, **resource.extra}


def decode_resource(data: dict[str, Any], secrets: Manager) -> Resource:
    """The reverse of ``encode_resource``."""
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in data.items():
        attribute = _FIELDS.get(key)
        if attribute is None:
            extra[key] = value
        else:
            values[attribute] = secrets.open(value, data["urn"]) if key in _SEALED else value
    values.setdefault("type", urns.type_of(data["urn"]))
    values.setdefault("custom", False)
    # A recorded null is an empty list or map.
    cleaned = {name: value for name, value in values.items() if value is not None}
    return Resource(**cleaned, extra=extra)


def parse(text: bytes) -> dict[str, Any]:
    """The ``latest`` deployment of a checkpoint file, still encrypted; empty when there is none.

    Raises UserError for a file that is no checkpoint, or one written by a newer engine.
    """
    try:
        loaded = json.loads(text)
        version = loaded["version"]
        latest: dict[str, Any] = loaded["checkpoint"].get("latest") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(t("engine.no_checkpoint"), code=ExitCode.INPUT, fix=t("engine.no_checkpoint_fix")) from None
    if version > _NEWEST or not isinstance(version, int):
        raise UserError(t("engine.newer_checkpoint", version=version), code=ExitCode.INPUT)
    return latest


def secrets_state(latest: dict[str, Any]) -> str:
    """The passphrase provider's state in a deployment, empty when it names none. Raises UserError for another provider."""
    provider = latest.get("secrets_providers") or {}
    if provider and provider.get("type") != "passphrase":
        raise UserError(t("engine.secrets_provider", type=provider.get("type")), code=ExitCode.INPUT, fix=t("engine.use_cli"))
    return str((provider.get("state") or {}).get("salt") or "")


def load(latest: dict[str, Any], secrets: Manager) -> Deployment:
    """A parsed deployment with its secrets in clear."""
    known = {"manifest", "secrets_providers", "resources", "pending_operations"}
    return Deployment(
        resources=[decode_resource(entry, secrets) for entry in latest.get("resources") or []],
        pending=[Pending(entry["type"], decode_resource(entry["resource"], secrets)) for entry in latest.get("pending_operations") or []],
        secrets_state=secrets.state,
        extra={key: value for key, value in latest.items() if key not in known},
    )


def dump(deployment: Deployment, secrets: Manager, stack: str) -> str:
    """The checkpoint file's text. ``stack`` is the full name, ``organization/<project>/<stack>``."""
    latest: dict[str, Any] = {
        "manifest": {"time": now(), "magic": hashlib.sha256(VERSION.encode()).hexdigest(), "version": VERSION},
        "secrets_providers": {"type": "passphrase", "state": {"salt": secrets.state}},
    }
    if deployment.resources:
        latest["resources"] = [encode_resource(resource, secrets) for resource in in_order(deployment.resources)]
    if deployment.pending:
        latest["pending_operations"] = [
            {"resource": encode_resource(entry.resource, secrets), "type": entry.type} for entry in deployment.pending
        ]
    latest = {**latest, "metadata": {}, **deployment.extra}
    document = {"version": 3, "checkpoint": {"stack": stack, "latest": latest}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def in_order(resources: Iterable[Resource]) -> list[Resource]:
    """``resources`` so that each follows those it needs; otherwise the order stays as it is."""
    remaining = list(resources)
    by_urn: dict[str, list[Resource]] = {}
    for resource in sorted(remaining, key=lambda entry: entry.delete):
        by_urn.setdefault(resource.urn, []).append(resource)
    placed: set[int] = set()
    ordered: list[Resource] = []
    for start in remaining:
        stack = [(start, iter(_first_of(start, by_urn)))]
        entered = {id(start)}
        while stack:
            resource, needs = stack[-1]
            following = next((need for need in needs if id(need) not in placed and id(need) not in entered), None)
            if following is not None:
                entered.add(id(following))
                stack.append((following, iter(_first_of(following, by_urn))))
                continue
            stack.pop()
            if id(resource) not in placed:
                placed.add(id(resource))
                ordered.append(resource)
    return ordered


def _first_of(resource: Resource, by_urn: dict[str, list[Resource]]) -> list[Resource]:
    """The living states of what ``resource`` needs."""
    return [by_urn[urn][0] for urn in sorted(resource.needs()) if urn in by_urn]


def problems(deployment: Deployment) -> list[str]:
    """What is wrong with a deployment by the checkpoint's rules: order, unique URNs, providers; empty when it is sound."""
    found: list[str] = []
    seen: set[str] = set()
    live: set[str] = set()
    references: set[str] = set()
    for resource in deployment.resources:
        missing = sorted(need for need in resource.needs() if need not in seen)
        found += [f"{resource.urn} comes before {need}" for need in missing]
        if resource.provider and resource.provider not in references:
            found.append(f"{resource.urn} refers to the provider {resource.provider}, which is not there")
        if not resource.delete and resource.urn in live:
            found.append(f"{resource.urn} is there twice")
        if not resource.delete:
            live.add(resource.urn)
        seen.add(resource.urn)
        if resource.is_provider:
            references.add(resource.reference())
    return found
