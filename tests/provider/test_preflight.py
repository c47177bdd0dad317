"""Preflight: what each check makes of what was seen, and what the probe sees of a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from yiwang.preflight import probe
from yiwang.preflight.checks import FROM_INSIDE, FROM_OUTSIDE, judge
from yiwang.preflight.model import Needs, Port, Seen
from yiwang.ssh import Access, Endpoint, Problem

NEEDS = Needs(ports=(Port(22, "tcp", frozenset({"sshd"})), Port(123, "udp")), systems={"debian": ("12",)})
FACTS = {
    "user": "yiwang",
    "privilege": "sudo",
    "os_id": "debian",
    "os_version": "12",
    "os_name": "Debian GNU/Linux 12 (bookworm)",
    "architecture": "x86_64",
    "init": "systemd",
    "python": "3.11.2",
    "disk_free": str(20 << 30),
    "memory_total": str(4 << 30),
    "resolve localhost": "::1",
    "listen tcp 22": "sshd",
    "packages": "apt",
    "source mirror.example": "ok",
}
KEY = "one ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7Cxq5Fz1oDbCLdLZ3D5pZ4ma4Zl1x9PZk1sRcaJ0Yc"
GOOD = Seen("here", "one", Endpoint("192.0.2.1"), NEEDS, (KEY,), (KEY,), None, "", "yiwang", FACTS, (-0.2, 0.3))


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
        ("disk", {"disk_free": "1000"}),
        ("memory", {"memory_total": "1000"}),
        ("names", {"resolve localhost": ""}),
        ("ports", {"listen udp 123": "ntpd"}),
        ("ports", {"listen tcp 22": "dropbear"}),
        ("ports", {"listen udp 123": ""}),
        ("packages", {"source mirror.example": "E: no route"}),
        ("packages", {"source_none": "no lists"}),
    ],
)
def test_a_bad_fact_fails_its_check_alone(check: str, change: dict[str, str]) -> None:
    found = judge(replace(GOOD, facts={**FACTS, **change}))
    assert {finding.check for finding in found if finding.verdict == "fail"} == {check}
    assert all(finding.fix for finding in found if finding.verdict == "fail")


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


@pytest.mark.lab
def test_probe_of_a_real_server(servers: Any) -> None:
    seen = asyncio.run(probe.look(servers.access, "here", "one", NEEDS))
    assert (seen.problem, seen.user) == (None, seen.user)
    assert seen.facts["os_id"] == "debian"
    assert seen.facts["listen tcp 22"]
    found = {finding.check: finding for finding in judge(seen)}
    assert {name for name, finding in found.items() if finding.verdict == "fail"} <= {"packages"}, found
    assert found["clock"].verdict == "ok"


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
