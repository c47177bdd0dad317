"""``stack export|import|output``: the deployment as a document, with its secrets encrypted or in clear."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from yiwang.engine import checkpoint, exported
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import Code, CommandError, writing
from yiwang.engine.commandline.place import Place, held, key_of, out, warn
from yiwang.engine.commandline.show import one_line, outputs_text
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.jsontext import compact_json, parsed
from yiwang.engine.passphrase import Manager, Sealed
from yiwang.engine.state import show
from yiwang.engine.urn import STACK_TYPE
from yiwang.engine.values import SECRET, SIGNATURE, Value, reveal
from yiwang.errors import UserError
from yiwang.files import write_atomic
from yiwang.messages import english


def _shown(value: Value) -> Value:
    """A secret with its plaintext, as ``--show-secrets`` has it."""
    return {SIGNATURE: SECRET, "plaintext": compact_json(reveal(value))}


def export(call: Call, workspace: Workspace) -> int:
    """``stack export``. With the journal of a killed run in it, as the next run sees it."""
    place = Place.of(call, workspace)
    latest = place.latest()
    if place.store.journal_path.is_file():
        # Also of what contradicts itself: it is the way to mend it.
        loaded = place.loaded(sound=False)
        document = json.loads(checkpoint.dump(loaded.deployment, loaded.secrets, place.store.full_name))
        # Who wrote the state and when is not changed by looking at it.
        manifest = latest.get("manifest")
        latest = document["checkpoint"]["latest"]
        latest["manifest"] = manifest or latest["manifest"]
    if call.given("show-secrets") and checkpoint.secrets_state(latest):
        secrets = key_of(workspace.passphrase, checkpoint.secrets_state(latest))
        latest = checkpoint.resealed(latest, secrets, Sealed(secrets.state, _shown), str(place.store.path))
    text = json.dumps({"version": 3, "deployment": latest}, ensure_ascii=False, indent=4)
    if not call.text("file"):
        out(text)
        return Code.OK
    # Secrets may be in it in clear.
    with writing(call.text("file")):
        write_atomic(workspace.directory / call.text("file"), f"{text}\n", mode=0o600)
    return Code.OK


def import_(call: Call, workspace: Workspace) -> int:
    """``stack import``: the document takes the place of the recorded deployment; all is checked before."""
    place = Place.of(call, workspace)
    latest = _document(call, workspace)
    found, secrets = _read(place, latest)
    wrong = [
        f"resource '{resource.urn}' is from a different stack ({_stack_of(resource.urn)} != {place.name})"
        for resource in found.deployment.resources
        if _stack_of(resource.urn) != place.name
    ]
    wrong += [f"state file contains errors: {problem}" for problem in found.problems]
    if wrong and not call.given("force"):
        raise CommandError("\n".join([*wrong, "importing this file could be dangerous; rerun with --force to proceed anyway"]))
    for problem in wrong:
        warn(problem)
    for entry in found.dropped:
        warn(f"removing pending operation '{entry.type}' on '{entry.resource.urn}' from snapshot")
    with held(place.store, workspace, "stack import"):
        exported.record(place.store, found, secrets)
    out("Import complete.")
    return Code.OK


def _document(call: Call, workspace: Workspace) -> dict[str, Any]:
    name = call.text("file")
    try:
        text = (workspace.directory / name).read_bytes() if name else sys.stdin.buffer.read()
    except OSError as error:
        raise CommandError(f"could not open file: {name}: {error.strerror}") from None
    try:
        found = parsed(text)
    except ValueError as error:
        raise CommandError(f"could not read the deployment: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("deployment"), dict):
        raise CommandError("could not read the deployment: it has no deployment")
    try:
        with english():
            return exported.checked(found, name or "stdin")
    except UserError as error:
        raise CommandError(f"could not deserialize deployment: {error.text}") from None


def _read(place: Place, latest: dict[str, Any]) -> tuple[exported.Read, Manager]:
    """The deployment in clear, and the key it will be written with: its own, else that of the stack."""
    with english():
        try:
            state = checkpoint.secrets_state(latest) or place.recorded_salt
            secrets = key_of(place.workspace.passphrase, state or place.settings.salt)
            return exported.read(latest, secrets, "stdin", keep_pending=False), secrets
        except UserError as error:
            raise CommandError(f"could not deserialize deployment: {error.text}") from None


def _stack_of(urn: str) -> str:
    return urn.split("::", 1)[0].removeprefix("urn:pulumi:")


def output(call: Call, workspace: Workspace) -> int:
    """``stack output``, of all or of one."""
    if call.given("json") and call.given("shell"):
        raise CommandError("only one of --json and --shell may be set")
    place = Place.of(call, workspace)
    recorded = place.latest().get("resources") or place.store.journal_path.is_file()
    state = place.shown(secrets=call.given("show-secrets")).resources if recorded else []
    found = next((resource.outputs for resource in state if resource.type == STACK_TYPE and not resource.delete), {})
    outputs = show(found, secrets=call.given("show-secrets"))
    if not call.arguments:
        _print_all(call, outputs)
        return Code.OK
    name = call.arguments[0]
    if name not in outputs:
        raise CommandError(f"current stack does not have output property '{name}'")
    value = outputs[name]
    if call.given("shell"):
        out(f"{name}={shlex.quote(one_line(value))}")
    else:
        out(json.dumps(value, ensure_ascii=False, indent=2) if call.given("json") else one_line(value))
    return Code.OK


def _print_all(call: Call, outputs: dict[str, Any]) -> None:
    if call.given("json"):
        out(json.dumps(dict(sorted(outputs.items())), ensure_ascii=False, indent=2))
    elif call.given("shell"):
        for name in sorted(outputs):
            out(f"{name}={shlex.quote(one_line(outputs[name]))}")
    else:
        out(outputs_text(outputs))


def plan_file(path: Path) -> dict[str, Any]:
    """A plan that ``preview --save-plan`` wrote. Raises CommandError when it is none."""
    try:
        found = parsed(path.read_bytes())
    except OSError as error:
        raise CommandError(f"could not open plan file: {path}: {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandError(f"could not read plan file: {path}")
    return found
