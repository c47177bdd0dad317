"""The networks of a lab: a router namespace with one bridge for each zone, the operator's namespace, the hosts' links.

All of it carries as an alias the digest of what it was made from; whatever is incomplete or was made from something
else is made anew, so a kill at any moment is repaired by the next run.
"""

from __future__ import annotations

import hashlib
import re
from ipaddress import IPv4Address, IPv6Address

from yiwang.lab import firewall, namespaces, uplink
from yiwang.lab.spec import LabHost, LabSpec, LabZone, tag
from yiwang.lab.tools import run

_INTERFACE = "eth0"
_ORDINARY_MTU = 1500


def ensure(spec: LabSpec) -> bool:
    """Make the router and the operator as ``spec`` says, or leave them if they are. Returns whether they were made."""
    mark = tag(spec.name)
    router, operator = namespaces.router(mark), namespaces.operator(mark)
    digest = _digest(spec.name, spec.zones, spec.operator)
    way = uplink.current(mark)
    made = not (way and namespaces.alive(router) and namespaces.alive(operator) and _alias(router, firewall.UPLINK) == digest)
    if made:
        uplink.remove(mark)
        namespaces.remove(operator)
        namespaces.remove(router)
        way = uplink.choose(mark, [network for zone in spec.zones for network in zone.ipv4])
        namespaces.make(router)
        namespaces.sysctl(router, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        uplink.make(mark, way)
        namespaces.batch(router, [line for zone in spec.zones for line in bridge(zone, way.mtu)])
        namespaces.make(operator)
        _connect(router, operator, spec.zone(spec.operator.zone), "operator", spec.operator.ipv4, spec.operator.ipv6, way.mtu)
    rules = firewall.replacing(mark, firewall.router(mark, map(_bridge_name, spec.zones), spec.paths))
    run(["nsenter", f"--net={namespaces.path(router)}", "nft", "-f", "-"], stdin=rules)
    if way:
        uplink.translate(mark, way)
    if made:
        # Last, so that a half-made router is known by the lack of it.
        run(["ip", "-n", router, "link", "set", firewall.UPLINK, "alias", digest])
    return made


def ensure_host(spec: LabSpec, host: LabHost) -> bool:
    """Give the host its namespace and link, also while it runs. Returns whether something was made."""
    mark = tag(spec.name)
    namespace, router = namespaces.of_host(mark, host.name), namespaces.router(mark)
    zone = spec.zone(host.zone)
    way = uplink.current(mark)
    mtu = way.mtu if way else _ORDINARY_MTU
    digest = _digest(host.ipv4, host.ipv6, zone, mtu)
    if namespaces.alive(namespace):
        if _alias(namespace, _INTERFACE) == digest:
            return False
        if namespaces.link(namespace, _INTERFACE) is not None:
            run(["ip", "-n", namespace, "link", "delete", _INTERFACE])
    else:
        namespaces.make(namespace)
    _connect(router, namespace, zone, f"h{_digest(host.name)[:12]}", host.ipv4, host.ipv6, mtu)
    run(["ip", "-n", namespace, "link", "set", _INTERFACE, "alias", digest])
    return True


def _connect(router: str, namespace: str, zone: LabZone, name: str, ipv4: IPv4Address, ipv6: IPv6Address, mtu: int) -> None:
    """Put a namespace on the bridge of a zone. ``name`` is the router's end of the pair."""
    if namespaces.link(router, name) is not None:
        run(["ip", "-n", router, "link", "delete", name])
    namespaces.batch(
        router,
        [
            f"link add {name} mtu {mtu} type veth peer name {_INTERFACE} netns {namespace}",
            f"link set {name} master {_bridge_name(zone)} up",
        ],
    )
    namespaces.batch(namespace, inside(namespace, zone, ipv4, ipv6, mtu))


def inside(namespace: str, zone: LabZone, ipv4: IPv4Address, ipv6: IPv6Address, mtu: int) -> list[str]:
    """The addresses and the ways out of a namespace; other ranges of its zone are reached through the router, too."""
    inside4, inside6 = zone.range_of(ipv4), zone.range_of(ipv6)
    return [
        f"address add {ipv4}/{inside4.prefixlen} dev {_INTERFACE}",
        f"address add {ipv6}/{inside6.prefixlen} dev {_INTERFACE} nodad",
        f"link set {_INTERFACE} address {_hardware_address(namespace)} mtu {mtu} up",
        f"route add default via {inside4.network_address + 1}",
        f"route add ::/0 via {inside6.network_address + 1}",
    ]


def _hardware_address(namespace: str) -> str:
    """The same whenever a link is made anew: neighbours remember it for half a minute."""
    return ":".join(["02", *re.findall("..", _digest(namespace)[:10])])


def bridge(zone: LabZone, mtu: int) -> list[str]:
    """The bridge of a zone, with a gateway for each range."""
    name = _bridge_name(zone)
    return [
        # An address of its own: otherwise it takes one of its ports' and changes when hosts come and go.
        f"link add {name} mtu {mtu} address {_hardware_address(name)} type bridge forward_delay 0 mcast_snooping 0",
        *(f"address add {network.network_address + 1}/{network.prefixlen} dev {name}" for network in zone.ipv4),
        *(f"address add {network.network_address + 1}/{network.prefixlen} dev {name} nodad" for network in zone.ipv6),
        f"link set {name} up",
    ]


def _bridge_name(zone: LabZone) -> str:
    """An interface name has at most 15 characters."""
    return f"z{_digest(zone.name)[:4]}-{zone.name[:9]}"


def _alias(namespace: str, interface: str) -> str:
    link = namespaces.link(namespace, interface)
    return str(link.get("ifalias", "")) if link else ""


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
