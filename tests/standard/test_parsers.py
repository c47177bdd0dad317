"""All parsers alike: whatever the text, a code or the one error, said in one line of either language."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from standard.samples import CASE, CREDIT, DIVISIONS, IDENTITY, ITEMS, LICENCES, RESOURCES

from yiwang.standard.code import Code
from yiwang.standard.errors import CodeError, Finding, Problem, Severity, shown
from yiwang.standard.item import ItemCode
from yiwang.standard.kinds import KINDS, Reading
from yiwang.standard.labels import KIT, Label
from yiwang.standard.licence import LicenceId
from yiwang.standard.uscc import Uscc

SAMPLES = {
    "uscc": CREDIT,
    "idcard": IDENTITY,
    "division": DIVISIONS,
    "item": (*ITEMS, "370117002011"),
    "case": (CASE,),
    "licence": LICENCES,
    "resource": RESOURCES,
}
READINGS = (Reading(), Reading(mismatch=Severity.WARNING), Reading(profile="108-2016"))
# Lone surrogates too, as arguments of a command line that are no UTF-8 have them.
anything = st.text(st.characters(exclude_categories=()), max_size=120)


@st.composite
def nearly(draw: st.DrawFn) -> tuple[str, str]:
    """A kind, and a sample of it with a few characters changed, left out or put in."""
    kind = draw(st.sampled_from(sorted(SAMPLES)))
    text = draw(st.sampled_from(SAMPLES[kind]))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(text)))
        more = draw(st.text(st.one_of(st.sampled_from("0123456789AXZ./-"), st.characters(exclude_categories=())), max_size=2))
        text = text[:place] + more + text[place + draw(st.integers(0, 2)) :]
    return kind, text


def told(kind: str, text: str, reading: Reading) -> tuple[Code | None, tuple[Finding, ...]]:
    try:
        code = KINDS[kind].parse(text, reading)
    except CodeError as error:
        assert error.kind == kind  # noqa: PT017 - both outcomes are right
        return None, error.findings
    return code, code.warnings


def hold(kind: str, text: str, reading: Reading) -> None:
    code, findings = told(kind, text, reading)
    assert (code is None) is any(finding.severity is Severity.ERROR for finding in findings)
    for finding in findings:
        for line in (finding.text("zh"), finding.text("en")):
            assert line.isprintable()
            assert "{" not in line or "{" in text
            assert len(line) < 400
        assert finding.position is None or 1 <= finding.position <= len(text) + 1
    if code is not None:
        assert str(code) == text
        for part in code.parts():
            assert text[part.position - 1 :].startswith(part.text)


@given(st.sampled_from(sorted(KINDS)), anything, st.sampled_from(READINGS))
@example("licence", "1.2.156.3005.2.....", Reading())
@example("licence", "1.2.156.3005.2." + "9" * 100_000, Reading())
@example("uscc", "\ud800" * 18, Reading())
@example("idcard", "000000000000000000", Reading())
@example("idcard", "900000000000000000", Reading())
def test_any_text_is_a_code_or_the_one_error(kind: str, text: str, reading: Reading) -> None:
    hold(kind, text, reading)


@given(nearly(), st.sampled_from(READINGS))
def test_what_is_nearly_a_code_is_one_or_the_one_error(both: tuple[str, str], reading: Reading) -> None:
    hold(*both, reading)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_samples_are_valid_by_their_kind(kind: str) -> None:
    for text in SAMPLES[kind]:
        code, findings = told(kind, text, Reading())
        assert code is not None
        assert all(finding.severity is Severity.WARNING for finding in findings)


def test_every_kind_has_a_sample_and_a_name_in_both_languages() -> None:
    assert set(SAMPLES) == set(KINDS)
    for kind in KINDS.values():
        assert kind.label.zh
        assert kind.label.en


def test_every_problem_has_words_in_both_languages_with_the_same_places() -> None:
    for problem in Problem:
        zh, en = (re.findall(r"{(\w+)}", text) for text in (problem.label.zh, problem.label.en))
        assert sorted(zh) == sorted(en), problem
    assert len({problem.value for problem in Problem}) == len(Problem.__members__)


parts_of_any_kind = st.text(st.sampled_from("0123456789AX./ x１"), max_size=22)


@given(parts_of_any_kind, parts_of_any_kind, parts_of_any_kind, parts_of_any_kind)
def test_what_is_made_of_any_parts_is_read_back_into_them_or_refused(first: str, second: str, third: str, fourth: str) -> None:
    wanted: dict[str, tuple[Callable[..., Code], tuple[str, ...]]] = {
        "uscc": (Uscc.generate, ("authority", "category", "division")),
        "licence": (LicenceId.generate, ("kind", "issuer", "serial", "version")),
        "item": (ItemCode.generate, ("basic", "body")),
    }
    for kind, (make, names) in wanted.items():
        try:
            made = make(first, second, third, fourth)
        except CodeError:
            continue
        assert [getattr(made, name) or "" for name in names] == [first, second, third, fourth][: len(names)]
        assert KINDS[kind].parse(made.text, Reading()) == made


def test_what_nobody_here_issues_is_not_made() -> None:
    for kind in KINDS.values():
        if kind.make is None:
            with pytest.raises(CodeError) as refused:
                kind.generate({}, Reading(), lambda _: 1)
            assert refused.value.finding.problem is Problem.NOT_ISSUED
    assert {kind.name for kind in KINDS.values() if kind.make} == {"item", "case", "licence", "resource"}


def test_a_case_number_needs_a_day() -> None:
    with pytest.raises(CodeError, match="date is missing"):
        KINDS["case"].generate({"implementing": ITEMS[0]}, Reading(), lambda _: 1)


def test_the_kits_own_rules_name_no_document() -> None:
    assert Finding(Problem.EMPTY, KIT).text() == "the value is empty"


def test_errors_and_codes_survive_another_process() -> None:
    with pytest.raises(CodeError) as refused:
        KINDS["uscc"].parse("91350100M000100Y44", Reading())
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own
    assert (str(again), again.finding, again.kind) == (str(refused.value), refused.value.finding, "uscc")
    code = KINDS["uscc"].parse(CREDIT[0], Reading())
    assert pickle.loads(pickle.dumps(code)) == code  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"),
        ("一网", "一网"),
        ("a\nb", r"a\nb"),
        ("\0", r"\x00"),
        ("\udc80", r"\x80"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("\u202e", r"\u202e"),
        ("x" * 50, "x" * 40 + "…"),
    ],
)
def test_what_does_not_print_is_shown_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_a_source_names_its_clause_where_it_is_known() -> None:
    assert str(KIT) == "yiwang"
    assert Label("一", "one").text("zh") == "一"
    assert Label("一", "one").text() == "one"
