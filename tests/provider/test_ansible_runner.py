"""The execution of a run: what it makes of runs that end without a report, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yiwang import paths
from yiwang.files import private_tmpfs
from yiwang.provider import ansible_runner
from yiwang.provider.ansible_run import SECRETS, Work, build
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


class Waiting(Processes):
    """Starts nothing: the run does what the test says with its directory, and then never ends."""

    def __init__(self, meanwhile: Callable[[Path], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.began = asyncio.Event()

    async def run(self, argv: Any, *, env: Any, cwd: Path, log: Path) -> int:
        del argv, env, log
        await asyncio.to_thread(self.meanwhile, cwd)
        self.began.set()
        await asyncio.Event().wait()
        return 0


def cancelled(meanwhile: Callable[[Path], object], secrets: str) -> Path:
    """The directory of a run that was cancelled once ``meanwhile`` was done."""

    async def go(directory: Path) -> None:
        work = Work("web", "here", {}, {"web_secret": Secret("x")})
        made = build(work, directory / "1", ssh_config=directory / "none", facts=directory / "facts")
        processes = Waiting(meanwhile)
        task = asyncio.create_task(execute(dataclasses.replace(made, secrets=secrets), processes, lambda _: None))
        await processes.began.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    with tempfile.TemporaryDirectory(dir=private_tmpfs(), prefix="test-") as directory:
        asyncio.run(asyncio.wait_for(go(Path(directory)), 20))
        assert list(Path(directory).iterdir()) == []
        return Path(directory)


def test_a_run_cancelled_before_anybody_reads_its_secrets_blocks_nothing_and_leaves_no_file() -> None:
    seen: list[bool] = []
    before = threading.active_count()
    cancelled(lambda directory: seen.append((directory / SECRETS).is_fifo()), "hidden")
    assert seen == [True]
    assert threading.active_count() == before


def test_secrets_whose_fifo_has_vanished_are_written_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(ansible_runner._feed(tmp_path / SECRETS, b"hidden"))
    assert list(tmp_path.iterdir()) == []


def test_secrets_larger_than_any_pipe_reach_the_reader_whole_and_once() -> None:
    got: list[str] = []
    text = "0123456789abcdef" * 200_000

    def read(directory: Path) -> None:
        got.append((directory / SECRETS).read_text())
        assert not (directory / SECRETS).exists()

    cancelled(read, text)
    assert got == [text]


def test_a_reader_that_stops_in_the_middle_does_not_stop_the_run() -> None:
    def read(directory: Path) -> None:
        with (directory / SECRETS).open() as fifo:
            fifo.read(10)

    cancelled(read, "x" * 5_000_000)
