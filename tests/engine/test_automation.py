"""Pulumi's Automation API with this command line in front as `pulumi`: local programs, and inline ones."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from engine.box_case import wait_for
from engine.commandline_case import PASSPHRASE, Project, put_in_front
from pulumi import automation as auto

PROGRAM = """
import os
import pulumi

config = pulumi.Config()
print("the program speaks")
pulumi.export("plain", config.require("plain"))
pulumi.export("token", config.require_secret("token"))
pulumi.export("deep", config.require_object("deep"))
if os.environ.get("RAISES"):
    raise ValueError("told to fail")
"""


# The SDK's inline programs and event servers leave loops and sockets to the garbage collector.
pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("PATH", put_in_front(tmp_path / "bin"))
    for name in ("PULUMI_STACK", "PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    yield Project(tmp_path, PROGRAM)
    # What they say of it belongs to no other test.
    asyncio.set_event_loop(None)
    gc.collect()


def options(project: Project) -> auto.LocalWorkspaceOptions:
    variables = {"PULUMI_BACKEND_URL": project.backend.as_uri(), "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "YIWANG_LANG": "zh"}
    return auto.LocalWorkspaceOptions(env_vars=variables, pulumi_home=str(project.work / "home"))


def stack(project: Project) -> auto.Stack:
    found = auto.create_or_select_stack("dev", work_dir=str(project.directory), opts=options(project))
    found.set_config("plain", auto.ConfigValue("an open value"))
    found.set_config("token", auto.ConfigValue("s3cret-value", secret=True))
    found.set_config("deep.list[0]", auto.ConfigValue("1"), path=True)
    found.set_config("deep.on", auto.ConfigValue("true"), path=True)
    return found


def plain(value: auto.ConfigValue) -> tuple[str, bool]:
    return value.value, value.secret


def test_the_life_of_a_stack(project: Project) -> None:
    dev = stack(project)
    assert plain(dev.get_config("token")) == ("s3cret-value", True)
    assert json.loads(dev.get_config("deep").value) == {"list": [1], "on": True}
    lines: list[str] = []
    events: list[auto.EngineEvent] = []
    planned = dev.preview(on_output=lines.append, on_event=events.append)
    assert planned.change_summary == {auto.OpType.CREATE: 1}
    assert any("the program speaks" in line for line in lines)
    assert dev.outputs() == {}

    events.clear()
    done = dev.up(message="the first", on_output=lines.append, on_event=events.append)
    assert (done.summary.result, done.summary.message, done.summary.kind) == ("succeeded", "the first", "update")
    assert done.summary.resource_changes == {"create": 1}
    assert plain(done.summary.config["sample:token"]) == ("s3cret-value", True)
    outputs = {name: (output.value, output.secret) for name, output in done.outputs.items()}
    assert outputs["plain"] == ("an open value", False)
    assert outputs["token"] == ("s3cret-value", True)
    assert outputs["deep"] == ({"list": [1], "on": True}, False)
    first, *_, summary, last = events
    assert first.prelude_event is not None
    assert first.prelude_event.config["sample:token"] == "[secret]"
    assert summary.summary_event is not None
    assert summary.summary_event.resource_changes == {"create": 1}
    assert last.cancel_event is not None
    assert [event.sequence for event in events] == list(range(len(events)))
    assert "s3cret-value" not in "\n".join(lines)

    again = dev.up(expect_no_changes=True)
    assert again.summary.resource_changes == {"same": 1}
    assert dev.refresh().summary.kind == "refresh"
    assert [entry.kind for entry in dev.history()] == ["refresh", "update", "update"]
    assert [entry.message for entry in dev.history(page_size=1, page=3)] == ["the first"]
    exported = dev.export_stack()
    assert exported.deployment is not None
    assert [entry["type"] for entry in exported.deployment["resources"]] == ["pulumi:pulumi:Stack"]
    dev.import_stack(exported)
    assert dev.outputs()["token"].value == "s3cret-value"

    listed = dev.workspace.list_stacks()
    assert [(entry.name, entry.current, entry.resource_count) for entry in listed] == [("dev", True, 1)]
    assert listed[0].last_update is not None
    assert dev.workspace.who_am_i().url == project.backend.as_uri()
    assert dev.workspace.list_plugins() == []
    assert dev.destroy().summary.resource_changes == {"delete": 1}
    dev.workspace.remove_stack("dev")
    assert dev.workspace.list_stacks() == []
    assert not (project.directory / "Pulumi.dev.yaml").exists()


def test_configuration_in_bulk(project: Project) -> None:
    dev = stack(project)
    dev.set_all_config({"one": auto.ConfigValue("1"), "two": auto.ConfigValue("a=b", secret=True)})
    dev.set_all_config({"deep.more": auto.ConfigValue("x")}, path=True)
    found = dev.get_all_config()
    assert plain(found["sample:two"]) == ("a=b", True)
    assert json.loads(found["sample:deep"].value) == {"list": [1], "on": True, "more": "x"}
    dev.remove_config("deep.list[0]", path=True)
    dev.remove_all_config(["one", "two"])
    assert sorted(dev.get_all_config()) == ["sample:deep", "sample:plain", "sample:token"]


def test_errors_are_those_the_api_knows(project: Project) -> None:
    with pytest.raises(auto.StackNotFoundError):
        auto.select_stack("dev", work_dir=str(project.directory), opts=options(project))
    dev = stack(project)
    with pytest.raises(auto.StackAlreadyExistsError):
        auto.create_stack("dev", work_dir=str(project.directory), opts=options(project))
    dev.workspace.env_vars = {**dev.workspace.env_vars, "RAISES": "yes"}
    with pytest.raises(auto.errors.RuntimeError, match="told to fail"):
        dev.up()
    assert dev.history()[0].result == "failed"
    with pytest.raises(auto.CommandError, match="install"):
        dev.workspace.install_plugin("random", "v1.0.0")


def test_a_second_update_is_a_conflict_until_the_first_is_cancelled(project: Project) -> None:
    dev = stack(project)
    gate = project.work / "gate"
    project.write(PROGRAM + f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.05)\n")
    first = project.start("up", "--stack", "dev", "--yes", "--skip-preview")
    locks = project.backend / ".pulumi" / "locks" / "organization" / "sample" / "dev"
    assert wait_for(lambda: any(locks.glob("*.json")))
    with pytest.raises(auto.ConcurrentUpdateError, match=r"currently locked by 1 lock\(s\)"):
        dev.up()
    dev.cancel()
    assert not any(locks.glob("*.json"))
    assert first.wait(timeout=60) == 1
    gate.touch()
    assert dev.up().summary.result == "succeeded"
    first.communicate()


def test_inline_programs(project: Project) -> None:
    seen: list[bool] = []

    def program() -> None:
        seen.append(pulumi.runtime.is_dry_run())
        pulumi.export("answer", 42)
        pulumi.export("hidden", pulumi.Output.secret("inline-secret"))

    def raises() -> None:
        raise ValueError("told to fail inline")

    inline = auto.create_or_select_stack("in", project_name="inline", program=program, opts=options(project))
    assert inline.preview().change_summary == {auto.OpType.CREATE: 1}
    outputs: Any = inline.up().outputs
    assert {name: output.value for name, output in outputs.items()} == {"answer": 42, "hidden": "inline-secret"}
    # Once for each operation, as with the CLI.
    assert seen == [True, False]
    with pytest.raises(auto.errors.InlineSourceRuntimeError, match="told to fail inline"):
        inline.up(program=raises)
    assert inline.destroy().summary.result == "succeeded"
    inline.workspace.remove_stack("in")
