"""Which day it is in China, wherever a time or a machine is from."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from standard.samples import ITEMS

from yiwang import cli
from yiwang.commands import code
from yiwang.standard import dates, workdays
from yiwang.standard.case import CaseNumber
from yiwang.standard.errors import CodeError, Problem

# The evening of a Sunday by UTC, and by then Monday in China.
LATE = datetime.datetime(2024, 6, 2, 20, 0, tzinfo=datetime.UTC)
MONDAY = datetime.date(2024, 6, 3)


def test_a_time_of_another_zone_has_the_day_it_has_in_china() -> None:
    assert dates.china_day(LATE) == MONDAY
    assert type(dates.china_day(LATE)) is datetime.date
    assert dates.china_day(LATE.astimezone(datetime.timezone(datetime.timedelta(hours=-11)))) == MONDAY


@pytest.mark.parametrize("day", [MONDAY, datetime.datetime(2024, 6, 3, 23, 59), datetime.datetime(2024, 6, 3, tzinfo=dates.CHINA)])  # noqa: DTZ001
def test_a_day_and_a_time_without_zone_are_chinas(day: datetime.date) -> None:
    assert dates.china_day(day) == MONDAY


@pytest.mark.parametrize(
    "time",
    [
        datetime.datetime.max.replace(tzinfo=datetime.UTC),
        datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=14))),
    ],
)
def test_a_time_that_has_no_day_in_china_is_the_one_error(time: datetime.datetime) -> None:
    with pytest.raises(CodeError) as refused:
        dates.china_day(time)
    assert refused.value.finding.problem is Problem.VALUE
    assert refused.value.text("zh").startswith("日期应为 ")


def test_deadlines_begin_with_the_day_in_china() -> None:
    calendar = workdays.national()
    assert calendar.is_workday(LATE)
    assert calendar.deadline(LATE, 1) == datetime.date(2024, 6, 4)
    assert calendar.count(LATE, datetime.date(2024, 6, 4)) == 1


def test_a_case_number_has_the_day_in_china() -> None:
    assert CaseNumber.generate(ITEMS[0], LATE, lambda _: 1).text == f"{ITEMS[0]}202406030001"


def test_the_command_line_takes_the_day_in_china_for_today(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return LATE.astimezone(tz)

        def astimezone(self, tz: datetime.tzinfo | None = None) -> Any:
            return super().astimezone(tz or datetime.UTC)

    monkeypatch.setattr(code, "datetime", SimpleNamespace(datetime=Clock, UTC=datetime.UTC))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert cli.run(["code", "make", "case", f"implementing={ITEMS[0]}"]) == 0
    assert capsys.readouterr().out == f"{ITEMS[0]}202406030001\n"
