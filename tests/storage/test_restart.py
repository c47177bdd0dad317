"""How a service of one member of several is restarted, without servers."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parent.parent.parent / "roles" / "storage" / "files" / "restart.py"
HERE, FIRST, SECOND = "https://here:1/health", "https://first:1/health", "https://second:1/health"


class Site:
    """Which members are well, and whose port answers; what was restarted. ``cured``: the restart helps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, well: set[str], answering: set[str], *, cured: bool) -> None:
        spec = importlib.util.spec_from_file_location("restart", FILE)
        assert spec is not None
        assert spec.loader is not None
        self.program: ModuleType = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.program)
        self.commands: list[list[str]] = []
        self.waited: list[str] = []

        def run(command: list[str], *, check: bool) -> None:
            assert check
            self.commands.append(command)
            well.discard(HERE)
            if cured:
                well.add(HERE)

        def until(url: str, _seconds: float) -> bool:
            self.waited.append(url)
            return url in well

        monkeypatch.setattr(self.program.subprocess, "run", run)
        monkeypatch.setattr(self.program, "well", well.__contains__)
        monkeypatch.setattr(self.program, "until", until)
        monkeypatch.setattr(self.program, "answers", lambda url, _port: url in answering)
        self._monkeypatch = monkeypatch

    def restart(self, *others: str, port: str = "") -> None:
        self._monkeypatch.setattr(sys, "argv", ["restart", port, HERE, json.dumps(others), "systemctl", "restart", "it"])
        self.program.main()


def test_the_others_are_well_before_and_it_is_well_after(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {HERE, FIRST, SECOND}, set(), cured=True)
    site.restart(FIRST, SECOND)
    assert site.commands == [["systemctl", "restart", "it"]]
    assert site.waited == [FIRST, SECOND, HERE]


def test_two_are_never_away_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {HERE, SECOND}, {FIRST, SECOND}, cured=True)
    with pytest.raises(SystemExit, match="another member is not well"):
        site.restart(FIRST, SECOND)
    assert site.commands == []


def test_one_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {HERE, FIRST}, set(), cured=False)
    with pytest.raises(SystemExit, match="not well since"):
        site.restart(FIRST)
    assert len(site.commands) == 1


def test_one_that_is_not_well_is_restarted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {SECOND}, set(), cured=False)
    site.restart(FIRST, SECOND)
    assert (len(site.commands), site.waited) == (1, [])


@pytest.mark.parametrize(("answering", "waited"), [({FIRST}, [HERE]), (set(), [])])
def test_a_new_part_of_a_store_is_waited_for_where_another_is_there(
    monkeypatch: pytest.MonkeyPatch, answering: set[str], waited: list[str]
) -> None:
    site = Site(monkeypatch, set(), answering, cured=True)
    site.restart(FIRST, port="19333")
    assert site.waited == waited


def test_one_that_is_alone_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {HERE}, set(), cured=False)
    site.restart(port="19333")
    assert (len(site.commands), site.waited) == (1, [])
