"""The published sample codes, and ways to make others that can be nobody's."""

from __future__ import annotations

import datetime

from hypothesis import strategies as st

from yiwang.standard import checks
from yiwang.standard.checks import ALPHANUMERIC, CREDIT_ALPHABET, DIGITS
from yiwang.standard.idcard import IdCard
from yiwang.standard.licence import LicenceId
from yiwang.standard.uscc import Uscc

CREDIT = ("91350100M000100Y43", "11100000000013338W", "9144030071526726XG")
IDENTITY = ("11010519491231002X", "440524188001010014")
ITEMS = (
    "12441500196720244T3442199806003",
    "11370800MB285591843370117002011",
    "11370800MB28559184300011711200001",
    "11370800MB28559184337012100800003",
    "11370800MB28559184337011505600001",
)
# Its social credit code fails both checks.
ITEM_OF_A_DOUBTFUL_BODY = "11370500004311394A3370310004812"
LICENCES = (
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
    "1.2.156.3005.2.11100000000013338W087.11370800MB28559184.37080001202411010001.001.3",
)
LICENCE_OF_A_DIVISION = "1.2.156.3005.2.11100000MB03271699022.340100.000000016.001.9"
LICENCE_OF_THE_FAULTY_ROUTINE = "1.2.156.3005.2.11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M"
CASE = "12441500196720244T3442199806003202206230068"
DIVISIONS = ("110000", "370800", "340000", "110101001001", "511602000000", "360983000000")
RESOURCES = ("307001/000001", "3070012345", "101001")

digits = st.text(DIGITS, min_size=1)


def of(alphabet: str, length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=length, max_size=length)


credit_codes = st.builds(Uscc.generate, st.sampled_from("159Y"), of(CREDIT_ALPHABET, 1), of(DIGITS, 6), of(CREDIT_ALPHABET, 8))


def identity(division: str, day: str, sequence: str) -> IdCard:
    first = division + day + sequence
    return IdCard.parse(first + checks.identity(first))


# Born in times of which nobody lives, or not yet.
nobodys_birthdays = st.one_of(st.dates(max_value=datetime.date(1799, 12, 31)), st.dates(min_value=datetime.date(2200, 1, 1)))
identity_numbers = st.builds(
    identity,
    st.sampled_from(("110105", "440524", "810000", "820000", "830000", "650105")),
    nobodys_birthdays.map(lambda day: f"{day.year:04d}{day:%m%d}"),
    of(DIGITS, 3),
)
basic_codes = st.builds(
    lambda place, kind, rest: place + kind + rest,
    st.sampled_from(("00", "37", "44", "11")),
    st.sampled_from(("00", "01", "10", "11", "19", "20", "21", "29")),
    of(DIGITS, 8),
)
licences = st.builds(
    lambda definer, number, issuer, serial, version: LicenceId.generate(f"{definer}{number}", str(issuer), serial, f"{version:03d}"),
    credit_codes,
    of(DIGITS, 3),
    credit_codes,
    st.text(ALPHANUMERIC, min_size=1, max_size=40),
    st.integers(1, 999),
)
