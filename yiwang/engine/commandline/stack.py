"""``stack``, ``stack init|select|ls|rm`` and the small commands about where one is."""

from __future__ import annotations

import datetime
import json
import socket
import sys
from typing import Any

from yiwang import __version__
from yiwang.engine import checkpoint, journal, lock
from yiwang.engine.checkpoint import Deployment
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import Code, CommandError, unavailable
from yiwang.engine.commandline.place import Place, held, key_of, out, warn
from yiwang.engine.commandline.show import age, aligned, outputs_text
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.resource import Resource
from yiwang.engine.state import show
from yiwang.engine.store import Store
from yiwang.engine.urn import STACK_TYPE
from yiwang.errors import UserError

# The CLI whose behaviour this is; what follows the plus sign tells the two apart.
VERSION = f"v3.260.0+yiwang.{__version__}"


def version(call: Call, workspace: Workspace) -> int:
    """``version``."""
    del call, workspace
    out(VERSION)
    return Code.OK


def whoami(call: Call, workspace: Workspace) -> int:
    """``whoami``: the user of this machine, as with every file backend."""
    user = lock.user()
    out(json.dumps({"user": user, "url": workspace.url}, indent=2) if call.given("json") else user)
    return Code.OK


def plugins(call: Call, workspace: Workspace) -> int:
    """``plugin ls``: none are installed here, they lie on PATH or in the project."""
    del workspace
    if call.words == ("plugin",):
        raise unavailable("plugin")
    out("[]" if call.given("json") else aligned([], ["NAME", "KIND", "VERSION", "SIZE", "INSTALLED", "LAST USED"]))
    return Code.OK


def init(call: Call, workspace: Workspace) -> int:
    """``stack init``: an empty checkpoint with a key of its own, the key's salt in the settings, and the stack selected."""
    if call.arguments and call.text("stack"):
        raise CommandError("only one of --stack or argument stack name may be specified, not both")
    name = call.arguments[0] if call.arguments else call.text("stack")
    if not name:
        raise CommandError("missing stack name")
    _create(call, workspace, name)
    return Code.OK


def _create(call: Call, workspace: Workspace, name: str) -> None:
    if call.text("secrets-provider") not in {"", "default", "passphrase"}:
        raise unavailable(f"--secrets-provider {call.text('secrets-provider').partition('://')[0]}")
    store = workspace.store(name)
    place = Place(workspace, store)
    with held(store, workspace, "stack init"):
        if store.exists():
            raise CommandError(f"stack '{workspace.shown(store)}' already exists")
        secrets = key_of(workspace.passphrase, place.settings.salt)
        place.settings.salt = secrets.state
        # Settings alone do no harm when the next write fails; a stack whose salt nobody wrote down would.
        place.settings.save()
        store.write(checkpoint.dump(Deployment(secrets_state=secrets.state), secrets, store.full_name))
    if not call.given("no-select"):
        _try_select(workspace, store)
    out(f"Created stack '{workspace.shown(store)}'")


def _try_select(workspace: Workspace, store: Store | None) -> None:
    """Select a stack, or none, after what was asked for is done: where that cannot be written down, it is no failure of it."""
    try:
        workspace.select(store)
    except OSError as error:
        warn(f"could not write down which stack is selected: {error.filename}: {error.strerror}")


def select(call: Call, workspace: Workspace) -> int:
    """``stack select``."""
    if call.arguments and call.text("stack"):
        raise CommandError("only one of --stack or argument stack name may be specified, not both")
    name = call.arguments[0] if call.arguments else call.text("stack")
    if not name:
        raise CommandError("no stack selected; specify a stack name with --stack", Code.NO_STACK)
    store = workspace.store(name)
    if not store.exists():
        if not call.given("create"):
            raise CommandError(f"no stack named '{workspace.shown(store)}' found", Code.NO_STACK)
        _create(call, workspace, name)
    workspace.select(store)
    return Code.OK


def list_(call: Call, workspace: Workspace) -> int:
    """``stack ls``: of the project, or with ``--all`` of the backend."""
    project = call.text("project") or ("" if call.given("all") else workspace.project_name)
    found = [store for store in workspace.stacks() if not project or store.project == project]
    selected = _selected(workspace)
    entries = []
    for store in sorted(found, key=workspace.shown):
        content = store.read()
        latest = checkpoint.parse(content, str(store.path)) if content is not None else {}
        entry: dict[str, Any] = {"name": workspace.shown(store), "current": store.full_name == selected}
        moment = _milliseconds(str((latest.get("manifest") or {}).get("time") or ""))
        if moment:
            entry["lastUpdate"] = moment
        entries.append({**entry, "resourceCount": _count(store, latest)})
    if call.given("json"):
        out(json.dumps(entries, indent=2))
        return Code.OK
    rows = [
        [entry["name"] + ("*" if entry["current"] else ""), age(entry.get("lastUpdate", "")), str(entry["resourceCount"])]
        for entry in entries
    ]
    out(aligned(rows, ["NAME", "LAST UPDATE", "RESOURCE COUNT"]))
    return Code.OK


def _count(store: Store, latest: dict[str, Any]) -> int:
    """How many resources are recorded, with those of a killed run; where its journal is damaged, without them, and says so."""
    try:
        return journal.count(store) if store.journal_path.exists() else len(latest.get("resources") or [])
    except UserError as error:
        warn(error.report())
        return len(latest.get("resources") or [])


def _selected(workspace: Workspace) -> str:
    try:
        name = workspace.selected()
        return workspace.store(name).full_name if name else ""
    except CommandError:
        # Outside of a project nothing is selected.
        return ""


def _milliseconds(moment: str) -> str:
    """A time of the checkpoint in the form of the CLI's listings."""
    try:
        found = datetime.datetime.fromisoformat(moment[:19]).replace(tzinfo=datetime.UTC)
    except ValueError:
        return ""
    digits = moment.partition(".")[2][:3] if "." in moment else ""
    return f"{found:%Y-%m-%dT%H:%M:%S}.{''.join(c for c in digits if c.isdigit()):0<3}Z"


def remove(call: Call, workspace: Workspace) -> int:
    """``stack rm``: the checkpoint becomes a backup, history and settings go; with resources in it only by ``--force``."""
    place = Place.of(call, workspace, call.arguments[0] if call.arguments else "")
    shown = workspace.shown(place.store)
    if not call.given("yes"):
        confirm_removal(call, f"This will permanently remove the '{shown}' stack!", shown)
    with held(place.store, workspace, "stack rm"):
        drop(place, force=call.given("force"), keep_settings=call.given("preserve-config"))
    out(f"Stack '{shown}' has been removed!")
    return Code.OK


def drop(place: Place, *, force: bool = False, keep_settings: bool = False) -> None:
    """Remove a stack that is held."""
    journal.recover(place.store)
    resources = place.latest().get("resources") or []
    if not force and any(entry.get("type") != STACK_TYPE for entry in resources):
        shown = place.workspace.shown(place.store)
        raise CommandError(
            f"'{shown}' still has resources; removal rejected. Possible actions:\n"
            f"- Make sure that '{shown}' is the stack that you want to destroy\n"
            "- Run `pulumi destroy` to delete the resources, then run `pulumi stack rm`\n"
            "- Run `pulumi stack rm --force` to override this error"
        )
    selected = _selected(place.workspace)
    place.store.remove()
    try:
        ours = place.store.project == place.workspace.project_name
    except CommandError:
        return
    if ours and not keep_settings:
        place.settings_path.unlink(missing_ok=True)
    if selected == place.store.full_name and "PULUMI_STACK" not in place.workspace.environment:
        _try_select(place.workspace, None)


def confirm_removal(call: Call, warning: str, name: str) -> None:
    """Ask a person for the stack's name. Raises CommandError where there is nobody to ask, or for another answer."""
    if call.given("non-interactive") or not sys.stdin.isatty():
        raise CommandError("non-interactive mode requires --yes flag", Code.CONFIGURATION)
    out(f"{warning}\nPlease confirm that this is what you'd like to do by typing `{name}`: ")
    if sys.stdin.readline().strip() != name:
        raise CommandError("confirmation declined")


def overview(call: Call, workspace: Workspace) -> int:
    """``stack``: what is recorded."""
    place = Place.of(call, workspace)
    if call.given("show-name"):
        out(place.store.full_name if call.given("fully-qualify-stack-names") else place.name)
        return Code.OK
    latest = place.latest()
    manifest = latest.get("manifest") or {}
    lines = [f"Current stack is {workspace.shown(place.store)}:", f"    Managed by {socket.gethostname()}"]
    if manifest.get("time"):
        lines.append(f"    Last updated: {age(manifest['time'])} ({manifest['time']})")
    lines += [f"    Pulumi version used: {manifest['version']}"] if manifest.get("version") else []
    number = _count(place.store, latest)
    lines.append(f"Current stack resources ({number}):")
    if number:
        state = place.shown(secrets=call.given("show-secrets")).resources
        rows = [row for resource in checkpoint.in_order(state) for row in _rows(resource, call)]
        lines += [f"    {line}" for line in aligned(rows, ["TYPE", "NAME"]).splitlines()]
        found = next((resource.outputs for resource in state if resource.type == STACK_TYPE), {})
        lines += ["", outputs_text(show(found, secrets=call.given("show-secrets")))]
    else:
        lines.append("    No resources currently in this stack")
    lines += ["", "Use `pulumi stack select` to change stack; `pulumi stack ls` lists known ones"]
    out("\n".join(lines))
    return Code.OK


def _rows(resource: Resource, call: Call) -> list[list[str]]:
    rows = [[resource.type, resource.name]]
    if call.given("show-urns"):
        rows.append([f"    URN: {resource.urn}", ""])
    if call.given("show-ids") and resource.id:
        rows.append([f"    ID: {resource.id}", ""])
    return rows
