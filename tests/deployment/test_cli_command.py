"""The Pulumi CLI as a process: each is asked to stop as often as the person asked, however many run."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from yiwang import engine
from yiwang.deployment.engines.command import Command

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
