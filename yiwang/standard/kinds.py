"""The kinds of codes by name: how a program that is told the kind at run time reads one, and makes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from yiwang.standard.code import Code
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.labels import KIT, Label

if TYPE_CHECKING:
    import datetime

    from yiwang.standard.case import SerialSource
    from yiwang.standard.divisions import Divisions
    from yiwang.standard.item import Profile


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading may depend on besides the text: severity of wrong check characters, profile of items, divisions, today's date."""

    mismatch: Severity = Severity.ERROR
    profile: Profile = "zwfw-2018"
    table: Divisions | None = None
    today: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its ``name``, what people call it, how it is read; ``needs`` and ``may`` name the parts that making one asks for.

    ``reads``: the fields of a ``Reading`` that the kind depends on. ``make`` is None where the kit's users issue no such code.
    """

    name: str
    label: Label
    parse: Callable[[str, Reading], Code]
    reads: frozenset[str] = frozenset()
    needs: Mapping[str, Label] = field(default_factory=dict)
    may: Mapping[str, Label] = field(default_factory=dict)
    make: Callable[[Mapping[str, str], Reading, SerialSource], Code] | None = None

    def generate(self, parts: Mapping[str, str], reading: Reading, serials: SerialSource) -> Code:
        """A code made of ``parts`` by their keys. Raises CodeError, also for a part that is missing or unknown."""
        if self.make is None:
            raise CodeError(self.name, Finding(Problem.NOT_ISSUED, KIT, None, {"part": self.label}))
        for key in parts:
            if key not in {*self.needs, *self.may}:
                known = ", ".join((*self.needs, *self.may))
                raise CodeError(self.name, Finding(Problem.UNKNOWN_PART, KIT, None, {"part": key, "expected": known}))
        for key in self.needs:
            if not parts.get(key):
                raise CodeError(self.name, Finding(Problem.REQUIRED, KIT, None, {"part": self.needs[key]}))
        return self.make(parts, reading, serials)


def _parts(**names: str) -> Mapping[str, Label]:
    """Parts by their keys; in Chinese a key is told with what it is, as keys are English words."""
    return {key: Label(f"{name}（{key}）", key) for key, name in names.items()}


_DATE = _parts(date="日期")

# Each kind's own module is loaded when a code of the kind is first read or made: who needs one does not pay for all.
# ruff: disable[PLC0415]


def _read_uscc(text: str, reading: Reading) -> Code:
    from yiwang.standard.uscc import Uscc

    return Uscc.parse(text, mismatch=reading.mismatch, table=reading.table)


def _read_idcard(text: str, reading: Reading) -> Code:
    from yiwang.standard.idcard import IdCard

    return IdCard.parse(text, today=reading.today, table=reading.table)


def _read_division(text: str, reading: Reading) -> Code:
    from yiwang.standard.division import DivisionCode

    return DivisionCode.parse(text, table=reading.table)


def _read_item(text: str, reading: Reading) -> Code:
    from yiwang.standard.item import ItemCode

    return ItemCode.parse(text, profile=reading.profile, table=reading.table)


def _read_case(text: str, reading: Reading) -> Code:
    from yiwang.standard.case import CaseNumber

    return CaseNumber.parse(text, table=reading.table)


def _read_licence(text: str, reading: Reading) -> Code:
    from yiwang.standard.licence import LicenceId

    return LicenceId.parse(text, mismatch=reading.mismatch, table=reading.table)


def _read_resource(text: str, _: Reading) -> Code:
    from yiwang.standard.resource import ResourceCode

    return ResourceCode.parse(text)


def _make_case(parts: Mapping[str, str], reading: Reading, serials: SerialSource) -> Code:
    from yiwang.standard import dates
    from yiwang.standard.case import CaseNumber

    day = reading.today
    if "date" in parts:
        day = dates.dashed(parts["date"]) or dates.compact(parts["date"])
        if day is None:
            expected = Label("YYYY-MM-DD 或 YYYYMMDD", "YYYY-MM-DD or YYYYMMDD")
            values = {"part": _DATE["date"], "expected": expected, "found": parts["date"]}
            raise CodeError("case", Finding(Problem.VALUE, KIT, None, values))
    if day is None:
        raise CodeError("case", Finding(Problem.REQUIRED, KIT, None, {"part": _DATE["date"]}))
    return CaseNumber.generate(parts["implementing"], day, serials, table=reading.table)


def _make_item(parts: Mapping[str, str], reading: Reading, _: SerialSource) -> Code:
    from yiwang.standard.item import ItemCode

    given = {key: parts.get(key, "") for key in ("basic", "body", "level", "handling")}
    return ItemCode.generate(**given, table=reading.table)


def _make_licence(parts: Mapping[str, str], reading: Reading, _: SerialSource) -> Code:
    from yiwang.standard.licence import LicenceId

    given = (parts["type"], parts["issuer"], parts["serial"], parts.get("version") or "001")
    return LicenceId.generate(*given, table=reading.table)


def _make_resource(parts: Mapping[str, str], _: Reading, __: SerialSource) -> Code:
    from yiwang.standard.resource import ResourceCode

    return ResourceCode.generate(parts["classification"], parts["serial"])


# ruff: enable[PLC0415]

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("uscc", Label("统一社会信用代码", "unified social credit code"), _read_uscc, frozenset({"mismatch", "table"})),
        Kind("idcard", Label("公民身份号码", "citizen identity number"), _read_idcard, frozenset({"today", "table"})),
        Kind("division", Label("行政区划代码", "administrative division"), _read_division, frozenset({"table"})),
        Kind(
            "item",
            Label("政务服务事项编码", "item code"),
            _read_item,
            frozenset({"profile", "table"}),
            _parts(basic="基本编码"),
            _parts(body="实施主体代码", level="行使层级代码", handling="业务办理项序号"),
            _make_item,
        ),
        Kind(
            "case", Label("办件编号", "case number"), _read_case, frozenset({"table"}), _parts(implementing="实施编码"), _DATE, _make_case
        ),
        Kind(
            "licence",
            Label("电子证照标识", "e-licence identifier"),
            _read_licence,
            frozenset({"mismatch", "table"}),
            _parts(type="证照类型代码", issuer="证照颁发机构代码", serial="流水号"),
            _parts(version="版本号"),
            _make_licence,
        ),
        Kind(
            "resource",
            Label("政务信息资源代码", "information resource code"),
            _read_resource,
            frozenset(),
            _parts(classification="分类码", serial="顺序码"),
            {},
            _make_resource,
        ),
    )
}
