"""Runs a recorded scenario with the embedded engine and compares by the rules of reference/README.md."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from yiwang import engine
from yiwang.engine import checkpoint, journal
from yiwang.engine.store import Store

ROOT = Path(__file__).with_name("reference")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
# Made by the SDK or by the clock, as the README says.
DROPPED = ("created", "modified", "sourcePosition", "stackTrace")


class Case:
    """One scenario in a directory of its own."""

    def __init__(self, name: str, work: Path) -> None:
        self.name = name
        self.spec = yaml.safe_load((ROOT / name / "scenario.yaml").read_text())
        self.work = work
        self.ids: dict[str, str] = {}
        self.config: dict[str, str] = {}
        self.secret_config: dict[str, str] = {}
        self.events: list[Any] = []
        program = work / "prog"
        shutil.copytree(ROOT / name, program, ignore=shutil.ignore_patterns("expected", "__pycache__"))
        shutil.copy(ROOT / "thing.py", program)
        if "plugins" in yaml.safe_load((program / "Pulumi.yaml").read_text()):
            shutil.copytree(ROOT / "plugin", program / "plugin")
        (work / "backend").mkdir()

    @property
    def stack(self) -> engine.Stack:
        return engine.Stack(self.work / "prog", "case", self.work / "backend", "x")

    def steps(self) -> list[tuple[int, dict[str, Any]]]:
        return list(enumerate(self.spec["steps"], 1))

    def run(self, number: int, step: dict[str, Any]) -> engine.Result:
        self.config |= step.get("config", {})
        self.secret_config |= step.get("secret_config", {})
        self._change_world(step.get("world", {}))
        self._log.unlink(missing_ok=True)
        arguments = step.get("args", [])
        options = engine.Options(
            environment={
                "STEP": str(step.get("program_step", number)),
                "THING_WORLD": str(self.work / "world.json"),
                "THING_LOG": str(self._log),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                **step.get("env", {}),
            },
            config=self.config,
            secret_config=self.secret_config,
            targets=tuple(step.get("target", ())),
            target_dependents="--target-dependents" in arguments,
            continue_on_error="--continue-on-error" in arguments,
            refresh="--refresh" in arguments,
            preview_only="--preview-only" in arguments,
            verb=step["command"],
        )
        self.events = []
        verb = getattr(engine, step["command"])
        result: engine.Result = asyncio.run(verb(self.stack, options, self.events.append))
        return result

    @property
    def _log(self) -> Path:
        return self.work / "calls.log"

    def _change_world(self, change: dict[str, Any]) -> None:
        if change:
            path = self.work / "world.json"
            world = json.loads(path.read_text())
            for id_, fields in change.get("set", {}).items():
                world["things"][id_].update(fields)
            for id_ in change.get("remove", []):
                del world["things"][id_]
            path.write_text(json.dumps(world))

    # -- what is compared ---------------------------------------------------

    def expected(self, number: int, what: str) -> Any:
        return json.loads((ROOT / self.name / "expected" / str(number) / f"{what}.json").read_text())

    def clean(self, data: Any) -> Any:
        text = json.dumps(data)
        text = re.sub(r"gAS[A-Za-z0-9+/=]{40,}", "<pickled provider>", text)
        text = text.replace(str(self.work), "<work>")

        for found, name in self.ids.items():
            text = text.replace(found, name)
        return json.loads(text)

    def name_providers(self, expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> None:
        """Give each provider id the recorded name; an id keeps its name over the steps, and a name its id."""
        ours = {(entry["urn"], entry.get("delete", False)): entry["id"] for entry in found if UUID.fullmatch(entry.get("id", ""))}
        for entry in expected:
            mine = ours.get((entry["urn"], entry.get("delete", False)))
            if entry["type"].startswith("pulumi:providers:") and mine is not None:
                assert self.ids.setdefault(mine, entry["id"]) == entry["id"], f"{entry['urn']} was replaced, or was not"
        assert len(set(self.ids.values())) == len(self.ids), "a provider was replaced that should not have been"

    def found_steps(self, result: engine.Result) -> list[dict[str, Any]]:
        found = []
        for step in result.steps:
            entry: dict[str, Any] = {"op": step.op, "urn": step.urn, "result": step.result}
            if step.outcome:
                entry["outcome"] = step.outcome
            if step.diffs and step.detailed:
                entry["diffs"] = sorted(step.diffs)
            if step.keys:
                entry["keys"] = list(step.keys)
            found.append(entry)
        return found

    def export(self) -> list[dict[str, Any]]:
        """The recorded resources, as `stack export --show-secrets` has them."""
        store = Store(self.work / "backend", self.name, "case")
        content = store.read()
        assert not store.journal_path.exists(), "the journal was not folded"
        if content is None:
            return []
        loaded = journal.load(store, "x")
        assert checkpoint.problems(loaded.deployment) == []
        latest = checkpoint.parse(content)
        return [_with_plaintext(entry, loaded.secrets) for entry in latest.get("resources", [])]

    def calls(self) -> list[str]:
        if not self._log.exists():
            return []
        entries = [json.loads(line) for line in self._log.read_text().splitlines()]
        return sorted(f"{entry['call']} {entry['id'] or entry['name']}" for entry in entries)

    def call_details(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    def world(self) -> Any:
        path = self.work / "world.json"
        return json.loads(path.read_text()) if path.exists() else None


def _with_plaintext(value: Any, secrets: Any) -> Any:
    if isinstance(value, list):
        return [_with_plaintext(entry, secrets) for entry in value]
    if isinstance(value, dict):
        if SIGNATURE in value:
            assert set(value) == {SIGNATURE, "ciphertext"}
            return {SIGNATURE: value[SIGNATURE], "plaintext": secrets.decrypt(value["ciphertext"])}
        return {key: _with_plaintext(entry, secrets) for key, entry in value.items()}
    return value


def by_key(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Resources by (urn, id, delete), dependencies as sets, without what differs from run to run."""
    found = {}
    for resource in resources:
        kept = {key: value for key, value in resource.items() if key not in DROPPED}
        kept["presence"] = [key in resource for key in ("created", "modified", "sourcePosition")]
        for key in ("dependencies",):
            if key in kept:
                kept[key] = sorted(kept[key])
        if "propertyDependencies" in kept:
            kept["propertyDependencies"] = {key: sorted(value) for key, value in kept["propertyDependencies"].items()}
        found[f"{resource['urn']} {resource.get('id', '')} {resource.get('delete', False)}"] = kept
    return found


DELETES = {"delete", "delete-replaced", "discard", "discard-replaced", "read-discard"}


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


def step_set(steps: list[dict[str, Any]]) -> Counter[str]:
    def name(step: dict[str, Any]) -> str:
        keys = ",".join(step.get("keys", ()))
        outcome = f"({step['outcome']})" if step.get("outcome") else ""
        return f"{step['op']}{outcome} {step['urn']} {step['result']} [{keys}]"

    return Counter(map(name, steps))


def last_lines(diagnostics: Iterable[tuple[str, str, str]]) -> Counter[tuple[str, str, str]]:
    """Severity, URN and last line of each; the place of a trace is not the engine's.

    Of a protected resource the first line: the CLI goes on with commands that only it has.
    """
    found = []
    for severity, urn, message in diagnostics:
        text = message.strip().removeprefix(f"{severity}: ")
        lines = text.splitlines() or [""]
        found.append((severity, urn, lines[0 if "protect" in text else -1].strip()))
    return Counter(found)
