from __future__ import annotations

from ipaddress import ip_network

from yiwang.lab import LabPath, firewall

A4, A6 = ip_network("10.0.1.0/24"), ip_network("fd00:1::/64")
B4, B6 = ip_network("10.0.2.0/24"), ip_network("fd00:2::/64")


def rules(*paths: LabPath) -> list[str]:
    """The forward chain without what is always there."""
    text = firewall.router("abcdef", ["br0"], paths)
    forward = text.partition("chain forward {")[2].partition("\t}\n")[0]
    lines = [line.strip() for line in forward.strip().splitlines()]
    assert lines[:3] == [
        "type filter hook forward priority filter; policy drop;",
        "ct state established,related accept",
        'iifname "br0" oifname "br0" accept',
    ]
    return lines[3:]


def test_without_paths_everything_is_dropped() -> None:
    assert rules() == []


def test_a_path_opens_both_families_and_one_direction() -> None:
    assert rules(LabPath((A4, A6), (B4, B6), "tcp", (22,))) == [
        "ip saddr { 10.0.1.0/24 } ip daddr { 10.0.2.0/24 } tcp dport { 22 } accept",
        "ip6 saddr { fd00:1::/64 } ip6 daddr { fd00:2::/64 } tcp dport { 22 } accept",
    ]


def test_a_path_in_one_family_opens_no_other() -> None:
    assert rules(LabPath((A4,), (B4, B6), "udp", (53,))) == ["ip saddr { 10.0.1.0/24 } ip daddr { 10.0.2.0/24 } udp dport { 53 } accept"]
    assert rules(LabPath((A4,), (B6,), "udp", (53,))) == []


def test_the_world_is_behind_the_uplink_only() -> None:
    assert rules(LabPath((A4,), (), "tcp", (443,), to_world=True)) == ['ip saddr { 10.0.1.0/24 } oifname "uplink" tcp dport { 443 } accept']


def test_overlaps_are_merged_because_a_set_may_not_hold_them() -> None:
    host = ip_network("10.0.1.7/32")
    assert rules(LabPath((A4, host, A4), (B4,), "tcp", (80, "80-90", "85-95", 96, 443))) == [
        "ip saddr { 10.0.1.0/24 } ip daddr { 10.0.2.0/24 } tcp dport { 80-96, 443 } accept"
    ]


def test_the_same_path_twice_is_one_rule() -> None:
    path = LabPath((A4,), (B4,), "tcp", (22,))
    assert len(rules(path, path)) == 1


def test_the_machine_translates_what_leaves_by_another_interface_only() -> None:
    text = firewall.machine("abcdef", "ywabcdefup", [ip_network("10.254.0.0/30"), ip_network("fd00::/126")])
    assert 'ip saddr 10.254.0.0/30 oifname != "ywabcdefup" masquerade' in text
    assert 'ip6 saddr fd00::/126 oifname != "ywabcdefup" masquerade' in text
    assert text.startswith("table inet yiwang_lab_abcdef {")
