"""What only several facts together can show: codes, sites, ranges, paths, where the state and its passphrase lie."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path, PurePosixPath

from yiwang.inventory import endpoints, external_checks
from yiwang.inventory.drawer import Drawer, drawers, groups_of_paths
from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.inventory.facts import Facts
from yiwang.inventory.model import CITIES, PARENT, RESERVED_ENDPOINTS
from yiwang.inventory.resolve import Resolved
from yiwang.inventory.sources import FACTS, HOSTS
from yiwang.messages import t
from yiwang.standard import divisions

DEFAULT_STATE = ".state"


class _Checks:
    def __init__(self, facts: Facts, findings: Findings) -> None:
        self.facts = facts
        self.findings = findings

    def wrong(self, path: KeyPath, what: str, *, value: object = "", **details: object) -> None:
        node = self.facts.node.at(path)
        text = str(value) or (node.shown() if node is not None and node.items is None else "")
        expected, fix = t(f"inventory.expect_{what}", **details), t(f"inventory.fix_{what}", **details)
        self.findings.add(Finding(FACTS, self.facts.line(path), path, text, expected, fix))

    def codes(self) -> None:
        """GB/T 2260 codes of the province and of the sites."""
        province = self.known(("code",), self.facts.code)
        if province is not None and province.level != "province":
            self.wrong(("code",), "province_code", value=self.named(province))
            province = None
        seen: dict[str, str] = {}
        for name, site in self.facts.sites.items():
            path = ("sites", name, "code")
            if site is None or site.stack != "city":
                if site is not None and site.code is not None and (site.stack == "national" or site.code != self.facts.code):
                    self.wrong(path, "no_code" if site.stack == "national" else "same_code", code=self.facts.code)
                continue
            if site.code is None:
                self.wrong(path, "city_code_missing", value=t("inventory.missing"))
                continue
            division = self.known(path, site.code)
            if division is not None and province is not None and division.parent != province.code:
                above = divisions.lookup(division.parent or "")
                if above is not None and above.parent == province.code:
                    self.wrong(path, "prefecture", value=self.named(division), above=self.named(above))
                else:
                    self.wrong(path, "city_of", value=self.named(division), province=self.named(province))
            if seen.setdefault(site.code, name) != name:
                self.wrong(path, "unique_code", other=seen[site.code])

    def known(self, path: KeyPath, code: str | None) -> divisions.Division | None:
        division = divisions.lookup(code) if code is not None else None
        if code is not None and division is None:
            self.wrong(path, "known_code")
        return division

    @staticmethod
    def named(division: divisions.Division) -> str:
        return f"{division.code} {division.name}"

    def sites(self) -> None:
        """One province, at most one stand-in; titles, domains and placements."""
        known = {name: site for name, site in self.facts.sites.items() if site is not None}
        whole = len(known) == len(self.facts.sites)
        for kind in ("province", "national"):
            names = [name for name, site in known.items() if site.stack == kind]
            for name in names[1:]:
                self.wrong(("sites", name, "stack"), "one_stack", kind=kind, other=names[0])
            if kind == "province" and not names and whole and self.facts.sites:
                self.wrong(("sites",), "province_site", value=t("inventory.missing"))
        owners: dict[str, str] = {}
        for name, site in known.items():
            if name in (*RESERVED_ENDPOINTS, CITIES, PARENT, "all", "ungrouped", *groups_of_paths()) or name in self.facts.zones:
                self.wrong(("sites", name), "free_site", value=shown(name))
                self.findings.silenced.add((FACTS, ("sites", name)))
            if site.stack == "national" and site.domain is None:
                self.wrong(("sites", name, "domain"), "national_domain", value=t("inventory.missing"))
            domain = site_domain(self.facts.domain, name, site.stack, site.domain)
            another = site.stack == "province" and site.domain is None and domain in owners
            if domain is not None and not another and owners.setdefault(domain, name) != name:
                self.wrong(("sites", name, "domain"), "unique_domain", value=shown(domain), other=owners[domain])
            self.placement(name, site.placement)

    def placement(self, site: str, placement: Mapping[str, str]) -> None:
        """Only what this release can do."""
        for component, place in placement.items():
            drawer = drawers().get(component)
            path = ("sites", site, "placement", component)
            if drawer is None:
                self.wrong(path, "component_later", component=component, known=", ".join(drawers()))
            elif place not in drawer.placements:
                self.wrong(path, "placement_later", component=component, options=", ".join(drawer.placements))

    def zones(self) -> None:
        """No range of a zone may overlap another one, of this zone or of another; no zone carries a reserved name."""
        ranges: list[tuple[KeyPath, str, IPv4Network | IPv6Network]] = []
        for name, zone in self.facts.zones.items():
            if name in (*RESERVED_ENDPOINTS, "all", "ungrouped", *groups_of_paths()):
                self.wrong(("zones", name), "free_zone", value=shown(name))
            if zone is not None:
                ranges += [(self.facts.entry(("zones", name, "ipv4"), index), name, network) for index, network in enumerate(zone.ipv4)]
                ranges += [(self.facts.entry(("zones", name, "ipv6"), index), name, network) for index, network in enumerate(zone.ipv6)]
        for number, (path, _, network) in enumerate(ranges):
            for _, other, earlier in ranges[:number]:
                if earlier.version == network.version and earlier.overlaps(network):
                    self.wrong(path, "apart", other=other, network=earlier)

    def operators(self, resolved: Resolved | None) -> None:
        """The operators have addresses of the family by which SSH reaches the hosts (``ansible_host`` is IPv4), or no host lets them in."""
        ranges = self.facts.access.operators if self.facts.access is not None else ()
        if ranges and resolved is not None and resolved.memberships and not any(network.version == 4 for network in ranges):
            self.wrong(("access", "operators"), "operators_family")

    def places(self, directory: Path) -> None:
        """Where the state, the key file and the passphrase lie."""
        state = self.facts.state_dir
        if state is not None and not _is_state_dir(directory, state):
            self.wrong(("state_dir",), "state_dir")
        below = state_dir(directory, state)
        taken = next((place for place in (below, *below.parents) if place.exists()), below)
        if not taken.is_dir() and taken.exists():
            self.wrong(
                ("state_dir",),
                "state_place",
                value=shown(state or DEFAULT_STATE),
                file=taken.relative_to(directory) if taken.is_relative_to(directory) else taken,
            )
        if self.facts.access is not None and self.facts.access.key_file is not None:
            self.private(("access", "key_file"), self.facts.access.key_file, directory, below)
        source = self.facts.passphrase
        if source is None:
            return
        given = [key for key in ("file", "command", "generate") if getattr(source, key) is not None]
        if len(given) != 1:
            self.wrong(("passphrase",), "one_source", value=", ".join(given) or t("inventory.missing"))
        elif source.file is not None:
            self.private(("passphrase", "file"), source.file, directory, below)

    def external(self, directory: Path) -> None:
        """What sites bring along themselves."""
        below = state_dir(directory, self.facts.state_dir)
        for name, site in self.facts.sites.items():
            if site is not None:
                private = functools.partial(self.private, directory=directory, below=below)
                external_checks.check(name, site, self.wrong, private, functools.partial(resolve_file, directory))

    def private(self, path: KeyPath, name: str, directory: Path, below: Path) -> None:
        """A file with a secret lies outside the inventory, or in its state directory."""
        file = resolve_file(directory, name)
        inside = file.is_relative_to(directory) and not file.is_relative_to(below)
        if inside or ".." in PurePosixPath(name).parts:
            self.wrong(path, "private_file", state=self.facts.state_dir or DEFAULT_STATE)


def _is_state_dir(directory: Path, name: str) -> bool:
    """Whether ``name`` lies outside the inventory, or in a directory of it that begins with a dot.

    Git is told to ignore those, wheels leave them out.
    """
    parts = PurePosixPath(name).parts
    # A directory of the system's own holds no state: what is private below it would shut others out.
    if not parts or ".." in parts or (parts[0] == "/" and len(parts) <= 2):
        return False
    if parts[0] != "/":
        return parts[0].startswith(".")
    inventory, state = directory.resolve(), Path(name).resolve()
    if not state.is_relative_to(inventory):
        return True
    return state != inventory and state.relative_to(inventory).parts[0].startswith(".")


def state_dir(directory: Path, written: str | None) -> Path:
    """The directory of the state: ``.state`` beside the inventory unless the facts name another."""
    return directory / (written or DEFAULT_STATE)


def resolve_file(directory: Path, name: str) -> Path:
    """A file name of the facts: absolute, below the home directory (``~/``), or relative to the inventory."""
    if name.startswith("~/"):
        return Path.home() / name[2:]
    return directory / name


def site_domain(domain: str | None, name: str, stack: str, written: str | None) -> str | None:
    """The domain of a site: its own, the province's, or a name below the province's."""
    if written is not None or domain is None or stack == "national":
        return written
    return domain if stack == "province" else f"{name}.{domain}"


def check(directory: Path, facts: Facts, findings: Findings, resolved: Resolved | None) -> None:
    """Run all checks over the facts."""
    checks = _Checks(facts, findings)
    checks.codes()
    checks.sites()
    checks.zones()
    if resolved is not None:
        endpoints.check(facts, resolved, findings)
    checks.operators(resolved)
    checks.places(directory)
    checks.external(directory)


def check_sites_have_hosts(facts: Facts, resolved: Resolved, findings: Findings) -> None:
    """Every site is a group with at least one host."""
    filled = {group for groups in resolved.memberships.values() for group in groups}
    if not resolved.memberships:
        findings.add(Finding(HOSTS, 1, (), "", t("inventory.expect_hosts"), t("inventory.fix_hosts")))
        return
    for name in facts.sites:
        if name not in filled:
            path: KeyPath = ("sites", name)
            expected, fix = t("inventory.expect_site_hosts", site=name), t("inventory.fix_site_hosts", site=name)
            findings.add(Finding(FACTS, facts.line(path), path, "", expected, fix))


def check_members(facts: Facts, resolved: Resolved, findings: Findings) -> None:
    """Each component has as many hosts in a site as it can do with. A site without any host is told of by itself."""
    for name, site in facts.sites.items():
        inside = {host: groups for host, groups in resolved.memberships.items() if name in groups}
        for component, place in (site.placement if inside and site is not None else {}).items():
            drawer = drawers().get(component)
            if drawer is None or place != "servers":
                continue
            path: KeyPath = ("sites", name, "placement", component)
            for found, expected, fix in _members_wrong(name, component, drawer, inside):
                findings.add(Finding(FACTS, facts.line(path), path, found, expected, fix))


def _members_wrong(site: str, component: str, drawer: Drawer, inside: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, str]]:
    """What is there, what was expected and the fix: for each group with another number of hosts, and for hosts in two of the groups."""
    for group, allowed in drawer.members.items():
        hosts = sorted(host for host, groups in inside.items() if group in groups)
        if len(hosts) not in allowed:
            numbers = ", ".join(map(str, allowed))
            found = ", ".join(hosts) or t("inventory.missing")
            expected = t("inventory.expect_members", component=component, group=group, numbers=numbers)
            yield found, expected, t("inventory.fix_members", group=group, site=site, numbers=numbers)
    for host, groups in sorted(inside.items()):
        both = sorted(set(drawer.members).intersection(groups))
        if len(both) > 1:
            yield (
                host,
                t("inventory.expect_one_part", groups=", ".join(both)),
                t("inventory.fix_one_part", host=host, groups=", ".join(both)),
            )
