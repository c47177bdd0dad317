"""Item codes in their three forms and two profiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import ITEM_OF_A_DOUBTFUL_BODY, ITEMS, basic_codes, credit_codes, of

from yiwang.standard.checks import DIGITS
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.item import ItemCode, Profile
from yiwang.standard.labels import Label
from yiwang.standard.tables.items import ExerciseLevel
from yiwang.standard.uscc import Uscc

BODY = "11370800MB28559184"


def refusal(text: str, profile: Profile = "zwfw-2018") -> tuple[Problem, int | None]:
    with pytest.raises(CodeError) as refused:
        ItemCode.parse(text, profile=profile)
    return refused.value.finding.problem, refused.value.finding.position


@pytest.mark.parametrize("text", ITEMS)
def test_samples_are_valid(text: str) -> None:
    code = ItemCode.parse(text)
    assert code.warnings == ()
    assert code.form == ("implementing" if len(text) == 31 else "handling")


def test_a_sample_whose_body_fails_its_checks_is_accepted_with_warnings() -> None:
    code = ItemCode.parse(ITEM_OF_A_DOUBTFUL_BODY)
    assert [(each.position, each.values["expected"], each.severity) for each in code.warnings] == [
        (17, "1", Severity.WARNING),
        (18, "W", Severity.WARNING),
    ]


def test_parts() -> None:
    code = ItemCode.parse("11370800MB28559184300011711200001")
    assert (code.body, code.level, code.basic, code.handling) == (BODY, ExerciseLevel.CITY, "000117112000", "01")
    assert (code.province, code.type, code.implementing) == ("00", "01", "11370800MB285591843000117112000")
    meanings = {part.key: part.meaning for part in code.parts()}
    assert meanings["province"] == Label("国家目录", "national catalogue")
    assert meanings["type"] == Label("行政许可", "administrative licence")
    assert meanings["level"] == Label("市级/隶属", "city")
    assert {part.key: part.position for part in code.parts()} == {
        "body": 1,
        "level": 19,
        "basic": 20,
        "province": 20,
        "type": 22,
        "handling": 32,
    }
    basic = ItemCode.parse("370117002011")
    assert (basic.form, basic.body, basic.level, basic.implementing, basic.basic) == ("basic", None, None, None, "370117002011")
    assert ItemCode.parse("442199806003").parts()[2].meaning == Label("公共服务事项（扩展类型）", "public service (further type)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (Problem.EMPTY, None)),
        ("37011700201", (Problem.LENGTH, None)),
        (ITEMS[1][:-1], (Problem.LENGTH, None)),
        (f"{ITEMS[1]}0", (Problem.LENGTH, None)),
        ("37011700201x", (Problem.CHARACTER, 12)),
        (f"{BODY}8370117002011", (Problem.CHARACTER, 19)),
        (f"{BODY[:-1]}I3370117002011", (Problem.CHARACTER, 18)),
        (f"{BODY}33701170０2011", (Problem.CHARACTER, 27)),
        ("990117002011", (Problem.NO_PROVINCE, 1)),
        (f"{BODY}3990117002011", (Problem.NO_PROVINCE, 20)),
        ("373017002011", (Problem.NO_ITEM_TYPE, 3)),
        (f"{BODY}3379917002011", (Problem.NO_ITEM_TYPE, 22)),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, expected: tuple[Problem, int | None]) -> None:
    assert refusal(text) == expected


def test_a_body_with_letters_in_its_division_is_a_warning() -> None:
    code = ItemCode.parse("1137A800MB28559184" + "3370117002011")
    assert [(each.problem, each.position, each.severity) for each in code.warnings] == [(Problem.CHARACTER, 5, Severity.WARNING)]


@pytest.mark.parametrize(
    ("text", "form"), [("XK00101000", "basic"), ("XK00101", "basic"), ("0" * 24, "implementing"), ("A1" * 6, "implementing")]
)
def test_older_codes(text: str, form: str) -> None:
    code = ItemCode.parse(text, profile="108-2016")
    assert (code.form, code.profile) == (form, "108-2016")
    assert (code.body, code.level, code.handling, code.province, code.type) == (None, None, None, None, None)
    assert (code.basic == text) is (form == "basic")
    assert [part.text for part in code.parts()] == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (Problem.EMPTY, None)),
        ("0" * 25, (Problem.TOO_LONG, None)),
        ("XK0010１", (Problem.CHARACTER, 7)),
        ("xk", (Problem.CHARACTER, 1)),
    ],
)
def test_what_is_wrong_with_an_older_code(text: str, expected: tuple[Problem, int | None]) -> None:
    assert refusal(text, "108-2016") == expected


@given(credit_codes, st.sampled_from("1234567"), basic_codes, st.one_of(st.just(""), of(DIGITS, 2)))
def test_what_is_generated_is_read_and_its_parts_make_it_again(body: Uscc, level: str, basic: str, handling: str) -> None:
    code = ItemCode.generate(basic, str(body), level, handling)
    again = ItemCode.parse(code.text)
    assert (again, again.warnings) == (code, ())
    assert (again.body, again.level and again.level.code, again.basic, again.handling or "") == (str(body), level, basic, handling)
    assert ItemCode.generate(basic).text == basic


NO_FORM = [
    ("370117002011", BODY, ""),
    ("370117002011", "", "3"),
    ("370117002011", "", "", "01"),
    ("37", BODY, "3"),
    ("370117002011", BODY[:-1], "43"),
    ("3701170020", BODY, "3", "1101"),
]


@pytest.mark.parametrize("parts", NO_FORM)
def test_nothing_is_generated_of_parts_that_make_no_form(parts: tuple[str, ...]) -> None:
    with pytest.raises(CodeError):
        ItemCode.generate(*parts)
