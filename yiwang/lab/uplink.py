"""The way of a lab out to the world: a pair of interfaces to the machine, translated there, and the kernel switches.

The machine's end carries, as its alias, what the switches were before the first lab (yiwang/lab/switches.py). It lives
exactly as long as the change does: a restart of the machine takes both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from yiwang.errors import ExitCode, UserError
from yiwang.lab import firewall, namespaces, switches
from yiwang.lab.tools import enter_network, run
from yiwang.messages import t

_INTERFACE = re.compile(r"yw(?P<tag>[0-9a-f]{6})up")
_POOLS = (IPv4Network("10.254.0.0/16"), IPv4Network("172.30.0.0/16"), IPv4Network("192.168.224.0/19"))


@dataclass(frozen=True)
class Uplink:
    """The networks between machine (first address) and router (second); no IPv6 one where the machine has no way out."""

    ipv4: IPv4Network
    ipv6: IPv6Network | None
    mtu: int


def interface(tag: str) -> str:
    """The machine's end of a lab's uplink."""
    return f"yw{tag}up"


def current(tag: str) -> Uplink | None:
    """The uplink that stands, if it is whole."""
    # One reading of everything: the kernel removes the interface at a moment of its own once the router is gone.
    links = json.loads(run(["ip", "-j", "-details", "address", "show"]))
    link = next((link for link in links if link.get("ifname") == interface(tag)), None)
    if link is None or not switches.read(link.get("ifalias", "")):
        return None
    addresses = [address for address in link.get("addr_info", []) if address.get("scope") == "global" and "local" in address]
    networks = [ip_network(f"{address['local']}/{address['prefixlen']}", strict=False) for address in addresses]
    ipv4 = next((network for network in networks if isinstance(network, IPv4Network)), None)
    ipv6 = next((network for network in networks if isinstance(network, IPv6Network)), None)
    return Uplink(ipv4, ipv6, link["mtu"]) if ipv4 else None


def choose(tag: str, avoid: Iterable[IPv4Network]) -> Uplink:
    """Networks that nothing on this machine uses. Raises UserError (exit 4) when all candidates are taken."""
    taken = [*avoid, *_routes(), *(IPv4Network(server) for server in nameservers() if isinstance(server, IPv4Address))]
    seed = int(tag, 16)
    for pool in _POOLS:
        candidates = 1 << (30 - pool.prefixlen)
        for step in range(candidates):
            offset = 4 * ((seed + step) % candidates)
            network = IPv4Network((int(pool.network_address) + offset, 30))
            if not any(network.overlaps(other) for other in taken):
                ipv6 = IPv6Network(f"fdfe:7977:{tag[:2]}:{tag[2:]}::/126") if _ipv6_way_out() else None
                return Uplink(network, ipv6, _mtu())
    raise UserError(t("lab.no_network"), code=ExitCode.MACHINE, fix=t("lab.no_network_fix"))


def make(tag: str, uplink: Uplink) -> None:
    """Connect the router, which must exist without an uplink, to the machine."""
    name, router = interface(tag), namespaces.router(tag)
    before = _before()
    run(["ip", "link", "add", name, "mtu", str(uplink.mtu), "type", "veth", "peer", "name", firewall.UPLINK, "netns", router])
    run(["ip", "link", "set", name, "alias", before])
    run(["ip", "-batch", "-"], stdin="".join(f"{line}\n" for line in [*_addresses(uplink, name, 1), f"link set {name} up"]))
    inside = [f"link set {firewall.UPLINK} mtu {uplink.mtu} up", *_addresses(uplink, firewall.UPLINK, 2)]
    inside.append(f"route add default via {uplink.ipv4.network_address + 1}")
    if uplink.ipv6:
        inside.append(f"route add ::/0 via {uplink.ipv6.network_address + 1}")
    namespaces.batch(router, inside)


def translate(tag: str, uplink: Uplink) -> None:
    """Switch forwarding on and load the machine's table; both are in place afterwards, whatever was before."""
    networks = [network for network in (uplink.ipv4, uplink.ipv6) if network]
    run(["nft", "-f", "-"], stdin=firewall.replacing(tag, firewall.machine(tag, interface(tag), networks)))
    switches.turn_on(ipv6=uplink.ipv6 is not None)


def remove(tag: str) -> None:
    """Take the uplink away; with the last lab's, the kernel switches get back the values they had before the first."""
    links = _links()
    ours = links.pop(interface(tag), None)
    if ours is not None:
        if not links:
            switches.restore(ours.get("ifalias", ""))
        try:
            run(["ip", "link", "delete", interface(tag)])
        except UserError:
            # The kernel removes it by itself some time after its router went.
            if interface(tag) in _links():
                raise
    if firewall.table(tag) in _tables():
        run(["nft", "delete", "table", "inet", firewall.table(tag)])


def found() -> list[str]:
    """The tags of all uplinks and tables on the machine."""
    links = [match["tag"] for name in _links() if (match := _INTERFACE.fullmatch(name))]
    tables = [name.removeprefix("yiwang_lab_") for name in _tables() if name.startswith("yiwang_lab_")]
    return sorted({*links, *tables})


def reaches(tag: str, host: str, port: int, seconds: float = 3.0) -> bool:
    """Whether a connection from the router through the machine opens; names are resolved by the machine."""
    import socket  # noqa: PLC0415 - only right after a router was made

    def attempt(address: str) -> bool:
        try:
            enter_network(namespaces.path(namespaces.router(tag)))
            socket.create_connection((address, port), timeout=seconds).close()
        except OSError:
            return False
        return True

    try:
        address = str(socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4][0])
    except OSError:
        return False
    # The thread stays in the router's network and ends with the pool.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(attempt, address).result()


def nameservers() -> list[Any]:
    """The addresses of the machine's name servers that can be reached from a host."""
    return [address for line in resolv_conf().splitlines() if (address := _nameserver(line)) is not None]


def resolv_conf() -> str:
    """What hosts get as /etc/resolv.conf: the machine's, or behind a resolver on its loopback the servers that one asks."""
    for candidate in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf"):
        try:
            text = Path(candidate).read_text()
        except OSError:
            continue
        if any((address := _nameserver(line)) is not None and not address.is_loopback for line in text.splitlines()):
            return text
    return ""


def _nameserver(line: str) -> Any:
    words = line.split()
    if len(words) < 2 or words[0] != "nameserver":
        return None
    try:
        return ip_address(words[1].partition("%")[0])
    except ValueError:
        return None


def _addresses(uplink: Uplink, name: str, number: int) -> list[str]:
    lines = [f"address add {uplink.ipv4.network_address + number}/30 dev {name}"]
    if uplink.ipv6:
        lines.append(f"address add {uplink.ipv6.network_address + number}/126 dev {name} nodad")
    return lines


def _before() -> str:
    """What the switches were before the first lab: from another lab's uplink, else what they are now."""
    aliases = (link.get("ifalias", "") for link in _links().values())
    return next((alias for alias in aliases if switches.read(alias)), None) or switches.recorded()


def _links() -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in json.loads(run(["ip", "-j", "link", "show"])) if _INTERFACE.fullmatch(link.get("ifname", ""))}


def _tables() -> list[str]:
    listing = json.loads(run(["nft", "-j", "list", "tables"]))["nftables"]
    return [entry["table"]["name"] for entry in listing if entry.get("table", {}).get("family") == "inet"]


def _routes() -> list[IPv4Network]:
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]))
    return [IPv4Network(route["dst"], strict=False) for route in routes if route.get("dst", "default") != "default"]


def _ipv6_way_out() -> bool:
    """Whether the machine has an IPv6 default route that stays when it forwards (one from router advertisements would not)."""
    routes = json.loads(run(["ip", "-j", "-6", "route", "show", "default"]) or "[]")
    return bool(routes) and all(route.get("protocol") != "ra" for route in routes) and switches.has_ipv6()


def _mtu() -> int:
    """The MTU of the interface of the default route, or of an ordinary one."""
    routes = json.loads(run(["ip", "-j", "route", "show", "default"]) or "[]")
    for route in routes:
        link = namespaces.link(None, route.get("dev", ""))
        if link is not None:
            return int(link["mtu"])
    return 1500
