"""The national exchange record of items: what a province's items are pushed as, and its files.

The columns are those of a live schema that follows ZWFW C0109.2-2018 (confidence high as seen there).
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from yiwang.standard.datasets.base import DataSet, Element, Origin
from yiwang.standard.datasets.items import Item
from yiwang.standard.datasets.values import column_day, column_moment
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import KIT, Label, Source
from yiwang.standard.tables.exchange import Operation

KIND = "exchange"
SOURCE = Source("ZWFW C0109.2-2018", Label("据在用的库表结构", "as seen in a live schema"))
Encoding = Literal["utf-8", "gb18030"]
# Python's codec is of GB 18030-2000. Later editions gave the bytes of 19 private characters to the real ones, and theirs to those: that of
# 2005 of the first, that of 2022 of the others (confidence medium: other implementations were compared, the standard was not read).
_REAL = "\u1e3f\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb\ufe10\ufe11\ufe12\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19"
_PRIVATE = "\ue7c7\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864\ue78d\ue78f\ue78e\ue790\ue791\ue792\ue793\ue794\ue795\ue796"
_EDITION_2022 = str.maketrans(_REAL + _PRIVATE, _PRIVATE + _REAL)


@dataclass(frozen=True, slots=True)
class Sync:
    """What a synchronisation adds to each record: its batch, what the record does, when, and where it comes from."""

    batch: str
    operation: Operation
    time: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Column(Element):
    """What is known of a column: its format is the width that was seen; but for a few its Chinese name is this kit's."""

    origin: Origin = "composed"

    def source(self, table: Label | None = None) -> Source:  # noqa: ARG002 - the table of an element
        """Where widths are from."""
        return SOURCE

    def told(self, name: str) -> Label:
        """What is told of the column to people who look for it in a file."""
        return Label(f"{self.zh}（{name}）", name)


_Filled = Annotated[str, Field(min_length=1)]
_Time = Annotated[
    datetime,
    BeforeValidator(column_moment),
    PlainSerializer(lambda value: f"{value.year:04d}-{value:%m-%d %H:%M:%S}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}$"}),
]
_Day = Annotated[date | None, BeforeValidator(column_day)]


class ExchangeRecord(DataSet):
    """One item as the national platform takes it. Texts and codes; widths where they are known.

    The names of ``origin`` ``standard`` are what the columns hold by what was seen of them, the others are this kit's.
    """

    kind = KIND
    title = Label("国家交换记录", "national exchange record")
    title_origin = "composed"

    row_guid: Annotated[_Filled, Column("记录标识")]
    task_guid: Annotated[_Filled, Column("事项标识")]
    catalog_code: Annotated[str | None, Column("基本编码", "an..12", origin="standard")] = None
    task_code: Annotated[str, Column("实施编码", "an..36", origin="standard")]
    task_handle_item: Annotated[str | None, Column("业务办理项编码", "an..50", origin="standard")] = None
    task_name: Annotated[str, Column("事项名称", "an..1000")]
    task_type: Annotated[str | None, Column("事项类型")] = None
    task_state: Annotated[str | None, Column("事项状态")] = None
    task_version: Annotated[str | None, Column("事项版本")] = None
    dept_name: Annotated[str | None, Column("实施主体")] = None
    dept_code: Annotated[str | None, Column("实施主体代码")] = None
    dept_type: Annotated[str | None, Column("实施主体性质")] = None
    use_level: Annotated[str | None, Column("行使层级")] = None
    power_source: Annotated[str | None, Column("权力来源")] = None
    by_law: Annotated[str | None, Column("设定依据")] = None
    entrust_name: Annotated[str | None, Column("委托部门")] = None
    handle_flow: Annotated[str | None, Column("办理流程")] = None
    anticipate_day: Annotated[str | None, Column("法定办结时限")] = None
    anticipate_type: Annotated[str | None, Column("法定办结时限单位")] = None
    anticipate_explain: Annotated[str | None, Column("法定办结时限说明")] = None
    promise_day: Annotated[str | None, Column("承诺办结时限")] = None
    promise_type: Annotated[str | None, Column("承诺办结时限单位")] = None
    promise_explain: Annotated[str | None, Column("承诺办结时限说明")] = None
    project_type: Annotated[str | None, Column("办件类型", origin="standard")] = None
    server_type: Annotated[str | None, Column("服务对象")] = None
    special_procedure: Annotated[str | None, Column("特别程序")] = None
    supervise_way: Annotated[str | None, Column("监督方式")] = None
    link_way: Annotated[str | None, Column("咨询方式")] = None
    transact_addr: Annotated[str | None, Column("办理地点")] = None
    transact_time: Annotated[str | None, Column("办理时间")] = None
    handle_area: Annotated[str | None, Column("通办范围", origin="standard")] = None
    other_dept: Annotated[str | None, Column("联办机构", origin="standard")] = None
    plan_effective_date: Annotated[_Day, Column("计划生效日期")] = None
    plan_cancel_date: Annotated[_Day, Column("计划取消日期")] = None
    is_entry_center: Annotated[str | None, Column("是否进驻大厅")] = None
    cd_batch: Annotated[_Filled, Column("同步批次")]
    cd_operation: Annotated[Operation, Column("同步操作")]
    cd_time: Annotated[_Time, Column("同步时间")]
    data_source: Annotated[_Filled, Column("数据来源")]

    @classmethod
    def source(cls) -> Source:
        """Where the columns were seen."""
        return SOURCE

    def row(self) -> dict[str, str]:
        """The record as texts by column; what is not there is empty."""
        return {name: "" if value is None else str(value) for name, value in self.model_dump(mode="json").items()}


def record(
    item: Item, sync: Sync, *, row_guid: str, task_guid: str, despite_errors: bool = False, **more: str | date | None
) -> ExchangeRecord:
    """The exchange record of ``item``; ``more``: columns that the item has nothing for (task_state, task_version, project_type …).

    A code of 33 goes to ``task_handle_item`` and its first 31 to ``task_code``. Raises CodeError for a column that is not there, is
    filled by the item, or holds no value for it; and for an item whose findings are errors, unless ``despite_errors``.
    """
    wrong = [finding for finding in item.findings() if finding.severity is Severity.ERROR]
    if wrong and not despite_errors:
        raise CodeError(KIND, *wrong)
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
        "link_way": "；".join(filter(None, (item.consultation_way, item.consultation_telephone))) or None,
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
    return ExchangeRecord.read({**filled, **more})


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


def file(records: Iterable[ExchangeRecord], encoding: Encoding = "utf-8") -> bytes:
    """A CSV file of ``records`` with the columns in its first line, in UTF-8 or, where it is asked for, GB 18030 in its edition of 2022.

    Raises CodeError for another encoding: only these two hold every character.
    """
    if encoding not in get_args(Encoding):
        values = {"part": Label("编码方式", "encoding"), "expected": ", ".join(get_args(Encoding)), "found": repr(encoding)}
        raise CodeError(KIND, Finding(Problem.VALUE, KIT, None, values))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ExchangeRecord.model_fields))
    writer.writeheader()
    writer.writerows(each.row() for each in records)
    written = text.getvalue()
    return (written.translate(_EDITION_2022) if encoding == "gb18030" else written).encode(encoding)
