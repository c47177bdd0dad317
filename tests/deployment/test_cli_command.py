"""The Pulumi CLI as a process: each is asked to stop as often as the person asked, however many run; a preview leaves no trace."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation import CommandError

from yiwang import engine
from yiwang.deployment.engines.cli import CliEngine
from yiwang.deployment.engines.command import VARIABLE, Command
from yiwang.errors import ExitCode

pytestmark = pytest.mark.system
CLI = """#!{python}
import signal, sys, time
if sys.argv[1] == "version":
    print("v3.260.0")
    sys.exit()
file = open(sys.argv[-1], "a", buffering=1)
signal.signal(signal.SIGINT, lambda *_: file.write("asked\\n"))
file.write("begun\\n")
deadline = time.monotonic() + 60
while time.monotonic() < deadline and open(sys.argv[-1]).read().count("asked") < 2:
    time.sleep(0.02)
time.sleep(0.3)
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    path = tmp_path / "pulumi"
    path.write_text(CLI.format(python=sys.executable))
    path.chmod(0o755)
    return Command(path)


def wait_for(files: list[Path], lines: int) -> None:
    deadline = time.monotonic() + 30
    while not all(file.exists() and len(file.read_text().splitlines()) >= lines for file in files):
        assert time.monotonic() < deadline, [file.read_text() for file in files if file.exists()]
        time.sleep(0.02)


def test_each_process_is_asked_once_for_each_time_the_person_asks(command: Command, tmp_path: Path) -> None:
    control = engine.Control()
    files = [tmp_path / name for name in ("one", "two", "three")]

    def operation(file: Path) -> None:
        with command.stoppable(control):
            command.run(["up", str(file)], str(tmp_path), {})

    threads = [threading.Thread(target=operation, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    wait_for(files, 1)
    control.cancel()
    wait_for(files, 2)
    control.terminate()
    for thread in threads:
        thread.join(60)
    assert [file.read_text().split() for file in files] == [["begun", "asked", "asked"]] * 3


def test_nothing_begins_when_the_person_has_asked(command: Command, tmp_path: Path) -> None:
    control = engine.Control()
    with command.stoppable(control):
        control.cancel()
        with pytest.raises(CommandError):
            command.run(["up", str(tmp_path / "begun")], str(tmp_path), {})
    assert not (tmp_path / "begun").exists()


STACKS = """#!{python}
import os, pathlib, sys, time
from urllib.parse import urlsplit
if sys.argv[1] == "version":
    print("v3.260.0")
    sys.exit()
words = [word for word in sys.argv[1:] if not word.startswith("-")]
backend = os.environ["PULUMI_BACKEND_URL"]
verb = " ".join(words[:2] if words[0] == "stack" else words[:1])
with open(os.environ["TOLD"], "a") as file:
    file.write(verb + "\\n")
if backend.startswith("file://"):
    # As the real one does as soon as it looks at a directory.
    (pathlib.Path(urlsplit(backend).path) / ".pulumi").mkdir(parents=True, exist_ok=True)
if verb == "stack select":
    sys.exit("error: no stack named 'dev' found")
if verb == "stack export":
    time.sleep(float(os.environ.get("SLOW", "0")))
    with open(os.environ["TOLD"], "a") as file:
        file.write("slept\\n" * ("SLOW" in os.environ))
    print('{{"version": 3, "deployment": null}}')
if verb == "preview":
    sys.exit("error: looked at")
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pulumi"
    path.write_text(STACKS.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv(VARIABLE, str(path))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    return tmp_path / "told"


def preview(tmp_path: Path, backend: str | None, *, interrupted: bool = False) -> engine.Result:
    """A first preview; interrupted when the CLI has been called three times."""
    program = tmp_path / "program"
    program.mkdir()
    (program / "Pulumi.yaml").write_text("name: prog\nruntime: python\n")
    province: Any = SimpleNamespace(state_backend=backend, state_dir=tmp_path / "state")
    stack = engine.Stack(program, "dev", tmp_path / "state", "x")
    control = engine.Control()

    def interrupt() -> None:
        wait_for([tmp_path / "told"], 3)
        control.cancel()

    if interrupted:
        threading.Thread(target=interrupt).start()
    return asyncio.run(CliEngine(province).preview(stack, engine.Options(control=control), lambda _event: None))


def test_a_first_preview_leaves_an_empty_directory_as_it_is(told: Path, tmp_path: Path) -> None:
    assert [entry.message for entry in preview(tmp_path, None).diagnostics] == ["looked at"]
    assert "preview" in told.read_text().splitlines()
    assert not (tmp_path / "state").exists()


def test_where_there_is_no_copy_a_stack_made_for_a_preview_goes_again(told: Path, tmp_path: Path) -> None:
    assert [entry.message for entry in preview(tmp_path, "s3://of-the-team").diagnostics] == ["looked at"]
    assert told.read_text().splitlines() == ["stack select", "stack init", "stack export", "preview", "stack export", "stack rm"]


@pytest.fixture(params=[False, True], ids=["in front", "in the background of a shell"])
def ignored(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ctrl-C as a shell leaves it to what runs in front, and in its background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if request.param else signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored")
def test_who_asks_to_stop_before_the_operation_gets_none(told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLOW", "60")
    result = preview(tmp_path, None, interrupted=True)
    assert (result.ok, result.code, result.diagnostics) == (False, ExitCode.INTERRUPTED, ())
    assert "preview" not in told.read_text().splitlines()
    assert "slept" not in told.read_text().splitlines(), "it was not heard before its command had ended"
