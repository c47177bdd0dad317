"""Working days and deadlines, by the State Council's yearly notices of public holidays and make-up days."""

from __future__ import annotations

import datetime
import functools
import operator
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from yiwang.standard import dates, rows
from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import Label, Source

KIND = "workdays"
SOURCE = Source(Label("国务院节假日安排通知", "State Council notices of public holidays"))
COLUMNS = ("notice", "date", "kind")
_DAY = datetime.timedelta(days=1)
_SATURDAY = 5
_WEEKDAYS = (("一", "Monday"), ("二", "Tuesday"), ("三", "Wednesday"), ("四", "Thursday"), ("五", "Friday"))
# A holiday by every notice.
_NATIONAL_DAY = (10, 1)
# Working days for one body to decide on a licence and to extend that once; for several bodies together; for saying, once, what an
# application lacks (confidence high).
LICENCE_SOURCE = Source("行政许可法", Label("第 32、42 条", "arts. 32, 42"))
LICENCE, LICENCE_EXTENSION = 20, 10
JOINT_LICENCE, JOINT_LICENCE_EXTENSION = 45, 15
CORRECTION_NOTICE = 5
# Notices for a year have changed days from 28 December of the year before on (a Saturday worked, a Monday off), none earlier.
_LATE = (12, 28)


class Calendar:
    """Which days are worked. ``years``: those with an official notice; ``holidays``: days off; ``workdays``: Saturdays and Sundays worked.

    Nothing is guessed: a day of a year without a notice is refused, and so is one in the last days of December that the missing notice of
    the next year may change. ``notices``: the year of the notice that set a day, where it is not the one that ``notice_of`` tells.
    """

    def __init__(
        self,
        years: Collection[int],
        holidays: Iterable[datetime.date],
        workdays: Iterable[datetime.date],
        notices: Mapping[datetime.date, int] | None = None,
    ) -> None:
        self.years = frozenset(years)
        self.holidays = frozenset(holidays)
        self.workdays = frozenset(workdays)
        self._notices = dict(notices or {})

    def is_workday(self, day: datetime.date) -> bool:
        """Whether ``day`` is worked; of a time, its date in China counts. Raises CodeError for a day that no notice covers."""
        day = dates.china_day(day)
        if day.year not in self.years:
            raise CodeError(KIND, Finding(Problem.NO_NOTICE, SOURCE, None, {"found": day.year, "expected": _span(self.years)}))
        if (day.month, day.day) >= _LATE and day.year + 1 not in self.years:
            values = {"found": day.isoformat(), "year": day.year + 1}
            raise CodeError(KIND, Finding(Problem.NO_NOTICE_YET, SOURCE, None, values))
        return day in self.workdays or (day.weekday() < _SATURDAY and day not in self.holidays)

    def deadline(self, start: datetime.date, days: int) -> datetime.date:
        """The last day of a limit of ``days`` working days (0 or more) that begins on ``start``, which itself does not count.

        That the day of the start does not count is the general rule of limits (confidence medium: no text of it was read). With 0 days:
        ``start``, or the next day that is worked. Raises CodeError beyond the notices.
        """
        days = operator.index(days)
        if days < 0:
            values = {"part": Label("工作日数", "working days"), "expected": "0…", "found": days}
            raise CodeError(KIND, Finding(Problem.VALUE, SOURCE, None, values))
        day, left = dates.china_day(start), days
        while left:
            day = self._next(day)
            left -= self.is_workday(day)
        while not days and not self.is_workday(day):
            day = self._next(day)
        return day

    def count(self, start: datetime.date, end: datetime.date) -> int:
        """How many working days lie after ``start`` up to and with ``end``: negative where ``end`` is earlier. Raises CodeError."""
        day, end = dates.china_day(start), dates.china_day(end)
        if end < day:
            return -self.count(end, day)
        found = 0
        while day < end:
            day = self._next(day)
            found += self.is_workday(day)
        return found

    def extended(self, path: Path) -> Calendar:
        """This calendar and the file at ``path``, whose notices replace those of this one.

        The file is UTF-8, with the columns notice (the year that the notice is for), date (YYYY-MM-DD) and kind (holiday or workday) in
        its first line; lines that begin with # are left out. A notice may change days of December before its year, and holds National
        Day. Raises CodeError with line and column (and where it is no plain file, or too large); OSError where the file cannot be read.
        """
        own = {day: (year, kind) for year, day, kind in _read(path)}
        replaced = {year for year, _ in own.values()}

        def with_own(days: Collection[datetime.date], kind: str) -> set[datetime.date]:
            kept = {day for day in days if day not in own and self.notice_of(day) not in replaced}
            return kept | {day for day, (_, given) in own.items() if given == kind}

        return Calendar(
            self.years | replaced,
            with_own(self.holidays, "holiday"),
            with_own(self.workdays, "workday"),
            self._notices | {day: year for day, (year, _) in own.items()},
        )

    def notice_of(self, day: datetime.date) -> int:
        """The year of the notice that sets ``day``: in the last days of December that of the next year, where nothing else is known."""
        return self._notices.get(day, day.year + ((day.month, day.day) >= _LATE))

    def _next(self, day: datetime.date) -> datetime.date:
        if day == datetime.date.max:
            raise CodeError(KIND, Finding(Problem.NO_NOTICE, SOURCE, None, {"found": day.year + 1, "expected": _span(self.years)}))
        return day + _DAY


@functools.cache
def national() -> Calendar:
    """The calendar of the notices that the library ``chinesecalendar`` holds (from 2004 on)."""
    from chinese_calendar import constants  # noqa: PLC0415 - most who import the standard ask for no deadline

    # A day of a year may come from the notice for the next one; National Day is in every year's own.
    years = {day.year for day in constants.holidays if (day.month, day.day) == _NATIONAL_DAY}
    return Calendar(years, constants.holidays, constants.workdays)


def read(path: Path) -> Calendar:
    """A calendar of one file alone; its form and errors are those of ``Calendar.extended``."""
    return Calendar((), (), ()).extended(path)


def _span(years: Collection[int]) -> str:
    """The years as people write them: 2004-2026, 2028."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and spans[-1][-1] == year - 1:
            spans[-1][1:] = [year]
        else:
            spans.append([year])
    return ", ".join("-".join(map(str, span)) for span in spans) or "-"


def _read(path: Path) -> list[tuple[int, datetime.date, str]]:
    """The rows of a file: year of the notice, day, kind."""
    found: dict[datetime.date, tuple[int, datetime.date, str]] = {}
    lines: dict[int, int] = {}
    with rows.named(path):
        for number, cells in rows.read(path, COLUMNS, KIND):
            row = _row(number, cells)
            if row[1] in found:
                raise rows.twice(KIND, number, cells[1])
            found[row[1]] = row
            lines.setdefault(row[0], number)
        for year, line in lines.items():
            _expect_whole(year, line, found.values())
    return list(found.values())


def _expect_whole(year: int, line: int, days: Iterable[tuple[int, datetime.date, str]]) -> None:
    """Raise the CodeError for a notice that lacks National Day: a fragment, by which all the other holidays would be worked."""
    if (year, datetime.date(year, *_NATIONAL_DAY), "holiday") not in days:
        day = datetime.date(year, *_NATIONAL_DAY).isoformat()
        expected = Label(f"完整的通知（{day} 放假）", f"a whole notice, with {day},holiday")
        raise rows.wrong(KIND, line, "notice", expected, year)


def _row(line: int, cells: list[str]) -> tuple[int, datetime.date, str]:
    notice, date, kind = cells
    if not re.fullmatch("[1-9][0-9]{3}", notice):
        raise rows.wrong(KIND, line, "notice", "YYYY", repr(notice))
    day = dates.dashed(date)
    if day is None:
        raise rows.wrong(KIND, line, "date", "YYYY-MM-DD", repr(date))
    year = int(notice)
    if day.year != year and (day.year, day.month) != (year - 1, 12):
        raise rows.wrong(KIND, line, "date", f"{year - 1}-12-01…{year}-12-31", date)
    if kind not in {"holiday", "workday"}:
        raise rows.wrong(KIND, line, "kind", "holiday, workday", repr(kind))
    if kind == "workday" and day.weekday() < _SATURDAY:
        zh, en = _WEEKDAYS[day.weekday()]
        found = Label(f"{date}（星期{zh}）", f"{date}, a {en}")
        raise rows.wrong(KIND, line, "date", Label("星期六或星期日", "a Saturday or Sunday"), found)
    return year, day, kind
