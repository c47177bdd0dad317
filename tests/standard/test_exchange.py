"""The national exchange record of items, and its files."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import ITEMS

from yiwang.standard.datasets import Item
from yiwang.standard.datasets.exchange import ExchangeRecord, Sync, file, record
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.tables.exchange import Operation

SYNC = Sync("20240601-1", Operation.INSERT, datetime.datetime(2024, 6, 1, 8, 0, tzinfo=datetime.UTC), "370000")
ITEM = Item.read(
    {
        "name": "建筑业企业资质认定",
        "basic_code": "000117112000",
        "implementing_code": ITEMS[2],
        "type_code": "01",
        "level_code": "3",
        "body_name": "济宁市行政审批服务局",
        "body_code": "11370800MB28559184",
        "statutory_limit": "20",
        "statutory_limit_unit": "工作日",
        "promised_limit": "5",
        "promised_limit_unit": "工作日",
        "basis": "《建筑法》",
        "service_object_code": "2",
    }
)


TIMES = "YYYY-MM-DD hh:mm:ss or YYYYMMDDhhmmss"


# What the editions of 2005 (the first of them) and 2022 changed, as iconv of the GNU C library writes it.
CHANGED = dict(
    zip(
        "\u1e3f\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb\ufe10\ufe11\ufe12\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19",
        re.findall("....", "a8bcfe59fe61fe66fe67fe6dfe7efe90fea0a6d9a6dba6daa6dca6dda6dea6dfa6eca6eda6f3"),
        strict=True,
    )
)
OLD = {character: bytes.fromhex(code).decode("gb18030") for character, code in CHANGED.items()}


def read_2022(raw: bytes) -> str:
    """The text of a file in GB 18030-2022; Python reads the edition of 2000."""
    return raw.decode("gb18030").translate(str.maketrans("".join([*OLD, *OLD.values()]), "".join([*OLD.values(), *OLD])))


def made(item: Item = ITEM, /, **more: Any) -> ExchangeRecord:
    return record(item, SYNC, row_guid="r", task_guid="t", **more)


def test_an_item_as_the_national_platform_takes_it() -> None:
    row = {name: value for name, value in made(task_state="1").row().items() if value}
    assert row == {
        "row_guid": "r",
        "task_guid": "t",
        "catalog_code": "000117112000",
        "task_code": ITEMS[2][:31],
        "task_handle_item": ITEMS[2],
        "task_name": "建筑业企业资质认定",
        "task_type": "01",
        "task_state": "1",
        "dept_name": "济宁市行政审批服务局",
        "dept_code": "11370800MB28559184",
        "use_level": "3",
        "by_law": "《建筑法》",
        "anticipate_day": "20",
        "anticipate_type": "工作日",
        "promise_day": "5",
        "promise_type": "工作日",
        "server_type": "2",
        "cd_batch": "20240601-1",
        "cd_operation": "I",
        "cd_time": "2024-06-01 16:00:00",
        "data_source": "370000",
    }


def test_batch_operation_and_time_are_never_left_out() -> None:
    assert {name for name, field in ExchangeRecord.model_fields.items() if field.is_required()} == {
        "row_guid",
        "task_guid",
        "task_code",
        "task_name",
        "cd_batch",
        "cd_operation",
        "cd_time",
        "data_source",
    }


def test_an_implementing_code_alone_is_no_handling_item() -> None:
    row = made(Item.read({"name": "甲", "implementing_code": ITEMS[1]})).row()
    assert (row["task_code"], row["task_handle_item"], row["catalog_code"]) == (ITEMS[1], "", "370117002011")


def test_an_item_that_breaks_a_rule_is_not_pushed_unless_that_is_meant() -> None:
    wrong = ITEM.model_copy(update={"promised_limit": Decimal(30)})
    with pytest.raises(CodeError) as refused:
        made(wrong)
    assert (refused.value.kind, [each.problem for each in refused.value.findings]) == ("exchange", [Problem.PROMISE_LONGER])
    assert made(wrong, despite_errors=True).row()["promise_day"] == "30"
    # A warning is none.
    doubtful = ITEM.model_copy(update={"level_name": "县级"})
    assert [finding.severity for finding in doubtful.findings()] == [Severity.WARNING]
    assert made(doubtful).row()["use_level"] == "3"


@pytest.mark.parametrize(
    ("way", "telephone", "expected"),
    [("窗口", "12345", "窗口；12345"), ("窗口", None, "窗口"), (None, "12345", "12345"), (None, None, ""), ("", "12345", "12345")],
)
def test_ways_to_ask_are_all_told(way: str | None, telephone: str | None, expected: str) -> None:
    asked = ITEM.model_copy(update={"consultation_way": way, "consultation_telephone": telephone})
    assert made(asked).row()["link_way"] == expected


def test_an_older_item_has_no_catalogue_code() -> None:
    assert made(Item.read({"name": "甲", "implementing_code": "0" * 24})).row()["catalog_code"] == ""


@pytest.mark.parametrize(
    ("column", "problem"), [("x", Problem.UNKNOWN_FIELD), ("task_name", Problem.OWN_FIELD), ("cd_batch", Problem.OWN_FIELD)]
)
def test_a_column_that_is_not_there_or_is_the_items_own_is_refused(column: str, problem: Problem) -> None:
    with pytest.raises(CodeError) as refused:
        made(ITEM, **{column: "1"})
    assert (refused.value.finding.problem, refused.value.finding.values["part"]) == (problem, column)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"batch": ""}, "cd_batch: expected a text that is not empty, found ''"),
        ({"operation": "X"}, "cd_operation: expected one of I, U, D, found X"),
        ({"time": "yesterday"}, f"cd_time: expected {TIMES}, found 'yesterday'"),
        ({"time": "2024-06-01 24:00:00"}, f"cd_time: expected {TIMES}, found '2024-06-01 24:00:00'"),
        ({"time": datetime.datetime.max.replace(tzinfo=datetime.UTC)}, f"cd_time: expected {TIMES}, found datetime"),
        ({"source": None}, "data_source: expected a text, found None"),
    ],
)
def test_what_is_wrong_with_a_synchronisation_is_named_with_what_was_expected(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(CodeError) as refused:
        record(ITEM, dataclasses.replace(SYNC, **changed), row_guid="r", task_guid="t")
    assert refused.value.text("en").startswith(said)


@pytest.mark.parametrize("given", ["2024-06-01", "20240601", datetime.date(2024, 6, 1)])
def test_days_are_read_in_both_forms(given: str | datetime.date) -> None:
    assert made(plan_effective_date=given).row()["plan_effective_date"] == "2024-06-01"


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        *(
            ("plan_cancel_date", value, "expected YYYY-MM-DD or YYYYMMDD, found ")
            for value in ("x", "2024-02-30", "2024-W23-6", "2024-06-01T00:00:00", "1717200000", 1717200000, SYNC.time)
        ),
        ("task_state", 5, "expected a text, found 5"),
        ("task_state", "\ud800", "expected whole characters, found "),
    ],
)
def test_what_is_wrong_with_a_column_is_named_with_what_was_expected(column: str, value: Any, said: str) -> None:
    with pytest.raises(CodeError) as refused:
        made(**{column: value})
    assert refused.value.text("en").startswith(f"{column}: {said}")


def test_a_width_is_that_of_the_schema_where_it_was_seen() -> None:
    with pytest.raises(CodeError) as refused:
        ExchangeRecord.read(made().plain() | {"task_code": "1" * 37})
    assert refused.value.text("en") == (
        f"task_code: expected the format an..36, found {'1' * 37} (ZWFW C0109.2-2018, as seen in a live schema)"
    )
    assert refused.value.text("zh").startswith("实施编码（task_code）应符合格式 an..36，实为 ")


def test_what_is_written_is_read_again_and_nothing_less() -> None:
    record = made(plan_effective_date="20240601")
    assert ExchangeRecord.read(record.plain()) == record
    assert record.plain()["cd_time"] == "2024-06-01 16:00:00"
    for name, field in ExchangeRecord.model_fields.items():
        if field.is_required():
            with pytest.raises(CodeError) as refused:
                ExchangeRecord.read({key: value for key, value in record.plain().items() if key != name})
            assert (refused.value.finding.problem, refused.value.text("en")) == (Problem.REQUIRED, f"{name} is missing")
    with pytest.raises(CodeError) as refused:
        ExchangeRecord.read(record.plain() | {"x": "1"})
    assert refused.value.finding.problem is Problem.UNKNOWN_FIELD


def test_every_column_has_both_languages_and_says_whose_name_that_is() -> None:
    columns = {field.name: field for field in ExchangeRecord.describe()}
    assert list(columns) == list(ExchangeRecord.model_fields)
    for name, field in columns.items():
        assert field.label.zh == field.element.zh
        assert not re.search("[a-z]", field.label.zh)
        assert field.label.en == name.replace("_", " ")
    # The others have names that this kit gave them.
    assert {name: field.element.zh for name, field in columns.items() if field.element.origin == "standard"} == {
        "catalog_code": "基本编码",
        "task_code": "实施编码",
        "task_handle_item": "业务办理项编码",
        "project_type": "办件类型",
        "handle_area": "通办范围",
        "other_dept": "联办机构",
    }
    assert {field.element.origin for field in columns.values()} == {"standard", "composed"}
    assert {name: field.element.format for name, field in columns.items() if field.element.format} == {
        "catalog_code": "an..12",
        "task_code": "an..36",
        "task_handle_item": "an..50",
        "task_name": "an..1000",
    }


def test_the_record_has_a_json_schema_with_titles() -> None:
    schema = json.loads(json.dumps(ExchangeRecord.document()))
    assert (schema["title"], schema["x-name-zh"], schema["x-origin"]) == ("national exchange record", "国家交换记录", "composed")
    assert schema["additionalProperties"] is False
    for field in ExchangeRecord.describe():
        said = schema["properties"][field.name]
        assert "title" in said or "$ref" in said
        assert (said["x-name-zh"], said["x-origin"], said["x-format"]) == (field.element.zh, field.element.origin, field.element.format)
    assert re.search(schema["properties"]["cd_time"]["pattern"], made().plain()["cd_time"])
    assert ExchangeRecord.source().text("zh") == "ZWFW C0109.2-2018 据在用的库表结构"


@pytest.mark.parametrize("encoding", ["latin-1", "gbk", "utf-16", "none", "", None])
def test_another_encoding_is_refused(encoding: Any) -> None:
    with pytest.raises(CodeError, match="encoding: expected utf-8, gb18030, found "):
        file([made()], encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_files_hold_every_character_in_either_encoding(encoding: str) -> None:
    name = '㐂𠮷，"引号"\n第二行🈶'
    item = Item.read({"name": name, "implementing_code": ITEMS[1]})
    raw = file([made(item), made()], encoding)  # type: ignore[arg-type]
    text = raw.decode() if encoding == "utf-8" else read_2022(raw)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["task_name"] for row in rows] == [name, "建筑业企业资质认定"]
    assert list(rows[0]) == list(ExchangeRecord.model_fields)


def test_gb_18030_is_written_where_it_is_asked_for() -> None:
    assert "建筑业".encode("gb18030") in file([made()], "gb18030")
    assert "建筑业".encode() in file([made()])


@pytest.mark.parametrize(("character", "code"), CHANGED.items(), ids=CHANGED.values())
def test_gb_18030_is_that_of_2022(character: str, code: str) -> None:
    def written(name: str) -> bytes:
        (row,) = file([made(Item.read({"name": name, "implementing_code": ITEMS[1]}))], "gb18030").splitlines()[1:]
        return row.split(b",")[5]

    assert written(character) == bytes.fromhex(code)
    # What had these bytes before has those of the character.
    assert written(OLD[character]) == character.encode("gb18030")
    assert len(written(OLD[character])) == 4


def test_no_character_but_those_is_changed() -> None:
    assert len(CHANGED) == len(set(OLD.values())) == 19
    assert all("\ue000" <= old <= "\uf8ff" for old in OLD.values())


@given(st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from([*OLD, *OLD.values()])), min_size=1, max_size=200))
def test_any_name_survives_a_file(name: str) -> None:
    raw = file([made(Item.read({"name": name, "implementing_code": ITEMS[1]}))], "gb18030")
    (row,) = csv.DictReader(io.StringIO(read_2022(raw), newline=""))
    assert row["task_name"] == name
