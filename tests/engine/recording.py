"""Compares two recordings of one scenario (directories as record.py writes them) by the rules of reference/README.md."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Made by the SDK or by the clock, as the README says.
DROPPED = ("created", "modified", "sourcePosition", "stackTrace")
PROVIDER = re.compile(r"<provider-id-\d+>")


class Comparison:
    """One scenario: ``recorded`` is what is right, ``fresh`` what was found. ``problems`` after ``compare``."""

    def __init__(self, recorded: Path, fresh: Path) -> None:
        self._recorded = recorded
        self._fresh = fresh
        self._names: dict[str, str] = {}
        self.problems: list[str] = []

    def compare(self) -> list[str]:
        """What differs, each with its step."""
        for directory in sorted(self._recorded.iterdir(), key=lambda path: int(path.name)):
            self._step(directory.name)
        return self.problems

    def _step(self, number: str) -> None:
        wanted, found = (_files(place / number) for place in (self._recorded, self._fresh))
        self._name_providers(number, _resources(wanted), _resources(found))
        found = self._renamed(found)
        ok = wanted["exit"]["exit"] == 0
        self._same(number, "files", sorted(wanted), sorted(found))
        for key in ("exit", "stderr", "result", "stdout"):
            self._same(number, key, wanted["exit"].get(key), found["exit"].get(key))
        self._same(number, "diagnostics", last_lines(wanted["exit"]["diagnostics"]), last_lines(found["exit"]["diagnostics"]))
        self._same(number, "changes", _counts(wanted["exit"]["changes"], ok=ok), _counts(found["exit"]["changes"], ok=ok))
        ours, right = step_set(found["steps"]["steps"], ok=ok), step_set(wanted["steps"]["steps"], ok=ok)
        self._same(number, "steps", right, ours)
        self._same(number, "order", [], broken_pairs(wanted["steps"], found["steps"]["steps"]))
        self._same(number, "calls", _calls(wanted["calls"]["set"], ok=ok), _calls(found["calls"]["set"], ok=ok))
        self._same(number, "world", wanted["world"], found["world"])
        self._same(number, "export", by_key(_resources(wanted)), by_key(_resources(found)))
        self._same(number, "rest of the export", _rest(wanted), _rest(found))
        if "preview" in wanted and "preview" in found:
            self._preview(number, wanted["preview"], found["preview"])

    def _preview(self, number: str, wanted: dict[str, Any], found: dict[str, Any]) -> None:
        self._same(number, "preview's keys", sorted(wanted), sorted(found))
        self._same(number, "preview's summary", wanted["changeSummary"], found["changeSummary"])
        said = [Counter((entry["severity"], entry["message"]) for entry in one.get("diagnostics", ())) for one in (wanted, found)]
        self._same(number, "preview's diagnostics", *said)
        steps = [{f"{step['op']} {step['urn']}": _preview_step(step) for step in one["steps"]} for one in (wanted, found)]
        self._same(number, "preview's steps", *steps)

    def _same(self, number: str, what: str, wanted: Any, found: Any) -> None:
        if wanted == found:
            return
        if isinstance(wanted, dict) and isinstance(found, dict):
            keys = [key for key in sorted({*wanted, *found}, key=str) if wanted.get(key) != found.get(key)]
            details = [f"{key}:\n      recorded {_short(wanted.get(key))}\n      found    {_short(found.get(key))}" for key in keys]
        else:
            details = [f"recorded {_short(wanted)}\n      found    {_short(found)}"]
        self.problems += [f"step {number}, {what}: {detail}" for detail in details]

    def _name_providers(self, number: str, wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
        """Providers' ids are numbered as they are met: give each the recorded name, for the whole scenario."""
        ours = {(entry["urn"], entry.get("delete", False)): entry["id"] for entry in found if PROVIDER.fullmatch(entry.get("id", ""))}
        for entry in wanted:
            mine = ours.get((entry["urn"], entry.get("delete", False)))
            if mine is None or not PROVIDER.fullmatch(entry.get("id", "")):
                continue
            if self._names.setdefault(mine, entry["id"]) != entry["id"]:
                self.problems.append(f"step {number}, providers: {entry['urn']} was replaced, or was not")
        if len(set(self._names.values())) != len(self._names):
            self.problems.append(f"step {number}, providers: one was replaced that should not have been")

    def _renamed(self, data: Any) -> Any:
        return json.loads(PROVIDER.sub(lambda match: self._names.get(match.group(), match.group()), json.dumps(data)))


def _files(directory: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in directory.glob("*.json")}


def _resources(files: dict[str, Any]) -> list[dict[str, Any]]:
    return ((files.get("export") or {}).get("deployment") or {}).get("resources") or []


def _rest(files: dict[str, Any]) -> dict[str, Any]:
    """What an export has besides its resources, by kind where it is never the same twice."""
    found = files.get("export") or {}
    deployment = {key: value for key, value in (found.get("deployment") or {}).items() if key != "resources"}
    return {
        "version": found.get("version"),
        "manifest": sorted(deployment.pop("manifest", None) or {}),
        "secrets": (deployment.pop("secrets_providers", None) or {}).get("type"),
        "pending": sorted((entry["type"], entry["resource"]["urn"]) for entry in deployment.pop("pending_operations", None) or ()),
        "others": deployment,
    }


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str) if not isinstance(value, Counter) else str(value)
    return text if len(text) < 700 else f"{text[:700]}…"


def _counts(changes: dict[str, int] | None, *, ok: bool) -> dict[str, int]:
    """The counts; after a failure without those that were the same: which were still looked at is a race."""
    return {op: count for op, count in (changes or {}).items() if ok or op != "same"}


def _calls(calls: list[str], *, ok: bool) -> list[str]:
    """All calls; after a failure without the questions about independent resources, which may come before it or never."""
    return calls if ok else [call for call in calls if not call.startswith(("check ", "diff "))]


def by_key(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Resources by (urn, id, delete), dependencies as sets, without what differs from run to run."""
    return {f"{entry['urn']} {entry.get('id', '')} {entry.get('delete', False)}": _kept(entry) for entry in resources}


def _kept(resource: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in resource.items() if key not in DROPPED}
    kept["presence"] = [key in resource for key in ("created", "modified", "sourcePosition")]
    if "dependencies" in kept:
        kept["dependencies"] = sorted(kept["dependencies"])
    if "propertyDependencies" in kept:
        kept["propertyDependencies"] = {key: sorted(value) for key, value in kept["propertyDependencies"].items()}
    return kept


def _preview_step(step: dict[str, Any]) -> dict[str, Any]:
    return {key: _kept(value) if key in {"oldState", "newState"} else value for key, value in step.items()}


def broken_pairs(expected: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    """Pairs of the recorded order that the found order breaks."""
    position: dict[tuple[str, str], list[int]] = {}
    for index, step in enumerate(found):
        position.setdefault((step["op"], step["urn"]), []).append(index)
    broken = []
    for pair in expected["before"]:
        first, second = (expected["steps"][int(number)] for number in pair.split())
        one, two = position.get((first["op"], first["urn"])), position.get((second["op"], second["urn"]))
        if one and two and min(one) > max(two):
            broken.append(f"{first['op']} {first['urn']} comes after {second['op']} {second['urn']}")
    return broken


def step_set(steps: list[dict[str, Any]], *, ok: bool) -> Counter[str]:
    """Steps with how they ended and what they tell; those of what stays the same only where nothing failed, as they are a race then."""

    def name(step: dict[str, Any]) -> str:
        told = {key: step[key] for key in ("keys", "diffs", "detailedDiff", "logical", "oldId", "newId") if key in step}
        outcome = f"({step['outcome']})" if step.get("outcome") else ""
        return f"{step['op']}{outcome} {step['urn']} {step['result']} {json.dumps(told, sort_keys=True)}"

    return Counter(name(step) for step in steps if ok or step["op"] != "same")


def last_lines(diagnostics: Iterable[dict[str, str]]) -> Counter[tuple[str, str, str]]:
    """Severity, URN and last line of each; the place of a trace is not the engine's.

    Of a protected resource the first line: the CLI goes on with commands that only it has.
    """
    found = []
    for entry in diagnostics:
        lines = entry["message"].strip().removeprefix(f"{entry['severity']}: ").splitlines() or [""]
        found.append((entry["severity"], entry["urn"], lines[0 if "protect" in entry["message"] else -1].strip()))
    return Counter(found)
