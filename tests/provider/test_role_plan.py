"""Which hosts a role needs to visit: decided from inputs and results alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from yiwang.provider import role, role_plan
from yiwang.provider.ansible_runner import HostOutcome
from yiwang.provider.callback import yiwang_events
from yiwang.provider.role_plan import expected
from yiwang.provider.values import UNKNOWN, Secret

INPUTS: dict[str, Any] = {
    "role": "base",
    "site": "here",
    "digest": "d1",
    "variables": {"base_a": 1, "base_secret": Secret("one")},
    "hosts": {
        "p1": {"address": "192.0.2.1", "port": 22, "variables": {"base_key": Secret("k1")}},
        "p2": {"address": "192.0.2.2", "port": 22, "variables": {}},
    },
}
RESULTS = {host: {"applied": expected(INPUTS, host), "changed": 0, "facts": {}, "skipped": []} for host in INPUTS["hosts"]}


def changed(**paths: Any) -> dict[str, Any]:
    """The inputs with values at paths such as ``hosts__p1__port``."""
    inputs = copy.deepcopy(INPUTS)
    for path, value in paths.items():
        *above, last = path.split("__")
        place = inputs
        for part in above:
            place = place[part]
        place[last] = value
    return inputs


def visits(news: dict[str, Any], *, results: Any = None, limit: frozenset[str] | None = None, force: bool = False) -> role_plan.Visits:
    return role_plan.visits(INPUTS, RESULTS if results is None else results, news, limit=limit, force=force)


@pytest.mark.parametrize(
    ("news", "hosts", "keys"),
    [
        (changed(), (), ()),
        (changed(digest="d2"), ("p1", "p2"), ("digest",)),
        (changed(variables__base_a=2), ("p1", "p2"), ("variables",)),
        (changed(variables__base_secret=Secret("two")), ("p1", "p2"), ("variables",)),
        (changed(hosts__p1__port=2222), ("p1",), ("hosts",)),
        (changed(hosts__p1__variables__base_key=Secret("k2")), ("p1",), ("hosts",)),
        (changed(hosts__p2__variables__base_x=UNKNOWN), ("p2",), ("hosts",)),
        (changed(variables__base_a=UNKNOWN), ("p1", "p2"), ("variables",)),
        (changed(site="there"), (), ("site",)),
    ],
)
def test_what_changed_decides_who_is_visited(news: dict[str, Any], hosts: tuple[str, ...], keys: tuple[str, ...]) -> None:
    todo = visits(news)
    assert (todo.apply, todo.remove) == (hosts, ())
    assert role_plan.diff(INPUTS, news, todo).keys == keys


def test_no_secret_shows_in_a_difference() -> None:
    news = changed(variables__base_secret=Secret("two"), hosts__p1__port=23)
    assert role_plan.diff(INPUTS, news, visits(news)).paths == ("hosts.p1", "variables.base_secret")


def test_a_host_without_a_valid_result_is_visited_again() -> None:
    results = {**RESULTS, "p1": {"changed": 3}}
    todo = visits(INPUTS, results=results)
    assert (todo.apply, todo.first) == (("p1",), frozenset({"p1"}))
    assert role_plan.diff(INPUTS, INPUTS, todo).keys == ("results",)


def test_hosts_come_and_go() -> None:
    news = changed(hosts__p3={"address": "192.0.2.3", "port": 22, "variables": {}})
    del news["hosts"]["p1"]
    todo = visits(news)
    assert (todo.apply, todo.remove) == (("p3",), ("p1",))


def test_the_limit_holds_and_what_it_leaves_out_is_remembered() -> None:
    rotated = changed(variables__base_secret=Secret("two"))
    todo = visits(rotated, limit=frozenset({"p2"}))
    assert (todo.apply, todo.outdated) == (("p2",), frozenset({"p1"}))
    # A change that is not secret needs no memory: the digest of what is applied tells.
    assert visits(changed(digest="d2"), limit=frozenset({"p2"})).outdated == frozenset()


def test_reapply_visits_all() -> None:
    assert visits(INPUTS, force=True).apply == ("p1", "p2")


def test_another_role_replaces() -> None:
    news = changed(role="storage")
    assert role_plan.diff(INPUTS, news, visits(news)).replaces == ("role",)


@pytest.mark.parametrize(
    ("key", "news"),
    [
        ("role", changed(role="nothing_there")),
        ("role", changed(role="../base")),
        ("site", changed(site="")),
        ("digest", changed(digest=None)),
        ("variables", changed(variables=[])),
        ("hosts", changed(hosts=[])),
        ("hosts.p1.address", changed(hosts__p1__address="p1.example")),
        ("hosts.p1.port", changed(hosts__p1__port=70000)),
        ("hosts.p1.adress", changed(hosts__p1__adress="192.0.2.1")),
        ("hosts.-oProxyCommand=x", changed(hosts={"-oProxyCommand=x": INPUTS["hosts"]["p2"]})),
        ("colour", changed(colour="red")),
    ],
)
def test_bad_inputs_are_named(key: str, news: dict[str, Any]) -> None:
    assert role_plan.check(INPUTS) == []
    assert [problem.key for problem in role_plan.check(news)] == [key]


def test_a_replacement_removes_before_it_makes() -> None:
    news = changed(role="other")
    assert role_plan.diff(INPUTS, news, visits(news)).delete_first


def test_a_host_taken_out_keeps_how_to_reach_it_without_secrets() -> None:
    news = changed()
    gone = news["hosts"].pop("p1")
    results = role_plan.with_leaving(INPUTS, RESULTS, news)
    assert results["p1"]["left"] == {**gone, "variables": {}}
    assert results["p2"] == RESULTS["p2"]
    assert role_plan.entries(news, results) == {"p1": results["p1"]["left"], "p2": INPUTS["hosts"]["p2"]}


def test_the_error_of_many_hosts_stays_a_paragraph() -> None:
    failed = {f"host-{number}": HostOutcome(failed=True, task="Write it", message="full " * 1000) for number in range(100)}
    text = role.paragraph(INPUTS, failed)
    assert len(text) < 6000
    assert "host-0" in text
    assert "90" in text


def test_a_long_difference_is_cut_between_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(20000))
    assert yiwang_events.cut(text).endswith("\n")
    assert text.startswith(yiwang_events.cut(text))
    assert yiwang_events.cut("short") == "short"
