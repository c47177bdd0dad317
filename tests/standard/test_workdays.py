"""Working days and deadlines by the official notices."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

import pytest
from chinese_calendar import is_workday as peer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from yiwang.standard import workdays
from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.workdays import Calendar

D = datetime.date
NATIONAL = workdays.national()
LAST = max(NATIONAL.years)

OWN = """# 样例
notice,date,kind
2031,2030-12-28,workday
2031,2030-12-31,holiday
2031,2031-01-01,holiday
2031,2031-01-04,workday
2031,2031-10-01,holiday
"""


HEAD = "notice,date,kind\n"


def notice(year: int, *rows: str) -> str:
    """A file with a notice that is whole: National Day, and what is given."""
    return HEAD + "".join(f"{year},{row}\n" for row in (*rows, f"{year}-10-01,holiday"))


def own(tmp_path: Path, text: str | bytes = OWN) -> Path:
    path = tmp_path / "days.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(day: datetime.date, calendar: Calendar = NATIONAL) -> Problem:
    with pytest.raises(CodeError) as refused:
        calendar.is_workday(day)
    return refused.value.finding.problem


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (D(2024, 2, 9), True),  # the eve, a Friday: the notice asked employers to give it off and did not make it a holiday
        (D(2024, 2, 10), False),
        (D(2024, 2, 18), True),  # a Sunday, worked
        (D(2024, 2, 24), False),
        (D(2024, 10, 1), False),
        (D(2024, 10, 12), True),  # a Saturday, worked
        (D(2024, 9, 23), True),
        (D(2018, 12, 29), True),  # a Saturday worked and a Monday off by the notice for 2019
        (D(2018, 12, 31), False),
    ],
)
def test_known_days(day: datetime.date, worked: bool) -> None:
    assert NATIONAL.is_workday(day) is worked


@given(st.dates(D(2004, 1, 1), D(LAST, 12, 27)))
def test_every_day_is_as_the_library_has_it(day: datetime.date) -> None:
    assert NATIONAL.is_workday(day) is peer(day)


def test_nothing_is_guessed_beyond_the_notices() -> None:
    assert {2004, 2025, 2026} <= NATIONAL.years
    assert refusal(D(LAST + 1, 1, 1)) is Problem.NO_NOTICE
    assert refusal(D(2003, 12, 31)) is Problem.NO_NOTICE
    with pytest.raises(
        CodeError, match=rf"no official notice of the holidays of {LAST + 1}, and none is guessed \(there are 2004-{LAST}\)"
    ):
        NATIONAL.is_workday(D(LAST + 1, 1, 1))


def test_the_last_days_of_december_wait_for_the_notice_of_the_next_year() -> None:
    assert NATIONAL.is_workday(D(LAST, 12, 27)) in {True, False}
    assert refusal(D(LAST, 12, 28)) is Problem.NO_NOTICE_YET
    assert refusal(D(LAST, 12, 31)) is Problem.NO_NOTICE_YET


def test_no_notice_that_is_known_changed_a_day_of_december_earlier() -> None:
    late = {day for day in NATIONAL.holidays | NATIONAL.workdays if day.month == 12}
    assert {day.day for day in late} <= {28, 29, 30, 31}


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (D(2024, 9, 30), 1, D(2024, 10, 8)),  # over National Day
        (D(2024, 9, 30), 5, D(2024, 10, 12)),  # the Saturday counts
        (D(2024, 6, 3), 20, D(2024, 7, 2)),  # over the Dragon Boat Festival
        (D(2024, 6, 1), 0, D(2024, 6, 3)),  # a Saturday
        (D(2024, 6, 3), 0, D(2024, 6, 3)),
        (D(2024, 12, 31), 1, D(2025, 1, 2)),  # into the next year
    ],
)
def test_deadlines(start: datetime.date, days: int, end: datetime.date) -> None:
    assert NATIONAL.deadline(start, days) == end
    if days:
        assert NATIONAL.count(start, end) == days
        assert NATIONAL.count(end, start) == -days


def test_of_a_time_the_date_counts() -> None:
    morning = datetime.datetime(2024, 10, 1, 9, tzinfo=datetime.UTC)
    assert not NATIONAL.is_workday(morning)
    assert NATIONAL.deadline(morning, 1) == D(2024, 10, 8)
    assert NATIONAL.count(morning, D(2024, 10, 8)) == 1
    assert NATIONAL.count(D(2024, 10, 8), morning) == -1


def test_a_deadline_beyond_the_notices_is_refused() -> None:
    with pytest.raises(CodeError) as refused:
        NATIONAL.deadline(D(LAST, 12, 20), 20)
    assert refused.value.finding.problem is Problem.NO_NOTICE_YET
    with pytest.raises(CodeError):
        NATIONAL.deadline(D(2024, 1, 2), 10_000_000)
    with pytest.raises(CodeError):
        Calendar({9999}, (), ()).deadline(D.max, 1)
    with pytest.raises(CodeError):
        NATIONAL.deadline(D(2024, 1, 2), -1)


@pytest.mark.parametrize("days", [1.5, 1.0, "5", None])
def test_working_days_are_whole_and_a_notice_is_not_blamed(days: object) -> None:
    with pytest.raises(TypeError):
        NATIONAL.deadline(D(2024, 9, 30), days)  # type: ignore[arg-type]


@given(st.one_of(st.dates(), st.datetimes()), st.one_of(st.dates(), st.datetimes()), st.integers(0, 3))
@example(datetime.datetime.max.replace(tzinfo=datetime.UTC), datetime.datetime.min.replace(tzinfo=datetime.UTC), 1)
@example(D.min, D.max, 1)
def test_any_day_has_an_answer_or_the_one_error(first: datetime.date, second: datetime.date, days: int) -> None:
    for ask in (lambda: NATIONAL.is_workday(first), lambda: NATIONAL.deadline(first, days), lambda: NATIONAL.count(first, second)):
        with contextlib.suppress(CodeError):
            ask()


@given(st.dates(D(2010, 1, 1), D(LAST - 1, 1, 1)), st.integers(1, 60))
def test_a_deadline_is_worked_and_counts_back(start: datetime.date, days: int) -> None:
    end = NATIONAL.deadline(start, days)
    assert NATIONAL.is_workday(end)
    assert NATIONAL.count(start, end) == days
    assert end > start


def test_limits_of_the_law() -> None:
    assert (workdays.LICENCE, workdays.LICENCE_EXTENSION, workdays.JOINT_LICENCE, workdays.JOINT_LICENCE_EXTENSION) == (20, 10, 45, 15)
    assert workdays.CORRECTION_NOTICE == 5
    assert str(workdays.LICENCE_SOURCE) == "行政许可法, arts. 32, 42"


def test_a_file_of_ones_own_adds_a_year_and_replaces_one(tmp_path: Path) -> None:
    calendar = NATIONAL.extended(own(tmp_path))
    assert calendar.years == NATIONAL.years | {2031}
    assert calendar.is_workday(D(2031, 1, 4))
    assert not calendar.is_workday(D(2031, 1, 1))
    assert calendar.is_workday(D(2031, 7, 1))
    # 2030 has no notice of its own by that.
    assert refusal(D(2030, 12, 30), calendar) is Problem.NO_NOTICE
    replaced = NATIONAL.extended(own(tmp_path, notice(2024, "2024-05-01,holiday")))
    assert replaced.is_workday(D(2024, 1, 1))
    assert replaced.is_workday(D(2024, 10, 2))
    assert not replaced.is_workday(D(2023, 10, 2))
    assert not NATIONAL.is_workday(D(2024, 1, 1))


def test_a_notice_for_the_next_year_settles_december(tmp_path: Path) -> None:
    following = LAST + 1
    calendar = NATIONAL.extended(own(tmp_path, notice(following, f"{LAST}-12-31,holiday", f"{following}-01-01,holiday")))
    assert not calendar.is_workday(D(LAST, 12, 31))
    assert calendar.is_workday(D(LAST, 10, 10)) is NATIONAL.is_workday(D(LAST, 10, 10))


def test_a_replaced_notice_takes_its_own_days_along_and_no_others(tmp_path: Path) -> None:
    # The notice for 2019 set the last days of December 2018.
    replaced = NATIONAL.extended(own(tmp_path, notice(2018, "2018-01-01,holiday")))
    assert replaced.is_workday(D(2018, 12, 29))
    assert not replaced.is_workday(D(2018, 12, 31))
    assert replaced.is_workday(D(2018, 10, 2))
    next_year = NATIONAL.extended(own(tmp_path, notice(2019, "2019-01-01,holiday")))
    assert not next_year.is_workday(D(2018, 12, 29))
    assert next_year.is_workday(D(2018, 12, 31))
    assert not next_year.is_workday(D(2018, 10, 1))
    # What a file said of a notice is known to the next file.
    again = replaced.extended(own(tmp_path, notice(2018, "2018-12-30,workday")))
    assert again.is_workday(D(2018, 12, 30))
    assert not again.extended(own(tmp_path, notice(2018, "2018-05-01,holiday"))).is_workday(D(2018, 12, 30))
    early = NATIONAL.extended(own(tmp_path, notice(2031, "2030-12-02,holiday") + notice(2030)[len(HEAD) :]))
    assert not early.extended(own(tmp_path, notice(2030))).is_workday(D(2030, 12, 2))
    assert early.extended(own(tmp_path, notice(2031))).is_workday(D(2030, 12, 2))


def test_a_file_alone(tmp_path: Path) -> None:
    assert workdays.read(own(tmp_path)).years == {2031}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "not UTF-8"),
        ("", "line 1, columns: expected notice,date,kind"),
        ("date,kind\n", "line 1, columns"),
        (f"{OWN}2031,2031-01-05\n", "line 8, number of columns: expected 3, found 2"),
        (f"{OWN}31,2031-01-05,holiday\n", "line 8, notice: expected YYYY"),
        (f"{OWN}0000,2031-01-05,holiday\n", "line 8, notice: expected YYYY"),
        (f"{OWN}2031,2031-02-29,holiday\n", "line 8, date: expected YYYY-MM-DD"),
        (f"{OWN}2031,20310105,holiday\n", "line 8, date: expected YYYY-MM-DD"),
        (f"{OWN}2031,2031-W01-7,holiday\n", "line 8, date: expected YYYY-MM-DD"),
        (f"{OWN}2031,2031-01-0５,holiday\n", "line 8, date: expected YYYY-MM-DD"),
        (f"{OWN}2031,2030-11-30,holiday\n", "line 8, date: expected 2030-12-01…2031-12-31"),
        (f"{OWN}2031,2032-01-01,holiday\n", "line 8, date: expected 2030-12-01…2031-12-31"),
        (f"{OWN}2031,2031-01-05,off\n", "line 8, kind: expected holiday, workday"),
        (f"{OWN}2031,2031-01-01,holiday\n", "line 8: 2031-01-01 is there twice"),
        (f"{OWN}2031,2031-01-03,workday\n", r"days\.csv: line 8, date: expected a Saturday or Sunday, found 2031-01-03, a Friday"),
        (f"{OWN}2032,2032-01-01,holiday\n", "line 8, notice: expected a whole notice, with 2032-10-01,holiday, found 2032"),
        (f"{OWN}2032,2031-12-31,holiday\n", "line 8, notice: expected a whole notice, with 2032-10-01,holiday, found 2032"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(CodeError, match=said):
        workdays.read(own(tmp_path, text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: ("notice,date,kind\n" + text).encode())))
def test_any_file_is_a_calendar_or_one_error(tmp_path: Path, raw: bytes) -> None:
    said = ""
    try:
        workdays.read(own(tmp_path, raw))
    except CodeError as error:
        said = str(error)
    assert "\n" not in said
