"""Citizen identity numbers: the standard's own examples, and numbers that can be nobody's."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import IDENTITY, identity, identity_numbers

from yiwang.standard import checks
from yiwang.standard.checks import DIGITS
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.idcard import IdCard


def problems(text: str, today: datetime.date | None = None) -> list[tuple[Problem, int | None]]:
    with pytest.raises(CodeError) as refused:
        IdCard.parse(text, today=today)
    return [(finding.problem, finding.position) for finding in refused.value.findings]


def with_check(first: str) -> str:
    return first + checks.identity(first)


def test_the_examples_of_the_standard_are_valid() -> None:
    woman, man = (IdCard.parse(text) for text in IDENTITY)
    assert (woman.division, woman.birth, woman.sequence, woman.male, woman.check) == (
        "110105",
        datetime.date(1949, 12, 31),
        "002",
        False,
        "X",
    )
    assert (man.birth, man.male, man.form) == (datetime.date(1880, 1, 1), True, "citizen")
    assert woman.warnings == ()
    # Chenghai county is abolished since.
    assert [(finding.problem, finding.severity) for finding in man.warnings] == [(Problem.UNKNOWN_DIVISION, Severity.WARNING)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(Problem.EMPTY, None)]),
        ("110105194912310", [(Problem.LENGTH, None)]),
        ("11010519491231002x", [(Problem.CHARACTER, 18)]),
        ("1101051949123100２X", [(Problem.CHARACTER, 17)]),
        ("X1010519491231002X", [(Problem.CHARACTER, 1)]),
        ("110105194912310021", [(Problem.CHECK, 18)]),
        (with_check("11010519490229002"), [(Problem.DATE, 7)]),
        (with_check("11010500001231002"), [(Problem.DATE, 7)]),
        ("110105194913310020", [(Problem.DATE, 7), (Problem.CHECK, 18)]),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, expected: list[tuple[Problem, int | None]]) -> None:
    assert problems(text) == expected


def test_a_birth_date_after_today_is_wrong_where_today_is_given() -> None:
    text = with_check("11010522000102002")
    assert IdCard.parse(text).birth == datetime.date(2200, 1, 2)
    assert IdCard.parse(text, today=datetime.date(2200, 1, 2)).warnings == ()
    assert problems(text, datetime.date(2200, 1, 1)) == [(Problem.DATE_FUTURE, 7)]


@pytest.mark.parametrize("place", ["810000", "820000", "830000"])
def test_residents_of_hong_kong_macao_and_taiwan(place: str) -> None:
    number = identity(place, "22000102", "002")
    assert (number.form, number.warnings) == ("resident", ())
    assert number.parts()[0].meaning is not None
    other = identity(f"{place[:2]}0001", "22000102", "002")
    (doubt,) = other.warnings
    assert (doubt.problem, doubt.source.confidence) == (Problem.RESIDENT_FORM, "medium")
    assert "GB 11643" not in doubt.text("zh")


def test_a_foreign_permanent_resident_has_a_date_and_a_check_character_like_all() -> None:
    number = IdCard.parse(with_check("91115622000102001"))
    assert (number.form, number.warnings, number.birth) == ("foreign", (), datetime.date(2200, 1, 2))
    assert problems("911156220099990010") == [(Problem.DATE, 7), (Problem.CHECK, 18)]
    with pytest.raises(CodeError) as refused:
        IdCard.parse("911156220001020010", today=datetime.date(2200, 1, 1))
    assert {finding.source.confidence for finding in refused.value.findings} == {"medium"}


@pytest.mark.parametrize("text", IDENTITY)
def test_a_first_digit_misread_as_9_is_an_error(text: str) -> None:
    assert problems(f"9{text[1:]}") == [(Problem.CHECK, 18)]


def test_how_no_division_begins_is_a_warning_only() -> None:
    for place in ("000000", "790000", "840000", "890101"):
        assert [finding.problem for finding in identity(place, "22000102", "002").warnings] == [Problem.UNKNOWN_DIVISION]


@given(st.sampled_from(IDENTITY), st.integers(0, 17), st.sampled_from(f"{DIGITS}X"))
def test_every_change_of_one_character_is_detected(text: str, place: int, other: str) -> None:
    changed = text[:place] + other + text[place + 1 :]
    if changed != text:
        assert problems(changed)


@given(identity_numbers)
def test_the_parts_make_the_number_again(number: IdCard) -> None:
    assert IdCard.parse(number.text) == number
    assert "".join(part.text for part in number.parts()) == number.text
    assert f"{number.birth.year:04d}{number.birth:%m%d}" == number.text[6:14]


def test_what_may_be_shown_hides_birth_date_and_sequence() -> None:
    assert IdCard.parse(IDENTITY[0]).masked() == "110105***********X"
