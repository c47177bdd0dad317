"""Rules between the fields of one record, and between the records of one item at several levels."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.idcard import IdCard
from yiwang.standard.item import FORMS, LENGTHS
from yiwang.standard.item import SOURCE as CODE_SOURCE
from yiwang.standard.labels import Label, Source
from yiwang.standard.tables.base import Table
from yiwang.standard.tables.bodies import DocumentKind
from yiwang.standard.tables.items import ItemType, type_label

if TYPE_CHECKING:
    from yiwang.standard.datasets.cases import Acceptance, Application, Evaluation, Step
    from yiwang.standard.datasets.items import Item

# The comparison follows from what the two kinds of cases are; no text of it was read.
PROMISE_SOURCE = Source("GB/T 39046-2020", Label("表 4、A.6", "Table 4, A.6"))
SPECIAL_SOURCE = Source("GB/T 39046-2020", Label("表 7、A.7", "Table 7, A.7"))
_SET = Source("GB/T 39046-2020")
# 四级四同: what is alike at all levels, by field. The fourth, the code, is the basic code by which records are compared.
SAME: Mapping[str, Label] = {
    "name": Label("名称", "name"),
    "basis": Label("设定依据", "basis"),
    "type_code": Label("类型", "type"),
}


def item(record: Item) -> tuple[Finding, ...]:
    """Findings on an item."""
    found = [
        *promise(record.promised_limit, record.promised_limit_unit, record.statutory_limit, record.statutory_limit_unit),
        *_named(Label("行使层级", "level name"), record.level_name, record.level_code),
        *_named(Label("实施主体性质", "body nature name"), record.body_nature_name, record.body_nature_code),
        *_named(Label("服务对象", "service object name"), record.service_object_name, record.service_object_code),
        *_named(Label("办理形式", "handling way name"), record.handling_way_name, record.handling_way_code),
    ]
    kind = record.type_code
    if kind is not None and type_label(kind) is None:
        found.append(Finding(Problem.NO_ITEM_TYPE, _SET, None, {"found": kind}))
    if kind is not None and ItemType.label_of(kind) is not None:
        found += _named(Label("事项类型", "type name"), record.type_name, ItemType.of(kind))
    return (*found, *_held(record))


def _held(record: Item) -> Iterator[Finding]:
    """What the codes of an item hold is what the fields beside them say; of older codes it is not known what they hold."""
    whole = len(record.implementing_code) >= LENGTHS["implementing"]
    held = record.implementing_code[19:31] if whole else None
    basic = record.basic_code or held
    if whole and record.basic_code and held != record.basic_code:
        yield Finding(Problem.NOT_IN_ITEM, _SET, None, {"expected": record.basic_code})
    compared: list[tuple[Label, str | None, Label, str | None]] = []
    if whole:
        level = record.level_code and record.level_code.code
        compared.append((Label("行使层级代码", "level code"), level, FORMS["implementing"], record.implementing_code[18]))
        compared.append((Label("实施主体代码", "body code"), record.body_code, FORMS["implementing"], record.implementing_code[:18]))
    if basic and len(basic) == LENGTHS["basic"]:
        compared.append((Label("事项类型代码", "type code"), record.type_code, FORMS["basic"], basic[2:4]))
    for part, said, holder, expected in compared:
        if said is not None and said != expected:
            values = {"part": part, "expected": expected, "holder": holder, "found": said}
            yield Finding(Problem.NOT_AS_HELD, CODE_SOURCE, None, values)


def promise(
    promised: Decimal | None, promised_unit: str | None, statutory: Decimal | None, statutory_unit: str | None
) -> tuple[Finding, ...]:
    """A promised limit is no longer than the statutory one. Limits in different units are not compared, which is a warning."""
    if promised is None or statutory is None:
        return ()
    if promised_unit != statutory_unit:
        values = {"found": promised_unit or "-", "expected": statutory_unit or "-"}
        return (Finding(Problem.PROMISE_UNIT, PROMISE_SOURCE, None, values, Severity.WARNING),)
    if promised > statutory:
        return (Finding(Problem.PROMISE_LONGER, PROMISE_SOURCE, None, {"found": promised, "expected": statutory}),)
    return ()


def application(record: Application) -> tuple[Finding, ...]:
    """Findings on an application."""
    applicant, agent = Label("申请者证件号码", "applicant document number"), Label("联系人/代理人证件号码", "agent document number")
    return (
        *_named(Label("办件类型", "case kind name"), record.case_kind_name, record.case_kind_code),
        *_identity(applicant, record.applicant_document_kind, record.applicant_document_number),
        *_identity(agent, record.agent_document_kind, record.agent_document_number),
    )


def acceptance(record: Acceptance) -> tuple[Finding, ...]:
    """Findings on an acceptance."""
    return (
        *_named(Label("办件类型", "case kind name"), record.case_kind_name, record.case_kind_code),
        *_ordered(Label("受理时间", "time"), record.time, Label("承诺办结时间", "promised time"), record.promised_time),
    )


def step(record: Step) -> tuple[Finding, ...]:
    """Findings on a step: a special procedure that is there in any field needs its start and its reason."""
    special = (
        record.special_name,
        record.special_code,
        record.special_start,
        record.special_reason,
        record.special_applicant,
        record.special_end,
        record.special_result,
        record.special_opinion,
    )
    found = []
    if any(special):
        if record.special_start is None:
            found.append(Finding(Problem.SPECIAL_INCOMPLETE, SPECIAL_SOURCE, None, {"part": Label("开始时间", "start")}))
        if not (record.special_reason or "").strip():
            found.append(Finding(Problem.SPECIAL_INCOMPLETE, SPECIAL_SOURCE, None, {"part": Label("理由", "reason")}))
    start, end = Label("特别程序开始时间", "special start"), Label("特别程序结束时间", "special end")
    found += _ordered(start, record.special_start, end, record.special_end)
    found += _ordered(Label("环节开始时间", "step start"), record.step_start, Label("环节结束时间", "step end"), record.step_end)
    return (*found, *_named(Label("特别程序种类名称", "special name"), record.special_name, record.special_code))


def evaluation(record: Evaluation) -> tuple[Finding, ...]:
    """Findings on an evaluation."""
    return _named(Label("满意度", "satisfaction name"), record.satisfaction_name, record.satisfaction_code)


def _ordered(first: Label, start: datetime.datetime | None, second: Label, end: datetime.datetime | None) -> tuple[Finding, ...]:
    if start is None or end is None or start <= end:
        return ()
    return (Finding(Problem.TIMES_REVERSED, _SET, None, {"part": second, "expected": first}),)


def _identity(part: Label, kind: str | None, number: str | None) -> Iterator[Finding]:
    """What is wrong with the number of an identity card; warnings, as people are served who have a wrong one."""
    card = DocumentKind.IDENTITY_CARD
    if not kind or not number or (kind != card.code and not card.means(kind)):
        return
    try:
        IdCard.parse(number)
    except CodeError as error:
        for each in error.findings:
            reason = Label(each.words("zh"), each.words("en"))
            yield Finding(Problem.FIELD, each.source, each.position, {"part": part, "reason": reason}, Severity.WARNING)


def _named(part: Label, name: str | None, code: Table | None) -> tuple[Finding, ...]:
    """A name beside a code says what the code says; a warning, as names are written in many ways."""
    if not name or code is None or code.means(name):
        return ()
    values = {"part": part, "found": name, "expected": f"{code.code} {code.label.zh}"}
    return (Finding(Problem.NAME_AND_CODE, code.source, None, values, Severity.WARNING),)


@dataclass(frozen=True, slots=True)
class Difference:
    """Where records of one basic code are not alike: ``field`` (one of ``SAME``), and the implementing codes by what they say there."""

    basic_code: str
    field: str
    label: Label
    said: Mapping[str | None, tuple[str, ...]]


def differences(records: Iterable[Item]) -> tuple[Difference, ...]:
    """四级四同: where items with one basic code differ in name, basis or type, at whatever levels they are exercised.

    国发〔2018〕27号 (meaning: confidence high, clause unknown). An item's basic code is its field, else what its implementing code holds;
    one that has neither is compared with nothing. A field that is empty differs from one that is not.
    """
    grouped: dict[str, list[Item]] = defaultdict(list)
    for record in records:
        code = record.basic_code or (record.implementing_code[19:31] if len(record.implementing_code) >= 31 else None)
        if code:
            grouped[code].append(record)
    found = []
    for code, alike in sorted(grouped.items()):
        for field, label in SAME.items():
            said: dict[str | None, list[str]] = defaultdict(list)
            for record in alike:
                said[getattr(record, field)].append(record.implementing_code)
            if len(said) > 1:
                found.append(Difference(code, field, label, {value: tuple(codes) for value, codes in said.items()}))
    return tuple(found)
