"""Runs steps of a recorded scenario with the embedded engine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from yiwang import engine
from yiwang.engine import checkpoint, journal
from yiwang.engine.store import Store

ROOT = Path(__file__).with_name("reference")


class Case:
    """One scenario in a directory of its own."""

    def __init__(self, name: str, work: Path) -> None:
        self.name = name
        self.spec = yaml.safe_load((ROOT / name / "scenario.yaml").read_text())
        self.work = work
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

    def export(self) -> list[dict[str, Any]]:
        """The recorded resources."""
        store = Store(self.work / "backend", self.name, "case")
        content = store.read()
        assert not store.journal_path.exists(), "the journal was not folded"
        if content is None:
            return []
        loaded = journal.load(store, "x")
        assert checkpoint.problems(loaded.deployment) == []
        latest = checkpoint.parse(content)
        found: list[dict[str, Any]] = latest.get("resources", [])
        return found

    def world(self) -> Any:
        path = self.work / "world.json"
        return json.loads(path.read_text()) if path.exists() else None
