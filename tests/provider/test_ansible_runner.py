"""The execution of a run: what it makes of runs that end without a report, and what it leaves behind."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from yiwang import paths
from yiwang.files import private_tmpfs
from yiwang.provider.ansible_run import Work, build
from yiwang.provider.ansible_runner import Outcome, execute
from yiwang.provider.processes import Processes
from yiwang.provider.values import Secret


def run(role: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Execute a role that never gets to a host."""
    (tmp_path / "roles" / role / "tasks").mkdir(parents=True)
    (tmp_path / "roles" / role / "tasks" / "main.yml").write_text(text)
    monkeypatch.setattr(paths, "data", lambda tree: tmp_path / tree)
    (tmp_path / "ssh_config").write_text("Host *\n  ProxyCommand false\n")

    async def go(directory: Path) -> Outcome:
        processes = Processes()
        work = Work(role, "here", {"one": {"address": "192.0.2.1", "port": 22, "variables": {}}}, {"web_secret": Secret("hidden-value")})
        made = build(work, directory / "1", ssh_config=tmp_path / "ssh_config", facts=directory / "facts")
        try:
            return await execute(made, processes, lambda _: None)
        finally:
            await processes.close()

    with tempfile.TemporaryDirectory(dir=private_tmpfs(), prefix="test-") as directory:
        outcome = asyncio.run(go(Path(directory)), debug=False)
        assert not (Path(directory) / "1").exists()
    return outcome


def test_a_role_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run("web", "- name: [", tmp_path, monkeypatch)
    assert "main.yml" in outcome.broken


def test_a_host_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run("web", "- name: Nothing\n  ansible.builtin.command: 'true'\n", tmp_path, monkeypatch)
    assert outcome.broken == ""
    host = outcome.hosts["one"]
    assert (host.failed, host.unreachable) == (True, True)
    assert host.message
