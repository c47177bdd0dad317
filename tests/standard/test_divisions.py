"""The table of administrative divisions."""

from __future__ import annotations

from collections import Counter

import pytest

from yiwang.standard import divisions


def test_the_table_is_whole() -> None:
    table = divisions.table()
    assert Counter(division.level for division in table.values()) == {"province": 34, "prefecture": 333, "county": 2847}
    assert list(table) == sorted(table)
    for code, division in table.items():
        assert len(code) == 6
        assert code.isdigit()
        assert division.name
        assert (division.parent is None) == (division.level == "province")
        if division.parent is not None:
            assert divisions.lookup(division.parent) is not None
            assert code[:2] == division.parent[:2]


def test_names() -> None:
    assert divisions.lookup("370000") == divisions.Division("370000", "山东省", "province", None)
    assert divisions.lookup("370100") == divisions.Division("370100", "济南市", "prefecture", "370000")
    assert divisions.lookup("999999") is None
    assert divisions.lookup("") is None


@pytest.mark.parametrize(
    ("code", "province", "expected"),
    [
        ("370100", "370000", True),
        ("310115", "310000", True),  # a district of a 直辖市
        ("429004", "420000", True),  # a county-level city that the province governs itself
        ("370102", "370000", False),  # a district of a prefecture
        ("320100", "370000", False),
        ("370000", "370000", False),
        ("999999", "370000", False),
    ],
)
def test_cities_of_a_province(code: str, province: str, expected: bool) -> None:
    assert (code in {division.code for division in divisions.children(province)}) is expected


def test_children() -> None:
    assert len(divisions.children("370000")) == 16
    assert [division.name for division in divisions.children("370000")][:2] == ["济南市", "青岛市"]
    assert len(divisions.children("310000")) == 16
    assert divisions.children("nothing") == ()
