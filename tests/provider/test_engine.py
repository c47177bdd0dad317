"""The three resource types through the embedded engine: partial failure, drift, removal, and nothing in clear."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from yiwang import engine
from yiwang.files import private_tmpfs

pytestmark = pytest.mark.lab
HERE = Path(__file__).parent

PROGRAM = """
import json, os
import pulumi
from yiwang.provider.resources import Certificate, Role, Secret

given = json.load(open(os.environ["PROBE_INPUTS"]))
root = Certificate("root", kind="root", common_name="Root", days=3650)
server = Certificate("server", kind="server", common_name="one", names=["one"], issuer_certificate=root.chain, issuer_key=root.private_key)
password = Secret("password", length=24)
hosts = {
    name: {"address": address, "port": 22, "variables": {"probe_token": server.private_key, **given["host_variables"].get(name, {})}}
    for name, address in given["hosts"].items()
}
role = Role("probe", role="probe", site="here", hosts=hosts, variables={"probe_secret": password.value}, digest="1")
pulumi.export("greeting", role.fact("one", "greeting"))
pulumi.export("password", password.value)
pulumi.export("key", server.private_key)
"""


@dataclass
class Site:
    """One stack with the probe role, and what happened on the hosts."""

    stack: engine.Stack
    environment: dict[str, str]
    inputs: Path
    hosts: dict[str, str]

    def run(self, verb: str, *, host_variables: dict[str, Any] | None = None) -> engine.Result:
        self.inputs.write_text(json.dumps({"hosts": self.hosts, "host_variables": host_variables or {}}))
        (self.events).write_text("")
        operation = {"up": engine.up, "preview": engine.preview, "refresh": engine.refresh, "destroy": engine.destroy}[verb]
        return asyncio.run(operation(self.stack, engine.Options(environment=self.environment, verb=verb)))

    @property
    def events(self) -> Path:
        return Path(self.environment["YIWANG_RUN_DIR"]) / "events.jsonl"

    def visited(self) -> set[str]:
        found = [json.loads(line) for line in self.events.read_text().splitlines()]
        return {event["host"] for event in found if event["event"] == "host_result"}


@pytest.fixture
def site(servers: Any, tmp_path: Path) -> Iterator[Site]:
    project, plugin = tmp_path / "project", tmp_path / "plugin"
    project.mkdir()
    plugin.mkdir()
    (plugin / "pulumi-resource-yiwang").write_text(f"#!/bin/sh\nexec {sys.executable} {HERE / 'process.py'}\n")
    (plugin / "pulumi-resource-yiwang").chmod(0o755)
    (project / "Pulumi.yaml").write_text(f"name: probe\nruntime: python\nplugins:\n  providers: [{{name: yiwang, path: {plugin}}}]\n")
    (project / "__main__.py").write_text(PROGRAM)
    run_dir = Path(tempfile.mkdtemp(prefix="test-", dir=private_tmpfs()))
    environment = {"YIWANG_RUN_DIR": str(run_dir), "PROBE_INPUTS": str(tmp_path / "inputs.json"), "YIWANG_LANG": "en"}
    environment |= servers.environment
    hosts = {name: endpoint.address for name, endpoint in servers.access.hosts.items()}
    yield Site(engine.Stack(project, "here", tmp_path / "state", "passphrase"), environment, tmp_path / "inputs.json", hosts)
    shutil.rmtree(run_dir)


def test_story_of_a_stack(site: Site, servers: Any, tmp_path: Path) -> None:
    servers.run("two", "systemctl stop probe 2>/dev/null || true")
    broken = {"two": {"probe_command": "/bin/false"}}
    failed = site.run("up", host_variables=broken)
    assert not failed.ok
    assert any("two (task" in diagnostic.message for diagnostic in failed.diagnostics)
    assert site.visited() == {"one", "two"}

    # The next run visits the host that failed, and that one alone.
    repaired = site.run("up")
    assert repaired.ok, repaired.diagnostics
    assert site.visited() == {"two"}
    assert repaired.outputs["greeting"] == "hello"

    again = site.run("up")
    assert (again.ok, again.changes, site.visited()) == (True, {}, set())

    servers.run("one", "echo edited > /etc/probe.greeting")
    assert site.run("refresh").ok
    assert site.visited() == {"one", "two"}
    assert servers.run("one", "cat /etc/probe.greeting") == "edited\n"
    mended = site.run("up")
    assert (mended.ok, mended.changes, site.visited()) == (True, {"update": 1}, {"one"})
    assert "greeting=hello" in servers.run("one", "cat /etc/probe.greeting")

    # Nothing in clear: not in the state, not in the events, not among the files of the run.
    password = servers.run("one", "cat /etc/probe.secret").strip()
    token = servers.run("one", "sed -n 's/^token=//p; /^[A-Za-z0-9+]/p' /etc/probe.greeting").splitlines()[1]
    assert len(password) == 24
    for directory in (tmp_path / "state", Path(site.environment["YIWANG_RUN_DIR"])):
        for path in directory.rglob("*"):
            if path.is_file():
                text = path.read_text(errors="replace")
                assert password not in text, path
                assert token not in text, path

    assert site.run("destroy").ok
    assert servers.run("one", "ls /etc/probe.* 2>/dev/null || true") == ""


def test_interrupted_first_run_is_finished(site: Site, servers: Any) -> None:
    """Cancelled while the role runs: the step is finished and saved."""
    control = engine.Control()
    site.inputs.write_text(json.dumps({"hosts": site.hosts, "host_variables": {}}))
    site.events.write_text("")

    def watch(event: Any) -> None:
        if type(event).__name__ == "StepStarted" and event.type.endswith("Role"):
            control.cancel()

    options = engine.Options(environment=site.environment, control=control)
    asyncio.run(engine.up(site.stack, options, watch))
    after = site.run("up")
    assert after.ok
    assert site.visited() == set()
    assert site.run("destroy").ok
