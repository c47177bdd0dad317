"""The values of fields: codes, dates, times. What is read is checked by the parsers of the codes; what is kept is plain text."""

from __future__ import annotations

import base64
import datetime
import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Base64Bytes, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from yiwang.standard import dates
from yiwang.standard.case import CaseNumber
from yiwang.standard.datasets.base import CONTEXT
from yiwang.standard.division import DivisionCode
from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem, Severity
from yiwang.standard.item import FORMS, LEGACY_IMPLEMENTING, LENGTHS, ItemCode
from yiwang.standard.labels import KIT, Label, Source
from yiwang.standard.uscc import Uscc

SOURCE = Source("GB/T 39046-2020")
# The first form is the one that is written; tables 5 to 9 have the second too, table 8 the third (confidence high).
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T?([0-9]{2})([0-9]{2})([0-9]{2})|([0-9]{2}):([0-9]{2}):([0-9]{2}))")
_COLUMN_TIME = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
# How long codes of divisions are: down to the county, the township, the village.
TOWNSHIP = 9
_PLACES = (6, TOWNSHIP, 12)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def moment(value: object) -> datetime.datetime:
    """The time that ``value`` is or writes, as one of China; the standard writes none finer than seconds. Raises CodeError."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        if isinstance(value, datetime.datetime):
            whole = value.replace(microsecond=0)
            return whole.replace(tzinfo=dates.CHINA) if whole.tzinfo is None else whole.astimezone(dates.CHINA)
        return datetime.datetime(*(int(number) for number in match.groups() if number), tzinfo=dates.CHINA)  # type: ignore[union-attr, arg-type, misc]
    except (AttributeError, ValueError, OverflowError):
        raise _not(value, "YYYYMMDDhhmmss") from None


def _day(value: object) -> datetime.date:
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    day = dates.compact(value) if isinstance(value, str) else None
    if day is None:
        raise _not(value, "YYYYMMDD")
    return day


def column_day(value: object) -> datetime.date | None:
    """The date that a column of the exchange record is given, written with or without dashes; None where there is none."""
    if isinstance(value, str) and (day := dates.dashed(value)):
        return day
    try:
        return None if value is None else _day(value)
    except CodeError:
        raise _not(value, Label("YYYY-MM-DD 或 YYYYMMDD", "YYYY-MM-DD or YYYYMMDD"), KIT) from None


def column_moment(value: object) -> datetime.datetime:
    """The time that a column of the exchange record is given, as it is written there or as in the data sets."""
    written = _COLUMN_TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        return moment("".join(written.groups()) if written else value)
    except CodeError:
        raise _not(value, Label("YYYY-MM-DD hh:mm:ss 或 YYYYMMDDhhmmss", "YYYY-MM-DD hh:mm:ss or YYYYMMDDhhmmss"), KIT) from None


def _not(value: object, expected: str | Label, source: Source = SOURCE) -> CodeError:
    """The error for a value that is not of its type; the field's own name and format replace what is said here."""
    values = {"part": Label("值", "value"), "expected": expected, "found": repr(value)}
    return CodeError("value", Finding(Problem.FORMAT, source, None, values))


def _number(value: object) -> Decimal:
    """A number in plain digits, as the standard's formats have it: no sign, no exponent. One of JSON is whole, also if written 20.0."""
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    text = f"{value:f}" if isinstance(value, Decimal) else str(value) if type(value) is int else value
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise _not(value, Label("数字，如 20", "a number like 20"), KIT)
    return Decimal(text)


def _base64(value: object) -> object:
    """What is Base64 as a whole; a decoder that passes over what is none would lose it without a word."""
    try:
        base64.b64decode(value, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise _not(value, "Base64", KIT) from None
    return value


def _table(info: ValidationInfo) -> Divisions | None:
    """The divisions that codes are read by; None for the national ones."""
    found: Divisions | None = (info.context or {}).get(CONTEXT)
    return found


def _credit(text: str) -> str:
    return str(Uscc.parse(text, mismatch=Severity.WARNING))


def _case(text: str, info: ValidationInfo) -> str:
    return str(CaseNumber.parse(text, table=_table(info)))


def _place(text: str, info: ValidationInfo) -> str:
    """The code of a division with 6 digits, 9 (with those of the township, which is what n..9 has room for) or 12."""
    if text and len(text) not in _PLACES:
        values = {"expected": Label("6、9 或 12", "6, 9 or 12"), "found": len(text)}
        raise CodeError("division", Finding(Problem.LENGTH, KIT, None, values))
    DivisionCode.parse(text.ljust(12, "0") if len(text) == TOWNSHIP else text, table=_table(info))
    return text


def _item(text: str, info: ValidationInfo, *forms: str) -> str:
    """A code of one of the forms, by the rules of today or, where it is shorter than a code of today can be, by the older ones."""
    older = len(text) <= LEGACY_IMPLEMENTING and len(text) != LENGTHS["basic"]
    code = ItemCode.parse(text, profile="108-2016" if text and older else "zwfw-2018", table=_table(info))
    if code.form not in forms:
        known = [FORMS[form] for form in FORMS if form in forms]
        expected = Label("、".join(form.zh for form in known), ", ".join(form.en for form in known))
        values = {"part": Label("编码", "kind of code"), "expected": expected, "found": FORMS[code.form]}
        raise CodeError("item", Finding(Problem.VALUE, SOURCE, None, values))
    return text


Moment = Annotated[
    datetime.datetime,
    BeforeValidator(moment),
    PlainSerializer(lambda value: f"{value.year:04d}{value:%m%d%H%M%S}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{8}(T?[0-9]{6}|[0-9]{2}:[0-9]{2}:[0-9]{2})$"}),
]
Day = Annotated[
    datetime.date,
    BeforeValidator(_day),
    PlainSerializer(lambda value: f"{value.year:04d}{value:%m%d}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{8}$"}),
]
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json"),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?$", "minimum": 0}),
]
Content = Annotated[Base64Bytes, BeforeValidator(_base64)]
# Codes of bodies in use: a wrong check character is let in, as some have one.
Credit = Annotated[str, AfterValidator(_credit)]
Basic = Annotated[str, AfterValidator(lambda text, info: _item(text, info, "basic"))]
Implementing = Annotated[str, AfterValidator(lambda text, info: _item(text, info, "implementing", "handling"))]
Case = Annotated[str, AfterValidator(_case)]
Place = Annotated[str, AfterValidator(_place), WithJsonSchema({"type": "string", "pattern": "^[0-9]{6}([0-9]{3}){0,2}$"})]
