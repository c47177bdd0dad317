"""What a role's resource makes of how the hosts fared: recorded, or not; what goes on. The hosts are made up."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yiwang.errors import ExitCode, UserError
from yiwang.provider.ansible_run import Work
from yiwang.provider.ansible_runner import HostOutcome, Outcome
from yiwang.provider.resource import PartialFailure
from yiwang.provider.role import RoleResource
from yiwang.provider.role_work import Worker, resume
from yiwang.provider.scrub import Scrubber
from yiwang.provider.settings import Settings
from yiwang.provider.values import UNKNOWN, Secret

HOSTS = {host: {"address": f"192.0.2.{number}", "port": 22, "variables": {}} for number, host in enumerate(("p1", "p2"), start=1)}
INPUTS: dict[str, Any] = {"role": "base", "site": "here", "digest": "d1", "variables": {}, "hosts": HOSTS}
GONE = HostOutcome(failed=True, unreachable=True, task="first contact", message="no answer")
BROKE_OFF = HostOutcome(failed=True, unreachable=True, touched=True, task="Names", message="no answer")
FAILED = HostOutcome(failed=True, touched=True, task="Names", message="the disk is full")


class MadeUp(Worker):
    """Visits nobody: each host fares as ``fared`` says. Keeps the work it was given."""

    def __init__(self, run_dir: Path, fared: dict[str, HostOutcome], **settings: Any) -> None:
        environment = {"YIWANG_RUN_DIR": str(run_dir), "YIWANG_INVENTORY": "/inventory", **settings}
        super().__init__(Settings.of(environment), Scrubber())
        self.fared, self.works = fared, list[Work]()

    async def do(self, work: Work) -> Outcome:
        self.works.append(work)
        return Outcome({host: dataclasses.replace(self.fared.get(host, HostOutcome(touched=True))) for host in work.hosts})


@pytest.fixture
def made_up(tmp_path: Path) -> Callable[..., MadeUp]:
    return lambda fared=None, **settings: MadeUp(tmp_path, fared or {}, **settings)


def create(worker: MadeUp, inputs: dict[str, Any] = INPUTS) -> Any:
    return asyncio.run(RoleResource(worker).create(inputs, preview=False))


def test_a_first_run_that_got_to_no_host_leaves_nothing_to_record(made_up: Callable[..., MadeUp]) -> None:
    with pytest.raises(UserError) as caught:
        create(made_up({"p1": GONE, "p2": GONE}))
    assert caught.value.code is ExitCode.HOST


@pytest.mark.parametrize("fared", [{"p1": BROKE_OFF, "p2": GONE}, {"p1": BROKE_OFF, "p2": BROKE_OFF}, {"p1": FAILED, "p2": GONE}])
def test_a_first_run_that_broke_off_on_a_host_is_recorded(made_up: Callable[..., MadeUp], fared: dict[str, HostOutcome]) -> None:
    """Something may be there: a removal has to visit it."""
    with pytest.raises(PartialFailure) as caught:
        create(made_up(fared))
    assert set(caught.value.outputs["results"]) == {"p1", "p2"}
    assert not any("applied" in result for result in caught.value.outputs["results"].values())
    worker = made_up()
    asyncio.run(RoleResource(worker).delete(INPUTS, caught.value.outputs))
    assert set(worker.works[0].hosts) == {"p1", "p2"}


@pytest.mark.parametrize("outputs", [{}, {"results": {"p1": {"applied": "x"}, "p2": {}}}])
def test_a_host_declared_gone_is_not_visited_and_the_delete_ends_well(made_up: Callable[..., MadeUp], outputs: dict[str, Any]) -> None:
    worker = made_up({"p2": GONE}, YIWANG_GONE="p2")
    asyncio.run(RoleResource(worker).delete(INPUTS, outputs))
    assert [set(work.hosts) for work in worker.works] == [{"p1"}]
    everything = made_up({"p1": GONE, "p2": GONE}, YIWANG_GONE="p2,p1")
    asyncio.run(RoleResource(everything).delete(INPUTS, outputs))
    assert everything.works == []


def test_what_failed_goes_on_by_its_own_verb(made_up: Callable[..., MadeUp]) -> None:
    worker = made_up({"p2": GONE}, YIWANG_DESTROY_DATA="1", YIWANG_GONE="p9")
    with pytest.raises(UserError) as caught:
        asyncio.run(RoleResource(worker).delete(INPUTS, {}))
    command = "yiwang down --site here --gone p9 --destroy-data --inventory /inventory"
    assert command in (caught.value.fix or "")
    assert resume(worker.works[0].verb, "here", worker.settings) == command
    limited = made_up({"p1": FAILED}, YIWANG_LIMIT="p2,p1")
    with pytest.raises(PartialFailure) as partial:
        create(limited)
    command = "yiwang up --site here --host p1 --host p2 --inventory /inventory"
    assert partial.value.text.endswith(command)
    assert resume(limited.works[0].verb, "here", limited.settings) == command


def test_a_host_that_is_secret_as_a_whole_is_visited_like_any(made_up: Callable[..., MadeUp]) -> None:
    hidden = {"address": "192.0.2.7", "port": 22, "variables": {"base_x": "hidden"}}
    inputs = {**INPUTS, "hosts": {"p1": Secret(hidden)}, "variables": Secret({"base_y": "y"})}
    worker = made_up()
    assert RoleResource(worker).check(inputs) == []
    outputs = create(worker, inputs).outputs
    assert worker.works[0].hosts == {"p1": {**hidden, "variables": {"base_x": Secret("hidden")}}}
    assert "hidden" not in str(outputs)
    # Taken out, it is still reached; where it is stays secret in the state.
    asyncio.run(RoleResource(made_up(YIWANG_LIMIT="p2")).update(inputs, outputs, INPUTS, preview=False))
    leaving = made_up()
    asyncio.run(RoleResource(leaving).update(inputs, outputs, {**INPUTS, "hosts": {}}, preview=False))
    assert leaving.works[0].hosts["p1"]["address"] == "192.0.2.7"


def test_a_preview_with_hosts_not_known_yet_visits_nobody(made_up: Callable[..., MadeUp]) -> None:
    worker = made_up(YIWANG_PLAN_DETAIL="1")
    results = {"results": {"p1": {"applied": "x"}}}
    for inputs in ({**INPUTS, "hosts": {"p1": UNKNOWN}}, {**INPUTS, "variables": UNKNOWN}, {**INPUTS, "hosts": {"p1": Secret(UNKNOWN)}}):
        assert RoleResource(worker).check(inputs) == []
        assert asyncio.run(RoleResource(worker).update(INPUTS, results, inputs, preview=True))["results"] is UNKNOWN
        assert asyncio.run(RoleResource(worker).create(inputs, preview=True)).outputs["results"] is UNKNOWN
    assert worker.works == []


@pytest.mark.parametrize("preview", [True, False])
def test_those_that_stay_say_whether_others_may_leave_before_anything_is_done(made_up: Callable[..., MadeUp], preview: bool) -> None:
    inputs = {**INPUTS, "role": "storage"}
    outputs = {"results": {"p1": {"applied": "x"}, "p2": {"applied": "x"}}}
    worker = made_up({"p1": FAILED})
    with pytest.raises(UserError, match="the disk is full"):
        asyncio.run(RoleResource(worker).update(inputs, outputs, {**inputs, "hosts": {"p1": HOSTS["p1"]}}, preview=preview))
    assert [(work.entry, work.check, set(work.hosts)) for work in worker.works] == [("preflight", True, {"p1"})]


@pytest.mark.parametrize(("role", "fared", "asked"), [("storage", {}, 1), ("storage", {"p1": GONE}, 1), ("base", {"p1": FAILED}, 0)])
def test_where_they_agree_or_do_not_answer_or_their_number_does_not_matter_others_leave(
    made_up: Callable[..., MadeUp], role: str, fared: dict[str, HostOutcome], asked: int
) -> None:
    inputs = {**INPUTS, "role": role}
    outputs = {"results": {"p1": {"applied": "x"}, "p2": {"applied": "x"}}}
    worker = made_up(fared)
    asyncio.run(RoleResource(worker).update(inputs, outputs, {**inputs, "hosts": {"p1": HOSTS["p1"]}}, preview=True))
    assert [work.entry for work in worker.works] == ["preflight"] * asked
