"""Where a random program runs, and what may go wrong there: a kill, a cancelled run, a provider that fails.

A kill is a SIGKILL that the process sends to itself at one of its points: before and after each fsync, rename and removal of a
file, and before and after each change of the world.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import random_wire, random_world

from yiwang import engine
from yiwang.engine import checkpoint, journal, passphrase
from yiwang.engine.store import Store

PASSPHRASE = "open sesame"


@functools.cache
def salt() -> str:
    """One for all stacks: deriving a key takes a third of a second."""
    return passphrase.Manager(PASSPHRASE).state


class Disturbed:
    """Counts the points of one run, and strikes at one of them."""

    def __init__(self, place: Place, plan: dict[str, Any] | None) -> None:
        self.place = place
        # How often each kind of point came by, and the calls that change or check something.
        self.counts: Counter[str] = Counter()
        self.calls: list[tuple[str, str]] = []
        self.plan = plan or {"kind": "none"}
        self.control = engine.Control()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._durable: dict[int, int] = {}
        self._struck = False
        self._chance = random.Random(json.dumps(plan))

    def point(self, where: str = "point", descriptor: int | None = None) -> None:
        """Something may happen here. ``descriptor``: a file that is about to be made durable."""
        self.counts[where] += 1
        if self._struck or self.plan.get("where") != where or self.counts[where] < self.plan["number"]:
            return
        with random_world.changing:
            self._strike(descriptor)

    def _strike(self, descriptor: int | None) -> None:
        kind = self.plan["kind"]
        if kind != "cancel" and self.place.in_doubt(None if descriptor is None else self._tear(descriptor)):
            return
        self._struck = True
        if kind != "kill":
            self._in_loop(self.control.cancel if kind == "cancel" else self.control.terminate)
            return
        if descriptor is not None:
            os.truncate(descriptor, self._tear(descriptor))
        os.kill(os.getpid(), signal.SIGKILL)
        # A moment may pass in another thread than the one that is killed.
        signal.pause()

    def _in_loop(self, action: Callable[[], None]) -> None:
        """As a signal does it: files are written by another thread."""
        if threading.current_thread() is threading.main_thread():
            action()
        elif self.loop is not None:
            self.loop.call_soon_threadsafe(action)

    def _tear(self, descriptor: int) -> int:
        """How much of a file that is being written survives the kill."""
        status = os.fstat(descriptor)
        kept = self._durable.get(status.st_ino, 0)
        return kept + int((status.st_size - kept) * self.plan.get("torn", 1.0))

    def durable(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self._durable[status.st_ino] = status.st_size

    async def gate(self, call: str, name: str) -> None:
        """Around each change of the world."""
        for _ in range(self._chance.randint(0, 3)):
            await asyncio.sleep(0)
        moment, _, verb = call.rpartition(" ")
        if moment != "after":
            self.calls.append((verb, name))
        if self.plan["kind"] == "fail" and not self._struck and (verb, name) == self.plan["call"]:
            self._fail(moment)
        if moment:
            self.point("change")
        if self.control.terminated:
            # The plugin is killed at this very place.
            await asyncio.sleep(0)

    def _fail(self, moment: str) -> None:
        how = self.plan["how"]
        self._struck = (how == "error") == (moment != "after")
        if not self._struck:
            return
        if how == "error":
            raise RuntimeError("told to fail")
        raise random_wire.GoneError if how == "crash" else random_world.PartialError


class Place:
    """One stack in a directory, with its world."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.world_path = work / "world.log"
        project = work / "prog"
        if not project.exists():
            project.mkdir(parents=True)
            (project / "Pulumi.yaml").write_text("name: box\nruntime: python\nplugins:\n  providers:\n    - name: box\n      path: ./box\n")
            (project / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {salt()}\n")
            (project / "box").write_text("#!/bin/false\n")
            (project / "box").chmod(0o700)
            (project / "__main__.py").write_text("")
            self.world.change("seen:k0:", {"name": "seen", "key": "k0", "text": "seen"})

    @property
    def world(self) -> random_world.World:
        return random_world.World(self.world_path)

    @property
    def store(self) -> Store:
        return Store(self.work / "backend", "box", "dev")

    @property
    def stack(self) -> engine.Stack:
        return engine.Stack(self.work / "prog", "dev", self.work / "backend", PASSPHRASE)

    def in_doubt(self, kept: int | None) -> bool:
        """Whether an object without a name of its own would be lost by a kill now: made, and in no file yet."""
        made = [id_ for id_ in self.world.objects if ":#" in id_]
        if not made:
            return False
        text = self.store.path.read_text() if self.store.path.exists() else ""
        if self.store.journal_path.exists():
            written = self.store.journal_path.read_bytes()[:kept]
            text += written[: written.rfind(b"\n") + 1].decode()
        return any(f'"id":"{id_}"' not in text for id_ in made)

    def facts(self) -> dict[str, Any]:
        """What is recorded and what exists, as far as it does not depend on the way there."""
        assert not self.store.journal_path.exists(), "the journal was not folded"
        assert self.store.locks() == [], "a lock was left"
        loaded = journal.load(self.store, PASSPHRASE)
        assert checkpoint.problems(loaded.deployment) == []
        assert loaded.deployment.pending == [], "an operation was left pending"
        content = self.store.read() or b""
        latest = json.loads(content)["checkpoint"]["latest"]
        assert b"hidden" not in content, "a secret is readable"
        assert len(latest["manifest"]["magic"]) == 64
        states = sorted(map(_state, loaded.deployment.resources), key=lambda state: (state["urn"], state["delete"]))
        return json.loads(json.dumps({"states": states, "world": self.world.facts()}, default=str))  # type: ignore[no-any-return]


def _state(resource: Any) -> dict[str, Any]:
    found = asdict(resource)
    found["dependencies"] = sorted(found["dependencies"])
    for key in ("created", "modified"):
        # How often what is only read was found changed depends on how often it was looked at.
        found[key] = bool(found[key]) and not resource.external
    found["provider"] = found["provider"].rpartition("::")[0]
    found["id"] = "" if resource.is_provider else found["id"]
    return found


@contextlib.contextmanager
def points(disturbed: Disturbed) -> Iterator[None]:
    """Make every change of a file a point. Nothing is made durable: a killed process loses no written file."""
    real: tuple[Any, ...] = (os.fsync, Path.replace, Path.unlink, Path.rename)

    def fsync(descriptor: int) -> None:
        is_file = os.path.isfile(f"/proc/self/fd/{descriptor}")  # noqa: PTH113 - a path of the kernel's
        disturbed.point(descriptor=descriptor if is_file else None)
        disturbed.durable(descriptor)

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            disturbed.point()
            found = method(*arguments, **options)
            disturbed.point()
            return found

        return call

    os.fsync = fsync  # type: ignore[assignment]
    for name, method in zip(("replace", "unlink", "rename"), real[1:], strict=True):
        setattr(Path, name, around(method))
    try:
        yield
    finally:
        os.fsync, Path.replace, Path.unlink, Path.rename = real  # type: ignore[method-assign]
