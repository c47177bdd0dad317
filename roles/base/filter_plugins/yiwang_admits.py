"""Jinja filter: whether a firewall's rules let an address reach a TCP port."""  # noqa: INP001 - found by Ansible

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def admits(rules: Iterable[Mapping[str, Any]], address: str, port: int) -> bool:
    """Whether one of ``rules`` (as in base_firewall_input) accepts TCP from ``address`` to ``port``."""
    peer = ipaddress.ip_address(address)
    peer = getattr(peer, "ipv4_mapped", None) or peer
    for rule in rules:
        networks = [ipaddress.ip_network(network) for network in rule["addresses"]]
        same = rule["protocol"] == "tcp" and rule["family"] == ("ip" if peer.version == 4 else "ip6")
        listed = any(peer in network for network in networks) != rule["outside"]
        if same and listed and any(_holds(ports, port) for ports in rule["ports"]):
            return True
    return False


def _holds(ports: str, port: int) -> bool:
    first, _, last = ports.partition("-")
    return int(first) <= port <= int(last or first)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file."""
        return {"yiwang_admits": admits}
