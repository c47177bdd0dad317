"""Codes of information resources."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import RESOURCES, digits

from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.labels import Label
from yiwang.standard.resource import ResourceCode
from yiwang.standard.tables.resources import ResourceClass


@pytest.mark.parametrize("text", RESOURCES)
def test_codes_are_valid(text: str) -> None:
    assert ResourceCode.parse(text).warnings == ()


def test_parts() -> None:
    code = ResourceCode.parse("30700112/000001")
    assert (code.resource_class, code.item, code.subject, code.detail, code.serial) == (
        ResourceClass.DEPARTMENT,
        "07",
        "001",
        "12",
        "000001",
    )
    meanings = {part.key: part.meaning for part in code.parts()}
    assert meanings["class"] == Label("部门信息资源", "department resources")
    assert meanings["item"] == Label("省及其下各级", "provinces and the levels below")
    bare = ResourceCode.parse("101001")
    assert (bare.detail, bare.serial, [part.key for part in bare.parts()]) == ("", None, ["class", "item", "subject"])


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", Problem.EMPTY, None),
        ("407001", Problem.CHARACTER, 1),
        ("0", Problem.CHARACTER, 1),
        ("3x7001", Problem.CHARACTER, 2),
        ("307a01", Problem.CHARACTER, 4),
        ("307001b", Problem.CHARACTER, 7),
        ("3070０1", Problem.CHARACTER, 5),
        ("30700", Problem.TOO_SHORT, None),
        ("30700/1", Problem.TOO_SHORT, None),
        ("307001/", Problem.REQUIRED, 7),
        ("307001/1/2", Problem.CHARACTER, 9),
        ("307001/x", Problem.CHARACTER, 8),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, problem: Problem, position: int | None) -> None:
    with pytest.raises(CodeError) as refused:
        ResourceCode.parse(text)
    assert (refused.value.finding.problem, refused.value.finding.position) == (problem, position)


@given(st.text("0123/x", max_size=12))
def test_the_parser_agrees_with_the_expression_of_the_guide(text: str) -> None:
    try:
        valid = bool(ResourceCode.parse(text))
    except CodeError:
        valid = False
    assert valid is bool(re.fullmatch(r"[123][0-9]{2}[0-9]{3}[0-9]*(/[0-9]+)?", text))


@given(st.from_regex("[123][0-9]{5,12}", fullmatch=True), digits)
def test_what_is_generated_is_read_and_its_parts_make_it_again(classification: str, serial: str) -> None:
    code = ResourceCode.generate(classification, serial)
    assert ResourceCode.parse(code.text) == code
    assert (code.classification, code.serial) == (classification, serial)
    assert f"{code.resource_class.code}{code.item}{code.subject}{code.detail}" == classification
