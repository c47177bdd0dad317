"""What programs do: how they end, what they print, what they export, and how much there may be of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, errors, ops

from yiwang import engine
from yiwang.errors import ExitCode

pytestmark = pytest.mark.system

DYNAMIC = """
from pulumi.dynamic import Resource, ResourceProvider


class Provider(ResourceProvider):
    pass


class Thing(Resource, module="m", name="Thing"):
    def __init__(self, number):
        super().__init__(Provider(), f"thing-{number}", {"number": number})


for number in range(700):
    Thing(number)
"""


def test_seven_hundred_dynamic_resources(tmp_path: Path) -> None:
    """The SDK alone ends in a recursion at about 310."""
    planned = Box(tmp_path, program=DYNAMIC).run("preview", 1)
    assert planned.ok, errors(planned)[:1]
    assert planned.changes == {"create": 701}


@pytest.mark.parametrize(
    ("program", "ok", "text"),
    [
        ("sys.exit(0)", True, ""),
        ("sys.exit()", True, ""),
        ("sys.exit(7)", False, "program exited with non-zero exit code: 7"),
        ('sys.exit("in words")', False, "program exited with non-zero exit code: 1"),
        ('raise pulumi.RunError("for people")', False, "for people"),
        ("os._exit(9)", False, "program exited with non-zero exit code: 9"),
        ('asyncio.ensure_future(asyncio.wait_for(asyncio.sleep(9), 0))\nBox("a")', True, ""),
        ("pulumi.Output.from_input(asyncio.wait_for(asyncio.sleep(9), 0)).apply(print)", False, "TimeoutError"),
        ('Box("a", text=pulumi.Output.from_input(1).apply(lambda _: 1 / 0))', False, "ZeroDivisionError"),
    ],
)
def test_how_a_program_ends(program: str, ok: bool, text: str, tmp_path: Path) -> None:
    result = Box(tmp_path, program=f"import asyncio, sys\n{program}").run("preview", 1)
    assert (result.ok, result.code) == (ok, ExitCode.OK if ok else ExitCode.FAILED), errors(result)
    assert not text or any(text in message for message in errors(result)), errors(result)
    if "in words" in program:
        assert "in words" in [entry.message for entry in result.diagnostics]


def test_a_program_that_prints_much_and_starts_others(tmp_path: Path) -> None:
    program = """
import subprocess, sys
print("line\\n" * 20_000, end="")
print("x" * 3_000_000)
subprocess.run([sys.executable, "-c", "print('from a child'); import sys; print('beside', file=sys.stderr)"])
lasting = subprocess.Popen(["sleep", "300"])
open("lasting", "w").write(str(lasting.pid))
Box("a")
"""
    started = time.monotonic()
    result = Box(tmp_path, program=program).run("preview", 1)
    os.kill(int((tmp_path / "prog" / "lasting").read_text()), signal.SIGKILL)
    assert result.ok, errors(result)
    assert time.monotonic() - started < 200, "what the program leaves running is not waited for"
    lines = [entry.message for entry in result.diagnostics]
    assert lines.count("line") == 20_000
    assert {"from a child", "beside"} < set(lines)
    assert max(map(len, lines)) == 3_000_000


EXPORTS = """
names = ["文件", "a::b", "with$dollar", "sp ace", "q\\"uote"]
boxes = [Box(name, text="x" * (2_000_000 if name == "文件" else 1)) for name in names]
shelf = pulumi.ComponentResource("box:index:Shelf", "shelf")
inside = Box("inside", text=boxes[1].label, opts=ResourceOptions(parent=shelf))
pulumi.export("nothing", None)
pulumi.export("nested", {"nothing": None, "list": [None, 1.5, True]})
pulumi.export("secret", pulumi.Output.secret({"deep": ["pw"]}))
pulumi.export("holds secret", {"a": pulumi.Output.secret("pw"), "b": [pulumi.Output.secret("pw"), 1]})
pulumi.export("box", boxes[1])
pulumi.export("boxes", {"shelf": shelf, "list": [inside]})
pulumi.export("large", pulumi.Output.from_input("y" * 1_000_000))
"""


def test_names_sizes_and_exports(tmp_path: Path) -> None:
    box = Box(tmp_path, program=EXPORTS)
    made = box.run("up", 1)
    assert made.ok, errors(made)
    out: Any = made.outputs
    assert "nothing" not in out
    assert out["nested"] == {"nothing": None, "list": [None, 1.5, True]}
    assert out["secret"]["value"] == {"deep": ["pw"]}
    assert engine.state.show(out)["holds secret"] == {"a": "[secret]", "b": ["[secret]", 1]}
    urn = "urn:pulumi:dev::box::box:index:Box::a::b"
    assert {key: out["box"][key] for key in ("urn", "id", "label")} == {"urn": urn, "id": "a::b:", "label": "a::b/"}
    assert out["boxes"]["shelf"]["urn"].endswith("::shelf")
    assert len(out["large"]) == 1_000_000
    assert '"pw"' not in box.store.path.read_text()
    assert sorted(box.states()) == sorted(["文件", "a::b", "with$dollar", "sp ace", 'q"uote', "shelf", "inside"])
    assert box.states()["inside"].property_dependencies["text"] == [urn]
    assert box.run("up", 1).changes == {}
    limited = box.run("preview", 1, targets=(urn,), target_dependents=True, replace=(urn,))
    assert ops(limited)["replace"] == ["a::b"]
    gone = box.run("destroy", 1)
    assert (gone.ok, box.world()["objects"]) == (True, {})


def test_the_end_of_a_run_is_told_once_while_the_stack_is_held(tmp_path: Path) -> None:
    """Not that of the look at the program's packages before it."""
    box = Box(tmp_path, program='Box("a", text="x")')
    told: list[tuple[bool, int]] = []
    result = box.run("up", 1, ended=lambda result: told.append((result.ok, len(engine.state.locks(box.stack)))))
    assert (result.ok, told) == (True, [(True, 1)]), errors(result)
