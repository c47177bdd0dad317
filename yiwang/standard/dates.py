"""The two ways in which dates are written: as people write them, and as the standard's data sets and codes do.

Nothing else is a date: Python's own reader also takes weeks and days of the year.
"""

from __future__ import annotations

import datetime
import re

_COMPACT = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})").fullmatch
_DASHED = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})").fullmatch


def compact(text: str) -> datetime.date | None:
    """The date that ``text`` writes as YYYYMMDD (GB/T 39046-2020, confidence high); None where it writes none."""
    return _date(_COMPACT(text))


def dashed(text: str) -> datetime.date | None:
    """The date that ``text`` writes as YYYY-MM-DD; None where it writes none."""
    return _date(_DASHED(text))


def _date(match: re.Match[str] | None) -> datetime.date | None:
    try:
        return datetime.date(*map(int, match.groups())) if match else None
    except ValueError:
        return None
