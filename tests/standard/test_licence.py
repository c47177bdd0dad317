"""E-licence identifiers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import LICENCE_OF_A_DIVISION, LICENCE_OF_THE_FAULTY_ROUTINE, LICENCES, licences

from yiwang.standard import checks
from yiwang.standard.checks import ALPHANUMERIC
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.licence import LicenceId

ROOT = "1.2.156.3005.2"
KIND, ISSUER = "11100000000013338W011", "11430000006122244L"


def refusal(text: str) -> CodeError:
    with pytest.raises(CodeError) as refused:
        LicenceId.parse(text)
    return refused.value


@pytest.mark.parametrize("text", LICENCES)
def test_samples_are_valid(text: str) -> None:
    assert LicenceId.parse(text).warnings == ()


def test_the_sample_with_a_division_for_issuer_is_invalid_and_says_why() -> None:
    finding = refusal(LICENCE_OF_A_DIVISION).finding
    assert (finding.problem, finding.position) == (Problem.DIVISION_AS_BODY, 38)
    assert "340100" in finding.text("en")


def test_the_sample_of_the_faulty_routine_is_invalid_and_names_it() -> None:
    error = refusal(LICENCE_OF_THE_FAULTY_ROUTINE)
    assert (error.finding.problem, error.finding.position) == (Problem.CHECK_FAULTY_LETTERS, len(LICENCE_OF_THE_FAULTY_ROUTINE))
    assert error.finding.values["expected"] == "D"
    assert "faulty routine" in error.text("en")
    assert "有误程序" in error.text("zh")


def test_another_wrong_check_character_is_not_put_down_to_the_routine() -> None:
    assert refusal(LICENCE_OF_THE_FAULTY_ROUTINE[:-1] + "Q").finding.problem is Problem.CHECK


def test_licences_of_others_are_let_in_with_a_warning() -> None:
    code = LicenceId.parse(LICENCE_OF_THE_FAULTY_ROUTINE, mismatch=Severity.WARNING)
    assert [(each.problem, each.severity) for each in code.warnings] == [(Problem.CHECK_FAULTY_LETTERS, Severity.WARNING)]


def test_bodies_that_fail_their_checks_are_warnings() -> None:
    kind, issuer = "11370500004311394A001", "11370500004311394A"
    code = LicenceId.generate(kind, issuer, "1")
    assert [finding.position for finding in code.warnings] == [32, 33, 54, 55]
    assert code.text[31:33] == kind[16:18]
    assert code.text[53:55] == issuer[16:18]


def test_parts() -> None:
    code = LicenceId.parse(LICENCES[1])
    assert (code.kind, code.definer, code.issuer) == ("11100000000013338W009", "11100000000013338W", "11330105002500287C")
    assert (code.serial, code.version, code.check) == ("2025052201", "002", "0")
    for part in code.parts():
        assert code.text[part.position - 1 :].startswith(part.text)
    assert ".".join(part.text for part in code.parts()) == code.text


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", Problem.EMPTY, None),
        (f"1.2.156.3005.3.{KIND}.{ISSUER}.1.001.U", Problem.ROOT, 1),
        (ROOT, Problem.ROOT, 1),
        (f"{ROOT}.{KIND}", Problem.PARTS, None),
        (f"{LICENCES[0]}.0", Problem.PARTS, None),
        (f"{ROOT}.{KIND}1.{ISSUER}.1.001.U", Problem.VALUE, 16),
        (f"{ROOT}.{KIND[:-1]}A.{ISSUER}.1.001.U", Problem.CHARACTER, 36),
        (f"{ROOT}.{KIND}.{ISSUER[:-1]}.1.001.U", Problem.VALUE, 38),
        (f"{ROOT}.{KIND}.{ISSUER[:-1]}I.1.001.U", Problem.CHARACTER, 55),
        (f"{ROOT}.{KIND}.{ISSUER}..001.U", Problem.VALUE, 57),
        (f"{ROOT}.{KIND}.{ISSUER}.2a.001.U", Problem.CHARACTER, 58),
        (f"{ROOT}.{KIND}.{ISSUER}.2.01.U", Problem.VALUE, 59),
        (f"{ROOT}.{KIND}.{ISSUER}.2.0A1.U", Problem.CHARACTER, 60),
        (f"{ROOT}.{KIND}.{ISSUER}.2.000.U", Problem.VERSION_ZERO, 59),
        (f"{ROOT}.{KIND}.{ISSUER}.2.001.", Problem.VALUE, 63),
        (f"{ROOT}.{KIND}.{ISSUER}.2.001.u", Problem.CHARACTER, 63),
        (f"{ROOT}.{KIND}.{ISSUER}.２.001.U", Problem.CHARACTER, 57),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, problem: Problem, position: int | None) -> None:
    finding = refusal(text).finding
    assert (finding.problem, finding.position) == (problem, position)


@given(st.sampled_from(LICENCES), st.integers(15, 200), st.sampled_from(ALPHANUMERIC))
def test_every_change_of_one_character_is_detected(text: str, place: int, other: str) -> None:
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    if changed != text:
        refusal(changed)


@given(licences)
def test_what_is_generated_is_read_and_its_parts_make_it_again(code: LicenceId) -> None:
    assert LicenceId.parse(code.text) == code
    assert code.warnings == ()
    assert LicenceId.generate(code.kind, code.issuer, code.serial, code.version) == code


@given(st.text(ALPHANUMERIC, min_size=1, max_size=80))
def test_the_check_character_meets_the_condition_of_the_standard(text: str) -> None:
    """ISO/IEC 7064: carried over the check character too, the pure sum is 1 modulo 36."""
    product = 36
    for character in text:
        product = ((product + ALPHANUMERIC.index(character)) % 36 or 36) * 2 % 37
    assert (product + ALPHANUMERIC.index(checks.licence(text))) % 36 == 1


@given(st.text(ALPHANUMERIC, max_size=80))
def test_the_faulty_routine_gives_a_character_or_nothing(text: str) -> None:
    assert checks.licence_by_faulty_routine(text) in {None, *ALPHANUMERIC}


@given(st.text("0123456789", min_size=1, max_size=40))
def test_of_digits_alone_the_faulty_routine_gives_the_character_before_the_right_one(text: str) -> None:
    """Its sum is the standard's where there are no letters: only its step from the sum to the character is another."""
    found, right = checks.licence_by_faulty_routine(text), checks.licence(text)
    assert found is None or ALPHANUMERIC.index(found) == (ALPHANUMERIC.index(right) - 1) % 36
