"""Unified social credit codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import CREDIT, credit_codes
from stdnum.cn import uscc as peer

from yiwang.standard import checks, uscc
from yiwang.standard.checks import CREDIT_ALPHABET
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.labels import Label
from yiwang.standard.uscc import Uscc


def refusal(text: str) -> CodeError:
    with pytest.raises(CodeError) as refused:
        Uscc.parse(text)
    assert not uscc.is_valid(text)
    return refused.value


@pytest.mark.parametrize("text", CREDIT)
def test_samples_are_valid(text: str) -> None:
    code = Uscc.parse(text)
    assert (str(code), code.warnings) == (text, ())
    assert uscc.is_valid(text)


def test_parts() -> None:
    code = Uscc.parse("9144030071526726XG")
    assert (code.authority, code.category, code.division, code.subject, code.check) == ("9", "1", "440300", "71526726X", "G")
    parts = {part.key: part for part in code.parts()}
    assert "".join(part.text for part in code.parts()) == code.text
    assert [part.position for part in code.parts()] == [1, 2, 3, 9, 18]
    assert parts["authority"].meaning == Label("工商(市场监管)", "market regulation (industry and commerce)")
    assert parts["category"].meaning == Label("企业", "enterprise")
    assert parts["division"].meaning == Label("深圳市", "深圳市")
    assert uscc.words(code.text) == Label("企业，深圳市", "enterprise, 深圳市")


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", Problem.EMPTY, None),
        ("91350100M000100Y4", Problem.LENGTH, None),
        ("91350100M000100Y433", Problem.LENGTH, None),
        ("91350100M000100Y43\n", Problem.STRAY, 19),
        (" 91350100M000100Y43", Problem.STRAY, 1),
        ("9135 0100M000100Y43", Problem.STRAY, 5),
        ("９" * 40, Problem.STRAY, 1),
        ("91350100m000100Y43", Problem.CHARACTER, 9),
        ("91350100I000100Y43", Problem.CHARACTER, 9),
        ("9135O100M000100Y43", Problem.CHARACTER, 5),
        ("９1350100M000100Y43", Problem.CHARACTER, 1),
        ("91350100M000100Y4\0", Problem.CHARACTER, 18),
        ("91350100M000100Y44", Problem.CHECK, 18),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, problem: Problem, position: int | None) -> None:
    finding = refusal(text).finding
    assert (finding.problem, finding.position, finding.severity) == (problem, position, Severity.ERROR)
    assert finding.source.document == "GB 32100-2015"


def test_the_error_says_it_in_both_languages() -> None:
    error = refusal("91350100M000100Y44")
    assert str(error) == "uscc: character 18: check character of the social credit code: expected 3, found 4 (GB 32100-2015)"
    assert error.text("zh") == "第 18 位：统一社会信用代码的校验码应为 3，实为 4（GB 32100-2015）"


def test_the_check_character_inside_is_checked_too() -> None:
    # The outer check character is right for the wrong inner one.
    first = "91350100M000100Y5"
    error = refusal(first + checks.credit(first))
    assert [(each.position, each.source.document) for each in error.findings] == [(17, "GB 11714")]


def test_live_data_is_let_in_with_warnings() -> None:
    code = Uscc.parse("11370500004311394A", mismatch=Severity.WARNING)
    assert [(each.position, each.values["expected"], each.severity) for each in code.warnings] == [
        (17, "1", Severity.WARNING),
        (18, "W", Severity.WARNING),
    ]
    with pytest.raises(CodeError):
        Uscc.parse("11370500004311394a", mismatch=Severity.WARNING)


@given(st.sampled_from(CREDIT), st.integers(0, 17), st.characters())
def test_every_change_of_one_character_is_detected(text: str, place: int, other: str) -> None:
    changed = text[:place] + other + text[place + 1 :]
    if changed != text:
        refusal(changed)


@pytest.mark.parametrize("text", CREDIT)
def test_every_other_character_of_the_alphabet_is_detected(text: str) -> None:
    for place in range(18):
        for other in set(CREDIT_ALPHABET) - {text[place]}:
            assert not uscc.is_valid(text[:place] + other + text[place + 1 :])


@given(credit_codes)
def test_what_is_generated_is_read_and_its_parts_make_it_again(code: Uscc) -> None:
    assert Uscc.parse(code.text) == code
    assert Uscc.generate(code.authority, code.category, code.division, code.subject) == code
    assert peer.is_valid(code.text) or not code.text[:2].isdigit()


@given(st.text(CREDIT_ALPHABET, min_size=17, max_size=17))
def test_the_check_character_is_that_of_the_textbook(first: str) -> None:
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    total = sum(CREDIT_ALPHABET.index(character) * weight for character, weight in zip(first, weights, strict=True))
    assert checks.credit(first) == CREDIT_ALPHABET[(31 - total % 31) % 31]
    assert checks.credit_matches(first + checks.credit(first))


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=8, max_size=8))
def test_the_check_character_inside_is_that_of_the_textbook(first: str) -> None:
    total = sum(int(character, 36) * weight for character, weight in zip(first, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    value = 11 - total % 11
    assert checks.organisation(first) == {10: "X", 11: "0"}.get(value, str(value))


WRONG_PARTS = [
    ("", "1", "350100", "M000100Y"),
    ("9", "1", "35010", "M000100Y"),
    ("9", "1", "350100", "M000100I"),
    ("9", "1", "350100", "M000100Y5"),
    ("91", "", "350100", "M000100Y"),
    ("9", "1", "3501", "00M000100Y"),
]


@pytest.mark.parametrize("parts", WRONG_PARTS)
def test_nothing_is_generated_of_wrong_parts(parts: tuple[str, str, str, str]) -> None:
    with pytest.raises(CodeError):
        Uscc.generate(*parts)


def test_codes_are_values() -> None:
    doubtful = Uscc.parse("11370500004311394A", mismatch=Severity.WARNING)
    assert Uscc.parse(CREDIT[0]) == Uscc.parse(CREDIT[0])
    assert len({Uscc.parse(text) for text in (*CREDIT, *CREDIT)} | {doubtful}) == 4
