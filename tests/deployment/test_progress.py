from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from yiwang.deployment import progress
from yiwang.output import Console


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("YIWANG_LANG", "en")
    return now


class Stage:
    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self.text = io.StringIO()
        self.progress = progress.Progress(Console(err=self.text), path)

    def say(self, **event: object) -> list[str]:
        before = len(self.text.getvalue())
        with self.path.open("a") as file:
            file.write(json.dumps({"site": "jinan", "role": "base", **event}) + "\n")
        self.progress.poll()
        return self.text.getvalue()[before:].splitlines()


def test_a_long_role_says_where_it_is_and_what_is_left(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    assert "role base on c-jinan" in stage.say(event="role_started", hosts=["c-jinan"], total_tasks=40, preview=False)[0]
    clock[0] += 4
    assert stage.say(event="task_started", task="Names", index=10) == []
    clock[0] += 6
    (line,) = stage.say(event="task_started", task="Clock", index=20)
    assert line.endswith("jinan · base 20/40 Clock · about 10 s left")


def test_handlers_beyond_the_count_promise_nothing(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    stage.say(event="role_started", hosts=["c-jinan"], total_tasks=4, preview=False)
    clock[0] += 10
    (line,) = stage.say(event="task_started", task="Restart", index=6)
    assert line.endswith("6/6 Restart")


def test_a_failure_shows_host_task_message_journal_and_the_way_on(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    lines = stage.say(
        event="host_failed",
        host="c-jinan",
        task="Clock",
        message="no such unit",
        journal=["chronyd: bad line"],
        resume="yiwang up --site jinan",
    )
    assert lines == [
        "error: jinan · base failed on c-jinan at task: Clock",
        "error:   no such unit",
        "error:   | chronyd: bad line",
        "error:   to go on: yiwang up --site jinan",
    ]
