"""The checkpoint: Pulumi's deployment v3 as JSON, with encrypted secrets. Only text here; ``store`` touches the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from yiwang.engine import shape
from yiwang.engine import urn as urns
from yiwang.engine.jsontext import parsed
from yiwang.engine.passphrase import Secrets
from yiwang.engine.resource import Resource, now
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# The version of the SDK whose protocol this engine speaks, as the manifest names the engine that wrote it.
VERSION = "v3.272.0"
_VERSIONS = (3, 4)
# Features of version 4 that mean nothing else in version 3, which is what is written.
_FEATURES = frozenset({"taint"})

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
    "hideDiff": "hide_diff",
    "replaceOnChanges": "replace_on_changes",
    "replacementTrigger": "replacement_trigger",
}
_SEALED = ("inputs", "outputs", "replacementTrigger")


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

    ``extra`` keeps fields of ``latest`` this engine does not use. ``intact``: the manifest has the digest of its version.
    """

    resources: list[Resource] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    secrets_state: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    intact: bool = True


def encode_resource(resource: Resource, secrets: Secrets) -> dict[str, Any]:
    """A resource as the checkpoint has it: empty and false fields left out, secrets encrypted."""
    found: dict[str, Any] = {}
    for key, attribute in _FIELDS.items():
        value = getattr(resource, attribute)
        # A trigger may be false or zero.
        if value or key == "custom" or (key == "replacementTrigger" and value is not None):
            found[key] = secrets.seal(value, resource.urn) if key in _SEALED else value
    if "propertyDependencies" in found:
        found["propertyDependencies"] = {key: resource.property_dependencies[key] for key in sorted(resource.property_dependencies)}
    return {**found, **resource.extra}


def decode_resource(data: dict[str, Any], secrets: Secrets) -> Resource:
    """The reverse of ``encode_resource``. Raises ValueError for a secret that cannot be decrypted."""
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in data.items():
        attribute = _FIELDS.get(key)
        if attribute is None:
            extra[key] = value
        else:
            values[attribute] = secrets.open(value, data["urn"]) if key in _SEALED else value
    values.setdefault("custom", False)
    # A recorded null is an empty list or map.
    cleaned = {name: value for name, value in values.items() if value is not None}
    return Resource(**cleaned, extra=extra)


def decoded(data: dict[str, Any], secrets: Secrets, where: str, key: str) -> Resource:
    """``decode_resource`` for ``key`` of the file ``where``, which a UserError names when a secret cannot be decrypted."""
    try:
        return decode_resource(data, secrets)
    except ValueError:
        raise _damaged(where, f"{key} ({data['urn']})", t("engine.expected_secret")) from None


def _damaged(where: str, key: str, expected: str) -> UserError:
    text = t("engine.damaged", path=where, key=key, expected=expected)
    return UserError(text, code=ExitCode.INPUT, fix=t("engine.no_checkpoint_fix"))


def parse(text: bytes, where: str = "") -> dict[str, Any]:
    """The ``latest`` deployment of a checkpoint file, still encrypted; empty when there is none.

    Raises UserError naming the file (``where``) and the key, for what is no checkpoint or damaged, and for one of an engine
    that knows more.
    """
    try:
        loaded = parsed(text)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict) or not {"version", "checkpoint"} <= set(loaded):
        raise UserError(t("engine.no_checkpoint", path=where), code=ExitCode.INPUT, fix=t("engine.no_checkpoint_fix"))
    version, features = loaded["version"], loaded.get("features") or []
    if not isinstance(version, int) or isinstance(version, bool) or version < min(_VERSIONS):
        raise _damaged(where, "version", " / ".join(map(str, _VERSIONS)))
    if version > max(_VERSIONS):
        raise UserError(t("engine.newer_checkpoint", path=where, version=version), code=ExitCode.INPUT, fix=t("engine.use_cli"))
    unknown = sorted({str(feature) for feature in features} - _FEATURES) if isinstance(features, list) else [str(features)]
    if unknown:
        text_ = t("engine.unknown_features", path=where, features=", ".join(unknown))
        raise UserError(text_, code=ExitCode.INPUT, fix=t("engine.use_cli"))
    checkpoint = loaded["checkpoint"]
    latest: Any = checkpoint.get("latest") if isinstance(checkpoint, dict) else []
    latest = {} if latest is None else latest
    wrong = shape.of_checkpoint(latest)
    if wrong is not None:
        raise _damaged(where, *wrong)
    found: dict[str, Any] = latest
    return found


def secrets_state(latest: dict[str, Any]) -> str:
    """The passphrase provider's state in a deployment, empty when it names none. Raises UserError for another provider."""
    provider = latest.get("secrets_providers") or {}
    if provider and provider.get("type") != "passphrase":
        raise UserError(t("engine.secrets_provider", type=provider.get("type")), code=ExitCode.INPUT, fix=t("engine.use_cli"))
    return str((provider.get("state") or {}).get("salt") or "")


def load(latest: dict[str, Any], secrets: Secrets, where: str = "") -> Deployment:
    """A parsed deployment with its secrets in clear. Raises UserError naming the file and the key for a damaged secret."""
    known = {"manifest", "secrets_providers", "resources", "pending_operations"}
    resources = enumerate(latest.get("resources") or [])
    pending = enumerate(latest.get("pending_operations") or [])
    return Deployment(
        resources=[decoded(entry, secrets, where, f"resources[{number}]") for number, entry in resources],
        pending=[
            Pending(entry["type"], decoded(entry["resource"], secrets, where, f"pending_operations[{number}]")) for number, entry in pending
        ],
        secrets_state=secrets.state,
        extra={key: value for key, value in latest.items() if key not in known},
        intact=_intact(latest.get("manifest") or {}),
    )


def resealed(latest: dict[str, Any], before: Secrets, after: Secrets, where: str = "") -> dict[str, Any]:
    """A parsed deployment with its secrets opened by ``before`` and sealed by ``after``; all else as it is, be it sound or not.

    Raises UserError as ``load`` does.
    """

    def one(entry: dict[str, Any], key: str) -> dict[str, Any]:
        try:
            return {
                name: after.seal(before.open(value, entry["urn"]), entry["urn"]) if name in _SEALED else value
                for name, value in entry.items()
            }
        except ValueError:
            raise _damaged(where, f"{key} ({entry['urn']})", t("engine.expected_secret")) from None

    found = dict(latest)
    if latest.get("resources"):
        found["resources"] = [one(entry, f"resources[{number}]") for number, entry in enumerate(latest["resources"])]
    if latest.get("pending_operations"):
        found["pending_operations"] = [
            {**entry, "resource": one(entry["resource"], f"pending_operations[{number}]")}
            for number, entry in enumerate(latest["pending_operations"])
        ]
    return found


def _magic(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest() if version else ""


def _intact(manifest: dict[str, Any]) -> bool:
    return (manifest.get("magic") or "") == _magic(str(manifest.get("version") or ""))


def dump(deployment: Deployment, secrets: Secrets, stack: str) -> str:
    """The checkpoint file's text. ``stack`` is the full name, ``organization/<project>/<stack>``."""
    latest: dict[str, Any] = {
        "manifest": {"time": now(), "magic": _magic(VERSION), "version": VERSION},
        "secrets_providers": {"type": "passphrase", "state": {"salt": secrets.state}},
    }
    if deployment.resources:
        there = {resource.urn for resource in deployment.resources}
        for resource in deployment.resources:
            # After a failure, a kill or with targets, what it needed may be gone while it stays.
            resource.forget(resource.needs() - there)
        ordered = in_order(deployment.resources)
        _cut_circles(ordered)
        latest["resources"] = [encode_resource(resource, secrets) for resource in ordered]
    if deployment.pending:
        latest["pending_operations"] = [
            {"resource": encode_resource(entry.resource, secrets), "type": entry.type} for entry in deployment.pending
        ]
    latest = {**latest, "metadata": {}, **deployment.extra}
    document = {"version": 3, "checkpoint": {"stack": stack, "latest": latest}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


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


def _cut_circles(ordered: Iterable[Resource]) -> None:
    """Let no resource refer to what comes after it: only a circle makes it do so, of what a run did and what it left as it was.

    Nothing could be said to be first in it; the next whole run records what the program says.
    """
    seen: set[str] = set()
    for resource in ordered:
        later = resource.needs() - seen
        if later:
            resource.forget(later)
        seen.add(resource.urn)


def _first_of(resource: Resource, by_urn: dict[str, list[Resource]]) -> list[Resource]:
    """The living states of what ``resource`` needs; for one marked for deletion also the one that took its place."""
    needed = [by_urn[urn][0] for urn in sorted(resource.needs()) if urn in by_urn]
    living = by_urn[resource.urn][0]
    return [living, *needed] if resource.delete and not living.delete else needed


def problems(deployment: Deployment, *, order: bool = True) -> list[str]:
    """What is wrong with a deployment by the checkpoint's rules: manifest, unique URNs, providers, order; empty when it is sound.

    Without ``order`` only what contradicts itself: this engine does not depend on the order, and writes the right one; a provider
    that is not there is told by who needs it.
    """
    found = [] if deployment.intact else [t("engine.problem_magic")]
    there = {resource.urn for resource in deployment.resources}
    seen: set[str] = set() if order else there
    references: set[str] = set()
    living: set[str] = set()
    for resource in deployment.resources:
        # One marked for deletion may need the one that took its place.
        if not resource.delete and resource.urn in {resource.parent, resource.deleted_with, *resource.dependencies}:
            found.append(t("engine.problem_circle", urn=resource.urn))
        needs = sorted(resource.needs() - seen - {urns.provider_urn(resource.provider)})
        found += [t("engine.problem_order" if need in there else "engine.problem_missing", urn=resource.urn, need=need) for need in needs]
        # What waits for its replacement may have had a provider that was replaced before.
        if order and resource.provider and resource.provider not in references and not resource.pending_replacement:
            found.append(t("engine.problem_provider", urn=resource.urn, provider=resource.provider))
        # One marked for deletion comes after the one that took its place.
        if not resource.delete and resource.urn in (seen if order else living):
            found.append(t("engine.problem_twice", urn=resource.urn))
        living |= set() if resource.delete else {resource.urn}
        if order:
            seen.add(resource.urn)
        if resource.is_provider:
            references.add(resource.reference())
    return found
