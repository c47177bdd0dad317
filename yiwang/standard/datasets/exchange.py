"""The national exchange record of items: what a province's items are pushed as, and its files.

The columns are those of a live schema that follows ZWFW C0109.2-2018 (confidence high as seen there).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, field_validator
from pydantic_core import ErrorDetails

from yiwang.standard.datasets.base import WHOLE, whole
from yiwang.standard.datasets.items import Item
from yiwang.standard.datasets.values import column_day, moment
from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import KIT, Label, Source
from yiwang.standard.tables.base import Table, table

KIND = "exchange"
SOURCE = Source("ZWFW C0109.2-2018", Label("据在用的库表结构", "as seen in a live schema"))
Encoding = Literal["utf-8", "gb18030"]


@table("同步操作", "operation of a synchronisation", Source("yiwang", None, "low"))
class Operation(Table):
    """What a record does to its copy. The column is national, its letters are the usual ones of such schemas and not confirmed."""

    INSERT = "I", "新增", "insert"
    UPDATE = "U", "修改", "update"
    DELETE = "D", "删除", "delete"


@dataclass(frozen=True, slots=True)
class Sync:
    """What a synchronisation adds to each record: its batch, what the record does, when, and where it comes from."""

    batch: str
    operation: Operation
    time: datetime
    source: str


_Time = Annotated[
    datetime,
    BeforeValidator(moment),
    PlainSerializer(lambda value: f"{value.year:04d}-{value:%m-%d %H:%M:%S}", return_type=str, when_used="json"),
]
_Day = Annotated[date | None, BeforeValidator(column_day)]


class ExchangeRecord(BaseModel):
    """One item as the national platform takes it. Texts and codes; widths where they are known."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    row_guid: Annotated[str, Field(min_length=1)]
    task_guid: Annotated[str, Field(min_length=1)]
    catalog_code: Annotated[str | None, Field(max_length=12)] = None
    task_code: Annotated[str, Field(max_length=36)]
    task_handle_item: Annotated[str | None, Field(max_length=50)] = None
    task_name: Annotated[str, Field(max_length=1000)]
    task_type: str | None = None
    task_state: str | None = None
    task_version: str | None = None
    dept_name: str | None = None
    dept_code: str | None = None
    dept_type: str | None = None
    use_level: str | None = None
    power_source: str | None = None
    by_law: str | None = None
    entrust_name: str | None = None
    handle_flow: str | None = None
    anticipate_day: str | None = None
    anticipate_type: str | None = None
    anticipate_explain: str | None = None
    promise_day: str | None = None
    promise_type: str | None = None
    promise_explain: str | None = None
    project_type: str | None = None
    server_type: str | None = None
    special_procedure: str | None = None
    supervise_way: str | None = None
    link_way: str | None = None
    transact_addr: str | None = None
    transact_time: str | None = None
    handle_area: str | None = None
    other_dept: str | None = None
    plan_effective_date: _Day = None
    plan_cancel_date: _Day = None
    is_entry_center: str | None = None
    cd_batch: Annotated[str, Field(min_length=1)]
    cd_operation: Operation
    cd_time: _Time
    data_source: Annotated[str, Field(min_length=1)]

    @field_validator("*")
    @classmethod
    def _writable(cls, value: Any) -> Any:
        if isinstance(value, str) and not whole(value):
            raise CodeError(KIND, Finding(Problem.VALUE, KIT, None, {"part": "", "expected": WHOLE, "found": value}))
        return value

    def row(self) -> dict[str, str]:
        """The record as texts by column; what is not there is empty."""
        return {name: "" if value is None else str(value) for name, value in self.model_dump(mode="json").items()}


def record(item: Item, sync: Sync, *, row_guid: str, task_guid: str, **more: str | date | None) -> ExchangeRecord:
    """The exchange record of ``item``; ``more``: columns that the item has nothing for (task_state, task_version, project_type …).

    A code of 33 goes to ``task_handle_item`` and its first 31 to ``task_code``. Raises CodeError for a column that is not there, is
    filled by the item, or holds no value for it.
    """
    code = item.implementing_code
    filled = {
        "row_guid": row_guid,
        "task_guid": task_guid,
        "catalog_code": item.basic_code or (code[19:31] if len(code) >= 31 else None),
        "task_code": code[:31],
        "task_handle_item": code if len(code) == 33 else None,
        "task_name": item.name,
        "task_type": item.type_code,
        "dept_name": item.body_name,
        "dept_code": item.body_code,
        "dept_type": item.body_nature_code and item.body_nature_code.code,
        "use_level": item.level_code and item.level_code.code,
        "by_law": item.basis,
        "handle_flow": item.process,
        **_limits(item),
        "server_type": item.service_object_code and item.service_object_code.code,
        "special_procedure": item.special_procedure,
        "supervise_way": item.supervision_telephone,
        "link_way": item.consultation_telephone,
        "transact_addr": item.place,
        "transact_time": item.hours,
        "handle_area": item.handling_range,
        "other_dept": item.joint_department,
        "cd_batch": sync.batch,
        "cd_operation": sync.operation,
        "cd_time": sync.time,
        "data_source": sync.source,
    }
    for column in more:
        if column in filled:
            raise CodeError(KIND, Finding(Problem.OWN_FIELD, KIT, None, {"part": column}))
        if column not in ExchangeRecord.model_fields:
            raise CodeError(KIND, Finding(Problem.UNKNOWN_FIELD, SOURCE, None, {"part": column}))
    try:
        return ExchangeRecord.model_validate(filled | more)
    except ValidationError as error:
        raise CodeError(KIND, *map(_finding, error.errors(include_url=False))) from None


def _limits(item: Item) -> dict[str, str | None]:
    """The two time limits, each as day, type and note."""
    statutory, promised = item.statutory_limit, item.promised_limit
    return {
        "anticipate_day": None if statutory is None else str(statutory),
        "anticipate_type": item.statutory_limit_unit,
        "anticipate_explain": item.statutory_limit_note,
        "promise_day": None if promised is None else str(promised),
        "promise_type": item.promised_limit_unit,
        "promise_explain": item.promised_limit_note,
    }


def _finding(error: ErrorDetails) -> Finding:
    """What is wrong with one column."""
    column, found = str(error["loc"][0]), repr(error["input"])
    context = error.get("ctx", {})
    cause, longest = context.get("error"), context.get("max_length")
    if column == "cd_operation":
        values = {"part": column, "expected": ", ".join(each.code for each in Operation), "found": found}
        return Finding(Problem.CODE_OF_TABLE, Operation.source, None, values)
    if isinstance(cause, CodeError):
        expected = cause.finding.values["expected"]
        if column.startswith("plan_"):
            expected = Label("YYYY-MM-DD 或 YYYYMMDD", "YYYY-MM-DD or YYYYMMDD")
        return Finding(Problem.VALUE, KIT, None, {"part": column, "expected": expected, "found": found})
    if longest:
        return Finding(Problem.FORMAT, SOURCE, None, {"part": column, "expected": f"an..{longest}", "found": found})
    needed = ExchangeRecord.model_fields[column].is_required()
    expected = Label("非空文本", "a text that is not empty") if needed else Label("文本", "a text")
    return Finding(Problem.VALUE, KIT, None, {"part": column, "expected": expected, "found": found})


def file(records: Iterable[ExchangeRecord], encoding: Encoding = "utf-8") -> bytes:
    """A CSV file of ``records`` with the columns in its first line, in UTF-8 or, where it is asked for, GB 18030.

    Raises CodeError for another encoding: only these two hold every character.
    """
    if encoding not in get_args(Encoding):
        values = {"part": Label("编码方式", "encoding"), "expected": ", ".join(get_args(Encoding)), "found": repr(encoding)}
        raise CodeError(KIND, Finding(Problem.VALUE, KIT, None, values))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ExchangeRecord.model_fields))
    writer.writeheader()
    writer.writerows(each.row() for each in records)
    return text.getvalue().encode(encoding)
