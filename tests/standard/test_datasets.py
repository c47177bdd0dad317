"""The data sets: fields as the standard names them, one error for what is wrong, rules between fields."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import CASE, CREDIT, IDENTITY, ITEM_OF_A_DOUBTFUL_BODY, ITEMS

from yiwang.standard.datasets import (
    SETS,
    Acceptance,
    Application,
    ApplicationMaterial,
    DataSet,
    Evaluation,
    Format,
    Item,
    LegalPerson,
    Payment,
    Step,
    differences,
)
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import KIT
from yiwang.standard.tables.cases import SpecialProcedure

CHINA = datetime.timezone(datetime.timedelta(hours=8))
# What each set needs, and the number of elements the standard counts where it does.
NEEDED: dict[str, dict[str, Any]] = {
    "item": {"name": "建筑业企业资质认定", "implementing_code": ITEMS[1]},
    "item_material": {"name": "申请表"},
    "application": {"case_number": CASE},
    "application_material": {"name": "申请表"},
    "acceptance": {"case_number": CASE},
    "step": {"case_number": CASE},
    "completion": {"case_number": CASE},
    "evaluation": {"case_number": CASE},
    "consultation": {"code": "1"},
    "complaint": {"heading": "一"},
    "supervision": {"case_number": CASE},
    "natural_person": {"user_code": "1"},
    "legal_person": {"credit_code": CREDIT[0]},
    "seal": {"seal_name": "一"},
    "payment": {"case_number": CASE},
    "delivery": {"case_number": CASE},
    "catalogue_entry": {"item_name": "一"},
}


def item(**fields: Any) -> Item:
    return Item.read(NEEDED["item"] | fields)


def step(**fields: Any) -> Step:
    return Step.read({"case_number": CASE} | fields)


def problems(findings: tuple[Finding, ...]) -> list[tuple[Problem, Severity]]:
    return [(finding.problem, finding.severity) for finding in findings]


def refusal(cls: type[DataSet], fields: dict[str, Any]) -> CodeError:
    with pytest.raises(CodeError) as refused:
        cls.read(fields)
    assert refused.value.kind == cls.kind
    return refused.value


@pytest.mark.parametrize("kind", SETS)
def test_every_set_reads_what_it_needs_and_nothing_less(kind: str) -> None:
    cls, needed = SETS[kind], NEEDED[kind]
    record = cls.read(needed)
    assert record.findings() == ()
    assert {name: value for name, value in record.plain().items() if value not in (None, [], ())} == needed
    assert cls.read(record.plain()) == record
    for name in needed:
        assert problems(refusal(cls, {key: value for key, value in needed.items() if key != name}).findings) == [
            (Problem.REQUIRED, Severity.ERROR)
        ]
    assert refusal(cls, needed | {"x": 1}).finding.problem is Problem.UNKNOWN_FIELD


@pytest.mark.parametrize("kind", SETS)
def test_every_field_has_both_languages_and_says_what_is_known_of_it(kind: str) -> None:
    cls = SETS[kind]
    assert cls.title.zh
    assert cls.title.en.isascii()
    assert len(cls.describe()) == len(cls.model_fields)
    for field in cls.describe():
        assert field.label.zh == field.element.zh
        assert not field.label.zh.isascii()
        assert field.label.en.isascii()
        assert "_" not in field.label.en
        assert field.element.confidence in {"high", "medium", "low"}
        if field.element.format:
            Format.parse(field.element.format)


def test_the_elements_of_table_4_are_as_many_as_the_standard_counts() -> None:
    # The materials are one field here and nine elements there.
    assert len(SETS["item"].model_fields) - 1 + len(SETS["item_material"].model_fields) == 64


def test_no_row_is_there_that_was_not_read() -> None:
    rows = {(kind, field.name): field.element.row for kind, cls in SETS.items() for field in cls.describe() if field.element.row}
    assert rows == {("item", "handling_range"): 33, ("application", "case_number"): 1}


def test_formats_are_those_of_the_standard() -> None:
    known = {(kind, field.name): field.element.format for kind, cls in SETS.items() for field in cls.describe()}
    assert known["item", "name"] == "an..200"
    assert (known["item", "basic_code"], known["item", "implementing_code"]) == ("an..10", "an..24")
    assert known["application", "case_number"] == "an..50"
    assert known["legal_person", "credit_code"] == "an18"
    assert known["payment", "amount"] == "n..16,2"
    assert known["delivery", "case_number"] == "an..50"
    assert known["item", "conditions"] is None


@pytest.mark.parametrize(
    ("text", "expected", "right", "wrong"),
    [
        ("an..3", Format("an", 1, 3, None), ["一", "ab1"], ["", "abcd"]),
        ("an2", Format("an", 2, 2, None), ["一a"], ["a", "abc"]),
        ("n..2", Format("n", 1, 2, None), ["0", "12"], ["", "123", "a", "１"]),
        ("n1", Format("n", 1, 1, None), ["1"], ["", "12", "x"]),
        ("..5", Format("", 1, 5, None), ["ab c"], ["", "abcdef"]),
        ("n..16,2", Format("n", 1, 16, 2), [], []),
    ],
)
def test_formats(text: str, expected: Format, right: list[str], wrong: list[str]) -> None:
    found = Format.parse(text)
    assert found == expected
    assert [found.fits(each) for each in right] == [True] * len(right)
    assert [found.fits(each) for each in wrong] == [False] * len(wrong)


@pytest.mark.parametrize("text", ["", "an", "x..3", "an..", "an...3"])
def test_what_is_no_format(text: str) -> None:
    with pytest.raises(ValueError, match="is no format"):
        Format.parse(text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "一" * 201}, "name: expected the format an..200"),
        ({"name": ""}, "name: expected the format an..200"),
        ({"name": 5}, "name: expected the format an..200, found 5"),
        ({"type_code": "1"}, "type code: expected the format n2, found 1"),
        ({"level_code": "9"}, "level code: expected one of 1, 2, 3, 4, 5, 6, 7, found 9 (GB/T 39554.1-2020 / ZWFW C0109.1-2018)"),
        ({"handling_way_code": "5"}, "handling way code: expected one of 1, 2, 3, 4, 9, found 5 (GB/T 39046-2020, A.5)"),
        ({"charged": "2"}, "charged: expected one of 1, 0, found 2"),
        ({"body_code": "11370800MB2855918"}, "body code: expected 18 characters, found 17"),
        ({"basic_code": ITEMS[1]}, "basic code: kind of code: expected basic code, found implementing code (GB/T 39046-2020)"),
        ({"basic_code": "990117002011"}, "basic code: character 1: 99 is not how"),
        (
            {"implementing_code": "370117002011"},
            "implementing code: kind of code: expected implementing code, handling item code, found basic code",
        ),
        ({"implementing_code": ""}, "implementing code: the value is empty"),
        ({"jurisdiction_code": "990000"}, "jurisdiction code: character 1: 99 is not how"),
        ({"promised_limit": "x"}, "promised limit: expected a number like 20, found 'x'"),
        ({"materials": [{"name": "一"}, {"name": "二", "copies": "123"}]}, "materials.2.copies: expected the format n..2, found 123"),
        ({"materials": [{}]}, "materials.1.name is missing"),
        ({"materials": [{"name": "一", "x": 1}]}, "there is no field x"),
    ],
)
def test_what_is_wrong_with_a_field_is_named(fields: dict[str, Any], said: str) -> None:
    error = refusal(Item, NEEDED["item"] | fields)
    assert said in error.text("en")
    assert error.text("zh") != error.text("en")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"jurisdiction_code": "990000"}, "jurisdiction code: character 1: 99 is not how the code of a province begins (GB/T 2260)"),
        ({"name": ""}, "name: expected the format an..200, found  (GB/T 39046-2020, Table 4)"),
        # What this kit asks for is not the standard's.
        ({"name": None}, "name: expected the format an..200, found None (GB/T 39046-2020, Table 4)"),
        ({"x": 1}, "there is no field x"),
        ({"basic_code": 5}, "basic code: expected the format an..12, found 5"),
        ({"promised_limit": "x"}, "promised limit: expected a number like 20, found 'x'"),
        ({"conditions": 5}, "conditions: expected a text, found 5"),
        ({"conditions": "\ud800"}, r"conditions: expected whole characters, found \ud800"),
        ({"materials": 5}, "materials: expected a list, found 5"),
        ({"\ud800": 1}, r"there is no field \ud800"),
    ],
)
def test_place_and_rule_are_said_once_and_the_kits_own_rules_name_no_standard(fields: dict[str, Any], said: str) -> None:
    assert refusal(Item, NEEDED["item"] | fields).text("en") == said


def test_that_a_field_is_required_is_this_kits_rule() -> None:
    (finding,) = refusal(Item, {"name": "一"}).findings
    assert (finding.problem, finding.source) == (Problem.REQUIRED, KIT)
    for cls in SETS.values():
        assert cls.document()["x-required-by"] == "yiwang"


def test_what_the_standard_does_not_have_is_marked() -> None:
    marked = {(kind, field.name): field.element for kind, cls in SETS.items() for field in cls.describe()}
    kits = {place for place, element in marked.items() if element.origin == "kit"}
    assert kits == {("item", "materials"), ("application", "materials")}
    assert {kind for kind, cls in SETS.items() if cls.title_origin == "kit"} == {"item_material", "application_material"}
    assert (marked["item", "name"].confidence, marked["item", "materials"].confidence) == ("high", "low")
    assert (marked["consultation", "person"].origin, marked["consultation", "person"].confidence) == ("composed", "medium")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    error = refusal(Item, {"name": "", "level_code": "8", "x": 1})
    assert [finding.problem for finding in error.findings] == [
        Problem.FORMAT,
        Problem.REQUIRED,
        Problem.CODE_OF_TABLE,
        Problem.UNKNOWN_FIELD,
    ]


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_whatever_is_read_is_a_record_or_the_one_error(data: st.DataObject) -> None:
    cls = SETS[data.draw(st.sampled_from(sorted(SETS)))]
    names = st.sampled_from(sorted(cls.model_fields))
    fields = NEEDED[cls.kind] | data.draw(st.dictionaries(names, json_like, max_size=4))
    said = ""
    try:
        json.dumps(cls.read(fields).plain())
    except CodeError as error:
        said = error.text("zh") + error.text("en")
    assert said.isprintable()


@pytest.mark.parametrize("code", ["XK00101000", "370117002011"])
def test_codes_of_both_generations_are_read(code: str) -> None:
    assert item(basic_code=code, implementing_code="0" * 24).basic_code == code


def test_bodies_in_use_are_read_though_their_checks_fail() -> None:
    assert item(implementing_code=ITEM_OF_A_DOUBTFUL_BODY, body_code="11370500004311394A").body_code == "11370500004311394A"
    assert LegalPerson.read({"credit_code": "11370500004311394A"}).credit_code == "11370500004311394A"


@pytest.mark.parametrize("text", ["20220623081530", "20220623T081530", "2022062308:15:30"])
def test_times_are_read_in_every_form_and_written_in_the_first(text: str) -> None:
    record = Application.read({"case_number": CASE, "time": text})
    assert record.time == datetime.datetime(2022, 6, 23, 8, 15, 30, tzinfo=CHINA)
    assert record.plain()["time"] == "20220623081530"


@pytest.mark.parametrize("text", ["110101", "110101001", "110101001001"])
def test_divisions_have_six_nine_or_twelve_digits(text: str) -> None:
    assert Application.read({"case_number": CASE, "division": text}).division == text
    schema = Application.document()["properties"]["division"]
    assert (schema["x-format"], schema["x-widened"]) == ("n..9", "n..12")
    (written,) = (branch for branch in schema["anyOf"] if branch["type"] == "string")
    assert re.search(written["pattern"], text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1101", "division: expected 6, 9 or 12 characters, found 4"),
        ("11010100", "division: expected 6, 9 or 12 characters, found 8"),
        ("1101010010", "division: expected 6, 9 or 12 characters, found 10"),
        ("11010100a", "division: character 9: division code: expected 0-9, found 'a'"),
        ("990101001", "division: character 1: 99 is not how the code of a province begins"),
        ("", "division: the value is empty"),
    ],
)
def test_what_is_no_division(text: str, said: str) -> None:
    assert refusal(Application, {"case_number": CASE, "division": text}).text("en").startswith(said)
    schema = Application.document()["properties"]["division"]
    (written,) = (branch for branch in schema["anyOf"] if branch["type"] == "string")
    assert not re.search(written["pattern"], text) or text.startswith("99")


def test_times_of_other_zones_are_those_of_china() -> None:
    utc = datetime.datetime(2022, 6, 23, 0, 15, 30, tzinfo=datetime.UTC)
    assert Application.read({"case_number": CASE, "time": utc}).plain()["time"] == "20220623081530"


@pytest.mark.parametrize("zone", [-12, 0, 8, 14])
@pytest.mark.parametrize("time", [datetime.datetime.min.replace(tzinfo=CHINA), datetime.datetime.max.replace(tzinfo=CHINA)])
def test_the_first_and_the_last_time_are_one_of_china_or_the_one_error(time: datetime.datetime, zone: int) -> None:
    there = time.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=zone)))
    try:
        assert len(Application.read({"case_number": CASE, "time": there}).plain()["time"]) == 14
    except CodeError as error:
        assert error.finding.problem is Problem.FORMAT  # noqa: PT017 - both outcomes are right


def test_a_time_is_kept_as_fine_as_it_is_written() -> None:
    record = Application.read({"case_number": CASE, "time": datetime.datetime(2022, 6, 23, 8, 15, 30, 999_999, tzinfo=CHINA)})
    assert record.time == datetime.datetime(2022, 6, 23, 8, 15, 30, tzinfo=CHINA)
    assert Application.read(record.plain()) == record


@pytest.mark.parametrize("text", ["20220623", "20221323081530", "20220623 081530", "", "x", 20220623081530, "2022062308:1530"])
def test_what_is_no_time(text: object) -> None:
    assert "time: expected the format YYYYMMDDhhmmss" in str(refusal(Application, {"case_number": CASE, "time": text}))


def test_dates() -> None:
    record = LegalPerson.read({"credit_code": CREDIT[0], "registered_on": "20200229"})
    assert (record.registered_on, record.plain()["registered_on"]) == (datetime.date(2020, 2, 29), "20200229")
    assert "YYYYMMDD" in str(refusal(LegalPerson, {"credit_code": CREDIT[0], "registered_on": "20210229"}))


def test_amounts_and_limits_are_written_in_plain_digits_as_their_schema_says() -> None:
    written = Payment.read({"case_number": CASE, "amount": Decimal("1E+5")}).plain()["amount"]
    assert written == "100000"
    schema = Payment.document()["properties"]["amount"]
    (text,) = (branch for branch in schema["anyOf"] if "string" in branch["type"])
    for amount in (written, "1.00", "12.50"):
        assert re.search(text["pattern"], amount)
    assert not re.search(text["pattern"], "1e5")


@pytest.mark.parametrize(
    "written", ["20", "20.5", '"20"', '"20.5"', "20.0", "0", "-0.0", "-1", "1e2", '"-1"', '"1e2"', "true", "null", "[]", '""']
)
def test_a_limit_is_read_where_the_schema_takes_it_and_nowhere_else(written: str) -> None:
    value = json.loads(written)
    (schema,) = (branch for branch in Item.document()["properties"]["statutory_limit"]["anyOf"] if branch["type"] != "null")
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    as_text = "string" in schema["type"] and isinstance(value, str) and re.search(schema["pattern"], value)
    as_number = "integer" in schema["type"] and whole and value >= schema.get("minimum", 0)
    taken = bool(as_text or as_number or value is None)
    try:
        item(statutory_limit=value)
    except CodeError:
        assert not taken
    else:
        assert taken


@pytest.mark.parametrize("text", ["$$$", "QUJ$D", "QUI"])
def test_an_attachment_that_is_no_base64_is_refused_whole(text: str) -> None:
    assert "attachment" in str(refusal(ApplicationMaterial, {"name": "x", "attachment": text}))
    assert ApplicationMaterial.read({"name": "x", "attachment": "QUJD"}).attachment == b"ABC"


@pytest.mark.parametrize("amount", ["0", "12.50", "99999999999999.99"])
def test_amounts(amount: str) -> None:
    assert Payment.read({"case_number": CASE, "amount": amount}).amount == Decimal(amount)


@pytest.mark.parametrize("amount", ["-1", "1.234", "999999999999999.99", "x", "NaN", "1e5", "Infinity", " 1"])
def test_what_is_no_amount(amount: str) -> None:
    assert "amount: expected the format n..16,2" in str(refusal(Payment, {"case_number": CASE, "amount": amount}))


@pytest.mark.parametrize(
    ("promised", "statutory", "units", "expected"),
    [
        ("5", "20", ("工作日", "工作日"), []),
        ("20", "20", ("工作日", "工作日"), []),
        ("21", "20", ("工作日", "工作日"), [(Problem.PROMISE_LONGER, Severity.ERROR)]),
        ("21", "20", (None, None), [(Problem.PROMISE_LONGER, Severity.ERROR)]),
        ("21", None, ("工作日", None), []),
        (None, "20", (None, "工作日"), []),
        ("2", "20", ("月", "工作日"), [(Problem.PROMISE_UNIT, Severity.WARNING)]),
        ("2", "20", (None, "工作日"), [(Problem.PROMISE_UNIT, Severity.WARNING)]),
    ],
)
def test_what_is_promised_is_no_longer_than_the_law_allows(
    promised: str | None, statutory: str | None, units: tuple[str | None, str | None], expected: list[tuple[Problem, Severity]]
) -> None:
    record = item(promised_limit=promised, promised_limit_unit=units[0], statutory_limit=statutory, statutory_limit_unit=units[1])
    assert problems(record.findings()) == expected


def test_an_implementing_code_holds_the_basic_code() -> None:
    assert item(basic_code="370117002011").findings() == ()
    assert problems(item(basic_code="370117002012").findings()) == [(Problem.NOT_IN_ITEM, Severity.ERROR)]
    assert item(basic_code="370117002012", implementing_code="0" * 24).findings() == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"level_code": "4"}, "level code: expected 3, which the implementing code holds, found 4"),
        ({"body_code": CREDIT[0]}, f"body code: expected 11370800MB28559184, which the implementing code holds, found {CREDIT[0]}"),
        ({"type_code": "07"}, "type code: expected 01, which the basic code holds, found 07"),
        (
            {"type_code": "07", "basic_code": "370101002011", "implementing_code": "0" * 24},
            "type code: expected 01, which the basic code holds, found 07",
        ),
    ],
)
def test_what_a_code_holds_is_what_the_fields_beside_it_say(fields: dict[str, Any], said: str) -> None:
    (finding,) = item(**fields).findings()
    assert (finding.problem, finding.severity) == (Problem.NOT_AS_HELD, Severity.ERROR)
    assert finding.text("en").startswith(said)
    assert "所含" in finding.text("zh")


def test_an_older_code_holds_nothing_that_is_known() -> None:
    fields = {"level_code": "4", "body_code": CREDIT[0], "type_code": "01", "basic_code": "XK00101000"}
    assert item(implementing_code="0" * 24, **fields).findings() == ()
    assert item(level_code="3", body_code="11370800MB28559184", type_code="01").findings() == ()


def test_a_type_is_one_of_the_table() -> None:
    older = "0" * 24
    assert item(implementing_code=older, type_code="21").findings() == ()
    assert problems(item(implementing_code=older, type_code="99").findings()) == [(Problem.NO_ITEM_TYPE, Severity.ERROR)]
    assert [each.problem for each in item(type_code="99").findings()] == [Problem.NO_ITEM_TYPE, Problem.NOT_AS_HELD]


def test_a_name_beside_a_code_says_the_same() -> None:
    county = NEEDED["item"]["implementing_code"].replace("3370", "4370")
    assert item(implementing_code=county, level_code="4", level_name="县级").findings() == ()
    for name in ("市级/隶属", "市级"):
        assert item(level_code="3", level_name=name).findings() == ()
    assert item(handling_way_code="1", handling_way_name="窗口").findings() == ()
    (finding,) = item(implementing_code=county, level_code="4", level_name="市级").findings()
    assert (finding.problem, finding.severity) == (Problem.NAME_AND_CODE, Severity.WARNING)
    assert finding.text("en").startswith("level name 市级 is not what its code 4 县级 means")
    licence = {"implementing_code": ITEMS[2], "type_code": "01"}
    assert item(**licence, type_name="行政许可").findings() == ()
    assert problems(item(**licence, type_name="行政处罚").findings()) == [(Problem.NAME_AND_CODE, Severity.WARNING)]
    # What further types are called was not read.
    assert item(implementing_code="0" * 24, type_code="17", type_name="一").findings() == ()
    evaluation = Evaluation.read({"case_number": CASE, "satisfaction_code": "5", "satisfaction_name": "非常满意"})
    assert problems(evaluation.findings()) == [(Problem.NAME_AND_CODE, Severity.WARNING)]
    application = Application.read({"case_number": CASE, "case_kind_code": "1", "case_kind_name": "承诺件"})
    assert problems(application.findings()) == [(Problem.NAME_AND_CODE, Severity.WARNING)]


@pytest.mark.parametrize("whose", ["applicant", "agent"])
def test_a_wrong_identity_number_is_told_and_let_in(whose: str) -> None:
    def told(kind: str, number: str) -> tuple[Finding, ...]:
        fields = {f"{whose}_document_kind": kind, f"{whose}_document_number": number}
        return Application.read({"case_number": CASE} | fields).findings()

    assert told("111", IDENTITY[0]) == told("111", IDENTITY[1]) == told("414", "E12345678") == ()
    (finding,) = told("111", IDENTITY[0][:-1] + "1")
    assert (finding.problem, finding.severity, finding.position) == (Problem.FIELD, Severity.WARNING, 18)
    assert finding.text("en") == f"{whose} document number: character 18: check character: expected X, found 1 (GB 11643-1999)"
    assert not re.search("[a-z]", finding.text("zh"))
    assert IDENTITY[0][:17] not in finding.text("zh")


def test_a_special_procedure_needs_its_start_and_its_reason() -> None:
    assert step(step_name="审查").findings() == ()
    whole = {"special_code": "1", "special_start": "20220623000000", "special_reason": "需要听证"}
    assert step(**whole).findings() == ()
    lacking = [
        step(**{key: value for key, value in whole.items() if key != name}).findings() for name in ("special_start", "special_reason")
    ]
    assert [[str(finding.values["part"]) for finding in found] for found in lacking] != [[], []]
    assert [problems(found) for found in lacking] == [[(Problem.SPECIAL_INCOMPLETE, Severity.ERROR)]] * 2
    # Any field of it makes it one.
    assert problems(step(special_end="20220701000000", special_reason=" ").findings()) == [(Problem.SPECIAL_INCOMPLETE, Severity.ERROR)] * 2
    assert step(**whole).special_code is SpecialProcedure.EXTENSION


def test_ends_do_not_come_before_starts() -> None:
    times = {"special_start": "20220702000000", "special_reason": "检验", "special_end": "20220701000000"}
    (finding,) = step(**times).findings()
    assert finding.text("en").startswith("special end is earlier than special start")
    assert problems(step(step_start="20220702000000", step_end="20220701000000").findings()) == [(Problem.TIMES_REVERSED, Severity.ERROR)]
    late = Acceptance.read({"case_number": CASE, "time": "20220702000000", "promised_time": "20220701000000"})
    assert problems(late.findings()) == [(Problem.TIMES_REVERSED, Severity.ERROR)]


def levels(**of_county: Any) -> list[Item]:
    """One item of the national catalogue at city and county level."""
    alike = {"name": "甲", "basis": "某法", "type_code": "01", "basic_code": "000117112000"}
    city, county = "11370800MB2855918430001171120" + "00", "11370800MB2855918440001171120" + "00"
    return [Item.read(alike | {"implementing_code": city}), Item.read(alike | {"implementing_code": county} | of_county)]


def test_one_item_is_alike_at_all_levels() -> None:
    assert differences(levels()) == ()
    assert differences([]) == ()


@pytest.mark.parametrize(("field", "value"), [("name", "乙"), ("basis", "某条例"), ("basis", None), ("type_code", "07")])
def test_where_levels_differ_is_named(field: str, value: str | None) -> None:
    city, county = levels(**{field: value})
    (difference,) = differences([city, county])
    assert (difference.basic_code, difference.field) == ("000117112000", field)
    assert difference.said == {getattr(city, field): (city.implementing_code,), value: (county.implementing_code,)}


def test_items_of_other_basic_codes_are_not_compared() -> None:
    city, county = levels(name="乙", basic_code="000117112001", implementing_code="11370800MB285591844000117112001")
    assert differences([city, county]) == ()


def test_the_basic_code_is_taken_out_of_the_implementing_code_where_it_is_not_there() -> None:
    assert [difference.field for difference in differences(levels(name="乙", basic_code=None))] == ["name"]


@pytest.mark.parametrize("kind", SETS)
def test_every_set_has_a_json_schema(kind: str) -> None:
    schema = json.loads(json.dumps(SETS[kind].document()))
    assert schema["additionalProperties"] is False
    assert schema["x-name-zh"] == SETS[kind].title.zh
    assert set(schema["required"]) == set(NEEDED[kind])
    assert schema["x-origin"] == SETS[kind].title_origin
    for field in SETS[kind].describe():
        said, element = schema["properties"][field.name], field.element
        assert (said["x-name-zh"], said["x-format"], said["x-row"]) == (element.zh, element.format, element.row)
        assert (said["x-widened"], said["x-origin"], said["x-confidence"]) == (element.widened, element.origin, element.confidence)


def test_the_json_schema_has_the_limits_that_are_kept() -> None:
    properties = Item.document()["properties"]
    assert properties["name"]["maxLength"] == 200
    assert properties["implementing_code"]["maxLength"] == 36
    assert (properties["implementing_code"]["x-format"], properties["implementing_code"]["x-widened"]) == ("an..24", "an..36")
    (text, _) = properties["type_code"]["anyOf"]
    assert text == {"type": "string", "minLength": 2, "maxLength": 2, "pattern": "^[0-9]+$"}
