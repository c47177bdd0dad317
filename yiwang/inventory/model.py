"""The typed model of one province: plain frozen values, made by ``yiwang.inventory.load`` after every check has passed."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal

from yiwang.inventory.external import External

StackKind = Literal["national", "province", "city"]
Placement = Literal["servers", "kubernetes", "tenant", "external"]
Protocol = Literal["tcp", "udp"]
PassphraseKind = Literal["file", "command", "generate"]

COMPONENTS = ("base", "storage", "identity", "exchange", "portal")
PLACEMENTS = ("servers", "kubernetes", "tenant", "external")
STACKS = ("national", "province", "city")

OPERATORS = "operators"
WORLD = "world"
ANY = "any"
RESERVED_ENDPOINTS = (OPERATORS, WORLD, ANY)
SCOPE = "@"
CITIES = "cities"
PARENT = "parent"

Networks = tuple[tuple[IPv4Network, ...], tuple[IPv6Network, ...]]


@dataclass(frozen=True)
class Name:
    """A name in Chinese and in English."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """The name in ``zh`` or ``en``."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class Zone:
    """A network zone and its ranges, at least one of each family, sorted."""

    name: str
    ipv4: tuple[IPv4Network, ...]
    ipv6: tuple[IPv6Network, ...]


@dataclass(frozen=True)
class Path:
    """A way that is open between zones; whatever no path lists is closed.

    ``source`` and ``target`` hold endpoints: a zone, ``operators``, ``world``, ``any``, or a host group, alone (both ends in the
    same site) or with its scope: ``core@province`` (a site), ``core@cities``, ``core@any``.
    ``ports`` holds numbers and ranges ``"from-to"``.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    protocol: Protocol
    ports: tuple[int | str, ...]
    purpose: Name


@dataclass(frozen=True)
class Host:
    """One server. ``groups`` are all its Ansible groups but ``all``, its site among them, sorted.

    ``variables`` are its resolved role variables (``base_*`` …), never ``ansible_*`` or ``yiwang_*`` ones.
    """

    name: str
    site: str
    zone: str
    groups: tuple[str, ...]
    ipv4: IPv4Address
    ipv6: IPv6Address | None
    port: int
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """The province, one city, or the national stand-in. ``parent`` is the site's name above it (none for the top ones).

    ``external``: what it brings along of the components that are placed so.
    """

    name: str
    stack: StackKind
    code: str
    title: Name
    domain: str
    placement: Mapping[str, Placement]
    hosts: tuple[Host, ...]
    parent: str | None
    external: External = field(default_factory=External)

    def group(self, name: str) -> tuple[Host, ...]:
        """The site's hosts of an Ansible group, in the order of ``hosts``."""
        return tuple(host for host in self.hosts if name in host.groups)


@dataclass(frozen=True)
class National:
    """The state platform's endpoints: URLs or host names, ``None`` where the province has not been given one yet."""

    identity: str | None = None
    exchange: str | None = None
    catalogue: str | None = None


@dataclass(frozen=True)
class Contact:
    """A duty, not a person: ``duty`` says which, ``name`` is the post."""

    duty: str
    name: Name
    email: str | None
    phone: str | None


@dataclass(frozen=True)
class Access:
    """How the hosts are reached: by the automation account, or by ``bootstrap_user`` until that account exists."""

    user: str
    bootstrap_user: str
    key_file: pathlib.Path
    operators: Networks


@dataclass(frozen=True)
class Passphrase:
    """Where the passphrase of the state comes from; exactly one source. ``command`` is an argument list, run without a shell."""

    kind: PassphraseKind
    file: pathlib.Path | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Province:
    """One validated inventory. ``sites`` is ordered: national, province, cities by code.

    ``state_backend``: a backend of the Pulumi CLI that holds the state, None where it lies in ``state_dir``.
    ``component_paths``: by component, what it requires within each site where it is on servers, between host groups.
    """

    directory: pathlib.Path
    code: str
    title: Name
    domain: str
    zones: Mapping[str, Zone]
    paths: tuple[Path, ...]
    component_paths: Mapping[str, tuple[Path, ...]]
    sites: Mapping[str, Site]
    national: National
    contacts: tuple[Contact, ...]
    access: Access
    state_dir: pathlib.Path
    passphrase_source: Passphrase
    state_backend: str | None = None

    @property
    def hosts(self) -> dict[str, Host]:
        """All hosts by name, in the order of the sites."""
        return {host.name: host for site in self.sites.values() for host in site.hosts}

    @property
    def hosts_file(self) -> pathlib.Path:
        """The Ansible inventory, as ``ansible -i`` takes it."""
        return self.directory / "hosts.yml"

    def ranges(self, site: Site) -> tuple[IPv4Network | IPv6Network, ...]:
        """The ranges of the zones in which hosts of ``site`` lie, IPv4 first, sorted."""
        ipv4 = {network for host in site.hosts for network in self.zones[host.zone].ipv4 if host.ipv4 in network}
        ipv6 = {network for host in site.hosts for network in self.zones[host.zone].ipv6 if host.ipv6 is not None and host.ipv6 in network}
        return (*sorted(ipv4), *sorted(ipv6))

    def group(self, name: str) -> tuple[Host, ...]:
        """The hosts of an Ansible group, in the order of ``hosts``; none for an unknown group."""
        return tuple(host for host in self.hosts.values() if name in host.groups)

    def ways(self) -> Iterator[tuple[Path, str | None]]:
        """Every path with the site that it is open within, or none; one between groups alone comes once for each site.

        After the province's own paths come those that components require.
        """
        for path in self.paths:
            alone = [any(self._is_alone(endpoint) for endpoint in ends) for ends in (path.source, path.target)]
            yield from ((path, site) for site in (self.sites if all(alone) else (None,)))
        for noun, required in self.component_paths.items():
            placed = [site.name for site in self.sites.values() if site.placement.get(noun) == "servers"]
            yield from ((path, site) for path in required for site in placed)

    def _is_alone(self, endpoint: str) -> bool:
        """Whether ``endpoint`` is a group without a scope."""
        return SCOPE not in endpoint and not any(endpoint in names for names in (RESERVED_ENDPOINTS, self.zones, self.sites))

    def names(self, endpoint: str, host: Host, within: str | None = None) -> bool:
        """Whether ``endpoint`` (a group, with or without a scope) names ``host``; a group alone only in the site ``within``.

        The scope ``parent``, of components' paths only, is the site above ``within``.
        """
        group, _, scope = endpoint.partition(SCOPE)
        if group not in host.groups:
            return False
        if not scope:
            return within in (None, host.site) or group in self.sites
        if scope == PARENT:
            return within is not None and host.site == self.sites[within].parent
        return scope == ANY or (self.sites[host.site].stack == "city" if scope == CITIES else host.site == scope)

    def addresses(self, endpoint: str, within: str | None = None) -> Networks:
        """The IPv4 and IPv6 networks of a path's endpoint, sorted; of a group alone, of its hosts in the site ``within`` (if given).

        ``any`` is every zone. ``world`` is every address outside all zones, so a path to the world never opens a zone.
        Raises KeyError for an unknown endpoint, unless it is one ``within`` a site: there may be no such hosts there.
        """
        if endpoint == OPERATORS:
            return self.access.operators
        if endpoint in (ANY, WORLD):
            zones = (
                tuple(sorted(network for zone in self.zones.values() for network in zone.ipv4)),
                tuple(sorted(network for zone in self.zones.values() for network in zone.ipv6)),
            )
            return zones if endpoint == ANY else (_outside4(zones[0]), _outside6(zones[1]))
        if endpoint in self.zones:
            zone = self.zones[endpoint]
            return zone.ipv4, zone.ipv6
        if within is None and not self.group(endpoint.partition(SCOPE)[0]):
            raise KeyError(endpoint)
        hosts = [host for host in self.hosts.values() if self.names(endpoint, host, within)]
        return (
            tuple(sorted(IPv4Network(host.ipv4) for host in hosts)),
            tuple(sorted(IPv6Network(host.ipv6) for host in hosts if host.ipv6 is not None)),
        )

    def passphrase(self) -> str:
        """The passphrase of the state, read from its source; with ``generate`` it is made on first use.

        Raises UserError when the source gives none.
        """
        from yiwang.inventory import passphrase  # noqa: PLC0415 - reading an inventory must not pay for it

        return passphrase.read(self.passphrase_source, self.state_dir)

    def present_passphrase(self) -> str | None:
        """As ``passphrase()``, but makes none: ``None`` where the first use would."""
        from yiwang.inventory import passphrase  # noqa: PLC0415 - reading an inventory must not pay for it

        return passphrase.present(self.passphrase_source, self.state_dir)


def _outside4(zones: tuple[IPv4Network, ...]) -> tuple[IPv4Network, ...]:
    rest = [IPv4Network("0.0.0.0/0")]
    for zone in zones:
        rest = [piece for network in rest for piece in (network.address_exclude(zone) if zone.subnet_of(network) else (network,))]
    return tuple(sorted(rest))


def _outside6(zones: tuple[IPv6Network, ...]) -> tuple[IPv6Network, ...]:
    rest = [IPv6Network("::/0")]
    for zone in zones:
        rest = [piece for network in rest for piece in (network.address_exclude(zone) if zone.subnet_of(network) else (network,))]
    return tuple(sorted(rest))
