"""The small stack of tests/engine/box: run in this process, or in a child that a test kills."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yiwang import engine
from yiwang.engine import checkpoint, journal
from yiwang.engine.store import Store

SOURCE = Path(__file__).with_name("box")
_CHILD = """
import asyncio, sys
sys.path.insert(0, {here!r})
from box_case import Box
from pathlib import Path
box = Box(Path({work!r}))
result = box.run({verb!r}, {step})
sys.exit(0 if result.ok else 1)
"""


_HEAD = """
import os
import pulumi
from pulumi import ResourceOptions

step = int(os.environ["STEP"])


class Box(pulumi.CustomResource):
    text: pulumi.Output[str]
    label: pulumi.Output[str]

    def __init__(self, name, /, opts=None, **props):
        super().__init__("box:index:Box", name, {"name": name, "text": None, "label": None, **props}, opts)


"""


class Box:
    """The stack `dev` of the box project in a directory of its own; made at first use."""

    def __init__(self, work: Path, *, delay: float = 0.0, stack: str = "dev", program: str | None = None) -> None:
        self.work = work
        self.delay = delay
        self.events: list[Any] = []
        self.name = stack
        if not (work / "prog").exists():
            shutil.copytree(SOURCE, work / "prog", ignore=shutil.ignore_patterns("__pycache__"))
        if program is not None:
            self.write(program)

    def write(self, program: str) -> None:
        """Another program in place of the present one; it finds `Box`, `pulumi` and `step`."""
        (self.work / "prog" / "__main__.py").write_text(_HEAD + program)

    @property
    def stack(self) -> engine.Stack:
        return engine.Stack(self.work / "prog", self.name, self.work / "backend", "open sesame")

    @property
    def store(self) -> Store:
        return Store(self.work / "backend", "box", self.name)

    def options(self, step: int, **more: Any) -> engine.Options:
        environment = {
            "STEP": str(step),
            "BOX_WORLD": str(self.work / f"world-{self.name}.json"),
            "BOX_DELAY": os.environ.get("BOX_DELAY", str(self.delay)),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **more.pop("environment", {}),
        }
        return engine.Options(environment=environment, **more)

    def run(self, verb: str, step: int, **more: Any) -> engine.Result:
        self.events = []
        work = getattr(engine, verb)(self.stack, self.options(step, **more), self.events.append)
        result: engine.Result = asyncio.run(work)
        return result

    def child(self, step: int, delay: float, verb: str = "up") -> subprocess.Popen[bytes]:
        """The same in a process of its own, in a session of its own."""
        code = _CHILD.format(here=str(Path(__file__).parent), work=str(self.work), step=step, verb=verb)
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "BOX_DELAY": str(delay)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def put(self, id_: str, **inputs: Any) -> None:
        """An object that is there, or is as it is, without a stack having done so."""
        self._change(lambda objects: objects.update({id_: {"name": id_.partition(":")[0], **inputs}}))

    def remove(self, id_: str) -> None:
        """An object is gone without a stack having deleted it."""
        self._change(lambda objects: objects.pop(id_))

    def _change(self, change: Callable[[dict[str, Any]], object]) -> None:
        world = self.world()
        change(world["objects"])
        (self.work / f"world-{self.name}.json").write_text(json.dumps(world))

    def states(self) -> dict[str, Any]:
        """Name -> recorded state, without providers and the stack."""
        loaded = journal.load(self.store, "open sesame").deployment
        return {state.name: state for state in loaded.resources if not state.type.startswith("pulumi:")}

    def world(self) -> dict[str, Any]:
        path = self.work / f"world-{self.name}.json"
        if not path.exists():
            return {"objects": {}, "created": {}, "deleted": {}, "calls": []}
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded

    def journal_lines(self) -> int:
        try:
            return self.store.journal_path.read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def recorded(self) -> dict[str, Any]:
        """What the checkpoint says, without ids of providers and times; sound by the checkpoint's rules."""
        assert not self.store.journal_path.exists(), "the journal was not folded"
        loaded = journal.load(self.store, "open sesame")
        assert checkpoint.problems(loaded.deployment) == []
        return {
            state.urn: (state.id if not state.is_provider else "", state.inputs, state.outputs, sorted(state.dependencies), state.delete)
            for state in loaded.deployment.resources
        }


def ops(result: engine.Result) -> dict[str, list[str]]:
    """Operation -> names, without what stays the same and providers."""
    found: dict[str, list[str]] = {}
    for step in result.steps:
        if step.op != "same" and not step.type.startswith("pulumi:"):
            found.setdefault(step.op, []).append(step.name)
    return {op: sorted(names) for op, names in found.items()}


def errors(result: engine.Result) -> list[str]:
    return [entry.message for entry in result.diagnostics if entry.severity == "error"]


def wait_for(condition: Any, *, seconds: float = 30.0) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True
