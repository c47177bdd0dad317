"""`yiwang code make` for many numbers at once: none twice, none used up without a word."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from standard.runs import signalled, until_full, until_open
from standard.samples import ITEMS

from yiwang import cli
from yiwang.commands import _code_make
from yiwang.errors import ExitCode
from yiwang.standard.case import LAST_SERIAL
from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.serials import SerialFile

KEY = f"{ITEMS[0]}20220623"
MAKE = ("code", "make", "case", f"implementing={ITEMS[0]}", "date=2022-06-23")


def numbers(first: int, last: int) -> list[str]:
    return [f"{KEY}{serial:04d}" for serial in range(first, last + 1)]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SerialFile:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return SerialFile(tmp_path / "yiwang" / "serials.db")


def process(tmp_path: Path, count: int, *more: str) -> subprocess.Popen[str]:
    """A run of its own, which prints nothing more once a few lines wait to be read."""
    command = [sys.executable, "-m", "yiwang", *MAKE, "--count", str(count), *more]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "YIWANG_LANG": "en"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_many_numbers_are_quick_and_each_is_printed_once(store: SerialFile, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert cli.run([*MAKE, "--count", "10000"]) == ExitCode.OK
    assert time.monotonic() - started < 10
    assert capsys.readouterr().out.split() == numbers(1, 10_000)
    assert store(KEY) == 10_001


def test_numbers_are_printed_as_they_are_made_and_progress_is_told(
    store: SerialFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_code_make, "BATCH", 2)
    monkeypatch.setattr(_code_make, "SILENCE", -1.0)
    assert cli.run([*MAKE, "--count", "5"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.split() == numbers(1, 5)
    assert [line.partition("] ")[2] for line in said.err.splitlines()[1:]] == ["2 of 5 are made", "4 of 5 are made"]


@pytest.mark.parametrize("left", [0, 1, 3])
def test_numbers_that_run_out_are_told_with_what_helps_and_none_is_used_up(
    left: int, store: SerialFile, capsys: pytest.CaptureFixture[str]
) -> None:
    store.take(KEY, LAST_SERIAL - left)
    for more in ((), ("--json",)):
        assert cli.run([*MAKE, "--count", str(left + 1), *more]) == ExitCode.INPUT
        said = capsys.readouterr()
        text = f"error: serials end at {LAST_SERIAL}, and {left} are left; give a smaller --count, or another date (date=…)\n"
        assert said.err == text
        assert KEY not in said.out
    if left:
        assert cli.run([*MAKE, "--count", str(left)]) == ExitCode.OK
        assert capsys.readouterr().out.split() == numbers(LAST_SERIAL - left + 1, LAST_SERIAL)


def stopped(run: subprocess.Popen[str]) -> tuple[list[str], str]:
    out, err = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
    return out.split(), err.splitlines()[-1]


def first_line(run: subprocess.Popen[str]) -> None:
    """Wait until the run prints: from then on it is in the midst of it, as what it prints is more than a pipe holds."""
    assert run.stderr is not None
    assert "serials are counted in" in run.stderr.readline()


def test_ctrl_c_stops_after_what_is_used_up_is_printed(store: SerialFile, tmp_path: Path) -> None:
    run = process(tmp_path, 10_000)
    first_line(run)
    run.send_signal(signal.SIGINT)
    out, said = stopped(run)
    assert out == numbers(1, len(out))
    assert 0 < len(out) < 10_000
    assert said == (
        f"error: interrupted: {len(out)} of 10000 case numbers are made, the last one is {out[-1]}; all that are used up are printed"
    )
    assert store(KEY) == len(out) + 1


def test_ctrl_c_twice_stops_at_once_and_says_what_may_be_lost(store: SerialFile, tmp_path: Path) -> None:
    run = process(tmp_path, 10_000)
    first_line(run)
    # Nobody reads: the pipe is full and the run waits.
    until_full(run)
    for _ in range(2):
        signalled(run, signal.SIGINT)
    out, said = stopped(run)
    assert "error: interrupted at once: " in said
    assert f"up to {_code_make.BATCH} numbers behind them may be used up" in said
    assert out[:-1] == numbers(1, len(out) - 1)
    assert store(KEY) > len(out) - 1


def test_ctrl_c_with_a_document_gives_all_of_it_or_uses_up_none(store: SerialFile, tmp_path: Path) -> None:
    assert store(KEY) == 1
    busy = sqlite3.connect(store.path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    run = process(tmp_path, 100, "--json")
    until_open(run, store.path)
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=60)
    busy.execute("COMMIT")
    busy.close()
    assert (run.returncode, json.loads(out)["ok"]) == (ExitCode.INTERRUPTED, False)
    assert store(KEY) == 2


def test_a_run_that_is_killed_gives_no_number_twice(store: SerialFile, tmp_path: Path) -> None:
    run = process(tmp_path, 10_000)
    first_line(run)
    run.kill()
    out, _ = run.communicate(timeout=60)
    printed = [line for line in out.split("\n")[:-1] if line]
    assert printed == numbers(1, len(printed))
    # A kill loses no more than the numbers of one step.
    assert len(printed) < store(KEY) <= len(printed) + 2 * _code_make.BATCH + 1


def test_serials_are_taken_all_or_none(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "serials.db", last=10)
    assert list(serials.take("a", 4)) == [1, 2, 3, 4]
    for count in (7, 100):
        with pytest.raises(CodeError) as refused:
            serials.take("a", count)
        assert (refused.value.finding.problem, refused.value.finding.values["found"]) == (Problem.SERIALS_EXHAUSTED, 6)
    assert list(serials.take("a", 6)) == [5, 6, 7, 8, 9, 10]
    with pytest.raises(CodeError, match="serials end at 10, and 0 are left"):
        serials("a")
    assert serials("b") == 1


def test_serials_of_case_numbers_end_where_the_layout_does(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "serials.db")
    serials.take("a", LAST_SERIAL)
    for _ in range(2):
        with pytest.raises(CodeError, match=f"serials end at {LAST_SERIAL}, and 0 are left"):
            serials("a")


def test_a_file_that_cannot_be_used_is_named_whole(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "serials.db"
    path.mkdir(parents=True)
    with pytest.raises(CodeError) as refused:
        SerialFile(path)("a")
    assert str(path) in refused.value.text("en")


def test_serials_that_are_taken_ahead_are_given_one_by_one(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "serials.db")
    ahead = serials.ahead(3)
    assert [ahead("a"), ahead("a"), serials("a"), ahead("a"), ahead("a"), ahead("b")] == [1, 2, 4, 3, 5, 1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "idcard", "--live", "1"), "--live means nothing for idcard; leave it out; it is for uscc, licence"),
        (("explain", "case", "--live", "1"), "--live means nothing for case"),
        (("check", "uscc", "--profile", "zwfw-2018", "1"), "--profile means nothing for uscc; leave it out; it is for item"),
        (
            ("check", "resource", "--divisions", "nowhere", "1"),
            "--divisions means nothing for resource; leave it out; it is for uscc, idcard, division, item, case, licence",
        ),
        (("check", "item", "--profile", "108-2016", "--divisions", "nowhere", "1"), "--divisions means nothing for --profile 108-2016"),
        (("make", "resource", "--divisions", "nowhere"), "--divisions means nothing for resource"),
        (("check", "uscc", "--file", ""), "--file is empty; name a file, or leave --file out"),
        (("check", "division", "--divisions", "", "1"), "--divisions is empty"),
        (("make", "case", "--serials", ""), "--serials is empty"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(
    arguments: tuple[str, ...], said: str, store: SerialFile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["code", *arguments]) == ExitCode.INPUT
    err = capsys.readouterr().err
    assert err.startswith(f"error: {said}")
    assert len(err.splitlines()) == 1
    assert not store.path.exists()


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path, store: SerialFile, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"9135\xff100M000100Y43\n9135\\100M000100Y43\n")
    cli.run(["code", "check", "uscc", "--file", str(path)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(r"9135\xff100M000100Y43  invalid: character 5: division of the authority: expected 0-9, found '\xff'")
    assert second.startswith("9135\\100M000100Y43  invalid: character 5: division of the authority: expected 0-9, found '\\'")
    cli.run(["code", "check", "uscc", "--file", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["values"][0]["value"] == r"9135\xff100M000100Y43"


def test_one_character_is_one_character(store: SerialFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["code", "make", "item", "basic=370117002011", "body=11370800MB28559184", "level=33"]) == ExitCode.INPUT
    assert "level of exercise: expected 1 character, found 2" in capsys.readouterr().err
    cli.run(["code", "check", "licence", "1.2.156.3005.2.11100000000013338W011.11430000006122244L..001.U"])
    assert "serial: expected at least 1 character, found 0" in capsys.readouterr().out


def test_a_line_without_end_is_refused(store: SerialFile, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["code", "check", "uscc", "--file", "/dev/zero"]) == ExitCode.INPUT
    assert "a line of /dev/zero is longer than 64 MiB; name a file with one value a line" in capsys.readouterr().err
