"""``config`` and ``config get|set|rm|set-all|rm-all``."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from yiwang.engine.commandline import keys
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import Code, CommandError
from yiwang.engine.commandline.place import Place, out
from yiwang.engine.commandline.show import aligned
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.project import as_text, has_secure, merged, opened

_LOOKS_SECRET = re.compile("passwd|pass|pwd|secret|token", re.IGNORECASE)
# Shorter ones are words or switches.
_SECRET_LENGTH = 8
_TYPES = {"string": str, "int": int, "float": float, "bool": lambda text: {"true": True, "false": False}[text]}


def decrypt(place: Place, sealed: str) -> str:
    """A secret value of the settings in clear. Raises CommandError naming no value."""
    secrets = place.secrets
    try:
        return secrets.decrypt(sealed)
    except Exception:  # noqa: BLE001 - whatever is wrong with the text, it is not shown
        raise CommandError("could not decrypt configuration value: it was encrypted with another key") from None


def list_(call: Call, workspace: Workspace) -> int:
    """``config``: all values, the project's own among them; secrets only with ``--show-secrets``."""
    place = Place.of(call, workspace)
    found = merged(workspace.loaded, place.settings.config)
    shown = call.given("show-secrets")
    entries: dict[str, dict[str, Any]] = {}
    for key in sorted(found):
        value = found[key]
        secret = has_secure(value)
        entry: dict[str, Any] = {}
        if not secret or shown:
            entry["value"] = as_text(value, lambda sealed: decrypt(place, sealed))
            if keys.is_object(value):
                entry["objectValue"] = opened(value, lambda sealed: decrypt(place, sealed))
        entries[key] = {**entry, "secret": secret}
    if call.given("json"):
        out(json.dumps(entries, ensure_ascii=False, indent=2))
        return Code.OK
    rows = [[keys.shown_key(key, workspace.project_name), entry.get("value", "[secret]")] for key, entry in entries.items()]
    out(aligned(rows, ["KEY", "VALUE"]))
    return Code.OK


def get(call: Call, workspace: Workspace) -> int:
    """``config get``."""
    place = Place.of(call, workspace)
    key = keys.full_key(call.arguments[0], workspace.project_name, path=call.given("path"))
    there, value = keys.get(merged(workspace.loaded, place.settings.config), key, path=call.given("path"))
    if not there:
        shown = keys.shown_key(key, workspace.project_name)
        raise CommandError(f"configuration key '{shown}' not found for stack '{workspace.shown(place.store)}'")
    text = as_text(value, lambda sealed: decrypt(place, sealed))
    if not call.given("json"):
        out(text)
        return Code.OK
    entry: dict[str, Any] = {"value": text}
    if keys.is_object(value):
        entry["objectValue"] = opened(value, lambda sealed: decrypt(place, sealed))
    out(json.dumps({**entry, "secret": has_secure(value)}, ensure_ascii=False, indent=2))
    return Code.OK


def set_(call: Call, workspace: Workspace) -> int:
    """``config set``: the value is the second word, or comes on stdin."""
    if sum((call.given("secret"), call.given("plaintext"), bool(call.text("type")))) > 1:
        raise CommandError("only one of --secret, --plaintext and --type may be set")
    place = Place.of(call, workspace)
    key = keys.full_key(call.arguments[0], workspace.project_name, path=call.given("path"))
    text = call.arguments[1] if len(call.arguments) > 1 else _from_stdin(call)
    if not call.given("secret") and not call.given("plaintext") and _LOOKS_SECRET.search(key) and len(text) >= _SECRET_LENGTH:
        raise CommandError(
            f"config value for '{key}' looks like a secret; "
            "rerun with --secret to encrypt it, or --plaintext if you meant to store in plaintext"
        )
    _put(place, key, text, secret=call.given("secret"), path=call.given("path"), kind=call.text("type"))
    place.settings.save()
    return Code.OK


def _from_stdin(call: Call) -> str:
    if sys.stdin.isatty():
        if call.given("non-interactive"):
            raise CommandError("config value must be specified in non-interactive mode", Code.CONFIGURATION)
        if call.given("secret"):
            return getpass.getpass("value: ")
        out("value: ")
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        return line.removesuffix("\n")
    text = sys.stdin.read()
    return text if call.given("raw") else text.removesuffix("\n").removesuffix("\r")


def _put(place: Place, key: str, text: str, *, secret: bool, path: bool, kind: str = "") -> None:
    """One value into the settings, under the name by which they already have it."""
    value: Any = text
    if secret:
        value = {"secure": place.secrets.encrypt(text)}
    elif kind:
        value = _typed(text, kind)
    elif path and keys.split_path(key)[1]:
        value = keys.coerced(text)
    config = place.settings.config
    written = {keys.full_key(str(name), place.workspace.project_name): str(name) for name in config}
    found = {full: config[name] for full, name in written.items()}
    keys.put(found, key, value, path=path)
    entry = keys.split_path(key)[0] if path else key
    config[written.get(entry, entry)] = found[entry]


def _typed(text: str, kind: str) -> Any:
    if kind not in _TYPES:
        raise CommandError(f'invalid type "{kind}"; must be one of string, int, bool, or float')
    try:
        return _TYPES[kind](text)  # type: ignore[operator]
    except (KeyError, ValueError):
        raise CommandError(f"could not set config: '{text}' is no {kind}") from None


def set_all(call: Call, workspace: Workspace) -> int:
    """``config set-all``: values as ``key=value``, or a JSON object as ``config --json`` prints it."""
    path = call.given("path")
    if call.text("json") and (call.texts("secret") or call.texts("plaintext") or path):
        raise CommandError("the --json option cannot be used with the --plaintext, --secret or --path options")
    place = Place.of(call, workspace)
    for name in ("plaintext", "secret"):
        put_pairs(place, call.texts(name), secret=name == "secret", path=path)
    if call.text("json"):
        _put_json(place, call.text("json"))
    place.settings.save()
    return Code.OK


def put_pairs(place: Place, pairs: Iterable[str], *, secret: bool, path: bool) -> None:
    """Values given as ``key=value``."""
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator:
            # Not the pair: it may be a secret without its key.
            raise CommandError("config value must be in the form [key]=[value]")
        _put(place, keys.full_key(key, place.workspace.project_name, path=path), text, secret=secret, path=path)


def _put_json(place: Place, text: str) -> None:
    try:
        given = json.loads(text)
    except ValueError:
        raise CommandError("could not parse --json argument: it is no JSON") from None
    if not isinstance(given, dict) or not all(isinstance(entry, dict) for entry in given.values()):
        raise CommandError("could not parse --json argument: it is no object of objects")
    for name, entry in given.items():
        if not isinstance(entry.get("value"), str):
            raise CommandError(f'value for --json object key "{name}" is nil')
        key = keys.full_key(name, place.workspace.project_name)
        if entry.get("objectValue") is not None and not entry.get("secret"):
            place.settings.config[key] = entry["objectValue"]
        else:
            _put(place, key, entry["value"], secret=bool(entry.get("secret")), path=False)


def remove(call: Call, workspace: Workspace) -> int:
    """``config rm`` and ``config rm-all``: what is not there is no error."""
    place = Place.of(call, workspace)
    config = place.settings.config
    written = {keys.full_key(str(name), workspace.project_name): name for name in config}
    found = {full: config[name] for full, name in written.items()}
    for name in call.arguments:
        keys.remove(found, keys.full_key(name, workspace.project_name, path=call.given("path")), path=call.given("path"))
    for full, name in written.items():
        if full not in found:
            del config[name]
        else:
            config[name] = found[full]
    place.settings.save()
    return Code.OK
