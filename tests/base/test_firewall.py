"""The list of paths as rulesets: whole files for the lab's hosts, and the rules for what an inventory may say."""

from __future__ import annotations

import dataclasses
import runpy
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from base import base_support

from yiwang import inventory
from yiwang.components import firewall
from yiwang.inventory import model

ROOT = Path(__file__).parent.parent.parent
ROLE = ROOT / "roles" / "base"

Rules = tuple[list[firewall.Rule], list[firewall.Rule]]


@pytest.fixture(scope="module")
def lab_province() -> model.Province:
    return inventory.load(ROOT / "inventories" / "lab")


def render(province: model.Province, host: model.Host) -> str:
    """The file as Ansible writes it (its settings of Jinja)."""
    environment = jinja2.Environment(  # noqa: S701 - no HTML
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    incoming, outgoing = firewall.rules(province, host)
    managed = yaml.safe_load((ROLE / "vars/main.yml").read_text())["_base_managed"]
    return environment.get_template("etc/nftables.conf.j2").render(
        _base_managed=managed, base_ssh_port=host.port, base_firewall_input=incoming, base_firewall_output=outgoing
    )


def test_every_host_of_the_lab_has_an_expected_ruleset(lab_province: model.Province) -> None:
    assert set(base_support.HOSTS) == set(lab_province.hosts)


@pytest.mark.parametrize("name", base_support.HOSTS)
def test_the_whole_file_is_the_expected_one(lab_province: model.Province, name: str) -> None:
    assert render(lab_province, lab_province.hosts[name]) == base_support.ruleset(name)


# --- What an inventory may say --------------------------------------------------------------------------------------

ZONES = {
    "front": model.Zone("front", (IPv4Network("192.0.2.0/25"),), (IPv6Network("2001:db8:1::/64"),)),
    "back": model.Zone("back", (IPv4Network("192.0.2.128/25"),), (IPv6Network("2001:db8:2::/64"),)),
}
OPERATORS: model.Networks = ((IPv4Network("192.0.2.10/32"),), (IPv6Network("2001:db8:1::10/128"),))
NAME = model.Name("用途", "purpose")


def host(name: str, zone: str, number: int, *groups: str, ipv6: bool = True, port: int = 22) -> model.Host:
    network = ZONES[zone]
    address = IPv6Address(int(network.ipv6[0].network_address) + number) if ipv6 else None
    return model.Host(name, "province", zone, groups, IPv4Address(int(network.ipv4[0].network_address) + number), address, port, {})


HOSTS = {
    "web1": host("web1", "front", 2, "web"),
    "web2": host("web2", "front", 3, "web"),
    "db": host("db", "back", 4, "db"),
    "old": host("old", "back", 5, "db", ipv6=False),
    "odd": host("odd", "back", 6, port=2222),
    "ops": host("ops", "front", 10, "ops"),
}


def path(source: str, target: str, *ports: int | str, protocol: Any = "tcp", purpose: str = "purpose") -> model.Path:
    return model.Path(tuple(source.split()), tuple(target.split()), protocol, ports, model.Name("用途", purpose))


@pytest.fixture
def rules(lab_province: model.Province) -> Callable[..., Rules]:
    """The rules of a host under a list of paths."""

    def of(name: str, *paths: model.Path) -> Rules:
        site = dataclasses.replace(lab_province.sites["province"], hosts=tuple(HOSTS.values()))
        access = dataclasses.replace(lab_province.access, operators=OPERATORS)
        province = dataclasses.replace(lab_province, zones=ZONES, paths=paths, sites={"province": site}, access=access)
        return firewall.rules(province, HOSTS[name])

    return of


def lines(found: list[firewall.Rule]) -> list[str]:
    return [
        f"{'not ' if rule['outside'] else ''}{'+'.join(rule['addresses'])} {rule['protocol']} {','.join(rule['ports'])}"
        for rule in found
        if rule["purpose"] != firewall.ADMINISTRATION
    ]


def test_without_paths_only_the_operators_come_in(rules: Callable[..., Rules]) -> None:
    incoming, outgoing = rules("db")
    assert [(rule["family"], rule["addresses"], rule["ports"]) for rule in incoming] == [
        ("ip", ["192.0.2.10"], ["22"]),
        ("ip6", ["2001:db8:1::10"], ["22"]),
    ]
    assert outgoing == []


def test_a_path_opens_both_ends_and_no_third(rules: Callable[..., Rules]) -> None:
    way = path("web", "db", 5432)
    assert lines(rules("db", way)[0]) == ["192.0.2.2/31 tcp 5432", "2001:db8:1::2/127 tcp 5432"]
    assert lines(rules("web1", way)[1]) == ["192.0.2.132/31 tcp 5432", "2001:db8:2::4 tcp 5432"]
    for name, side in (("db", 1), ("web1", 0), ("odd", 0), ("odd", 1)):
        assert lines(rules(name, way)[side]) == []


def test_a_host_without_ipv6_gets_no_ipv6_rules(rules: Callable[..., Rules]) -> None:
    assert {rule["family"] for rule in rules("old", path("front", "db", 5432))[0]} == {"ip"}


def test_the_world_is_what_lies_outside_all_zones(rules: Callable[..., Rules]) -> None:
    out = lines(rules("db", path("db", "world", 443))[1])
    assert out == ["not 192.0.2.0/25+192.0.2.128/25 tcp 443", "not 2001:db8:1::/64+2001:db8:2::/64 tcp 443"]
    assert lines(rules("db", path("db", "world", 443))[0]) == []
    assert lines(rules("web1", path("world", "web", 443))[0]) == out


def test_the_world_and_a_zone_together_are_two_rules(rules: Callable[..., Rules]) -> None:
    found = [line for line in lines(rules("web1", path("world back", "web", 443))[0]) if ":" not in line]
    assert found == ["192.0.2.128/25 tcp 443", "not 192.0.2.0/25+192.0.2.128/25 tcp 443"]


def test_every_range_of_a_zone_is_in_the_rules(lab_province: model.Province) -> None:
    """A city with an extranet block of its own is let in like the others, and lies as little in the world as they."""
    extranet = lab_province.zones["extranet"]
    block = dataclasses.replace(extranet, ipv4=(*extranet.ipv4, IPv4Network("10.78.0.0/16")))
    way = path("extranet", "internet", 443)
    province = dataclasses.replace(lab_province, zones={**lab_province.zones, "extranet": block}, paths=(*lab_province.paths, way))
    shown = render(province, province.hosts["p-edge"])
    assert "ip saddr { 10.77.20.0/24, 10.78.0.0/16 } tcp dport 443 accept" in shown
    assert (
        'ip daddr != { 10.77.10.0/24, 10.77.20.0/24, 10.77.30.0/24, 10.78.0.0/16 } udp dport 53 accept comment "name resolution"' in shown
    )
    assert "ip6 saddr fd77:0:0:20::/64 tcp dport 443 accept" in shown


def test_overlapping_networks_become_one(rules: Callable[..., Rules]) -> None:
    """nft refuses a set whose intervals overlap."""
    assert lines(rules("db", path("front web", "db", 5432))[0])[0] == "192.0.2.0/25 tcp 5432"


def test_ports_are_ordered_and_ranges_kept(rules: Callable[..., Rules]) -> None:
    assert lines(rules("db", path("front", "db", "8000-8010", 443, 80))[0])[0] == "192.0.2.0/25 tcp 80,443,8000-8010"


def test_equal_paths_make_one_rule(rules: Callable[..., Rules]) -> None:
    found = rules("db", path("front", "db", 443, 80), path("front", "db", 80, purpose="again"), path("front", "db", 80, protocol="udp"))[0]
    assert [line for line in lines(found) if ":" not in line] == ["192.0.2.0/25 tcp 80,443", "192.0.2.0/25 udp 80"]


def test_a_listed_path_for_operators_replaces_the_built_in_one(rules: Callable[..., Rules]) -> None:
    found = rules("db", path("operators", "any", 22, purpose="sign in"))[0]
    assert [rule["purpose"] for rule in found] == ["sign in", "sign in"]


def test_operators_reach_a_host_on_its_own_port_even_when_the_list_names_another(rules: Callable[..., Rules]) -> None:
    found = rules("odd", path("operators", "any", 22))[0]
    assert [rule["ports"] for rule in found if rule["purpose"] == firewall.ADMINISTRATION] == [["2222"], ["2222"]]


def test_a_host_among_the_operators_may_reach_what_operators_may(rules: Callable[..., Rules]) -> None:
    assert lines(rules("ops", path("operators", "back", 22))[1])[0] == "192.0.2.128/25 tcp 22"
    assert lines(rules("web1", path("operators", "back", 22))[1]) == []


def test_a_purpose_cannot_break_the_file(rules: Callable[..., Rules]) -> None:
    purpose = 'a "quoted" \\ one\n' + "很长" * 60
    found = rules("db", path("front", "db", 80, purpose=purpose))[0][-1]["purpose"]
    assert found.startswith("a 'quoted' / one 很长")
    assert len(found.encode()) <= 128
    assert "\n" not in found


# --- What the host asks before it loads one -------------------------------------------------------------------------

ADMITS = runpy.run_path(str(ROLE / "filter_plugins" / "yiwang_admits.py"))["admits"]


def admitting(family: str, *addresses: str, protocol: str = "tcp", ports: str = "22", outside: bool = False) -> list[firewall.Rule]:
    return [firewall.Rule(family=family, addresses=list(addresses), outside=outside, protocol=protocol, ports=ports.split(), purpose="x")]


@pytest.mark.parametrize(
    ("rules", "peer", "expected"),
    [
        (admitting("ip", "192.0.2.0/24"), "192.0.2.10", True),
        (admitting("ip", "192.0.2.10"), "192.0.2.10", True),
        (admitting("ip", "192.0.2.10"), "::ffff:192.0.2.10", True),
        (admitting("ip6", "2001:db8::/64"), "2001:db8::10", True),
        (admitting("ip", "198.51.100.0/24"), "192.0.2.10", False),  # a bastion, a translation: not the address that was written
        (admitting("ip6", "2001:db8::/64"), "192.0.2.10", False),  # only the family that the session does not use
        (admitting("ip", "192.0.2.10", protocol="udp"), "192.0.2.10", False),
        (admitting("ip", "192.0.2.10", ports="80 443"), "192.0.2.10", False),
        (admitting("ip", "192.0.2.10", ports="20-30"), "192.0.2.10", True),
        (admitting("ip", "198.51.100.0/24", outside=True), "192.0.2.10", True),
        (admitting("ip", "192.0.2.0/24", outside=True), "192.0.2.10", False),
        ([], "192.0.2.10", False),
    ],
)
def test_a_session_is_let_in_again_only_by_a_rule_for_its_own_address(rules: list[firewall.Rule], peer: str, expected: bool) -> None:
    assert ADMITS(rules, peer, 22) is expected


def test_the_operators_of_the_lab_are_let_in_on_every_host(lab_province: model.Province) -> None:
    for host in lab_province.hosts.values():
        incoming, _ = firewall.rules(lab_province, host)
        assert ADMITS(incoming, "10.77.30.2", host.port)
        assert not ADMITS(incoming, "10.77.20.99", host.port)
