"""``stack history``, and what is kept of each run for it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.config import decrypt
from yiwang.engine.commandline.failure import Code, CommandError
from yiwang.engine.commandline.place import Place, out
from yiwang.engine.commandline.show import age
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.jsontext import parsed
from yiwang.engine.project import as_text, has_secure

_PAGE = 10
# What is read of an entry: its kind, and whether it has to be there.
_KINDS = (
    ("kind", str, True),
    ("startTime", int, True),
    ("endTime", int, True),
    ("config", dict, False),
    ("environment", dict, False),
    ("resourceChanges", dict, False),
)
# The last second of the year 9999.
_LAST = 253402300799
_SIGNS = (("create", "+"), ("delete", "-"), ("update", "~"), ("same", " "))


def entry(
    *, kind: str, began: float, ended: float, ok: bool, message: str, execution: Mapping[str, str], config: Mapping[str, Any], changes: Any
) -> str:
    """What is kept of one run, in the CLI's form. ``config`` is as the settings have it: secrets encrypted."""
    found = {
        "kind": kind,
        "startTime": int(began),
        "message": message,
        "environment": dict(execution),
        "config": dict(config),
        "version": 0,
        "result": "succeeded" if ok else "failed",
        "endTime": int(ended),
        "resourceChanges": changes,
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def show(call: Call, workspace: Workspace) -> int:
    """``stack history``, the latest first."""
    place = Place.of(call, workspace)
    entries = place.store.history()
    size = call.flags.get("page-size", _PAGE)
    page = max(call.flags.get("page", 1), 1)
    if size > 0:
        entries = entries[(page - 1) * size : page * size]
    updates = [_parsed(text) for text in entries]
    if call.given("json"):
        out(json.dumps([_as_json(place, update, shown=call.given("show-secrets")) for update in updates], ensure_ascii=False, indent=2))
        return Code.OK
    if not updates:
        out(f"No stack updates found on page '{page}'" if page > 1 else "Stack has never been updated")
    for update in updates:
        out(_as_text(update, full=call.given("full-dates")))
    return Code.OK


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = parsed(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandError("reading history file: it is no JSON object")
    for key, kind, needed in _KINDS:
        if not isinstance(found.get(key), kind) and (needed or found.get(key) is not None):
            raise CommandError(f"reading history file: its {key} is missing or damaged")
    return found


def _as_json(place: Place, update: dict[str, Any], *, shown: bool) -> dict[str, Any]:
    config = {}
    for key, value in (update.get("config") or {}).items():
        secret = has_secure(value)
        one: dict[str, Any] = {}
        if not secret or shown:
            one["value"] = _opened(place, value)
        config[key] = {**one, "secret": secret}
    return {
        "version": update.get("version", 0),
        "kind": update["kind"],
        "startTime": _moment(update["startTime"]),
        "message": update.get("message", ""),
        "environment": update.get("environment") or {},
        "config": config,
        "result": update.get("result", ""),
        "endTime": _moment(update["endTime"]),
        "resourceChanges": update.get("resourceChanges") or {},
    }


def _opened(place: Place, value: Any) -> str:
    try:
        return as_text(value, lambda sealed: decrypt(place, sealed))
    except CommandError:
        # A stack whose key was changed since: the rest of the entry is still worth showing.
        return "ERROR_UNABLE_TO_DECRYPT"


def _moment(seconds: int) -> str:
    seconds = min(max(seconds, 0), _LAST)
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _as_text(update: dict[str, Any], *, full: bool) -> str:
    changes = update.get("resourceChanges") or {}
    counts = "".join(f"{sign}{changes.get(op, 0)}" for op, sign in _SIGNS)
    began = _moment(update["startTime"])
    lines = [
        f"Version: {update.get('version', 0)}",
        f"UpdateKind: {update['kind']}",
        f"Status: {update.get('result', '')}",
        f"Message: {update.get('message', '')}",
        f"{counts} Updated {began if full else age(began)} took {update['endTime'] - update['startTime']}s",
    ]
    lines += [f"    {key}: {value}" for key, value in sorted((update.get("environment") or {}).items()) if str(value).strip()]
    return "\n".join([*lines, ""])
