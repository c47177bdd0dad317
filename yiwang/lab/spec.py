"""What a lab is to be, and what it is: plain values, no knowledge of provinces or components.

A lab is named ``<anything>-<tag>``, where the tag is six hexadecimal digits. Everything the lab makes on the
machine carries the name or the tag, so that it can be found and removed when all records are lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Literal

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

Network = IPv4Network | IPv6Network
HostState = Literal["running", "unreachable", "stopped", "absent"]
LabState = Literal["running", "partial", "stopped", "absent"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}-(?P<tag>[0-9a-f]{6})")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class LabZone:
    """A network of the lab: one bridge, with one or several ranges. The first address of each range is the router's."""

    name: str
    ipv4: tuple[IPv4Network, ...]
    ipv6: tuple[IPv6Network, ...]

    @property
    def ranges(self) -> tuple[Network, ...]:
        """All ranges, IPv4 first."""
        return (*self.ipv4, *self.ipv6)

    def range_of(self, address: IPv4Address | IPv6Address) -> Network:
        """The range that ``address`` lies in. Raises StopIteration where it lies in none."""
        return next(network for network in self.ranges if address in network)


@dataclass(frozen=True)
class LabHost:
    """A server of the lab. ``port`` is where its SSH server listens when it is made."""

    name: str
    zone: str
    ipv4: IPv4Address
    ipv6: IPv6Address
    port: int = 22


@dataclass(frozen=True)
class LabPath:
    """Traffic the router lets through.

    ``ports`` holds numbers and ranges ``"from-to"``; ``to_world`` adds all addresses outside the zones to the targets.
    """

    sources: tuple[Network, ...]
    targets: tuple[Network, ...]
    protocol: Literal["tcp", "udp"]
    ports: tuple[int | str, ...]
    to_world: bool = False


@dataclass(frozen=True)
class Operator:
    """Where the operator sits: a namespace without a server, on the bridge of ``zone``."""

    zone: str
    ipv4: IPv4Address
    ipv6: IPv6Address


@dataclass(frozen=True)
class LabSpec:
    """A whole lab.

    ``directory`` is the inventory the lab belongs to (recorded and shown, never read or written).
    ``authorized_key`` is the public key line that root accepts on each host until the host is configured otherwise.
    """

    name: str
    directory: Path
    zones: tuple[LabZone, ...]
    hosts: tuple[LabHost, ...]
    paths: tuple[LabPath, ...]
    operator: Operator
    authorized_key: str

    def zone(self, name: str) -> LabZone:
        """The zone of that name. Raises KeyError."""
        return next(zone for zone in self.zones if zone.name == name)

    def host(self, name: str) -> LabHost:
        """The host of that name. Raises UserError (exit 3)."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise UserError(t("lab.unknown_host", host=name, lab=self.name), code=ExitCode.INPUT, fix=t("lab.unknown_host_fix", known=known))


@dataclass(frozen=True)
class HostStatus:
    """One host as it is. ``memory`` is in bytes, ``uptime`` in seconds; ``host_key`` is "ssh-ed25519 AAAA…"."""

    name: str
    zone: str
    ipv4: IPv4Address
    ipv6: IPv6Address
    port: int
    state: HostState
    memory: int | None
    uptime: float | None
    host_key: str | None


@dataclass(frozen=True)
class LabStatus:
    """A lab as it is.

    ``operator_namespace`` is the path of the network namespace from which the hosts are reached. ``started`` are the hosts
    this very ``up`` started; ``warnings`` what it found that may hurt later.
    """

    name: str
    state: LabState
    directory: Path | None
    hosts: tuple[HostStatus, ...]
    operator_namespace: Path
    started: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """One step of ``up`` or ``down``: ``done`` of ``total`` steps are finished."""

    text: str
    done: int
    total: int


Report = Callable[[Progress], None]


def lab_name(directory: Path) -> str:
    """The name of the lab of one inventory directory: its last part and a tag of its absolute path."""
    absolute = directory.resolve()
    label = re.sub(r"[^a-z0-9]+", "-", absolute.name.lower()).strip("-")[:40] or "lab"
    return f"{label}-{hashlib.sha256(str(absolute).encode()).hexdigest()[:6]}"


def tag(name: str) -> str:
    """The six digits that everything of lab ``name`` carries. Raises UserError (exit 3) for a name that is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(t("lab.bad_name", name=name), code=ExitCode.INPUT, fix=t("lab.bad_name_fix"))
    return match["tag"]


def check(spec: LabSpec) -> None:
    """Raises UserError (exit 3) with every contradiction in ``spec``; a lab is only made of one that passes."""
    tag(spec.name)
    findings = [*_zone_findings(spec), *_address_findings(spec), *_path_findings(spec)]
    if findings:
        raise UserError(findings[0], code=ExitCode.INPUT, lines=tuple(findings[1:]))


def _zone_findings(spec: LabSpec) -> list[str]:
    findings = [] if spec.hosts else [t("lab.no_hosts", lab=spec.name)]
    ranges = [(zone.name, network) for zone in spec.zones for network in zone.ranges]
    found = [
        t("lab.zones_overlap", one=one, two=two)
        for index, (two, network) in enumerate(ranges)
        for one, other in ranges[:index]
        if other.version == network.version and other.overlaps(network)
    ]
    return findings + list(dict.fromkeys(found))


def _address_findings(spec: LabSpec) -> list[str]:
    findings: list[str] = []
    zones = {zone.name: zone for zone in spec.zones}
    taken: dict[IPv4Address | IPv6Address, str] = {}
    for zone in spec.zones:
        taken |= {network.network_address + 1: f"router {zone.name}" for network in zone.ranges}
    holders = [("operator", spec.operator.zone, spec.operator.ipv4, spec.operator.ipv6)]
    holders += [(host.name, host.zone, host.ipv4, host.ipv6) for host in spec.hosts]
    for name, zone_name, ipv4, ipv6 in holders:
        if _LABEL.fullmatch(name) is None:
            findings.append(t("lab.bad_host_name", host=name))
        if zone_name not in zones:
            findings.append(t("lab.unknown_zone", host=name, zone=zone_name))
            continue
        for address in (ipv4, ipv6):
            ranges = [network for network in zones[zone_name].ranges if network.version == address.version]
            if not any(address in network for network in ranges):
                listed = ", ".join(map(str, ranges))
                findings.append(t("lab.address_outside", host=name, address=address, zone=zone_name, network=listed))
            if address in taken:
                findings.append(t("lab.address_taken", host=name, address=address, other=taken[address]))
            taken[address] = name
    names = [name for name, *_ in holders]
    return findings + [t("lab.twice", host=name) for name in sorted({name for name in names if names.count(name) > 1})]


def _path_findings(spec: LabSpec) -> list[str]:
    """The operator must be let through to the SSH port of every host in another zone, or the lab can never be reached."""
    findings: list[str] = []
    for host in spec.hosts:
        if host.zone == spec.operator.zone:
            continue
        for source, target in ((spec.operator.ipv4, host.ipv4), (spec.operator.ipv6, host.ipv6)):
            if not any(_lets_through(path, source, target, host.port) for path in spec.paths):
                findings.append(t("lab.operator_closed", source=source, host=host.name, target=target, port=host.port))
    return findings


def _lets_through(path: LabPath, source: IPv4Address | IPv6Address, target: IPv4Address | IPv6Address, port: int) -> bool:
    return (
        path.protocol == "tcp"
        and any(source in network for network in path.sources)
        and any(target in network for network in path.targets)
        and any(first <= port <= last for first, last in map(port_range, path.ports))
    )


def port_range(port: int | str) -> tuple[int, int]:
    """The first and the last port of ``80`` or ``"80-90"``. Raises UserError (exit 3)."""
    first, _, last = str(port).partition("-")
    try:
        bounds = int(first), int(last or first)
    except ValueError:
        bounds = (0, 0)
    if not 0 < bounds[0] <= bounds[1] <= 65535:
        raise UserError(t("lab.bad_port", port=port), code=ExitCode.INPUT, fix=t("lab.bad_port_fix"))
    return bounds
