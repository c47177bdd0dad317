"""The boundary of the command line: every error has an exit code, one line for a person, and with --json a document."""

from __future__ import annotations

import errno
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from yiwang import cli
from yiwang.errors import ExitCode, UserError, machine_error
from yiwang.files import write_atomic
from yiwang.output import Console


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes the command line one that ends with an exception."""

    def ends(error: BaseException) -> None:
        app = typer.Typer(rich_markup_mode=None)

        @app.command()
        def only(json_output: bool = typer.Option(False, "--json")) -> None:
            assert json_output in (True, False)
            raise error

        monkeypatch.setattr(cli, "app", app)

    return ends


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("no key", code=ExitCode.INPUT, fix="make one"), ExitCode.INPUT, "no key; make one"),
        (typer.Abort(), ExitCode.INTERRUPTED, "interrupted"),
        (OSError(errno.ENOSPC, "x", "/var/state"), ExitCode.MACHINE, "cannot use /var/state: No space left on device; free some space"),
        (PermissionError(errno.EACCES, "x", "/var/state"), ExitCode.MACHINE, "cannot use /var/state: Permission denied; make it writable"),
        (KeyError("surprise"), ExitCode.BUG, "internal error: KeyError: 'surprise'; details in "),
        (OSError(errno.ENOTDIR, "x", "/var/state"), ExitCode.BUG, "internal error: NotADirectoryError"),
    ],
)
def test_every_error_is_one_line_a_code_and_a_document(
    error: BaseException, code: ExitCode, text: str, verb: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(error)
    assert cli.run([]) == code
    plain = capsys.readouterr()
    assert plain.out == ""
    assert text in plain.err
    assert len(plain.err.splitlines()) == 1
    assert cli.run(["--json"]) == code
    both = capsys.readouterr()
    found = json.loads(both.out)
    assert (found["ok"], found["code"]) == (False, code)
    assert found["error"] in both.err


def test_a_wrong_option_with_json_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["version", "--jsn", "--json"]) == ExitCode.INPUT
    assert json.loads(capsys.readouterr().out)["code"] == ExitCode.INPUT


def test_a_bug_keeps_its_traceback_where_it_can(
    verb: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verb(KeyError("surprise"))
    assert cli.run([]) == ExitCode.BUG
    (log,) = (tmp_path / "cache" / "yiwang" / "bugs").glob("*.log")
    assert "Traceback" in log.read_text()
    # Nobody, root included, makes files there: as on a cache that cannot be written.
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cli.run([]) == ExitCode.BUG
    (log,) = tmp_path.glob("yiwang-bug-*/*.log")
    assert "Traceback" in log.read_text()
    capsys.readouterr()
    monkeypatch.setattr(tempfile, "tempdir", "/proc/self")
    assert cli.run([]) == ExitCode.BUG
    said = capsys.readouterr().err
    assert "no log could be written" in said
    assert "Traceback" in said


def test_only_errors_of_the_machine_are_the_machines() -> None:
    assert machine_error(FileNotFoundError(errno.ENOENT, "x", "y")) is None
    found = machine_error(OSError(errno.ENOSPC, "x"))
    assert found is not None
    assert found.code is ExitCode.MACHINE


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError) as refusal:  # noqa: PT011 - which one is not the point
        write_atomic(tmp_path / "state", "x")
    assert refusal.value.filename == str(tmp_path / "state")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_full_disk_below_the_result_exits_4() -> None:
    command = [sys.executable, "-m", "yiwang", "version"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == ExitCode.MACHINE
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "helpful"),
    [
        (["code", "check", "uscc", "--file"], "yiwang code check --help"),
        (["code", "check", "--json=1"], "yiwang code check --help"),
        (["code", "check", "--no-such"], "yiwang code check --help"),
        (["version", "--json=1"], "yiwang version --help"),
        (["code", "no-such"], "yiwang code --help"),
        (["--help=1"], "yiwang --help"),
    ],
)
def test_what_is_wrong_with_a_verb_sends_to_the_help_of_that_verb(
    arguments: list[str], helpful: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == ExitCode.INPUT
    assert f"see `{helpful}`" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["version"], ["version", "--json"], ["--help"], ["up", "--help"]])
def test_a_result_that_nobody_reads_is_no_error(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "yiwang", *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")


def test_the_console_goes_on_when_its_reader_went_away() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        console = Console(out=io.StringIO(), err=gone)
        for say in (console.info, console.progress, console.warn, console.error):
            say("anything")


VERBS = [
    *([verb] for verb in ("new", "preflight", "plan", "up", "upgrade", "down", "status", "outputs", "rotate")),
    *([verb] for verb in ("restore", "drill", "pulumi", "doctor", "version")),
    *(["backup", *verb] for verb in ([], ["list"])),
    *(["state", verb] for verb in ("list", "unlock", "backup", "restore")),
    *(["lab", verb] for verb in ("up", "down", "status", "ssh")),
    *(["inventory", verb] for verb in ("check", "show")),
    *(["host", verb] for verb in ("key", "trust")),
    *(["code", verb] for verb in ("check", "explain", "make")),
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_has_an_example_and_the_exit_codes(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*words, "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert f"Example: yiwang {' '.join(words)}" in text
    codes = " ".join(text.partition("Exit codes: ")[2].split())
    assert codes.endswith("70 an error of ours; 130 stopped by Ctrl-C")


@pytest.mark.parametrize("group", ["state", "lab", "inventory", "host", "code"])
def test_a_group_without_a_verb_is_its_help_and_exit_3(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([group]) == ExitCode.INPUT
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0]) == ("", f"Usage: yiwang {group} [OPTIONS] COMMAND [ARGS]...")
    assert "error:" not in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["code", "check", "uscc", "--zzz"], "没有选项 --zzz"),
        (["code", "check", "uscc", "--fil", "x"], "没有选项 --fil（可用的相近选项：--file, --profile）"),
        (["code", "check"], "缺少参数 KIND"),
        (["code", "check", "uscc", "--file"], "选项 --file 需要一个值"),
        (["code", "check", "uscc", "--json=1"], "选项 --json 不带值"),
        (["code", "make", "case", "--count", "x"], "--count 的值无效：应为整数"),
        (["code", "make", "case", "--count", "0"], "--count 的值无效：不应小于 1"),
        (["code", "make", "case", "--count", "10001"], "--count 的值无效：不应大于 10000"),
        (["code", "explain", "uscc", "1", "2"], "多余的参数：2"),
        (["code", "nope"], "没有命令 nope"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_said_in_chinese_too(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    assert cli.run(arguments) == ExitCode.INPUT
    err = capsys.readouterr().err
    assert err.startswith(f"错误: {said}；用 `yiwang")
    assert len(err.splitlines()) == 1


def test_an_error_without_a_fix_has_none_in_its_document(verb: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]) -> None:
    verb(UserError("no key"))
    cli.run(["--json"])
    assert "fix" not in json.loads(capsys.readouterr().out)
    verb(UserError("no key", fix="make one"))
    cli.run(["--json"])
    assert json.loads(capsys.readouterr().out)["fix"] == "make one"


def test_options_before_the_verb_are_told_where_they_belong(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["-i", "inventories/lab", "plan"]) == ExitCode.INPUT
    assert "options follow the verb" in capsys.readouterr().err
    assert cli.run(["plan", "-x"]) == ExitCode.INPUT
    assert "options follow the verb" not in capsys.readouterr().err


@pytest.mark.parametrize("group", ["state", "lab", "inventory", "host", "code"])
def test_help_of_a_group_has_an_example(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([group, "--help"]) == ExitCode.OK
    assert f"Example: yiwang {group} " in capsys.readouterr().out


def test_the_help_of_no_verb_is_left_out() -> None:
    groups = {"state", "lab", "inventory", "host", "code", "backup"}
    assert {words[0] for words in VERBS} == set(cli.VERBS)
    assert {words[0] for words in VERBS if len(words) > 1} == groups


def test_ctrl_c_before_a_verb_begins_is_told_like_any(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert cli.run(["version", "--json"]) == ExitCode.INTERRUPTED
    captured = capsys.readouterr()
    assert json.loads(captured.out)["code"] == ExitCode.INTERRUPTED
    assert captured.err.strip() == "error: interrupted"


def test_ctrl_c_while_the_first_modules_load_leaves_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    done = subprocess.run(
        [sys.executable, "-m", "yiwang", "version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", "interrupted / 已中断\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), ExitCode.INTERRUPTED), (UserError("late"), ExitCode.FAILED), (KeyError("late"), ExitCode.BUG)],
)
def test_no_document_follows_another(
    error: BaseException, code: ExitCode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    def only(json_output: bool = typer.Option(False, "--json")) -> None:
        Console(json_output=json_output).result({"ok": True})
        raise error

    monkeypatch.setattr(cli, "app", app)
    assert cli.run(["--json"]) == code
    said = capsys.readouterr()
    assert json.loads(said.out) == {"ok": True}
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_encoding_that_lacks_characters_stops_nothing(encoding: str, language: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "YIWANG_LANG": language, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "yiwang", "inventory", "show", "-i", str(Path(__file__).parents[1] / "inventories" / "lab")]
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=False)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout.decode(encoding))["title"]["zh"] == "山东省"
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == ExitCode.OK


def test_a_directory_that_is_no_more_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m yiwang plan -i ./x"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.MACHINE
    assert done.stderr.strip() == "error: the current directory is no more; change to one that exists"


def test_a_closed_stderr_costs_no_result(tmp_path: Path) -> None:
    command = f"{sys.executable} -m yiwang code make case implementing=11370500004311394A3370310004812 --serials {tmp_path}/serials.db"
    done = subprocess.run(["sh", "-c", f"exec {command} 2>&-"], capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.OK
    assert done.stdout.startswith("11370500004311394A3370310004812")
