"""Codes of divisions, and a province's own rows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standard.samples import DIVISIONS

from yiwang.standard import divisions
from yiwang.standard.division import DivisionCode
from yiwang.standard.errors import CodeError, Problem, Severity

OWN = """# 本省自设
code,name,level,parent
370171,济南高新技术产业开发区,county,370100
660000,新疆生产建设兵团,province,
370102,历下区（改）,county,370100
"""


def own(tmp_path: Path, text: str | bytes = OWN) -> Path:
    path = tmp_path / "own.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("text", DIVISIONS)
def test_samples_are_valid(text: str) -> None:
    assert DivisionCode.parse(text).warnings == ()


@pytest.mark.parametrize(
    ("text", "tier", "parent"),
    [
        ("370000", "province", None),
        ("370000000000", "province", None),
        ("370800", "prefecture", "370000"),
        ("511602000000", "county", "511600000000"),
        ("110101", "county", "110000"),  # the table's, not 110100
        ("110101001000", "township", "110101000000"),
        ("110101001001", "village", "110101001000"),
        ("441900003000", "township", "441900000000"),  # a prefecture without counties
        ("370171", "county", "370100"),  # not in the table
        ("429004", "county", "420000"),
    ],
)
def test_tier_and_parent(text: str, tier: str, parent: str | None) -> None:
    code = DivisionCode.parse(text)
    assert (code.tier, code.parent) == (tier, parent)
    assert code.padded == text.ljust(12, "0")
    assert code.short == text[:6]


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", Problem.EMPTY, None),
        ("3708", Problem.LENGTH, None),
        ("3708000", Problem.LENGTH, None),
        ("37080o", Problem.CHARACTER, 6),
        ("37080", Problem.LENGTH, None),
        ("３70800", Problem.CHARACTER, 1),
        ("37080000000x", Problem.CHARACTER, 12),
        ("济南", Problem.CHARACTER, 1),
        ("990000", Problem.NO_PROVINCE, 1),
        ("000000", Problem.NO_PROVINCE, 1),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, problem: Problem, position: int | None) -> None:
    with pytest.raises(CodeError) as refused:
        DivisionCode.parse(text)
    assert (refused.value.finding.problem, refused.value.finding.position) == (problem, position)


def test_an_unknown_code_of_a_known_province_is_a_warning() -> None:
    (finding,) = DivisionCode.parse("370171").warnings
    assert (finding.problem, finding.severity) == (Problem.UNKNOWN_DIVISION, Severity.WARNING)


def test_a_province_adds_rows_of_its_own(tmp_path: Path) -> None:
    extended = divisions.national().extended(own(tmp_path))
    zone = DivisionCode.parse("370171", table=extended)
    assert (zone.warnings, zone.tier, zone.parent) == ((), "county", "370100")
    assert zone.parts()[2].meaning is not None
    assert DivisionCode.parse("660000", table=extended).tier == "province"
    assert "370171" in {division.code for division in extended.children("370100")}
    corrected = extended.lookup("370102")
    assert corrected is not None
    assert corrected.name == "历下区（改）"
    # The national table stays as it is.
    assert divisions.lookup("370171") is None


@pytest.mark.parametrize(
    ("text", "problem", "said"),
    [
        (b"\xff\xfe", Problem.NOT_TEXT_FILE, "UTF-8"),
        ("", Problem.TABLE_ROW, "line 1"),
        ("a,b\n", Problem.TABLE_ROW, "line 1"),
        (f"{OWN}370172,x,county\n", Problem.TABLE_ROW, "line 6, number of columns"),
        (f"{OWN}37017,x,county,370100\n", Problem.TABLE_ROW, "line 6, code"),
        (f"{OWN}37017２,x,county,370100\n", Problem.TABLE_ROW, "line 6, code"),
        (f"{OWN}370172, ,county,370100\n", Problem.TABLE_ROW, "line 6, name"),
        (f"{OWN}370172,x,zone,370100\n", Problem.TABLE_ROW, "line 6, level"),
        (f"{OWN}370172,x,county,\n", Problem.TABLE_ROW, "line 6, parent"),
        (f"{OWN}370172,x,county,370172\n", Problem.TABLE_ROW, "line 6, parent"),
        (f"{OWN}670000,x,province,370000\n", Problem.TABLE_ROW, "line 6, parent"),
        (f"{OWN}370172,x,county,370999\n", Problem.TABLE_ROW, "line 6, parent: expected the code of a province or prefecture .*'370999'"),
        (f"{OWN}370172,x,county,320100\n", Problem.TABLE_ROW, "line 6, parent: expected six digits that begin with 37, found '320100'"),
        (f"{OWN}370172,x,county,370102\n", Problem.TABLE_ROW, r"line 6, parent: .*, found 370102 \(county\)"),
        (f"{OWN}371800,x,prefecture,370100\n", Problem.TABLE_ROW, r"line 6, parent: .* of a province .*, found 370100 \(prefecture\)"),
        (f"{OWN}371801,x,county,371802\n371802,x,county,371801\n", Problem.TABLE_ROW, r"line 6, parent: .*, found 371802 \(county\)"),
        (f"{OWN}371800,x,prefecture,371800\n", Problem.TABLE_ROW, r"line 6, parent: .*, found 371800 \(prefecture\)"),
        (f"{OWN}370100,x,county,370000\n", Problem.TABLE_ROW, "line 6, code: .*'370100'"),
        (f"{OWN}001234,x,county,370000\n", Problem.TABLE_ROW, "line 6, code: expected six digits, neither the first .*, found '001234'"),
        (f"{OWN}001234,x,province,\n", Problem.TABLE_ROW, "line 6, code: .*, found '001234'"),
        (f"{OWN}000000,x,province,\n", Problem.TABLE_ROW, "line 6, code: .*, found '000000'"),
        (f"{OWN}371234,x,province,\n", Problem.TABLE_ROW, "line 6, code: .*, found '371234'"),
        ("code,name,level,parent\n660000,a,province,\n660100,a,county,660000\n", Problem.TABLE_ROW, "line 3, code"),
        (
            "code,name,level,parent\n440300,a,prefecture,440000\n440301,a,county,440300\n440303,a,county,440301\n",
            Problem.TABLE_ROW,
            "line 4",
        ),
        (f"{OWN}371200,x,county,370000\n", Problem.TABLE_ROW, "line 6, code"),
        (f"{OWN}371201,x,prefecture,370000\n", Problem.TABLE_ROW, "line 6, code"),
        (f"{OWN}370172,a\x1b[31mb,county,370100\n", Problem.TABLE_ROW, "line 6, name: expected a name that prints"),
        (f"{OWN}370172,a\u202eb,county,370100\n", Problem.TABLE_ROW, "line 6, name"),
        (f"{OWN}370172, x,county,370100\n", Problem.TABLE_ROW, "line 6, name"),
        (f"{OWN}370171,x,county,370100\n", Problem.TABLE_DUPLICATE, "line 6: 370171"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(tmp_path: Path, text: str | bytes, problem: Problem, said: str) -> None:
    with pytest.raises(CodeError, match=said) as refused:
        divisions.national().extended(own(tmp_path, text))
    assert refused.value.finding.problem is problem


def test_a_file_with_line_ends_of_windows_is_read(tmp_path: Path) -> None:
    extended = divisions.national().extended(own(tmp_path, OWN.replace("\n", "\r\n")))
    assert extended.lookup("370171") is not None


def test_what_is_no_plain_file_or_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(CodeError, match="not a plain file"):
            divisions.national().extended(path)
    with (tmp_path / "large").open("wb") as large:
        large.truncate(1 << 40)
    with pytest.raises(CodeError, match="larger than 8 MiB"):
        divisions.national().extended(tmp_path / "large")


def test_what_is_wrong_in_a_file_is_said_in_chinese_without_double_blanks(tmp_path: Path) -> None:
    for text in ("a,b\n", f"{OWN}37017,x,county,370100\n", f"{OWN}370172,x\n", f"{OWN}370172,x,county,370999\n"):
        with pytest.raises(CodeError) as refused:
            divisions.national().extended(own(tmp_path, text))
        said = refused.value.text("zh")
        assert said.startswith(f"{tmp_path / 'own.csv'}：第 ")
        assert "  " not in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: ("code,name,level,parent\n" + text).encode())))
def test_any_file_is_a_table_or_one_error(tmp_path: Path, raw: bytes) -> None:
    said = ""
    try:
        divisions.national().extended(own(tmp_path, raw))
    except CodeError as error:
        said = str(error)
    assert "\n" not in said


def test_a_cell_without_end_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(CodeError):
        divisions.national().extended(own(tmp_path, OWN + "1" * 200_000 + "\n"))
