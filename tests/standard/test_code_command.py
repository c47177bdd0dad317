"""`yiwang code check`, `explain`, `make` as people and programs use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standard.samples import CREDIT, ITEM_OF_A_DOUBTFUL_BODY, ITEMS, LICENCE_OF_THE_FAULTY_ROUTINE, LICENCES

from yiwang import cli
from yiwang.errors import ExitCode
from yiwang.standard.kinds import KINDS

WRONG = "91350100M000100Y44"

Said = tuple[int, str, str]


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Said]:
    """The verb in English, with its records in the test's own directory."""
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments: str) -> Said:
        exit_code = cli.run(["code", *arguments])
        said = capsys.readouterr()
        return exit_code, said.out, said.err

    return run


def process(*arguments: str, given: bytes | None = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "yiwang", "code", *arguments],
        input=given,
        capture_output=True,
        env={**os.environ, "YIWANG_LANG": "en", **environment},
        check=False,
    )


def test_valid_values(code: Callable[..., Said]) -> None:
    assert code("check", "uscc", CREDIT[0]) == (ExitCode.OK, f"{CREDIT[0]}  valid\n", "")


def test_one_invalid_value_is_exit_1_with_its_reason(code: Callable[..., Said]) -> None:
    exit_code, out, err = code("check", "uscc", CREDIT[0], WRONG)
    assert exit_code == ExitCode.FAILED
    assert out.splitlines() == [
        f"{CREDIT[0]}  valid",
        f"{WRONG}  invalid: character 18: check character of the social credit code: expected 3, found 4 (GB 32100-2015)",
    ]
    assert err == "2 values, 1 invalid\n"


def test_a_warning_is_no_failure(code: Callable[..., Said]) -> None:
    exit_code, out, _ = code("check", "item", ITEM_OF_A_DOUBTFUL_BODY)
    assert exit_code == ExitCode.OK
    assert out.startswith(f"{ITEM_OF_A_DOUBTFUL_BODY}  valid, warning: character 17: ")


def test_data_in_use_is_let_in_with_a_warning(code: Callable[..., Said]) -> None:
    assert code("check", "uscc", "11370500004311394A")[0] == ExitCode.FAILED
    assert code("check", "uscc", "--live", "11370500004311394A")[0] == ExitCode.OK
    assert code("check", "licence", "--live", LICENCE_OF_THE_FAULTY_ROUTINE)[0] == ExitCode.OK


def test_older_item_codes_need_their_profile(code: Callable[..., Said]) -> None:
    assert code("check", "item", "XK00101000")[0] == ExitCode.FAILED
    assert code("check", "item", "--profile", "108-2016", "XK00101000")[0] == ExitCode.OK
    exit_code, _, err = code("check", "item", "--profile", "2016", "XK00101000")
    assert (exit_code, err) == (ExitCode.INPUT, "error: there is no profile 2016; known: zwfw-2018, 108-2016\n")


def test_the_result_for_programs(code: Callable[..., Said]) -> None:
    exit_code, out, _ = code("check", "uscc", CREDIT[0], WRONG, "--json")
    assert exit_code == ExitCode.FAILED
    assert json.loads(out) == {
        "kind": "uscc",
        "ok": False,
        "total": 2,
        "invalid": 1,
        "values": [
            {"value": CREDIT[0], "valid": True, "findings": []},
            {
                "value": WRONG,
                "valid": False,
                "findings": [
                    {
                        "rule": "check",
                        "severity": "error",
                        "position": 18,
                        "text": "character 18: check character of the social credit code: expected 3, found 4 (GB 32100-2015)",
                        "document": "GB 32100-2015",
                        "clause": None,
                        "confidence": "high",
                    }
                ],
            },
        ],
    }


def test_quiet_leaves_the_result(code: Callable[..., Said]) -> None:
    exit_code, out, err = code("check", "uscc", CREDIT[0], CREDIT[1], "--quiet")
    assert (exit_code, len(out.splitlines()), err) == (ExitCode.OK, 2, "")


def test_chinese(code: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    assert code("check", "uscc", WRONG)[1] == f"{WRONG}  无效：第 18 位：统一社会信用代码的校验码应为 3，实为 4（GB 32100-2015）\n"
    assert "部分" in code("explain", "uscc", CREDIT[0])[1]


def test_a_file_with_one_value_a_line(code: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / "codes"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([CREDIT[0], "", CREDIT[1], WRONG]).encode())
    exit_code, out, err = code("check", "uscc", "--file", str(path))
    assert exit_code == ExitCode.FAILED
    assert [line.split("  ")[0] for line in out.splitlines()] == [CREDIT[0], CREDIT[1], WRONG]
    assert err == "3 values, 1 invalid\n"


@pytest.mark.parametrize("arguments", [("--file", "-"), ()])
def test_standard_input_with_one_value_a_line(arguments: tuple[str, ...]) -> None:
    done = process("check", "uscc", *arguments, given=f"{CREDIT[0]}\n{CREDIT[1]}\n".encode())
    assert (done.returncode, len(done.stdout.splitlines())) == (ExitCode.OK, 2)


def test_what_cannot_be_read_is_one_line_and_exit_3(code: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "lines").write_bytes(b"\n\r\n\n")
    for name in ("missing", "empty", "lines", ".", "missing/below", "a\0b"):
        exit_code, out, err = code("check", "uscc", "--file", str(tmp_path / name))
        assert (exit_code, out, len(err.splitlines())) == (ExitCode.INPUT, "", 1), name
    exit_code, _, err = code("check", "uscc", CREDIT[0], "--file", str(tmp_path / "empty"))
    assert (exit_code, len(err.splitlines())) == (ExitCode.INPUT, 1)


def test_nothing_to_check_is_exit_3() -> None:
    done = process("check", "uscc")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (ExitCode.INPUT, b"", 1)
    closed = subprocess.run(["sh", "-c", f"'{sys.executable}' -m yiwang code check uscc <&-"], capture_output=True, check=False)
    assert (closed.returncode, len(closed.stderr.splitlines())) == (ExitCode.INPUT, 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0",
        b"\xff\xfe\x00\x01\n\x80\n",
        "９1350100M000100Y43\n".encode(),
        b"9" * 200_000,
        b"9" * 65536 + b"\n" + b"9" * 65535 + b"\n",
        "\u202e\u2028\n".encode(),
        b"{}%s\x1b[31m\n",
    ],
)
@pytest.mark.parametrize("kind", ["uscc", "licence"])
def test_strange_lines_are_invalid_values(kind: str, raw: bytes, code: Callable[..., Said], tmp_path: Path) -> None:
    path = tmp_path / "strange"
    path.write_bytes(raw)
    exit_code, out, _ = code("check", kind, "--file", str(path))
    assert exit_code == ExitCode.FAILED
    assert len(out.splitlines()) == len(raw.rstrip(b"\n").split(b"\n"))
    assert all(line.isprintable() and len(line) < 500 for line in out.splitlines())
    json.loads(code("check", kind, "--file", str(path), "--json")[1])


@pytest.mark.parametrize("arguments", [("check", "uscc"), ("explain", "uscc")])
def test_an_argument_that_is_no_utf_8_is_an_invalid_value(arguments: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "yiwang", "code", *arguments]
    for more in ([], ["--json"]):
        done = subprocess.run([*map(os.fsencode, command), b"\xff\xfe", *map(os.fsencode, more)], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (ExitCode.FAILED, b"")
        assert rb"\xff" in done.stdout


def test_an_empty_value_is_invalid(code: Callable[..., Said]) -> None:
    exit_code, out, _ = code("check", "uscc", "")
    assert (exit_code, out) == (ExitCode.FAILED, "(empty)  invalid: the value is empty (GB 32100-2015)\n")


def test_a_kind_that_there_is_not(code: Callable[..., Said]) -> None:
    for verb in ("check", "explain", "make"):
        assert code(verb, "license", "1") == (ExitCode.INPUT, "", "error: there is no kind of code license; did you mean licence?\n")
    exit_code, _, err = code("check", "?", "1")
    assert exit_code == ExitCode.INPUT
    assert err == f"error: there is no kind of code ?; known: {', '.join(KINDS)}\n"


def test_explain_shows_the_parts(code: Callable[..., Said]) -> None:
    exit_code, out, err = code("explain", "item", ITEMS[1])
    assert (exit_code, err) == (ExitCode.OK, "")
    assert [line.split("  ")[0] for line in out.splitlines()][:3] == ["part", "implementing body", "level of exercise"]
    assert "administrative licence" in out
    found = json.loads(code("explain", "item", ITEMS[1], "--json")[1])
    assert found["parts"][1] == {"key": "level", "name": "level of exercise", "text": "3", "position": 19, "meaning": "city"}


def test_explain_of_a_doubtful_and_of_a_wrong_value(code: Callable[..., Said]) -> None:
    exit_code, out, err = code("explain", "item", ITEM_OF_A_DOUBTFUL_BODY)
    assert (exit_code, len(err.splitlines())) == (ExitCode.OK, 2)
    assert "administrative coercion" in out
    exit_code, out, err = code("explain", "uscc", WRONG)
    assert (exit_code, err) == (ExitCode.FAILED, "")
    assert out.startswith(f"{WRONG}  invalid: character 18")
    found = json.loads(code("explain", "uscc", WRONG, "--json")[1])
    assert (found["valid"], "parts" in found) == (False, False)


def test_a_provinces_own_divisions(code: Callable[..., Said], tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("code,name,level,parent\n370171,济南高新区,county,370100\n", encoding="utf-8")
    assert "warning" in code("check", "division", "370171")[1]
    assert code("check", "division", "370171", "--divisions", str(own))[1] == "370171  valid\n"
    assert "济南高新区" in code("explain", "division", "370171", "--divisions", str(own))[1]
    own.write_text("code,name,level,parent\n37017,x,county,370100\n")
    exit_code, _, err = code("check", "division", "370171", "--divisions", str(own))
    assert (exit_code, len(err.splitlines())) == (ExitCode.INPUT, 1)
    assert f"{own}: line 2, code: expected six digits, neither the first nor the last two 00, found '37017'; correct the file" in err
    for strange in ("/dev/zero", str(tmp_path)):
        exit_code, _, err = code("check", "division", "370171", "--divisions", strange)
        assert (exit_code, len(err.splitlines())) == (ExitCode.INPUT, 1)
        assert f"{strange}: this is not a plain file" in err
    assert code("check", "division", "370171", "--divisions", str(tmp_path / "no"))[0] == ExitCode.INPUT


@pytest.mark.parametrize(
    ("kind", "parts", "expected"),
    [
        ("licence", ("type=11100000000013338W011", "issuer=11430000006122244L", "serial=20230000403"), LICENCES[0]),
        ("licence", ("type=11100000000013338W009", "issuer=11330105002500287C", "serial=2025052201", "version=002"), LICENCES[1]),
        ("item", ("basic=370117002011",), "370117002011"),
        ("item", ("basic=000117112000", "body=11370800MB28559184", "level=3", "handling=01"), ITEMS[2]),
        ("resource", ("classification=307001", "serial=000001"), "307001/000001"),
    ],
)
def test_make_and_check_agree(code: Callable[..., Said], kind: str, parts: tuple[str, ...], expected: str) -> None:
    assert code("make", kind, *parts) == (ExitCode.OK, f"{expected}\n", "")
    assert code("check", kind, expected)[0] == ExitCode.OK
    assert json.loads(code("make", kind, *parts, "--json")[1]) == {"kind": kind, "codes": [expected], "warnings": []}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("uscc", "division=350100"), "no unified social credit code is issued here; these can be made: item, case, licence, resource"),
        (("licence",), "type is missing"),
        (("licence", "type="), "type is missing"),
        (("licence", "kind=1"), "there is no part kind; known: type, issuer, serial, version"),
        (("licence", "x"), "x is not part=text; write it like serial="),
        (("licence", "=x"), "=x is not part=text"),
        (("licence", "serial=1", "serial=2"), "serial=2: this part is there already"),
        (("licence", "type=1", "issuer=2", "serial=3"), "licence type: expected 21 characters, found 1"),
        (("licence", "type=1", "issuer=2", "serial=3", "--count", "2"), "--count and --serials are for case numbers"),
        (("item", "basic=370117002011", "level=3"), "implementing body is missing"),
        (("resource", "classification=3", "serial=1"), "expected at least 6 characters, found 1"),
        (("resource", "classification=307001", "serial=x"), "serial: expected 0-9, found 'x'"),
        (("case", "implementing=370117002011"), "implementing code: expected 31 characters, found 12"),
        (("case", f"implementing={ITEMS[0]}", "date=2022-02-30"), "date: expected YYYY-MM-DD or YYYYMMDD, found 2022-02-30"),
        (("case", f"implementing={ITEMS[0]}", "date=2022-W25-4"), "date: expected YYYY-MM-DD or YYYYMMDD, found 2022-W25-4"),
        (("case", f"implementing={ITEMS[0]}", "--count", "0"), "Invalid value for '--count'"),
    ],
)
def test_wrong_parts_are_one_line_and_exit_3(code: Callable[..., Said], arguments: tuple[str, ...], said: str) -> None:
    exit_code, out, err = code("make", *arguments)
    assert (exit_code, out, len(err.splitlines())) == (ExitCode.INPUT, "", 1)
    assert said in err


def test_case_numbers_go_on_where_they_stopped(code: Callable[..., Said], tmp_path: Path) -> None:
    make = ("make", "case", f"implementing={ITEMS[0]}", "date=2022-06-23")
    exit_code, out, err = code(*make)
    assert (exit_code, out) == (ExitCode.OK, f"{ITEMS[0]}202206230001\n")
    assert str(tmp_path / "state" / "yiwang" / "serials.db") in err
    assert code(*make, "--count", "2", "--quiet") == (ExitCode.OK, f"{ITEMS[0]}202206230002\n{ITEMS[0]}202206230003\n", "")
    assert code(*make, "--serials", str(tmp_path / "other.db"))[1] == f"{ITEMS[0]}202206230001\n"
    assert code(*make[:-1], "date=20220623", "--quiet")[1] == f"{ITEMS[0]}202206230004\n"


def test_serials_that_cannot_be_counted_are_exit_4(code: Callable[..., Said], tmp_path: Path) -> None:
    exit_code, out, err = code("make", "case", f"implementing={ITEMS[0]}", "--serials", str(tmp_path))
    assert (exit_code, out, len(err.splitlines())) == (ExitCode.MACHINE, "", 1)
    assert "cannot be used" in err


def test_runs_at_once_make_no_number_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yiwang", "code", "make", "case", f"implementing={ITEMS[0]}", "date=2022-06-23", "--count", "20"]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    numbers: list[Any] = [number for run in runs for number in run.communicate()[0].split()]
    assert sorted(numbers) == [f"{ITEMS[0]}20220623{serial:04d}" for serial in range(1, 61)]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "many"
    path.write_text(f"{CREDIT[0]}\n" * 50_000)
    with subprocess.Popen(
        [sys.executable, "-m", "yiwang", "code", "check", "uscc", "--file", str(path), "-q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == ExitCode.OK


def test_a_doubtful_body_is_told_of_case_numbers_by_every_verb(code: Callable[..., Said]) -> None:
    exit_code, made, err = code("make", "case", f"implementing={ITEM_OF_A_DOUBTFUL_BODY}", "date=2022-06-23")
    assert (exit_code, made) == (ExitCode.OK, f"{ITEM_OF_A_DOUBTFUL_BODY}202206230001\n")
    assert len([line for line in err.splitlines() if line.startswith("warning: character 1")]) == 2
    assert code("check", "case", made.strip())[1].startswith(f"{made.strip()}  valid, warning: character 17: ")
    assert len(code("explain", "case", made.strip())[2].splitlines()) == 2
    assert len(json.loads(code("check", "case", made.strip(), "--json")[1])["values"][0]["findings"]) == 2


@pytest.mark.parametrize(
    ("length", "found"), [(65_535, "65535"), (65_536, "65536"), (65_537, "more than 65536"), (200_000, "more than 65536")]
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_of_a_line_that_is_cut_no_length_is_made_up(
    length: int, found: str, end: str, code: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long"
    path.write_text("9" * length + end, newline="")
    for kind in ("uscc", "case", "division"):
        assert f", found {found}" in code("check", kind, "--file", str(path))[1]
    monkeypatch.setenv("YIWANG_LANG", "zh")
    assert f"实为 {found.replace('more than', '超过')} 个" in code("check", "uscc", "--file", str(path))[1]


def test_paths_that_do_not_print_are_told_in_one_line(code: Callable[..., Said], tmp_path: Path) -> None:
    strange = tmp_path / "a\n\x1b[31mb"
    for arguments in (
        ("check", "uscc", "--file", str(strange)),
        ("check", "uscc", "1", "--divisions", str(strange)),
        ("make", "case", f"implementing={ITEMS[0]}", "--serials", str(strange)),
    ):
        _, _, err = code(*arguments)
        assert r"a\n\x1b[31mb" in err
        assert all(line.isprintable() for line in err.splitlines())


def test_a_doubtful_body_is_told_when_a_code_is_made_for_it(code: Callable[..., Said]) -> None:
    parts = ("type=11100000000013338W011", "issuer=11430000006122244M", "serial=1")
    exit_code, out, said = code("make", "licence", *parts)
    assert exit_code == ExitCode.OK
    assert "11430000006122244M" in out
    assert "expected L, found M" in said
    assert len(json.loads(code("make", "licence", *parts, "--json")[1])["warnings"]) == 1
