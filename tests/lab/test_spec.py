from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from lab.lab_support import HOSTS, OPERATOR, PATHS, ZONES, spec_of

from yiwang.errors import ExitCode, UserError
from yiwang.lab import LabSpec, LabZone, lab_name, network
from yiwang.lab.spec import check, port_range, tag

GOOD = spec_of("labtest-7e5700", "ssh-ed25519 AAAA")
BAD: dict[str, tuple[LabSpec, str]] = {
    "name": (replace(GOOD, name="labtest"), "labtest is not the name of a lab"),
    "no hosts": (replace(GOOD, hosts=()), "has no hosts"),
    "zones overlap": (
        replace(GOOD, zones=(ZONES[0], LabZone("outer", (IPv4Network("10.91.0.0/16"),), (IPv6Network("fd91:0:0:2::/64"),)))),
        "inner and outer overlap",
    ),
    "zone unknown": (replace(GOOD, hosts=(replace(HOSTS[0], zone="nowhere"),)), "zone nowhere, which does not exist"),
    "outside its zone": (replace(GOOD, hosts=(replace(HOSTS[0], ipv4=IPv4Address("10.91.9.9")),)), "10.91.9.9 is not in zone inner"),
    "outside its zone, IPv6": (replace(GOOD, hosts=(replace(HOSTS[0], ipv6=IPv6Address("fd91::9")),)), "fd91::9 is not in zone inner"),
    "the router's address": (replace(GOOD, hosts=(replace(HOSTS[0], ipv4=IPv4Address("10.91.1.1")),)), "already taken by router inner"),
    "the operator's address": (replace(GOOD, hosts=(replace(HOSTS[0], ipv4=OPERATOR.ipv4),)), "already taken by operator"),
    "name twice": (replace(GOOD, hosts=(*HOSTS, replace(HOSTS[0], ipv4=IPv4Address("10.91.1.99")))), "host name one is used twice"),
    "name of a host": (replace(GOOD, hosts=(replace(HOSTS[0], name="../etc"),)), "host name ../etc is not valid"),
    "operator shut out": (replace(GOOD, paths=PATHS[1:]), "no path lets the operator (10.91.1.2) reach two (10.91.2.12) on tcp port 2222"),
    "port": (replace(GOOD, paths=(replace(PATHS[0], ports=("80-",)), *PATHS[1:])), "no path lets the operator"),
    "port range backwards": (replace(GOOD, paths=(replace(PATHS[0], ports=("90-80",)),)), "port 90-80 is not valid"),
}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


def test_a_good_lab_passes() -> None:
    check(GOOD)


@pytest.mark.parametrize("what", BAD)
def test_each_contradiction_is_named(what: str) -> None:
    spec, expected = BAD[what]
    if what == "port":  # an open end is one port
        check(replace(GOOD, paths=(replace(PATHS[0], ports=("2222",)), *PATHS[1:])))
    with pytest.raises(UserError) as caught:
        check(spec)
    assert expected in caught.value.report()
    assert caught.value.code == ExitCode.INPUT


def test_a_zone_may_have_several_ranges() -> None:
    more = replace(ZONES[0], ipv4=(*ZONES[0].ipv4, IPv4Network("10.92.0.0/25")), ipv6=(*ZONES[0].ipv6, IPv6Network("fd92::/64")))
    moved = replace(HOSTS[0], ipv4=IPv4Address("10.92.0.9"), ipv6=IPv6Address("fd92::9"))
    check(replace(GOOD, zones=(more, ZONES[1]), hosts=(moved, HOSTS[1])))
    assert more.range_of(moved.ipv4) == IPv4Network("10.92.0.0/25")
    gateway = replace(moved, ipv4=IPv4Address("10.92.0.1"))
    overlapping = replace(ZONES[1], ipv6=(*ZONES[1].ipv6, IPv6Network("fd92::/64")))
    with pytest.raises(UserError) as caught:
        check(replace(GOOD, zones=(more, overlapping), hosts=(gateway, HOSTS[1])))
    assert "already taken by router inner" in caught.value.report()
    assert "inner and outer overlap" in caught.value.report()


def test_a_bridge_has_a_gateway_for_each_range() -> None:
    """A host's way out is the gateway of its own range."""
    more = replace(ZONES[0], ipv4=(*ZONES[0].ipv4, IPv4Network("10.92.0.0/25")))
    lines = network.bridge(more, 1500)
    assert [line.split()[2] for line in lines if line.startswith("address add")] == ["10.91.1.1/24", "10.92.0.1/25", "fd91:0:0:1::1/64"]
    inside = network.inside("one", more, IPv4Address("10.92.0.9"), HOSTS[0].ipv6, 1500)
    assert inside[:2] == ["address add 10.92.0.9/25 dev eth0", "address add fd91:0:0:1::11/64 dev eth0 nodad"]
    assert inside[3:] == ["route add default via 10.92.0.1", "route add ::/0 via fd91:0:0:1::1"]


def test_all_contradictions_are_named_at_once() -> None:
    spec = replace(GOOD, hosts=(replace(HOSTS[0], zone="nowhere"), replace(HOSTS[1], ipv4=IPv4Address("10.1.1.1"))))
    with pytest.raises(UserError) as caught:
        check(spec)
    assert "zone nowhere" in caught.value.report()
    assert "10.1.1.1" in caught.value.report()


def test_the_name_tells_inventories_apart(tmp_path: Path) -> None:
    one, two = tmp_path / "a" / "lab", tmp_path / "b" / "lab"
    assert lab_name(one) != lab_name(two)
    assert lab_name(one) == lab_name(tmp_path / "b" / ".." / "a" / "lab")
    assert lab_name(tmp_path / "山东 (Test)").startswith("test-")
    assert tag(lab_name(one)) in lab_name(one)


@pytest.mark.parametrize(("port", "expected"), [(80, (80, 80)), ("80-90", (80, 90)), ("443", (443, 443)), (65535, (65535, 65535))])
def test_port_ranges(port: int | str, expected: tuple[int, int]) -> None:
    assert port_range(port) == expected


@pytest.mark.parametrize("port", [0, 65536, "a", "1-b", "9-8", "-5"])
def test_what_is_no_port_is_refused(port: int | str) -> None:
    with pytest.raises(UserError, match="is not valid"):
        port_range(port)
