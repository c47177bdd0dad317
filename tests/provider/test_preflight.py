"""Preflight: what each check makes of what was seen, and what the probe sees of a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from yiwang.preflight import probe
from yiwang.preflight.checks import FROM_INSIDE, FROM_OUTSIDE, judge
from yiwang.preflight.model import Needs, Port, Seen
from yiwang.ssh import Access, Endpoint, Problem

NEEDS = Needs(
    ports=(Port(22, "tcp", frozenset({"sshd"})), Port(123, "udp")),
    disk={"/": 1 << 30, "/var": 2 << 30, "/opt": 1 << 30},
    systems={"debian": ("12",)},
    names={"ntp.example": "time", "mirror.example": "packages", "id.example": "national"},
    operators=(ip_network("192.0.2.8/29"), ip_network("2001:db8::/64")),
    apt_sources="Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n",
)
FACTS = {
    "client": "192.0.2.9",
    "user": "yiwang",
    "privilege": "sudo",
    "os_id": "debian",
    "os_version": "12",
    "os_name": "Debian GNU/Linux 12 (bookworm)",
    "architecture": "x86_64",
    "init": "systemd",
    "python": "3.11.2",
    "room /": f"{20 << 30} /",
    "room /var": f"{20 << 30} /var",
    "room /opt": f"{20 << 30} /",
    "memory_total": str(4 << 30),
    "resolve ntp.example": "192.0.2.5",
    "resolve mirror.example": "192.0.2.6",
    "resolve id.example": "192.0.2.7",
    "listen tcp 22": "sshd",
    "packages": "apt",
    "given mirror.example": "ok",
    "own deb.example": "ok",
}
KEY = "one ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7Cxq5Fz1oDbCLdLZ3D5pZ4ma4Zl1x9PZk1sRcaJ0Yc"
GOOD = Seen("here", "one", Endpoint("192.0.2.1"), NEEDS, (KEY,), (KEY,), None, "", "yiwang", FACTS, (-0.2, 0.3))


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


def verdicts(seen: Seen) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in judge(seen)}


def test_a_good_host_passes_everything() -> None:
    assert set(verdicts(GOOD).values()) == {"ok"}
    assert list(verdicts(GOOD)) == [check.__name__ for check in (*FROM_OUTSIDE, *FROM_INSIDE)]


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("privilege", {"privilege": "none"}),
        ("system", {"os_version": "11"}),
        ("system", {"os_id": "fedora"}),
        ("system", {"init": "tini"}),
        ("architecture", {"architecture": "riscv64"}),
        ("python", {"python": ""}),
        ("python", {"python": "3.8.10"}),
        ("operators", {"client": "192.0.2.200"}),
        ("operators", {"client": "2001:db8:0:1::9"}),
        ("disk", {"room /": "1000 /"}),
        ("disk", {"room /var": "1000 /var"}),
        ("disk", {"room /": f"{3 << 29} /", "room /opt": f"{3 << 29} /"}),
        ("disk", {"room /opt": ""}),
        ("memory", {"memory_total": "1000"}),
        ("names", {"resolve ntp.example": ""}),
        ("ports", {"listen udp 123": "ntpd"}),
        ("ports", {"listen tcp 22": "dropbear"}),
        ("ports", {"listen udp 123": ""}),
        ("packages", {"given mirror.example": "E: no route"}),
        ("packages", {"given_none": "malformed"}),
    ],
)
def test_a_bad_fact_fails_its_check_alone(check: str, change: dict[str, str]) -> None:
    found = judge(replace(GOOD, facts={**FACTS, **change}))
    assert {finding.check for finding in found if finding.verdict == "fail"} == {check}
    assert all(finding.fix for finding in found if finding.verdict == "fail")


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("names", {"resolve id.example": ""}),  # nothing of this release calls the national platform
        ("packages", {"own deb.example": "E: no route"}),  # the inventory's come beside it
        ("operators", {"client": ""}),
    ],
)
def test_what_may_fail_is_a_warning(check: str, change: dict[str, str]) -> None:
    found = judge(replace(GOOD, facts={**FACTS, **change}))
    assert {(finding.check, finding.verdict) for finding in found if finding.verdict != "ok"} == {(check, "warn")}
    assert all(finding.fix for finding in found if finding.verdict == "warn")


def test_a_name_that_apt_reaches_through_a_proxy_need_not_resolve() -> None:
    assert verdicts(replace(GOOD, facts={**FACTS, "resolve mirror.example": ""}))["names"] == "ok"


def test_without_sources_of_the_inventory_the_own_ones_of_the_host_must_answer() -> None:
    alone = replace(GOOD, needs=replace(NEEDS, apt_sources=""))
    for change in ({"own deb.example": "E: no route"}, {"own_none": "no lists"}):
        facts = {key: value for key, value in FACTS.items() if not key.startswith(("given", "own"))} | change
        assert verdicts(replace(alone, facts=facts))["packages"] == "fail"


def test_sources_that_are_applied_already_are_tried_once() -> None:
    facts = {**FACTS, "own mirror.example": "ok"}
    assert [finding.text for finding in judge(replace(GOOD, facts=facts)) if finding.check == "packages"] == [
        "mirror.example",
        "deb.example",
    ]


def test_no_names_is_no_pass() -> None:
    found = {finding.check: finding for finding in judge(replace(GOOD, needs=replace(NEEDS, names={})))}
    assert found["names"].verdict == "skip"
    assert "time servers" in found["names"].text


@pytest.mark.parametrize(
    ("offset", "verdict"), [((-0.5, 0.5), "ok"), ((-9.0, 0.1), "ok"), ((5.5, 6.0), "fail"), ((-8.0, -6.0), "fail"), (None, "fail")]
)
def test_clock(offset: tuple[float, float] | None, verdict: str) -> None:
    assert verdicts(replace(GOOD, offset=offset))["clock"] == verdict


@pytest.mark.parametrize(
    ("problem", "failed"),
    [
        (Problem.UNREACHABLE, "reachable"),
        (Problem.KEY_UNKNOWN, "host_key"),
        (Problem.KEY_CHANGED, "host_key"),
        (Problem.DENIED, "login"),
    ],
)
def test_without_a_login_the_rest_is_skipped(problem: Problem, failed: str) -> None:
    found = verdicts(replace(GOOD, problem=problem, facts={}, offset=None))
    assert [check for check, verdict in found.items() if verdict == "fail"] == [failed]
    assert all(found[check.__name__] == "skip" for check in FROM_INSIDE)


SOURCES = "Types: deb\nURIs: {}\nSuites: bookworm\nComponents: main\n"


@pytest.mark.lab
def test_probe_of_a_real_server(servers: Any) -> None:
    needs = replace(NEEDS, names={"localhost": "time"}, operators=(ip_network("10.79.1.2/32"),), apt_sources="")
    seen = asyncio.run(probe.look(servers.access, "here", "one", needs))
    assert (seen.problem, seen.user) == (None, seen.user)
    assert seen.facts["os_id"] == "debian"
    assert seen.facts["listen tcp 22"]
    assert seen.facts["client"] == "10.79.1.2"
    assert seen.facts["room /opt"].split(" ", 1)[1] == "/"
    assert seen.facts["libc"] == "2.36"
    found = {finding.check: finding for finding in judge(seen)}
    assert {name for name, finding in found.items() if finding.verdict == "fail"} <= {"packages"}, found
    assert found["clock"].verdict == "ok"


@pytest.mark.lab
def test_the_sources_that_are_tried_are_those_of_the_inventory(servers: Any) -> None:
    """A made-up server fails, and a directory of the host serves, whatever the host's own sources say."""
    release = "/tmp/preflight/dists/bookworm/InRelease"
    servers.run("one", f"mkdir -p $(dirname {release}) && echo > {release}")
    try:
        for uri, server in (("http://127.0.0.1:9/debian", "127.0.0.1:9"), ("file:///tmp/preflight", "file")):
            needs = replace(NEEDS, names={}, apt_sources=SOURCES.format(uri))
            seen = asyncio.run(probe.look(servers.access, "here", "one", needs))
            given = {key: value for key, value in seen.facts.items() if key.startswith("given")}
            assert list(given) == [f"given {server}"]
            assert (given[f"given {server}"] == "ok") is (server == "file"), given
        needs = replace(NEEDS, names={}, apt_sources="Types: deb\n")
        seen = asyncio.run(probe.look(servers.access, "here", "one", needs))
        assert seen.facts["given_none"].startswith("E: ")
    finally:
        servers.run("one", "rm -r /tmp/preflight")


@pytest.mark.lab
def test_host_keys_of_a_real_server(servers: Any) -> None:
    access: Access = servers.access
    pinned = access.trusted("one")
    assert asyncio.run(access.scan("one")) == pinned
    try:
        access.trust("one", [line.replace("two", "one") for line in access.trusted("two")])
        seen = asyncio.run(probe.look(access, "here", "one", NEEDS))
        assert seen.problem is Problem.KEY_CHANGED
        assert seen.shown == tuple(pinned)
        access.trust("one", [])
        assert asyncio.run(probe.look(access, "here", "one", NEEDS)).problem is Problem.KEY_UNKNOWN
    finally:
        access.trust("one", pinned)
    assert access.trusted("one") == pinned
    assert access.trusted("two") != []
