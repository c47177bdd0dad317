"""The province's list of paths as the rules of one host's firewall: plain values, in the order of the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TypedDict

from yiwang.inventory.model import ANY, OPERATORS, WORLD, Host, Networks, Path, Province

ADMINISTRATION = "administration by SSH"
_COMMENT_BYTES = 120  # nftables refuses comments of more than 128 bytes


class Rule(TypedDict):
    """One allowed direction: ``addresses`` of the other side (``outside``: every address but these) and ``ports`` at the server."""

    family: str
    addresses: list[str]
    outside: bool
    protocol: str
    ports: list[str]
    purpose: str


def rules(province: Province, host: Host) -> tuple[list[Rule], list[Rule]]:
    """What ``host`` lets in and what it lets out."""
    incoming: list[Rule] = []
    outgoing: list[Rule] = []
    for path, within in province.ways():
        if _belongs(province, host, path.target, within):
            incoming += _towards(province, host, path, path.source, within)
        if _belongs(province, host, path.source, within):
            outgoing += _towards(province, host, path, path.target, within)
    # Administration never depends on the list: a host that shuts its operators out cannot be repaired.
    own = (str(host.port),)
    administration = [_rule(family, nets, "tcp", own, ADMINISTRATION) for family, nets in _families(host, province.access.operators)]
    missing = [rule for rule in administration if rule["addresses"] and not any(_covers(other, rule) for other in incoming)]
    return _unique(missing + incoming), _unique(outgoing)


def _belongs(province: Province, host: Host, endpoints: Iterable[str], within: str | None) -> bool:
    """Whether the host is one of the endpoints of a way (see ``Province.ways``)."""
    operators = province.access.operators[0]
    tests: dict[str, Callable[[], bool]] = {
        ANY: lambda: True,
        WORLD: lambda: False,
        OPERATORS: lambda: any(host.ipv4 in network for network in operators),
    }
    return any(tests[name]() if name in tests else name == host.zone or province.names(name, host, within) for name in endpoints)


def _towards(province: Province, host: Host, path: Path, endpoints: Iterable[str], within: str | None) -> list[Rule]:
    """The rules for the other side of a path: one for all endpoints that are networks, one for the world."""
    named = [name for name in endpoints if name != WORLD]
    ports = tuple(str(port) for port in path.ports)
    found = []
    for networks, outside in ((_join(province, named, within), False), (province.addresses(ANY), True)):
        if outside and WORLD not in endpoints:
            continue
        for family, addresses in _families(host, networks):
            if addresses:
                found.append(_rule(family, addresses, path.protocol, ports, path.purpose.en, outside=outside))
    return found


def _join(province: Province, endpoints: Iterable[str], within: str | None) -> Networks:
    every = [province.addresses(name, within) for name in endpoints]
    ipv4 = collapse_addresses(network for networks, _ in every for network in networks)
    ipv6 = collapse_addresses(network for _, networks in every for network in networks)
    return tuple(sorted(ipv4)), tuple(sorted(ipv6))


def _families(host: Host, networks: Networks) -> list[tuple[str, tuple[IPv4Network, ...] | tuple[IPv6Network, ...]]]:
    """The families the host speaks."""
    return [("ip", networks[0]), *([("ip6", networks[1])] if host.ipv6 is not None else [])]


def _rule(
    family: str,
    networks: Iterable[IPv4Network | IPv6Network],
    protocol: str,
    ports: Iterable[str],
    purpose: str,
    *,
    outside: bool = False,
) -> Rule:
    addresses = [str(network.network_address if network.prefixlen == network.max_prefixlen else network) for network in networks]
    comment = " ".join(purpose.replace('"', "'").replace("\\", "/").split()).encode()[:_COMMENT_BYTES].decode(errors="ignore")
    ordered = sorted(ports, key=lambda port: int(port.partition("-")[0]))
    return Rule(family=family, addresses=addresses, outside=outside, protocol=protocol, ports=ordered, purpose=comment)


def _covers(one: Rule, other: Rule) -> bool:
    """Whether every packet that ``other`` names passes by ``one`` (as far as equal addresses tell)."""
    same = all(one[key] == other[key] for key in ("family", "addresses", "outside", "protocol"))
    return same and set(other["ports"]) <= set(one["ports"])


def _unique(listed: list[Rule]) -> list[Rule]:
    """The list without rules that an earlier one already covers."""
    kept: list[Rule] = []
    for rule in listed:
        if not any(_covers(earlier, rule) for earlier in kept):
            kept.append(rule)
    return kept
