"""The kinds of codes by name: how a program that is told the kind at run time reads one, and makes one."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from yiwang.standard import case, dates, division, idcard, item, licence, resource, uscc
from yiwang.standard.case import CaseNumber, SerialSource
from yiwang.standard.code import Code
from yiwang.standard.division import DivisionCode
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.idcard import IdCard
from yiwang.standard.item import ItemCode, Profile
from yiwang.standard.labels import KIT, Label
from yiwang.standard.licence import LicenceId
from yiwang.standard.resource import ResourceCode
from yiwang.standard.uscc import Uscc


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading may depend on besides the text: severity of wrong check characters, profile of items, divisions, today's date."""

    mismatch: Severity = Severity.ERROR
    profile: Profile = "zwfw-2018"
    table: Divisions | None = None
    today: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its ``name``, what people call it, how it is read; ``needs`` and ``may`` are the parts that making one asks for.

    ``reads``: the fields of a ``Reading`` that the kind depends on. ``make`` is None where the kit's users issue no such code.
    """

    name: str
    label: Label
    parse: Callable[[str, Reading], Code]
    reads: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
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
                raise CodeError(self.name, Finding(Problem.REQUIRED, KIT, None, {"part": key}))
        return self.make(parts, reading, serials)


def _case(parts: Mapping[str, str], reading: Reading, serials: SerialSource) -> Code:
    day = reading.today
    if "date" in parts:
        day = dates.dashed(parts["date"]) or dates.compact(parts["date"])
        if day is None:
            expected = Label("YYYY-MM-DD 或 YYYYMMDD", "YYYY-MM-DD or YYYYMMDD")
            raise CodeError(case.KIND, Finding(Problem.VALUE, KIT, None, {"part": "date", "expected": expected, "found": parts["date"]}))
    if day is None:
        raise CodeError(case.KIND, Finding(Problem.REQUIRED, KIT, None, {"part": "date"}))
    return CaseNumber.generate(parts["implementing"], day, serials)


def _item(parts: Mapping[str, str], reading: Reading, _: SerialSource) -> Code:
    given = {key: parts.get(key, "") for key in ("basic", "body", "level", "handling")}
    return ItemCode.generate(**given, table=reading.table)


def _licence(parts: Mapping[str, str], _: Reading, __: SerialSource) -> Code:
    return LicenceId.generate(parts["type"], parts["issuer"], parts["serial"], parts.get("version") or "001")


def _resource(parts: Mapping[str, str], _: Reading, __: SerialSource) -> Code:
    return ResourceCode.generate(parts["classification"], parts["serial"])


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            uscc.KIND,
            Label("统一社会信用代码", "unified social credit code"),
            lambda text, reading: Uscc.parse(text, mismatch=reading.mismatch),
            frozenset({"mismatch"}),
        ),
        Kind(
            idcard.KIND,
            Label("公民身份号码", "citizen identity number"),
            lambda text, reading: IdCard.parse(text, today=reading.today, table=reading.table),
            frozenset({"today", "table"}),
        ),
        Kind(
            division.KIND,
            Label("行政区划代码", "administrative division"),
            lambda text, reading: DivisionCode.parse(text, table=reading.table),
            frozenset({"table"}),
        ),
        Kind(
            item.KIND,
            Label("政务服务事项编码", "item code"),
            lambda text, reading: ItemCode.parse(text, profile=reading.profile, table=reading.table),
            frozenset({"profile", "table"}),
            ("basic",),
            ("body", "level", "handling"),
            _item,
        ),
        Kind(
            case.KIND,
            Label("办件编号", "case number"),
            lambda text, _: CaseNumber.parse(text),
            frozenset(),
            ("implementing",),
            ("date",),
            _case,
        ),
        Kind(
            licence.KIND,
            Label("电子证照标识", "e-licence identifier"),
            lambda text, reading: LicenceId.parse(text, mismatch=reading.mismatch),
            frozenset({"mismatch"}),
            ("type", "issuer", "serial"),
            ("version",),
            _licence,
        ),
        Kind(
            resource.KIND,
            Label("政务信息资源代码", "information resource code"),
            lambda text, _: ResourceCode.parse(text),
            frozenset(),
            ("classification", "serial"),
            (),
            _resource,
        ),
    )
}
