"""A province of its own divisions, which are in no national table: every code and record of it is read, named and made like any other."""

from __future__ import annotations

import datetime
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from standard.samples import CREDIT, ITEMS, identity

from yiwang import cli
from yiwang.errors import ExitCode
from yiwang.standard import divisions
from yiwang.standard.case import CaseNumber
from yiwang.standard.code import Code
from yiwang.standard.datasets import Application, Item
from yiwang.standard.division import DivisionCode
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.idcard import IdCard
from yiwang.standard.item import ItemCode
from yiwang.standard.kinds import KINDS, Reading
from yiwang.standard.licence import LicenceId
from yiwang.standard.uscc import Uscc

OWN = """code,name,level,parent
660000,新疆生产建设兵团,province,
660100,第一师,prefecture,660000
660101,阿拉尔垦区,county,660100
"""
BODY = Uscc.generate("1", "1", "660100", "00000001").text
BASIC = "660117002011"
IMPLEMENTING = f"{BODY}3{BASIC}"
DAY = datetime.date(2024, 6, 3)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("own") / "own.csv"
    found.write_text(OWN, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def table(path: Path) -> Divisions:
    return divisions.national().extended(path)


def meanings(code: Code) -> dict[str, str | None]:
    return {part.key: part.meaning.zh if part.meaning else None for part in code.parts()}


def test_divisions_have_their_names_at_every_level(table: Divisions) -> None:
    county = DivisionCode.parse("660101", table=table)
    assert meanings(county) == {"province": "新疆生产建设兵团", "prefecture": "第一师", "county": "阿拉尔垦区"}
    assert (county.tier, county.parent) == ("county", "660100")
    assert meanings(DivisionCode.parse("660102", table=table))["prefecture"] == "第一师"
    with pytest.raises(CodeError):
        DivisionCode.parse("660101")


def test_a_code_of_a_body_names_its_division(table: Divisions) -> None:
    assert meanings(Uscc.parse(BODY, table=table))["division"] == "第一师"
    assert meanings(Uscc.generate("1", "1", "660100", "00000001", table=table))["division"] == "第一师"
    licence = LicenceId.generate(f"{BODY}001", BODY, "1", table=table)
    assert meanings(licence)["issuer"] == "机关，第一师"
    assert meanings(LicenceId.parse(licence.text, table=table))["type"] == "机关，第一师"
    with pytest.raises(CodeError) as refused:
        LicenceId.generate(f"{BODY}001", "660100", "1", table=table)
    assert refused.value.finding.problem is Problem.DIVISION_AS_BODY


def test_a_number_of_a_citizen_names_its_division(table: Divisions) -> None:
    number = IdCard.parse(identity("660101", "22000102", "002").text, table=table)
    assert (number.warnings, meanings(number)["division"]) == ((), "阿拉尔垦区")


def test_an_item_and_its_cases_are_made_and_read(table: Divisions) -> None:
    made = ItemCode.generate(BASIC, BODY, "3", table=table)
    assert made.text == IMPLEMENTING
    assert (meanings(made)["province"], meanings(made)["body"]) == ("新疆生产建设兵团", "机关，第一师")
    case = CaseNumber.generate(IMPLEMENTING, DAY, lambda _: 1, table=table)
    assert case.text == f"{IMPLEMENTING}202406030001"
    for number in (case, CaseNumber.parse(case.text, table=table)):
        assert (number.implementing, number.date, number.serial) == (IMPLEMENTING, DAY, 1)
        assert meanings(number)["province"] == "新疆生产建设兵团"
    assert CaseNumber.parse(case.text).implementing is None
    assert [each.problem for each in CaseNumber.parse(f"{IMPLEMENTING}202413330001", table=table).warnings] == [Problem.LAYOUT]
    with pytest.raises(CodeError) as refused:
        CaseNumber.generate(IMPLEMENTING, DAY, lambda _: 1)
    assert refused.value.finding.problem is Problem.NO_PROVINCE


def test_kinds_read_and_make_them(table: Divisions) -> None:
    reading = Reading(table=table, today=DAY)
    case = KINDS["case"].generate({"implementing": IMPLEMENTING}, reading, lambda _: 1)
    assert meanings(KINDS["case"].parse(case.text, reading))["province"] == "新疆生产建设兵团"
    assert {kind.name for kind in KINDS.values() if "table" in kind.reads} == set(KINDS) - {"resource"}


def test_records_hold_them(table: Divisions) -> None:
    fields = {"name": "甲", "basic_code": BASIC, "implementing_code": IMPLEMENTING, "jurisdiction_code": "660101", "body_code": BODY}
    item = Item.read(fields, table=table)
    assert (item.implementing_code, item.jurisdiction_code, item.findings()) == (IMPLEMENTING, "660101", ())
    case = {"case_number": f"{IMPLEMENTING}202406030001", "implementing_code": IMPLEMENTING, "division": "660101"}
    assert Application.read(case, table=table).division == "660101"
    with pytest.raises(CodeError) as refused:
        Item.read(fields)
    assert len(refused.value.findings) == 3


def test_a_code_with_its_table_goes_to_another_process(table: Divisions) -> None:
    code = DivisionCode.parse("660101", table=table)
    again = pickle.loads(pickle.dumps(code))  # noqa: S301 - our own
    assert (again, meanings(again)) == (code, meanings(code))
    assert code == DivisionCode("660101")
    assert "table" not in repr(code)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("division", "660101"),
        ("item", IMPLEMENTING),
        ("case", f"{IMPLEMENTING}202406030001"),
        ("uscc", BODY),
        ("licence", LicenceId.generate(f"{BODY}001", BODY, "1").text),
    ],
)
def test_the_command_line_names_them(kind: str, value: str, path: Path, code: Callable[..., tuple[int, str, str]]) -> None:
    exit_code, out, err = code("explain", kind, value, "--divisions", str(path))
    assert (exit_code, err) == (ExitCode.OK, "")
    assert "第一师" in out


def test_the_command_line_makes_case_numbers_of_them(path: Path, code: Callable[..., tuple[int, str, str]]) -> None:
    make = ("make", "case", f"implementing={IMPLEMENTING}", "date=2024-06-03", "--json")
    assert code(*make)[0] == ExitCode.INPUT
    exit_code, out, _ = code(*make, "--divisions", str(path))
    assert (exit_code, json.loads(out)["codes"]) == (ExitCode.OK, [f"{IMPLEMENTING}202406030001"])


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*arguments: str) -> tuple[int, str, str]:
        exit_code = cli.run(["code", *arguments])
        said = capsys.readouterr()
        return exit_code, said.out, said.err

    return run


@pytest.mark.parametrize("text", [*CREDIT, *ITEMS])
def test_who_has_no_table_of_their_own_has_the_national_one(text: str) -> None:
    kind = "uscc" if text in CREDIT else "item"
    national = KINDS[kind].parse(text, Reading(table=divisions.national()))
    assert KINDS[kind].parse(text, Reading()).parts() == national.parts()
