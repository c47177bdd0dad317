from __future__ import annotations

import json
from pathlib import Path

import pytest

from yiwang.deployment import changes
from yiwang.deployment.events import EventTail
from yiwang.engine import Diagnostic, Result, StepFinished
from yiwang.output import plain


def step(op: str, kind: str = "yiwang:index:Role", name: str = "base", diffs: tuple[str, ...] = ()) -> StepFinished:
    return StepFinished(op=op, urn=f"urn:pulumi:x::y::{kind}::{name}", type=kind, name=name, diffs=diffs)


def result(*steps: StepFinished, ok: bool = True, diagnostics: tuple[Diagnostic, ...] = ()) -> Result:
    counts: dict[str, int] = {}
    for one in steps:
        if one.op != "same" and not one.type.startswith("pulumi:providers:"):
            counts[one.op] = counts.get(one.op, 0) + 1
    return Result(ok, counts, 0, steps, {}, diagnostics, ())


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


def test_nothing_but_same_is_no_change() -> None:
    found = changes.collect({"jinan": result(step("same"))}, ())
    assert not found[0].changes
    assert changes.describe(found, planned=True) == "no changes in 1 sites"


def test_providers_are_not_counted_as_changes_of_a_site() -> None:
    found = changes.collect({"jinan": result(step("create", "pulumi:providers:yiwang", "default"))}, ())
    assert not found[0].changes


def test_files_and_tasks_are_listed_under_their_host() -> None:
    events = [
        {"event": "file_diff", "site": "jinan", "role": "base", "host": "c-jinan", "path": "/etc/hosts", "task": "Names", "diff": "-a\n+b"},
        {"event": "host_result", "site": "jinan", "role": "base", "host": "c-jinan", "task": "Names", "status": "changed"},
        {"event": "host_result", "site": "jinan", "role": "base", "host": "c-jinan", "task": "Clock", "status": "ok"},
    ]
    found = changes.collect({"jinan": result(step("update", diffs=("hosts",)))}, events)
    assert found[0].hosts["c-jinan"].tasks == ["Names"]
    text = changes.describe(found, planned=True)
    assert "update Role base (hosts)" in text
    assert "c-jinan: /etc/hosts\n    -a\n    +b" in text
    assert text.splitlines()[-1] == "plan: update 1; 1 of 1 sites change"


def test_a_failed_site_shows_why() -> None:
    failed = result(ok=False, diagnostics=(Diagnostic("error", "the host does not answer"),))
    assert "error: the host does not answer" in changes.describe(changes.collect({"jinan": failed}, ()), planned=True)


def test_the_record_is_json() -> None:
    found = changes.collect({"jinan": result(step("create"))}, ())
    assert json.loads(json.dumps(plain(found)))[0]["counts"] == {"create": 1}


def test_a_half_written_event_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "a"}\n{"event": "b')
    tail = EventTail(path)
    assert [event["event"] for event in tail.read()] == ["a"]
    with path.open("ab") as file:
        file.write(b'"}\n')
    assert [event["event"] for event in tail.read()] == ["b"]
    assert list(tail.read()) == []


def test_the_order_of_arrival_does_not_show() -> None:
    steps = [step("update", name="base"), step("create", "yiwang:index:Secret", "rescue"), step("delete", name="old")]
    events = [
        {"event": "host_result", "site": "jinan", "role": "base", "host": host, "task": "Names", "status": "changed"} for host in ("a", "b")
    ]
    one = changes.collect({"jinan": result(*steps)}, events)
    other = changes.collect({"jinan": result(*reversed(steps))}, reversed(events))
    assert json.dumps(plain(one)) == json.dumps(plain(other))
