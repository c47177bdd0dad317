"""The resource Role on two real servers: one story, then what goes wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from provider.support import partial, provider

from yiwang.provider.values import UNKNOWN, Secret

pytestmark = pytest.mark.lab
SECRET = "s3cret-{{ not a template }}-value"
TOKEN = "tok-0123456789"


def inputs(servers: Any, *, hosts: tuple[str, ...] = ("one", "two"), digest: str = "d1", **variables: Any) -> dict[str, Any]:
    entries = {
        host: {"address": str(servers.access.hosts[host].address), "port": 22, "variables": {"probe_token": Secret(f"{TOKEN}-{host}")}}
        for host in hosts
    }
    return {
        "role": "probe",
        "site": "here",
        "digest": digest,
        "hosts": entries,
        "variables": {"probe_secret": Secret(SECRET), **variables},
    }


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, not for a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def visited(client: Any, since: int = 0) -> set[str]:
    return {event["host"] for event in client.events("host_result")[since:]}


def test_story_of_a_role(servers: Any) -> None:  # noqa: PLR0915 - one story, told in one go
    with provider(**servers.environment) as client:
        first = inputs(servers)
        assert client.check(first) == []

        preview = client.create(first, preview=True)
        assert preview["results"] is UNKNOWN
        assert {"task": "Write the greeting", "file": "/etc/probe.greeting"} in client.events("would_run")[0]["tasks"]
        assert client.events("host_result") == []

        # The first run makes the automation account and applies the role on both.
        state = client.create(first)
        assert set(state["results"]) == {"one", "two"}
        assert state["results"]["one"]["facts"] == {"greeting": "hello", "system": "Debian"}
        skipped = [{key: event[key] for key in ("host", "capability", "what")} for event in client.events("host_skipped")]
        assert {"host": "one", "capability": "clock", "what": "the probe sets no clock"} in skipped
        assert state["results"]["one"]["skipped"] == [{"capability": "clock", "what": "the probe sets no clock"}]
        assert state["results"]["one"]["changed"] > 0
        assert servers.run("one", "cat /etc/probe.secret") == f"{SECRET}\n"
        assert f"token={TOKEN}-two" in servers.run("two", "cat /etc/probe.greeting")
        # One count for first contact and the role together; what is done only grows, up to it.
        (started,) = client.events("role_started")
        done = client.events("task_started")
        assert started["total_tasks"] >= 7
        assert {event["total"] for event in done} == {started["total_tasks"]}
        assert [event["index"] for event in done] == sorted(event["index"] for event in done)
        assert done[-1]["index"] == started["total_tasks"]
        assert client.events("role_finished")[-1]["ok"]

        # Nothing changed: no difference, no visit.
        seen = len(client.events())
        assert client.diff(first, state, first) == []
        assert len(client.events()) == seen

        # One host gets another variable: only that one is visited.
        second = inputs(servers)
        second["hosts"]["two"]["variables"]["probe_greeting"] = "nihao"
        assert client.diff(first, state, second) == ["hosts"]
        before = len(client.events("host_result"))
        state = client.update(first, state, second)
        assert visited(client, before) == {"two"}
        assert "greeting=nihao" in servers.run("two", "cat /etc/probe.greeting")
        assert state["results"]["two"]["facts"]["greeting"] == "nihao"

        # A new secret reaches both.
        third = second | {"variables": {"probe_secret": Secret("another-secret-value")}}
        assert client.diff(second, state, third) == ["variables"]
        before = len(client.events("host_result"))
        state = client.update(second, state, third)
        assert visited(client, before) == {"one", "two"}
        assert servers.run("one", "cat /etc/probe.secret") == "another-secret-value\n"

        # Somebody edits a file: reading the hosts finds it, the next update visits that host alone.
        servers.run("one", "echo edited > /etc/probe.greeting")
        drifted = client.read(third, state)
        assert "applied" not in drifted["results"]["one"]
        assert drifted["results"]["two"] == state["results"]["two"]
        assert servers.run("one", "cat /etc/probe.greeting") == "edited\n"
        assert client.diff(third, drifted, third) == ["results"]
        before = len(client.events("host_result"))
        state = client.update(third, drifted, third)
        assert visited(client, before) == {"one"}
        assert "greeting=hello" in servers.run("one", "cat /etc/probe.greeting")

        # A host that is no longer listed is cleaned.
        fourth = third | {"hosts": {"one": third["hosts"]["one"]}}
        state = client.update(third, state, fourth)
        assert set(state["results"]) == {"one"}
        assert servers.run("two", "ls /etc/probe.greeting 2>/dev/null || true") == ""
        client.delete(fourth, state)
        assert servers.run("one", "ls /etc/probe.* 2>/dev/null || true") == ""
        client.delete(fourth, state)

        everything = (client.run_dir / "events.jsonl").read_text()
        for secret in (SECRET, TOKEN, "another-secret-value"):
            assert secret not in everything


def test_preview_of_an_update_shows_files(servers: Any) -> None:
    with provider(**servers.environment, YIWANG_PLAN_DETAIL="1") as client:
        first = inputs(servers)
        state = client.create(first)
        second = inputs(servers, probe_greeting="hello again", probe_secret=Secret("third-secret-value"))
        preview = client.update(first, state, second, preview=True)
        diffs = {(event["host"], event["path"]): event["diff"] for event in client.events("file_diff")}
        assert "-greeting=hello\n+greeting=hello again" in diffs["one", "/etc/probe.greeting"]
        assert ("two", "/etc/probe.greeting") in diffs
        assert SECRET not in str(diffs)
        assert "third-secret" not in str(diffs)
        assert TOKEN not in str(diffs)
        assert client.events("role_started")[-1]["preview"] is True
        # The plan was looked at, not done; what depends on the facts sees what they will be.
        assert "greeting=hello\n" in servers.run("one", "cat /etc/probe.greeting")
        assert preview["results"]["one"]["facts"]["greeting"] == "hello again"
        unknown = second | {"variables": {"probe_secret": UNKNOWN}}
        assert client.update(first, state, unknown, preview=True)["results"] is UNKNOWN
        assert client.events("would_run")[-1]["hosts"] == ["one", "two"]


def test_only_the_hosts_of_the_limit_are_visited(servers: Any) -> None:
    with provider(**servers.environment) as client:
        first = inputs(servers)
        state = client.create(first)
    second = inputs(servers, digest="d2", probe_secret=Secret("rotated-secret-value"))
    with provider(**servers.environment, YIWANG_LIMIT="two") as client:
        partly = client.update(first, state, second)
        assert visited(client) == {"two"}
    with provider(**servers.environment) as client:
        assert client.diff(second, partly, second) == ["results"]
        client.update(second, partly, second)
        assert visited(client) == {"one"}
        assert servers.run("one", "cat /etc/probe.secret") == "rotated-secret-value\n"
    with provider(**servers.environment, YIWANG_REAPPLY="1") as client:
        again = client.update(second, partly, second)
        assert [again["results"][host]["changed"] for host in ("one", "two")] == [0, 0]


def test_a_host_taken_out_while_it_may_not_be_visited_is_cleaned_later(servers: Any) -> None:
    first, second = inputs(servers), inputs(servers, hosts=("one",))
    with provider(**servers.environment) as client:
        state = client.create(first)
    with provider(**servers.environment, YIWANG_LIMIT="one") as client:
        state = client.update(first, state, second)
        assert client.events("host_result") == []
    assert set(state["results"]) == {"one", "two"}
    assert TOKEN not in str(state)
    with provider(**servers.environment) as client:
        assert client.diff(second, state, second) == ["results"]
        state = client.update(second, state, second)
        assert visited(client) == {"two"}
        assert set(state["results"]) == {"one"}
        assert servers.run("two", "ls /etc/probe.greeting 2>/dev/null || true") == ""
        client.delete(second, state)


def test_a_removal_that_fails_is_tried_again(servers: Any) -> None:
    first, second = inputs(servers), inputs(servers, hosts=("one",))
    with provider(**servers.environment) as client:
        state = client.create(first)
        servers.run("two", "chattr +i /etc/probe.greeting 2>/dev/null || mount --bind /etc/probe.greeting /etc/probe.greeting")
        try:
            with pytest.raises(grpc.RpcError) as caught:
                client.update(first, state, second)
        finally:
            servers.run("two", "umount /etc/probe.greeting 2>/dev/null || chattr -i /etc/probe.greeting")
        outputs, reasons = partial(caught.value)
        assert "two" in reasons[0]
        assert outputs["results"]["one"] == state["results"]["one"]
        assert client.diff(second, outputs, second) == ["results"]
        state = client.update(second, outputs, second)
        assert set(state["results"]) == {"one"}
        assert servers.run("two", "ls /etc/probe.greeting 2>/dev/null || true") == ""
        client.delete(second, state)


def test_a_host_taken_out_that_does_not_answer_is_named_and_forgotten(servers: Any) -> None:
    first, second = inputs(servers), inputs(servers, hosts=("one",))
    with provider(**servers.environment) as client:
        state = client.create(first)
    with provider(**servers.environment) as client:
        first["hosts"]["two"]["port"] = 2299
        state = client.update(first, state, second)
        assert set(state["results"]) == {"one"}
        assert [event["host"] for event in client.events("host_gone")] == ["two"]
        assert client.events("host_failed") == []
        client.delete(inputs(servers), client.create(inputs(servers)))


def test_a_create_nobody_wants_any_more_is_removed_from_all_its_hosts(servers: Any) -> None:
    with provider(**servers.environment) as client:
        client.create(inputs(servers))
        client.delete(inputs(servers), {})
        for host in ("one", "two"):
            assert servers.run(host, "ls /etc/probe.* 2>/dev/null || true") == ""


def test_failure_on_one_host(servers: Any) -> None:
    with provider(**servers.environment) as client:
        first = inputs(servers)
        first["hosts"]["two"]["variables"]["probe_command"] = f"/bin/sh -c 'echo the disk is {TOKEN}-two full >&2; exit 3'"
        servers.run("two", "systemctl stop probe || true")
        with pytest.raises(grpc.RpcError) as caught:
            client.create(first)
        state, reasons = partial(caught.value)
        assert "applied" in state["results"]["one"]
        assert "applied" not in state["results"]["two"]
        assert "two (task" in reasons[0]
        assert "yiwang up --site here" in reasons[0]
        failed = client.events("host_failed")[-1]
        assert not failed["unreachable"]
        assert (failed["host"], failed["task"]) in {("two", "Start the probe"), ("two", "Restart the probe")}
        assert any("the disk is ******** full" in line for line in failed["journal"]), failed
        assert TOKEN not in (client.run_dir / "events.jsonl").read_text()
        # The rerun visits only the failed one.
        repaired = inputs(servers)
        before = len(client.events("host_result"))
        state = client.update(first, state, repaired)
        assert visited(client, before) == {"two"}
        assert all("applied" in result for result in state["results"].values())


def test_unreachable_and_unknown_hosts(servers: Any) -> None:
    lost = inputs(servers)
    lost["hosts"]["three"] = {"address": "10.79.1.99", "port": 22, "variables": {}}
    with provider(**servers.environment, YIWANG_PLAN_DETAIL="1") as client:
        with pytest.raises(grpc.RpcError) as caught:
            client.create(lost)
        state, reasons = partial(caught.value)
        assert {host for host, result in state["results"].items() if "applied" in result} == {"one", "two"}
        assert "three" in reasons[0]
        alone = lost | {"hosts": {"three": lost["hosts"]["three"]}}
        with pytest.raises(grpc.RpcError) as caught:
            client.create(alone)
        assert "grpc-status-details-bin" in dict(caught.value.trailing_metadata())
        assert "three" in caught.value.details()
        assert {(event["host"], event["unreachable"]) for event in client.events("host_failed")} == {("three", True)}
        # A preview that cannot look at a host says so, and names no command to go on.
        client.update(lost, state | {"results": state["results"] | {"three": {"applied": "once"}}}, lost, preview=True)
        assert [event["host"] for event in client.events("host_unread")] == ["three"]
        assert "resume" not in client.events("host_unread")[0]


def processes_of(run_dir: Path) -> list[str]:
    """The command lines of all processes that know the run's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if line and (str(run_dir) in line or str(run_dir) in environment):
                found.append(line)
    return found


def test_killed_provider_leaves_no_process(servers: Any) -> None:
    with provider(**servers.environment) as client:
        slow = inputs(servers, probe_wait=60)
        future = client.stub.Create.future(client.request_create(slow))
        until(lambda: any(event["task"] == "Wait as told" for event in client.events("task_started")))
        lines = processes_of(client.run_dir)
        assert any("ansible-playbook" in line for line in lines)
        assert any(line.startswith("ssh:") or "[mux]" in line for line in lines), lines
        assert not any(SECRET in line or TOKEN in line for line in lines)
        assert not [path for path in client.run_dir.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")]
        client.process.kill()
        client.process.wait()
        until(lambda: processes_of(client.run_dir) == [])
        with pytest.raises(grpc.RpcError):
            future.result()
        # The rerun finishes the work.
    with provider(**servers.environment) as client:
        state = client.create(inputs(servers))
        assert all("applied" in result for result in state["results"].values())
