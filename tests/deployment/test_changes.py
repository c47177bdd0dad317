from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from yiwang.deployment import changes, summary
from yiwang.deployment.events import EventTail
from yiwang.engine import Diagnostic, Result, StepFinished
from yiwang.errors import ExitCode, UserError
from yiwang.output import plain

ROLE, SECRET = "yiwang:index:Role", "yiwang:index:Secret"


def step(op: str, kind: str = ROLE, name: str = "base", diffs: tuple[str, ...] = (), error: str | None = None) -> StepFinished:
    urn = f"urn:pulumi:x::y::{kind}::{name}"
    return StepFinished(op=op, urn=urn, type=kind, name=name, diffs=diffs, error=error, result="failed" if error else "done")


def result(*steps: StepFinished, ok: bool = True, diagnostics: tuple[Diagnostic, ...] = (), code: ExitCode | None = None) -> Result:
    counts: dict[str, int] = {}
    for one in steps:
        if one.op not in ("same", "create-replacement", "delete-replaced") and not one.type.startswith("pulumi:providers:"):
            counts[one.op] = counts.get(one.op, 0) + (one.error is None)
    return Result(ok, counts, 0, steps, {}, diagnostics, (), code=code or (ExitCode.OK if ok else ExitCode.FAILED))


def failing(message: str, code: ExitCode = ExitCode.FAILED) -> Result:
    return result(ok=False, diagnostics=(Diagnostic("error", message),), code=code)


def host_failed(site: str, host: str, *, unreachable: bool) -> dict[str, Any]:
    known = {"task": "Clock", "message": "no such unit", "journal": ["chronyd: bad line"], "resume": "yiwang up"}
    return {"event": "host_failed", "site": site, "role": "base", "host": host, "unreachable": unreachable, **known}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


def test_nothing_but_same_is_no_change() -> None:
    found = changes.collect({"jinan": result(step("same"))}, ())
    assert not found[0].changes
    assert summary.describe(found, planned=True) == "no changes; sites: jinan"


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
    text = summary.describe(found, planned=True)
    assert "update Role base (hosts)" in text
    assert "c-jinan: /etc/hosts\n    -a\n    +b" in text
    assert text.splitlines()[-1] == "plan: update 1; 1 of 1 sites change"


def test_a_failed_site_shows_why() -> None:
    failed = result(ok=False, diagnostics=(Diagnostic("error", "the host does not answer"),))
    assert "error: the host does not answer" in summary.describe(changes.collect({"jinan": failed}, ()), planned=True)


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


def test_a_site_that_failed_is_never_done() -> None:
    role = step("create", error="role base failed")
    found = changes.collect({"province": result(step("create", SECRET, "rescue"), role, ok=False)}, ())
    text = summary.outcome(found)
    assert text.splitlines()[-1] == "1 of 1 sites failed: province; changed so far: create 1"
    assert "error: role base failed" in text
    assert "done" not in text
    assert [resource["failed"] for resource in found[0].resources] == [True, False]


def test_what_was_planned_for_a_site_that_never_began_has_not_happened() -> None:
    found = changes.collect({"province": failing("no"), "jinan": result(step("create"))}, (), not_started={"jinan": "not started"})
    (jinan,) = (site for site in found if site.site == "jinan")
    assert (jinan.counts, jinan.resources, jinan.error, jinan.started) == ({}, [], "not started", False)
    assert summary.headline(found, planned=False) == "2 of 2 sites failed: province, jinan; nothing was changed"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], ExitCode.OK),
        ([ExitCode.LOCKED], ExitCode.LOCKED),
        ([ExitCode.INPUT, ExitCode.INPUT], ExitCode.INPUT),
        ([ExitCode.INPUT, ExitCode.LOCKED], ExitCode.FAILED),
        ([ExitCode.FAILED, ExitCode.HOST], ExitCode.FAILED),
    ],
)
def test_the_exit_code_is_that_of_the_failures_where_they_agree(codes: list[ExitCode], expected: ExitCode) -> None:
    results = {f"s{index}": failing("no", code) for index, code in enumerate(codes)}
    found = changes.collect({"well": result(), **results}, (), not_started={"below": "not started, s0 failed"} if codes else None)
    assert changes.exit_code(found) is expected


@pytest.mark.parametrize(
    ("unreachable", "other", "expected"),
    [([True, True], None, ExitCode.HOST), ([True, False], None, ExitCode.FAILED), ([True], "no key", ExitCode.FAILED)],
)
def test_only_hosts_that_cannot_be_reached_exit_6(unreachable: list[bool], other: str | None, expected: ExitCode) -> None:
    steps = [step("create", error="role failed"), step("create", SECRET, "rescue", error=other)]
    events = [host_failed("jinan", f"h{index}", unreachable=each) for index, each in enumerate(unreachable)]
    assert changes.exit_code(changes.collect({"jinan": result(*steps, ok=False)}, events)) is expected


def test_one_mistake_that_fails_every_site_is_one_line() -> None:
    every = changes.collect({name: failing("no key; make one", ExitCode.INPUT) for name in ("a", "b")}, ())
    with pytest.raises(UserError) as refusal:
        changes.refuse_common(every)
    assert (refusal.value.report(), refusal.value.code) == ("no key; make one", ExitCode.INPUT)
    changes.refuse_common(changes.collect({"a": failing("no key", ExitCode.INPUT), "b": result()}, ()))
    changes.refuse_common(changes.collect({"a": failing("crash"), "b": failing("crash")}, ()))


def test_what_hosts_cannot_do_is_told_once_for_all_that_are_alike() -> None:
    events = [
        {"event": "host_skipped", "site": "jinan", "role": "base", "host": host, "capability": "clock", "what": what}
        for host in ("a", "b")
        for what in ("setting the clock", "its drift", "its drift")
    ]
    found = changes.collect({"jinan": result(step("update"))}, events)
    assert found[0].hosts["a"].skipped == [
        {"capability": "clock", "what": "setting the clock"},
        {"capability": "clock", "what": "its drift"},
    ]
    line = "  a, b: cannot do clock, skipped: setting the clock, its drift"
    assert line in summary.describe(found, planned=True).splitlines()
    assert line in summary.outcome(found).splitlines()


def test_failed_and_unread_hosts_are_on_record() -> None:
    events = [
        host_failed("jinan", "a", unreachable=False),
        {"event": "host_unread", "site": "jinan", "role": "base", "host": "b", "task": "x", "message": "no answer"},
    ]
    (site,) = changes.collect({"jinan": result(step("update"))}, events)
    assert site.hosts["a"].failed[0]["journal"] == ["chronyd: bad line"]
    assert site.hosts["b"].unread == ["no answer"]
    assert not site.complete
    assert "could not look at b: no answer" in summary.describe([site], planned=True)


def test_a_replacement_is_listed_once_with_its_parts_in_the_json() -> None:
    steps = [step(op, SECRET, "rescue") for op in ("create-replacement", "replace", "delete-replaced")]
    (site,) = changes.collect({"jinan": result(*steps)}, ())
    assert [(entry["operation"], entry["parts"]) for entry in site.resources] == [("replace", ["create-replacement", "delete-replaced"])]
    assert summary.describe([site], planned=True).count("rescue") == 1


def test_a_leftover_of_an_earlier_replacement_is_listed_for_itself() -> None:
    (site,) = changes.collect({"jinan": result(step("delete-replaced", SECRET, "rescue"))}, ())
    assert [entry["operation"] for entry in site.resources] == ["delete-replaced"]


def test_task_lists_of_first_runs_can_be_left_out() -> None:
    events = [{"event": "would_run", "site": "jinan", "role": "base", "hosts": ["a"], "tasks": [{"task": "Names"}]}]
    found = changes.collect({"jinan": result(step("create"))}, events)
    assert "- Names" in summary.describe(found, planned=True)
    assert "a: 1 tasks are to run" in summary.describe(found, planned=True)
    assert "a: " not in summary.describe(found, planned=True, tasks=False)


def test_hosts_with_the_same_first_run_share_one_list() -> None:
    tasks = [{"task": "Names", "file": "/etc/hosts"}]
    events = [
        {"event": "would_run", "site": "jinan", "role": "base", "hosts": ["a", "b"], "tasks": tasks},
        {"event": "would_run", "site": "jinan", "role": "base", "hosts": ["c"], "tasks": [*tasks, {"task": "Clock"}]},
    ]
    said = summary.describe(changes.collect({"jinan": result(step("create"))}, events), planned=True)
    assert said.count("- Names  /etc/hosts") == 2
    assert "a, b: 1 tasks are to run" in said
    assert "c: 2 tasks are to run" in said


def test_a_run_that_was_asked_to_stop_has_not_failed() -> None:
    stopped = result(step("update"), ok=False, diagnostics=(Diagnostic("error", "cancelled"),), code=ExitCode.INTERRUPTED)
    found = changes.collect({"province": stopped}, (), not_started={"jinan": "not started, the run was stopped"})
    changes.refuse_common(found)
    said = summary.outcome(found)
    assert said.splitlines()[-1] == (
        "stopped as asked, and saved; not complete: province, jinan; changed so far: update 1; run the same command again to go on"
    )
    assert "error: cancelled" not in said
    assert "stopped as asked; not planned: province, jinan" in summary.headline(found, planned=True)
    also = changes.collect({"province": stopped, "qingdao": failing("no such unit")}, ())
    assert "2 of 2 sites failed" in summary.headline(also, planned=False)
