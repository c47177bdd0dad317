"""The rule sets of a lab as text: what the router lets through, and the way out through the machine. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from yiwang.lab.spec import LabPath, Network, port_range

UPLINK = "uplink"

_ROUTER = """\
table inet {table} {{
\tchain input {{
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tiifname "lo" accept
\t\tmeta l4proto {{ icmp, ipv6-icmp }} accept
\t}}
\tchain forward {{
\t\ttype filter hook forward priority filter; policy drop;
\t\tct state established,related accept
{inside}{rules}\t}}
\tchain postrouting {{
\t\ttype nat hook postrouting priority srcnat; policy accept;
\t\toifname "{uplink}" masquerade
\t}}
}}
"""
_MACHINE = """\
table inet {table} {{
\tchain postrouting {{
\t\ttype nat hook postrouting priority srcnat; policy accept;
{rules}\t}}
}}
"""


def table(tag: str) -> str:
    """The name of a lab's table, in its router and on the machine."""
    return f"yiwang_lab_{tag}"


def replacing(tag: str, text: str) -> str:
    """``text`` as one transaction that replaces the table whole, whether it exists or not."""
    return f"table inet {table(tag)}\ndelete table inet {table(tag)}\n{text}"


def router(tag: str, bridges: Iterable[str], paths: Iterable[LabPath]) -> str:
    """The router's table: everything between zones is dropped but the paths, in both address families.

    Traffic inside a zone passes a bridge; where the kernel shows bridged packets to the router's rules, it is let through.
    """
    inside = "".join(f'\t\tiifname "{bridge}" oifname "{bridge}" accept\n' for bridge in bridges)
    rules = [f"\t\t{rule}\n" for path in paths for rule in _rules(path)]
    return _ROUTER.format(table=table(tag), inside=inside, rules="".join(dict.fromkeys(rules)), uplink=UPLINK)


def machine(tag: str, interface: str, networks: Iterable[Network]) -> str:
    """The machine's table: what comes from the lab's uplink leaves under the machine's own address."""
    rules = [f'\t\t{_family(network)} saddr {network} oifname != "{interface}" masquerade\n' for network in networks]
    return _MACHINE.format(table=table(tag), rules="".join(rules))


def _rules(path: LabPath) -> list[str]:
    ports = f"{path.protocol} dport {_set(_merged(path.ports))} accept"
    rules: list[str] = []
    for family, sources, targets in zip(("ip", "ip6"), _by_family(path.sources), _by_family(path.targets), strict=True):
        if not sources:
            continue
        start = f"{family} saddr {_set(sources)}"
        if targets:
            rules.append(f"{start} {family} daddr {_set(targets)} {ports}")
        if path.to_world:
            rules.append(f'{start} oifname "{UPLINK}" {ports}')
    return rules


def _by_family(networks: Iterable[Network]) -> tuple[list[str], list[str]]:
    """Sorted networks without overlaps (a set in a rule may not hold any)."""
    every = list(networks)
    return (
        [str(network) for network in collapse_addresses(network for network in every if isinstance(network, IPv4Network))],
        [str(network) for network in collapse_addresses(network for network in every if isinstance(network, IPv6Network))],
    )


def _family(network: Network) -> str:
    return "ip" if isinstance(network, IPv4Network) else "ip6"


def _merged(ports: Iterable[int | str]) -> list[str]:
    """Sorted port ranges without overlaps."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(map(port_range, ports)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return [str(first) if first == last else f"{first}-{last}" for first, last in merged]


def _set(items: Iterable[str]) -> str:
    return "{ " + ", ".join(items) + " }"
