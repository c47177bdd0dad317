"""Operations over many sites, with an engine that is told how each site ends."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import signal
from pathlib import Path
from typing import Any

import pytest
from deployment.told import BAD, Told, press

from yiwang import inventory
from yiwang.deployment import runner
from yiwang.deployment.selection import select
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.paths import data


@pytest.fixture
def province(tmp_path: Path) -> Province:
    return dataclasses.replace(inventory.load(data("inventories") / "lab"), state_dir=tmp_path)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


class Said:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, site: Site, event: Any) -> None:
        self.lines.append((site.name, event.message))


def run_of(province: Province, driver: Told, sites: list[str] | None = None, said: Said | None = None, **more: Any) -> runner.Run:
    return runner.Run(province, select(province, sites), "open sesame", {}, "up", said or Said(), driver=driver, **more)


LOCKED = UserError("the state is locked (up by x)", code=ExitCode.LOCKED, fix="run `yiwang state unlock`")
ALL = ["national", "province", "jinan", "qingdao"]


def test_one_sites_error_leaves_the_others_running(province: Province) -> None:
    told, said = Told({"jinan": LOCKED}), Said()
    results = asyncio.run(runner.apply(run_of(province, told, said=said), ALL))
    assert [name for name, result in results.items() if result.ok] == ["national", "province", "qingdao"]
    assert sorted(told.ended) == sorted(ALL)
    assert results["jinan"].code is ExitCode.LOCKED
    (line,) = said.lines
    assert line[0] == "jinan"
    assert line[1].startswith("site jinan: the state is locked (up by x); ")
    assert "yiwang state unlock --site jinan" in line[1]


def test_a_full_disk_is_an_error_of_that_site(province: Province) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/somewhere/journal")
    results = asyncio.run(runner.apply(run_of(province, Told({"jinan": error})), ALL))
    assert results["jinan"].code is ExitCode.MACHINE
    assert "/somewhere/journal" in results["jinan"].diagnostics[0].message
    assert results["qingdao"].ok


def test_a_bug_is_raised_when_the_others_have_ended(province: Province) -> None:
    told = Told({"jinan": KeyError("x")})
    with pytest.raises(KeyError):
        asyncio.run(runner.apply(run_of(province, told), ALL))
    assert sorted(told.ended) == sorted(ALL)


def test_apply_goes_down_from_what_changes_and_stops_below_a_failure(province: Province) -> None:
    assert list(asyncio.run(runner.apply(run_of(province, Told()), ["province"]))) == ["province", "jinan", "qingdao"]
    assert list(asyncio.run(runner.apply(run_of(province, Told()), ["jinan"]))) == ["jinan"]
    assert list(asyncio.run(runner.apply(run_of(province, Told({"province": BAD})), ALL))) == ["national", "province"]


def test_destroy_goes_up_and_keeps_what_others_still_need(province: Province) -> None:
    told = Told()
    assert set(asyncio.run(runner.destroy(run_of(province, told)))) == set(ALL)
    assert set(told.began[:2]) == {"jinan", "qingdao"}
    assert set(asyncio.run(runner.destroy(run_of(province, Told({"jinan": BAD}))))) == {"jinan", "qingdao", "national"}


def test_previews_stop_below_a_failure_and_read_the_hosts_when_the_run_does(province: Province) -> None:
    told = Told({"province": BAD})
    assert list(asyncio.run(runner.previews(run_of(province, told, refresh=True)))) == ["national", "province"]
    assert told.refreshing == [True, True]


def test_a_city_without_recorded_parent_is_refused(province: Province) -> None:
    told = Told()
    results = asyncio.run(runner.previews(run_of(province, told, ["jinan"])))
    assert told.began == []
    assert results["jinan"].code is ExitCode.INPUT
    assert "province is not up" in results["jinan"].diagnostics[0].message


def test_sites_run_side_by_side_but_not_all_at_once(province: Province) -> None:
    cities = {f"c{number}": dataclasses.replace(province.sites["jinan"], name=f"c{number}") for number in range(3 * runner.side_by_side())}
    many = dataclasses.replace(province, sites={"province": province.sites["province"], **cities})
    told = Told()
    assert len(asyncio.run(runner.apply(run_of(many, told), ["province"]))) == len(cities) + 1
    assert told.most == runner.side_by_side()


def test_the_first_ctrl_c_ends_what_runs_and_begins_nothing_more(province: Province) -> None:
    run = run_of(province, Told())
    said: list[str] = []

    async def interrupted(name: str) -> None:
        if name == "province":
            await press(run.control)

    run.driver = told = Told(meanwhile=interrupted)
    results = asyncio.run(runner.interruptible(run, runner.apply(run, ALL), lambda: said.append("finishing")))
    assert (said, run.control.cancelled, run.control.terminated) == (["finishing"], True, False)
    assert sorted(results) == sorted(told.ended) == ["national", "province"]


def test_the_second_ctrl_c_stops_at_once(province: Province) -> None:
    run = run_of(province, Told(), ["province"])

    async def interrupted(_name: str) -> None:
        await press(run.control)
        await press(run.control)

    run.driver = Told(meanwhile=interrupted)
    asyncio.run(runner.interruptible(run, runner.apply(run, ["province"]), lambda: None))
    assert run.control.terminated
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
