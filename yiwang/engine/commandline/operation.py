"""``preview``, ``up``, ``refresh`` and ``destroy``: what to run, whether to go on, and what is kept of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from yiwang import engine
from yiwang.engine.api import Options, Result, machinery
from yiwang.engine.commandline import history, stack, state
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.config import decrypt, put_pairs
from yiwang.engine.commandline.failure import Code, CommandError, unavailable, writing
from yiwang.engine.commandline.place import Place, held, held_error, key_of, out
from yiwang.engine.commandline.telling import Teller
from yiwang.engine.commandline.watch import finished
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.project import as_text, has_secure, merged, require
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.messages import english

_MOST = 512
_KINDS = {"up": "update", "refresh": "refresh", "destroy": "destroy"}


@dataclass(frozen=True)
class _Config:
    """The configuration of a run: as the settings have it, and in clear."""

    written: Mapping[str, Any]
    plain: Mapping[str, str]
    secret: Mapping[str, str]

    def blinded(self) -> dict[str, str]:
        """For those who watch."""
        return {key: "[secret]" if key in self.secret else self.plain[key] for key in sorted(self.written)}


def run(call: Call, workspace: Workspace) -> int:
    """One of the four operations, with the preview before it where that was not left out."""
    kind = call.words[0]
    dry = kind == "preview" or call.given("preview-only")
    _sensible(call, dry=dry)
    place = Place.of(call, workspace)
    # Deriving the key takes a third of a second, about as long as loading gRPC: side by side.
    with ThreadPoolExecutor(1) as pool:
        key = pool.submit(_derive, workspace.passphrase, place.recorded_salt)
        machinery()
    key.result()
    if call.texts("config"):
        put_pairs(place, call.texts("config"), secret=False, path=call.given("config-path"))
    config = _config(call, place)
    place.settings.save()
    options = _options(call, config, workspace)
    if call.given("show-config") and not call.given("json"):
        out("\n".join(["Configuration:", *(f"    {key}: {value}" for key, value in config.blinded().items()), ""]))
    if not dry and not call.given("skip-preview"):
        _, details = _one(call, place, config, kind, options, dry=True)
        if not call.given("yes"):
            _confirm(kind, details)
    result, _ = _one(call, place, config, kind, options, dry=dry)
    if call.text("save-plan"):
        _save_plan(call, workspace, result)
    if call.given("expect-no-changes") and set(result.changes):
        operation = kind if dry or kind != "up" else "update"
        raise CommandError(f"no changes were expected for {operation} but changes were proposed", Code.CHANGES)
    if call.given("remove") and not dry:
        with held(place.store, workspace, "stack rm"):
            stack.drop(place)
        out(f"The resources in the stack have been deleted, and the stack '{place.name}' has been removed")
    return Code.OK


def _derive(passphrase: str, state: str) -> None:
    """Have the key ready. Raises CommandError for a passphrase that does not fit."""
    if state:
        key_of(passphrase, state)


def _sensible(call: Call, *, dry: bool) -> None:
    if call.given("skip-preview") and call.given("preview-only"):
        raise CommandError("--skip-preview and --preview-only cannot be used together")
    if call.given("yes") and call.given("preview-only"):
        raise CommandError("--yes and --preview-only cannot be used together")
    if call.text("color") not in {"", "always", "never", "raw", "auto"}:
        raise CommandError(f"unsupported color option: '{call.text('color')}'. Supported values are: always, never, raw, auto")
    if call.texts("target") and call.texts("exclude"):
        raise CommandError("if any flags in the group [target exclude] are set none of the others can be")
    asking = not dry and not call.given("yes") and not call.given("skip-preview")
    if asking and (call.given("non-interactive") or not sys.stdin.isatty() or call.given("json")):
        raise CommandError(
            "--yes or --skip-preview or --preview-only must be passed in to proceed when running in non-interactive mode",
            Code.CONFIGURATION,
        )
    client = call.text("client")
    if client and not client.startswith(("127.0.0.1:", "localhost:", "[::1]:")):
        # Whoever answers there gets the configuration in clear.
        raise unavailable(f"--client {client}")


def _config(call: Call, place: Place) -> _Config:
    project = place.workspace.loaded
    with english():
        written = merged(project, place.settings.config)

    def opening(sealed: str) -> str:
        return decrypt(place, sealed)

    secret = {key: as_text(value, opening) for key, value in written.items() if has_secure(value)}
    plain = {key: as_text(value, opening) for key, value in written.items() if key not in secret}
    runs = call.words[0] in {"up", "preview"} or call.given("run-program")
    if runs and not call.given("skip-config-validation"):
        with english():
            require(project, place.name, {**plain, **secret}, set(secret))
    return _Config(written, plain, secret)


def _options(call: Call, config: _Config, workspace: Workspace) -> Options:
    given = call.flags.get("parallel")
    refresh = call.flags.get("refresh")
    if refresh is None and call.words[0] != "refresh":
        refresh = (workspace.project.get("options") or {}).get("refresh") == "always"
    plan = state.plan_file(workspace.directory / call.text("plan")) if call.text("plan") else None
    return Options(
        parallel=Options.parallel if given is None else max(1, min(given, _MOST)),
        refresh=bool(refresh),
        targets=(*call.texts("target"), *call.texts("target-replace")),
        target_dependents=call.given("target-dependents"),
        excludes=call.texts("exclude"),
        exclude_dependents=call.given("exclude-dependents"),
        replace=(*call.texts("replace"), *call.texts("target-replace")),
        config=config.plain,
        secret_config=config.secret,
        settings=False,
        # The program runs as often as with the CLI.
        examine=False,
        continue_on_error=call.given("continue-on-error"),
        run_program=call.given("run-program"),
        clear_pending_creates=call.given("clear-pending-creates"),
        plan=plan,
        client=call.text("client"),
        verb=call.words[0],
    )


def _confirm(kind: str, details: list[str]) -> None:
    """Ask a person, who may want the details first. Raises CommandError for anything but yes."""
    answer = "details"
    while answer == "details":
        out(f"\nDo you want to perform this {_KINDS[kind]}? (yes/no/details)")
        answer = sys.stdin.readline().strip().lower()
        if answer == "details":
            out("\n".join(details))
    if answer not in {"y", "yes"}:
        raise CommandError("confirmation declined, not proceeding with the " + _KINDS[kind], Code.CANCELLED)


def _one(call: Call, place: Place, config: _Config, kind: str, options: Options, *, dry: bool) -> tuple[Result, list[str]]:
    """Run once, tell of it, and keep it in the history; the result, and the lines of ``--diff``. Raises CommandError when it failed."""
    workspace = place.workspace
    target = engine.Stack(workspace.project_file.parent, place.name, workspace.backend, workspace.passphrase)
    operation = "preview" if dry and kind == "up" else kind
    began = time.time()
    result: Result | None = None

    def ended(result: Result) -> None:
        if not dry:
            place.store.add_history(_entry(call, config, kind, began, result))

    options = replace(options, preview_only=dry and kind != "preview", ended=ended)
    with Teller(call, operation, place.name, config.blinded(), dry=dry) as teller:
        try:
            # What the engine says is what the CLI says, and programs read it.
            with english():
                result = finished(operation, target, options, teller.of)
        except UserError as error:
            if error.code is ExitCode.LOCKED:
                raise held_error(place.store, workspace) from None
            with english():
                raise CommandError(error.report()) from None
        finally:
            teller.end(result)
    if not result.ok:
        # The diagnostics said why.
        raise CommandError("", Code.ERROR)
    return result, teller.details


def _entry(call: Call, config: _Config, kind: str, began: float, result: Result) -> str:
    execution = {"exec.kind": call.text("exec-kind") or "cli"}
    if call.text("exec-agent"):
        execution["exec.agent"] = call.text("exec-agent")
    return history.entry(
        kind=_KINDS[kind],
        began=began,
        ended=time.time(),
        ok=result.ok,
        message=call.text("message"),
        execution=execution,
        config=config.written,
        changes=counts(result),
    )


def counts(result: Result) -> dict[str, int]:
    """Operation -> number of resources, those that are the same too."""
    return {**result.changes, **({"same": result.unchanged} if result.unchanged else {})}


def _save_plan(call: Call, workspace: Workspace, result: Result) -> None:
    if result.plan is None:
        raise unavailable("preview --save-plan")
    with writing(call.text("save-plan")):
        write_atomic(workspace.directory / call.text("save-plan"), json.dumps(result.plan, ensure_ascii=False, indent=4), mode=0o600)
