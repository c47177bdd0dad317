"""The two ways in which dates are written, as people write them and as the standard's data sets and codes do; and the day in China.

Nothing else is a date: Python's own reader also takes weeks and days of the year.
"""

from __future__ import annotations

import datetime
import re

from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import KIT, Label

# The standard's times have no zone; they are those of China.
CHINA = datetime.timezone(datetime.timedelta(hours=8))
_COMPACT = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})").fullmatch
_DASHED = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})").fullmatch


def compact(text: str) -> datetime.date | None:
    """The date that ``text`` writes as YYYYMMDD (GB/T 39046-2020, confidence high); None where it writes none."""
    return _date(_COMPACT(text))


def dashed(text: str) -> datetime.date | None:
    """The date that ``text`` writes as YYYY-MM-DD; None where it writes none."""
    return _date(_DASHED(text))


def china_day(day: datetime.date) -> datetime.date:
    """The date that ``day`` is in China; a time without zone is one of China. Raises CodeError for a time that has none there."""
    if not isinstance(day, datetime.datetime):
        return day
    try:
        return (day if day.tzinfo is None else day.astimezone(CHINA)).date()
    except OverflowError:
        values = {"part": Label("日期", "date"), "expected": "0001-01-01…9999-12-31", "found": day.isoformat()}
        raise CodeError("date", Finding(Problem.VALUE, KIT, None, values)) from None


def _date(match: re.Match[str] | None) -> datetime.date | None:
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
