"""What an exported deployment (``pulumi stack export``) says, whichever engine wrote it. Secrets in it stay encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yiwang.engine import checkpoint, journal
from yiwang.engine import store as stores
from yiwang.engine.api import Stack
from yiwang.engine.checkpoint import Deployment, Pending
from yiwang.engine.jsontext import parsed
from yiwang.engine.passphrase import Manager
from yiwang.engine.state import Recorded, recorded
from yiwang.engine.store import Store
from yiwang.engine.urn import STACK_TYPE
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t


def _opened(deployment: Mapping[str, Any], passphrase: str) -> Deployment:
    latest = dict(deployment)
    return checkpoint.load(latest, Manager(passphrase, checkpoint.secrets_state(latest)), "export")


def secrets_state(deployment: Mapping[str, Any] | None) -> str:
    """The state of the passphrase secrets provider, empty when there is none."""
    return checkpoint.secrets_state(dict(deployment or {}))


def in_flight(deployment: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The operations an earlier run left unfinished (``creating <urn>``)."""
    return tuple(f"{entry['type']} {entry['resource']['urn']}" for entry in (deployment or {}).get("pending_operations") or [])


def outputs(deployment: Mapping[str, Any] | None, passphrase: str) -> dict[str, Any]:
    """The stack's outputs as the engine keeps them: secrets as marked objects. Empty when the stack is not up.

    Raises UserError when the passphrase does not fit.
    """
    if not deployment or not deployment.get("resources"):
        return {}
    found = _opened(deployment, passphrase)
    return next((dict(resource.outputs) for resource in found.resources if resource.type == STACK_TYPE), {})


def resources(deployment: Mapping[str, Any] | None, passphrase: str) -> list[Recorded]:
    """The recorded resources, each after those it depends on. Raises UserError when the passphrase does not fit."""
    if not deployment or not deployment.get("resources"):
        return []
    return [recorded(resource) for resource in checkpoint.in_order(_opened(deployment, passphrase).resources)]


def export(stack: Stack) -> dict[str, Any]:
    """What is recorded of a stack, with what a killed run has in its journal; secrets stay encrypted.

    Raises UserError when nothing is recorded.
    """
    store = stores.of(stack)
    if not store.exists():
        raise UserError(t("engine.unknown_stack", name=store.full_name), code=ExitCode.INPUT)
    if store.journal_path.is_file():
        loaded = journal.load(store, stack.passphrase)
        latest = json.loads(checkpoint.dump(loaded.deployment, loaded.secrets, store.full_name))["checkpoint"]["latest"]
    else:
        latest = checkpoint.parse(store.read() or b"", str(store.path))
    return {"version": 3, "deployment": latest}


def parse(content: bytes, where: str) -> dict[str, Any]:
    """An exported document. Raises UserError naming the file (``where``) and the key for what is none or damaged."""
    try:
        found = parsed(content)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("deployment"), dict):
        raise UserError(t("engine.no_export", path=where), code=ExitCode.INPUT, fix=t("engine.no_export_fix"))
    return {"version": found.get("version") or 3, "deployment": checked(found, where)}


def checked(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The deployment of an exported document. Raises UserError naming the file and the key of what is damaged."""
    # The same document as a checkpoint: what is damaged in it is found by the same rules.
    latest = {"latest": document["deployment"]}
    wrapped = {"version": document.get("version") or 3, "features": document.get("features"), "checkpoint": latest}
    return checkpoint.parse(json.dumps(wrapped).encode(), where)


def take(stack: Stack, document: Mapping[str, Any], where: str) -> None:
    """Record an exported document in place of what is recorded of a stack, under the key it was written with.

    Raises UserError when it is another stack's, breaks a rule of checkpoints, or has secrets that the passphrase does not open,
    and when the stack is locked; then nothing is changed.
    """
    store = stores.of(stack)
    latest = dict(document["deployment"])
    state = checkpoint.secrets_state(latest) or store.shared_salt()
    secrets = Manager(stack.passphrase, state or None)
    found = read(latest, secrets, where)
    ours = f"urn:pulumi:{stack.name}::{store.project}::"
    wrong = [resource.urn for resource in found.deployment.resources if not resource.urn.startswith(ours)]
    if wrong:
        raise UserError(t("engine.other_stack", path=where, urn=wrong[0], stack=store.full_name), code=ExitCode.INPUT)
    if found.problems:
        raise UserError(t("engine.bad_deployment", path=where, problem=found.problems[0]), code=ExitCode.INPUT)
    with store.locked("import"):
        record(store, found, secrets)


@dataclass(frozen=True)
class Read:
    """An exported deployment in clear. ``problems``: as ``checkpoint.problems`` has them. ``dropped``: operations left out of it."""

    deployment: Deployment
    problems: tuple[str, ...]
    dropped: tuple[Pending, ...]


def read(latest: Mapping[str, Any], secrets: Manager, where: str, *, keep_pending: bool = True) -> Read:
    """What ``checked`` gives, in clear. Without ``keep_pending`` operations that had begun are left out, as the CLI does.

    Raises UserError naming the file (``where``) and the key of a secret that ``secrets`` does not open.
    """
    deployment = checkpoint.load(dict(latest), secrets, where)
    dropped = () if keep_pending else tuple(deployment.pending)
    deployment.pending = deployment.pending if keep_pending else []
    return Read(deployment, tuple(checkpoint.problems(deployment)), dropped)


def record(store: Store, found: Read, secrets: Manager) -> None:
    """Put what was read in place of what is recorded of a stack that is held."""
    journal.recover(store)
    store.write(checkpoint.dump(found.deployment, secrets, store.full_name))
