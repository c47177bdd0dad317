"""`yiwang code` with a reader that is slow or leaves, and with Ctrl-C: no line is lost, no document torn without a word."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from standard.runs import Run, halted, signalled, until_full, until_open
from standard.samples import CREDIT, ITEMS

from yiwang import cli
from yiwang.commands import _code_make
from yiwang.errors import ExitCode
from yiwang.standard import serials
from yiwang.standard.serials import SerialFile

KEY = f"{ITEMS[0]}20220623"
MAKE = ("make", "case", f"implementing={ITEMS[0]}", "date=2022-06-23", "--count", "10000")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SerialFile:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return SerialFile(tmp_path / "yiwang" / "serials.db")


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def start(request: pytest.FixtureRequest, store: SerialFile) -> Callable[..., Run]:
    """Starts a run of its own; nobody reads what it prints yet."""

    def run(*arguments: str) -> Run:
        command = [sys.executable, "-m", "yiwang", "code", *arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": request.param}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

    return run


def values(tmp_path: Path) -> str:
    path = tmp_path / "values"
    path.write_text("".join(f"{CREDIT[0]}\n" for _ in range(10_000)))
    return str(path)


def test_a_slow_reader_gets_all_that_is_made(start: Callable[..., Run]) -> None:
    run = start(*MAKE)
    until_full(run)
    halted(run)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == ExitCode.OK
    assert out.decode().split() == [f"{KEY}{serial:04d}" for serial in range(1, 10_001)]


def test_a_slow_reader_gets_all_that_is_checked(start: Callable[..., Run], tmp_path: Path) -> None:
    run = start("check", "uscc", "--file", values(tmp_path))
    until_full(run)
    halted(run)
    out, _ = run.communicate(timeout=60)
    assert out.decode() == f"{CREDIT[0]}  valid\n" * 10_000


def test_ctrl_c_at_a_full_pipe_loses_nothing_that_is_used_up(start: Callable[..., Run], store: SerialFile) -> None:
    run = start(*MAKE)
    until_full(run)
    signalled(run, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    made = out.decode().split()
    assert run.returncode == ExitCode.INTERRUPTED
    assert f"interrupted: {len(made)} of 10000 case numbers are made, the last one is {made[-1]}; all that are used up" in err.decode()
    assert made == [f"{KEY}{serial:04d}" for serial in range(1, store(KEY))]


def test_ctrl_c_waits_for_a_document(start: Callable[..., Run], tmp_path: Path) -> None:
    for arguments, number in ((MAKE, "codes"), (("check", "uscc", "--file", values(tmp_path)), "values")):
        run = start(*arguments, "--json")
        until_full(run)
        signalled(run, signal.SIGINT)
        out, err = run.communicate(timeout=60)
        assert (run.returncode, len(json.loads(out)[number])) == (ExitCode.OK, 10_000)
        assert b"interrupted" not in err


def test_a_second_ctrl_c_tears_a_document_and_says_so(start: Callable[..., Run], store: SerialFile, tmp_path: Path) -> None:
    for arguments, said in (
        (MAKE, f"all 10000 numbers from {KEY}0001 to {KEY}10000 are used up, and are not given again"),
        (("check", "uscc", "--file", values(tmp_path)), "interrupted at once: the document on stdout is not whole"),
    ):
        run = start(*arguments, "--json")
        until_full(run)
        for _ in range(2):
            signalled(run, signal.SIGINT)
        out, err = run.communicate(timeout=60)
        assert run.returncode == ExitCode.INTERRUPTED
        assert said in err.decode().splitlines()[-1]
        assert b'"ok": false' not in out
    assert store(KEY) == 10_001


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_ctrl_c_ends_the_wait_for_others_at_once(more: tuple[str, ...], store: SerialFile, start: Callable[..., Run]) -> None:
    assert store(KEY) == 1
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        run = start(*MAKE, *more)
        until_open(run, store.path)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=10)
    assert run.returncode == ExitCode.INTERRUPTED
    assert err.decode() == "error: interrupted: none of the 10000 numbers is used up\n"
    if more:
        assert json.loads(out)["ok"] is False
    else:
        assert out == b""
    assert store(KEY) == 2


def test_others_that_do_not_end_are_exit_5(store: SerialFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(serials, "_PATIENCE", 0.2)
    assert store(KEY) == 1
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        assert cli.run(["code", *MAKE]) == ExitCode.LOCKED
    assert capsys.readouterr().err.endswith("; try again\n")


def test_a_file_that_is_no_count_is_exit_4(store: SerialFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert store(KEY) == 1
    for last in ("many", -5):
        with contextlib.closing(sqlite3.connect(store.path)) as database, database:
            database.execute("UPDATE serial SET last = ?", (last,))
        assert cli.run(["code", *MAKE]) == ExitCode.MACHINE
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_no_more_is_made_for_a_reader_that_left(start: Callable[..., Run], store: SerialFile) -> None:
    run = start(*MAKE)
    assert run.stdout is not None
    assert run.stderr is not None
    assert run.stdout.readline() == f"{KEY}0001\n".encode()
    run.stdout.close()
    with run:
        said = run.stderr.read().decode().splitlines()[-1]
    assert run.returncode == ExitCode.FAILED
    made = store(KEY) - 1
    assert made <= 3 * _code_make.BATCH
    assert said.startswith(
        f"error: the reader went away: {made} of 10000 case numbers are used up, the last one is {KEY}{made:04d}; the last 1000 were"
    )


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_nobody_reads_is_told_as_used_up(more: tuple[str, ...], store: SerialFile) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "yiwang", "code", *MAKE[:-2], *more]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.returncode == ExitCode.FAILED
    assert f"1 of 1 case numbers are used up, the last one is {KEY}0001" in done.stderr
    assert store(KEY) == 2


def test_a_pipe_that_does_not_wait_gets_all(store: SerialFile) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-m", "yiwang", "code", *MAKE]
    with subprocess.Popen(command, stdout=writer, stderr=subprocess.DEVNULL) as run:
        os.close(writer)
        until_full(run, reader)
        with os.fdopen(reader, "rb") as read:
            assert len(read.read().split()) == 10_000
    assert run.returncode == ExitCode.OK
