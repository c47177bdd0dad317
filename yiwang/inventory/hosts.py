"""The hosts: their addresses, zones and sites, checked over the inventory as Ansible resolves it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from yiwang.inventory import values
from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.inventory.facts import Facts, close, nearest
from yiwang.inventory.model import RESERVED_ENDPOINTS, Host
from yiwang.inventory.resolve import Resolved
from yiwang.inventory.sources import HOSTS, VARS, Sources, matches
from yiwang.messages import t

OURS = ("yiwang_ipv6", "yiwang_zone")
ANSIBLE = ("ansible_host", "ansible_port")
PREFIXES = ("ansible_", "yiwang_")
SSH_PORT = 22


@dataclass
class _Checker:
    sources: Sources
    facts: Facts | None
    resolved: Resolved
    findings: Findings

    def add(self, host: str, key: str, value: object, what: str, **details: object) -> None:
        file, line, path = self.sources.locate(host, self.resolved.memberships.get(host, ()), key, value)
        text = t("inventory.missing") if value is None else shown(value)
        self.findings.add(Finding(file, line, path, text, t(f"inventory.expect_{what}", **details), t(f"inventory.fix_{what}", **details)))

    def address(self, host: str, key: str, variables: dict[str, Any]) -> Any:
        """The value of ``key`` as an address, or ``None`` with a finding (a missing IPv6 address is fine)."""
        value = variables.get(key)
        kind = IPv4Address if key == "ansible_host" else IPv6Address
        if value is None and key == "yiwang_ipv6" and key not in variables:
            return None
        try:
            # A number is an address for ipaddress, and an address with a scope (fe80::1%eth0) too; not for us.
            if isinstance(value, str) and "%" not in value:
                return kind(value)
        except ValueError:
            pass
        self.add(host, key, value, "ipv4_address" if kind is IPv4Address else "ipv6_address")
        return None

    def zone(self, host: str, variables: dict[str, Any]) -> str | None:
        value = variables.get("yiwang_zone")
        if self.facts is None:
            return value if isinstance(value, str) else None
        if not isinstance(value, str) or value not in self.facts.zones:
            if self.facts.zones or value is None:
                self.add(host, "yiwang_zone", value, "zone", zones=", ".join(self.facts.zones))
            return None
        return value

    def in_zone(self, host: str, key: str, address: IPv4Address | IPv6Address | None, zone: str | None) -> None:
        ranges = self.facts.zones.get(zone) if self.facts is not None and zone is not None else None
        if address is None or ranges is None:
            return
        networks: Iterable[IPv4Network | IPv6Network] = ranges.ipv4 if isinstance(address, IPv4Address) else ranges.ipv6
        network = next((network for network in networks if address in network), None)
        # The first address of an IPv6 network belongs to its routers; IPv4 has a broadcast address as well.
        edges: set[Any] = {network.network_address} if network is not None else set()
        if network is not None and isinstance(address, IPv4Address):
            edges.add(network.broadcast_address)
        if network is None or (address in edges and network.num_addresses > 2):
            self.add(host, key, str(address), "in_zone", zone=zone, network=", ".join(map(str, networks)))

    def sites_of(self, host: str) -> list[str]:
        sites = self.facts.sites if self.facts is not None else {}
        return [group for group in self.resolved.memberships.get(host, ()) if group in sites]

    def entries(self, host: str) -> list[tuple[KeyPath, int]]:
        """The places in ``hosts.yml`` that name ``host``."""
        return next((entries for name, entries in self.sources.host_entries.items() if matches(name, host)), [((host,), 0)])

    def in_several_sites(self, host: str, sites: list[str]) -> None:
        entries = self.entries(host)
        path, line = ([entry for entry in entries if set(sites) & set(entry[0][:-2])] or entries)[-1]
        names = ", ".join(sites)
        expected = t("inventory.expect_one_site", host=host, sites=names)
        self.findings.add(Finding(HOSTS, line, path, "", expected, t("inventory.fix_one_site")))

    def in_no_site(self, hosts: list[str]) -> None:
        """One finding for each group with such hosts."""
        groups: dict[KeyPath, list[str]] = {}
        for host in hosts:
            groups.setdefault(self.entries(host)[0][0][:-2], []).append(host)
        sites = ", ".join(self.facts.sites if self.facts is not None else ())
        for path, members in groups.items():
            line = self.entries(members[0])[0][1]
            expected = t("inventory.expect_a_site", hosts=", ".join(members))
            self.findings.add(Finding(HOSTS, line, path, "", expected, t("inventory.fix_a_site", sites=sites)))


def check(sources: Sources, facts: Facts | None, resolved: Resolved, findings: Findings) -> dict[str, Host]:
    """Check every host and the names of groups; the hosts that are right, in the order of the inventory."""
    checker = _Checker(sources, facts, resolved, findings)
    _names(sources, facts, resolved, findings)
    hosts: dict[str, Host] = {}
    homeless: list[str] = []
    for name in sources.in_order(resolved.memberships):
        if facts is not None and facts.sites and not checker.sites_of(name):
            homeless.append(name)
            continue
        host = _host(checker, name)
        if host is not None:
            hosts[name] = host
    checker.in_no_site(homeless)
    _duplicates(checker)
    return hosts


def _host(checker: _Checker, name: str) -> Host | None:
    variables = dict(checker.resolved.variables.get(name, {}))
    if not values.HOST.fullmatch(name):
        path, line = checker.entries(name)[0]
        checker.findings.add(Finding(HOSTS, line, path, "", t("inventory.expect_host_name"), t("inventory.fix_host_name")))
    ipv4 = checker.address(name, "ansible_host", variables)
    ipv6 = checker.address(name, "yiwang_ipv6", variables)
    zone = checker.zone(name, variables)
    checker.in_zone(name, "ansible_host", ipv4, zone)
    checker.in_zone(name, "yiwang_ipv6", ipv6, zone)
    port = variables.get("ansible_port", SSH_PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        checker.add(name, "ansible_port", port, "port_number")
    sites = checker.sites_of(name)
    if len(sites) > 1:
        checker.in_several_sites(name, sites)
    if ipv4 is None or zone is None or len(sites) != 1:
        return None
    public = {key: value for key, value in variables.items() if not key.startswith(PREFIXES)}
    return Host(name, sites[0], zone, checker.resolved.memberships[name], ipv4, ipv6, port, public)


def _duplicates(checker: _Checker) -> None:
    for key in ("ansible_host", "yiwang_ipv6"):
        owners: dict[str, str] = {}
        for name in checker.sources.in_order(checker.resolved.memberships):
            value = checker.resolved.variables.get(name, {}).get(key)
            try:
                address = str((IPv4Address if key == "ansible_host" else IPv6Address)(value)) if isinstance(value, str) else None
            except ValueError:
                address = None
            if address is not None and owners.setdefault(address, name) != name:
                checker.add(name, key, value, "unique_address", other=owners[address])


def _names(sources: Sources, facts: Facts | None, resolved: Resolved, findings: Findings) -> None:
    zones = set(facts.zones) if facts is not None else set()
    for group, (path, line) in sources.groups.items():
        if not values.GROUP.fullmatch(group):
            findings.add(Finding(HOSTS, line, path, "", t("inventory.expect_group_name"), t("inventory.fix_group_name")))
        elif group in zones or group in RESERVED_ENDPOINTS or group in resolved.memberships:
            findings.add(Finding(HOSTS, line, path, "", t("inventory.expect_free_group"), t("inventory.fix_free_group")))
    if not resolved.memberships:
        return
    known = {"group": set(resolved.groups) | {"all", "ungrouped"}, "host": set(resolved.memberships)}
    for definition in sources.definitions:
        if definition.file != HOSTS and definition.name not in known[definition.scope]:
            kind = VARS[definition.scope]
            fix = nearest(definition.name, known[definition.scope])
            findings.add(Finding(definition.file, 0, (), "", t(f"inventory.expect_{kind}_owner", name=definition.name), fix))


def check_keys(sources: Sources, findings: Findings) -> None:
    """The keys of groups, and of the names that begin with ``ansible_`` and ``yiwang_`` only the known ones; each place is looked at."""
    for odd, line in sources.odd_keys:
        findings.add(Finding(HOSTS, line, odd, "", t("inventory.group_key"), t("inventory.group_key_fix")))
    for definition in sources.definitions:
        for key in definition.node.items or {}:
            path = (*definition.prefix, key)
            line = definition.node.line_of((key,))
            if key.startswith("yiwang_") and key not in OURS:
                findings.add(Finding(definition.file, line, path, "", t("inventory.unknown_key"), nearest(key, OURS)))
                for match in close(key, OURS):
                    findings.meant(definition.file, (*definition.prefix, match))
            elif key.startswith("ansible_") and key not in ANSIBLE:
                fix = t("inventory.ansible_key_fix", keys=", ".join(ANSIBLE))
                findings.add(Finding(definition.file, line, path, "", t("inventory.ansible_key"), fix))
