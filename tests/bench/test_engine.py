"""How long the embedded engine takes, and what it needs, against the Pulumi CLI in the same run where one is named.

The anchors in `yiwang/engine/README.md` are of the CLI v3.260 on the same kind of machine. `YIWANG_TEST_PULUMI` names a CLI to run
the same program with. The times of the processes are printed beside the wall clock: they do not depend on what else runs.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from yiwang import engine

pytestmark = pytest.mark.bench

_PROVIDER = """
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult(props["name"], {**props, "digest": f"d:{props['value']}"})

    def diff(self, id_, olds, news):
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in ("value", "tags")))

    def update(self, id_, olds, news):
        return UpdateResult({**news, "digest": f"d:{news['value']}"})


class Thing(Resource, module="bench", name="Thing"):
    def __init__(self, name, value, opts=None):
        props = {"name": name, "value": value, "tags": {"a": "b", "list": ["x", 1, True]}, "digest": None}
        super().__init__(Provider(), name, props, opts)
"""
_PROGRAM = """
import os

import pulumi
from many import Thing

count, changed = int(os.environ["COUNT"]), int(os.environ["CHANGED"])
for group in range((count + 99) // 100):
    parent = pulumi.ComponentResource("bench:index:Group", f"group-{group}")
    last = None
    for number in range(group * 100, min(count, group * 100 + 100)):
        after = [last] if last is not None and number % 10 else None
        last = Thing(f"thing-{number}", number + (number < changed), pulumi.ResourceOptions(parent=parent, depends_on=after))
"""
_CHILD = """
import asyncio, resource, sys
from pathlib import Path
from yiwang import engine
work, count, changed = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
stack = engine.Stack(work / "prog", "dev", work / "backend", "x")
result = asyncio.run(engine.up(stack, engine.Options(environment={"COUNT": count, "CHANGED": changed})))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(not result.ok)
"""


@dataclass
class Measured:
    """Wall clock, processor time of all processes, and the engine's peak memory in MB."""

    seconds: float
    processor: float
    megabytes: int


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _up(work: Path, count: int, changed: int = 0) -> Measured:
    """An `up` in a process of its own, as a verb is."""
    before, started = _used(), time.perf_counter()
    child = [sys.executable, "-c", _CHILD, str(work), str(count), str(changed)]
    done = subprocess.run(child, capture_output=True, text=True, check=True)
    return Measured(time.perf_counter() - started, _used() - before, int(done.stdout) // 1024)


def _cli(work: Path, count: int, changed: int = 0) -> Measured:
    command = [os.environ["YIWANG_TEST_PULUMI"], "up", "--yes", "--skip-preview", "--stack", "dev", "--parallel", "8"]
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{work / 'cli'}",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "COUNT": str(count),
        "CHANGED": str(changed),
    }
    (work / "cli").mkdir(exist_ok=True)
    initial = [command[0], "stack", "select", "--create", "dev"]
    subprocess.run(initial, cwd=work / "prog", env=environment, check=True, capture_output=True)
    before, started = _used(), time.perf_counter()
    subprocess.run(command, cwd=work / "prog", env=environment, check=True, capture_output=True)
    return Measured(time.perf_counter() - started, _used() - before, 0)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    program = tmp_path / "prog"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: many\nruntime: python\n")
    (program / "many.py").write_text(_PROVIDER)
    (program / "__main__.py").write_text(_PROGRAM)
    return tmp_path


@pytest.mark.parametrize(("count", "changed"), [(0, 0), (300, 300), (2000, 300), (10_000, 0)])
def test_dynamic_resources(count: int, changed: int, work: Path) -> None:
    """Created, unchanged, and updated, one after the other."""
    share = "updated" if changed == count else f"with {changed} of them updated"
    runs = [("created", 0), ("unchanged", 0), *([(share, changed)] if changed else [])]
    for what, value in runs:
        measured = _up(work, count, value)
        print(f"\n{count} {what}: {measured.seconds:.2f} s, processor {measured.processor:.2f} s, engine {measured.megabytes} MB", end="")
        if "YIWANG_TEST_PULUMI" in os.environ:
            peer = _cli(work, count, value)
            print(f"; the CLI {peer.seconds:.2f} s, processor {peer.processor:.2f} s, ratio {peer.seconds / measured.seconds:.1f}", end="")
    print()


def test_the_operations_in_one_process(work: Path) -> None:
    """As the verbs use it: no start of Python and no import for each."""
    stack = engine.Stack(work / "prog", "dev", work / "backend", "x")
    options = engine.Options(environment={"COUNT": "300", "CHANGED": "0"})
    for verb in ("preview", "up", "up", "refresh", "destroy"):
        started = time.perf_counter()
        assert asyncio.run(getattr(engine, verb)(stack, options)).ok
        print(f"\n300 dynamic resources, {verb}: {time.perf_counter() - started:.2f} s", end="")
    print()
