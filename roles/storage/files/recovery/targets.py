"""Where a restore ends: a time, a backup, or the newest there is; and with which backup, on which timeline, it gets there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from recovery import timelines
from recovery.common import TargetError, now
from recovery.databases import info

LABEL = re.compile(r"\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?")
LATEST = "latest"


def moment_of(to: str) -> datetime | None:
    """The time of a time or of a backup; None for the newest state. Raises TargetError."""
    if to == LATEST:
        return None
    if LABEL.fullmatch(to):
        return _ended(_named(to, info().get("backup", [])))
    try:
        moment = datetime.fromisoformat(to)
    except ValueError:
        raise TargetError("no_target", to=to, latest=LATEST) from None
    if moment.tzinfo is None:
        raise TargetError("no_zone", to=to)
    return moment.astimezone(UTC)


def target(to: str) -> list[str]:
    """The options by which a restore ends where it shall. Raises TargetError for what is neither a time nor a backup that is there."""
    seen = info()
    listed = seen.get("backup", [])
    if not listed:
        raise TargetError("no_backups")
    if LABEL.fullmatch(to):
        return [f"--set={_named(to, listed)['label']}", "--type=immediate", "--target-timeline=current", "--target-action=promote"]
    moment = moment_of(to)
    if moment is not None and moment > now():
        raise TargetError("to_come", to=to)
    usable = [each for each in listed if moment is None or _ended(each) < moment]
    if not usable:
        raise TargetError("too_early", to=to, ended=_ended(listed[0]).isoformat())
    label, number = _way(to, moment or now(), usable, seen)
    options = [f"--set={label}", f"--target-timeline={number}"]
    if moment is None:
        return [*options, "--type=default"]
    return [*options, "--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f+00}", "--target-action=promote"]


def plain(to: str) -> None:
    """Raises TargetError where the newest state may not be what somebody means: a cluster that began anew has backups of its own by now."""
    if to != LATEST:
        return
    seen = info()
    systems = {each["id"]: each["system-id"] for each in seen.get("db", [])}
    newest = seen["backup"][-1]
    system = systems[newest["database"]["id"]]
    began = min(_ended(each) for each in seen["backup"] if systems[each["database"]["id"]] == system)
    others = [each for each in seen["backup"] if systems[each["database"]["id"]] != system]
    if others and _ended(others[-1]) < began:
        former, ended = others[-1], _ended(others[-1]).isoformat()
        raise TargetError("two_clusters", to=to, former=former["label"], ended=ended, newest=newest["label"], began=began.isoformat())


def _way(to: str, moment: datetime, usable: list[dict[str, Any]], seen: dict[str, Any]) -> tuple[str, int]:
    """The newest backup from which one comes to that moment, and the timeline that leads there."""
    cluster = usable[-1]["database"]["id"]
    archive = next(each["id"] for each in seen["archive"] if each["database"]["id"] == cluster)
    line = timelines.of(moment, timelines.known(f"archive/{seen['name']}/{archive}"))
    for each in reversed(usable):
        if each["database"]["id"] == cluster and timelines.leads_to(_timeline(each), timelines.position(each["lsn"]["stop"]), line):
            return each["label"], max(line.number if line else 1, _timeline(each))
    raise TargetError("no_way", to=to)


def _timeline(backup: dict[str, Any]) -> int:
    return int(backup["archive"]["stop"][:8], 16)


def _ended(backup: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(backup["timestamp"]["stop"], UTC)


def _named(label: str, listed: list[dict[str, Any]]) -> dict[str, Any]:
    found = next((each for each in listed if each["label"] == label), None)
    if found is None:
        raise TargetError("no_backup", label=label)
    return found
