"""What plan and up make of what the engine and the provider tell them."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deployment.told import BAD, FINE, STEP, Told, press

from yiwang import engine, inventory
from yiwang.commands.plan import show_plan
from yiwang.commands.up import apply_plan
from yiwang.deployment.progress import Progress
from yiwang.deployment.selection import select
from yiwang.deployment.session import Session
from yiwang.errors import ExitCode, UserError
from yiwang.output import Console
from yiwang.paths import data

NOTHING = dataclasses.replace(FINE, changes={}, steps=())


class Work:
    """A session on the lab's inventory with an engine that is told what to do; ``said`` is stderr, ``found`` the JSON."""

    def __init__(self, directory: Path, told: Told, sites: list[str] | None) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.console = Console(json_output=True, out=self.out, err=self.err)
        self.events = directory / "events.jsonl"
        self.events.touch()
        province = dataclasses.replace(inventory.load(data("inventories") / "lab"), state_dir=directory)
        progress = Progress(self.console, self.events)
        self.session = Session(self.console, province, select(province, sites), directory, "open sesame", progress, "up", [], told)

    def event(self, **event: Any) -> None:
        with self.events.open("a") as file:
            file.write(json.dumps({"role": "base", **event}) + "\n")

    def up(self, *, yes: bool = True, **more: Any) -> int:
        return apply_plan(self.console, self.session, self.session.run(**more), yes=yes)

    @property
    def found(self) -> dict[str, dict[str, Any]]:
        return {site["site"]: site for site in json.loads(self.out.getvalue())["sites"]}

    @property
    def said(self) -> str:
        return self.err.getvalue()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("YIWANG_LANG", "en")

    return lambda told, sites=None: Work(tmp_path, told, sites)


def test_an_up_that_works(work: Callable[..., Work]) -> None:
    one = work(Told())
    assert one.up() == ExitCode.OK
    assert list(one.found) == ["national", "province", "jinan", "qingdao"]
    assert [site["counts"] for site in one.found.values()] == [{"create": 1}] * 4


def test_roles_that_were_applied_again_and_changed_nothing_are_told_as_that(work: Callable[..., Work]) -> None:
    again = dataclasses.replace(FINE, changes={"update": 1}, steps=(dataclasses.replace(STEP, op="update"),))
    one = work(Told(dict.fromkeys(("national", "province", "jinan", "qingdao"), again)))
    one.console.json_output = False
    assert one.up(reapply=True) == ExitCode.OK
    assert one.out.getvalue().splitlines()[-1] == "done: applied 4 again, nothing on any host changed"


def test_an_up_with_nothing_to_do_applies_nothing(work: Callable[..., Work]) -> None:
    told = Told(dict.fromkeys(("national", "province", "jinan", "qingdao"), NOTHING))
    one = work(told)
    assert one.up() == ExitCode.OK
    assert set(told.verbs) == {"preview"}
    assert "not looked at; add --refresh" in one.said


def test_only_a_run_that_left_hosts_unread_says_so(work: Callable[..., Work]) -> None:
    for told, refresh in ((dict.fromkeys(("national", "province", "jinan", "qingdao"), NOTHING), True), ({}, False)):
        one = work(Told(told))
        assert one.up(refresh=refresh) == ExitCode.OK
        assert "not looked at" not in one.said


def test_what_never_began_is_not_reported_as_done(work: Callable[..., Work]) -> None:
    one = work(Told({"up province": BAD}))
    assert one.up() == ExitCode.FAILED
    assert one.found["jinan"]["error"] == "not started, province failed"
    assert (one.found["jinan"]["counts"], one.found["jinan"]["resources"]) == ({}, [])
    assert one.found["national"]["counts"] == {"create": 1}


def test_an_up_that_nobody_confirms_applies_nothing(work: Callable[..., Work], monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(UserError) as refusal:
        work(told).up(yes=False)
    assert refusal.value.code is ExitCode.INPUT, "no terminal, no answer"
    assert set(told.verbs) == {"preview"}


def test_the_plan_that_is_confirmed_has_what_the_refresh_finds(work: Callable[..., Work]) -> None:
    told = Told({"preview national": NOTHING, "national": NOTHING})
    one = work(told, ["national", "province"])
    assert one.up(refresh=True) == ExitCode.OK
    assert told.refreshing == [True, True, True]
    assert list(zip(told.verbs, told.began, strict=True)) == [("preview", "national"), ("preview", "province"), ("up", "province")]


def test_an_up_finishes_what_was_in_flight_though_nothing_changes(work: Callable[..., Work]) -> None:
    told = Told({"national": dataclasses.replace(NOTHING, in_flight=("creating x",))})
    assert work(told, ["national"]).up() == ExitCode.OK
    assert told.verbs == ["preview", "up"]


@pytest.mark.parametrize(
    ("ends", "event", "code"),
    [
        ({"national": NOTHING}, {}, ExitCode.OK),
        ({}, {}, ExitCode.CHANGES),
        ({}, {"event": "host_unread", "site": "national", "host": "n-core", "task": "x", "message": "no answer"}, ExitCode.FAILED),
        ({"national": BAD}, {}, ExitCode.FAILED),
        ({"national": dataclasses.replace(BAD, code=ExitCode.LOCKED)}, {}, ExitCode.LOCKED),
    ],
)
def test_what_a_plan_exits_with(ends: dict[str, engine.Result], event: dict[str, Any], code: ExitCode, work: Callable[..., Work]) -> None:
    one = work(Told(ends), ["national"])
    if event:
        one.event(**event)
    if code is ExitCode.LOCKED:
        with pytest.raises(UserError) as refusal:
            show_plan(one.console, one.session)
        assert refusal.value.code is code
        return
    assert show_plan(one.console, one.session) == code
    if event:
        assert one.found["national"]["hosts"]["n-core"]["unread"] == ["no answer"]
        assert "could not look at n-core: no answer" in one.said


def test_an_interrupted_plan_exits_130(work: Callable[..., Work]) -> None:
    told = Told(meanwhile=lambda _name: press(told.control))
    one = work(told, ["national"])
    assert show_plan(one.console, one.session) == ExitCode.INTERRUPTED
