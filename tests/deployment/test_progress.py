from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest

from yiwang.deployment import progress
from yiwang.engine import Diagnostic, InFlight
from yiwang.inventory.model import Name, Site
from yiwang.output import Console


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
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


def test_handlers_after_the_last_task_promise_nothing(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    stage.say(event="role_started", hosts=["c-jinan"], total_tasks=4, preview=False)
    clock[0] += 10
    (line,) = stage.say(event="task_started", task="Restart", index=4)
    assert line.endswith("4/4 Restart")


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


JINAN = Site("jinan", "city", "370100", Name("", ""), "", {}, (), "province")
ROLE_URN = "urn:pulumi:jinan::city::yiwang:components:Base$yiwang:index:Role::base"
SECRET_URN = "urn:pulumi:jinan::city::yiwang:index:Secret::rescue"


def told(stage: Stage, *events: object) -> list[str]:
    before = len(stage.text.getvalue())
    for event in events:
        stage.progress.engine_event(JINAN, event)
    return stage.text.getvalue()[before:].splitlines()


def test_an_error_of_the_engine_is_said_once(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    error = Diagnostic("error", "no key", SECRET_URN)
    assert told(stage, error, error, Diagnostic("error", "update failed")) == ["error: jinan: no key"]


def test_an_error_about_the_run_is_said_where_nothing_else_was(tmp_path: Path, clock: list[float]) -> None:
    assert told(Stage(tmp_path / "events"), Diagnostic("error", "the program ended")) == ["error: jinan: the program ended"]


def test_errors_of_a_preview_are_for_its_summary(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    stage.progress.previewing = True
    assert told(stage, Diagnostic("error", "no key", SECRET_URN)) == []


def test_a_role_that_failed_on_hosts_is_not_told_again_by_the_engine(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    stage.say(event="host_failed", host="c-jinan", task="Clock", message="no such unit", journal=[], resume="")
    assert told(stage, Diagnostic("error", "role base failed: c-jinan", ROLE_URN)) == []
    assert told(stage, Diagnostic("error", "no key", SECRET_URN)) == ["error: jinan: no key"]


def test_hosts_of_a_site_share_one_way_on(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    for host in ("a", "b"):
        stage.say(event="host_failed", host=host, task="Clock", message="no", journal=[], resume="yiwang up --site jinan")
    assert stage.text.getvalue().count("to go on") == 1


def test_a_host_that_could_not_be_looked_at_is_a_warning_without_a_way_on(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    event = {"event": "host_unread", "host": "c-jinan", "task": "", "message": "no answer"}
    assert stage.say(**event) == ["warning: jinan · could not look at c-jinan: no answer"]
    assert stage.say(**event) == [], "the plan of an up and the up itself meet the same host"


def test_a_preview_does_not_claim_to_finish_what_was_in_flight(tmp_path: Path, clock: list[float]) -> None:
    stage = Stage(tmp_path / "events")
    stage.progress.previewing = True
    (line,) = told(stage, InFlight((f"creating {ROLE_URN}",)))
    assert line.endswith("working on creating Role base; an up reads it back and finishes it")
    stage.progress.previewing = False
    assert told(stage, InFlight((f"creating {ROLE_URN}",))) == []


def test_a_role_that_failed_is_not_called_done(tmp_path: Path, clock: list[float]) -> None:
    (line,) = Stage(tmp_path / "events").say(event="role_finished", ok=False, changed={"a": 0}, seconds=1.0)
    assert line.endswith("role base failed after 1.0 s; changed: a 0")
