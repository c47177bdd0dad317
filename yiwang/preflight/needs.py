"""What the components of a host need, from the inventory and from the roles themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

import yaml

from yiwang import delivery, paths
from yiwang.inventory import drawer, rolevars
from yiwang.inventory.backups import NOUN
from yiwang.inventory.model import Host, National, Province, Site
from yiwang.preflight import expected
from yiwang.preflight.model import Needs, Port, Purpose

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"';]+")


def of(province: Province, site: Site, host: Host) -> Needs:
    """The needs of one host: those of the components placed on it, which their roles state, and SSH."""
    ports = [Port(host.port, "tcp", frozenset({"sshd", "systemd"}))]
    disk: dict[str, int] = {}
    memory = 0
    environments: dict[str, str] = {}
    applied = {noun: [need for need in component.needs if _applies(need, host)] for noun, component in drawer.on(site, host)}
    for need in chain.from_iterable(applied.values()):
        ports += [Port(port.number, port.protocol, frozenset(port.owners)) for port in need.ports]
        memory += need.memory
        for place, amount in need.disk.items():
            disk[place] = disk.get(place, 0) + amount
        if need.environment is not None:
            digest = delivery.digest(need.environment.extra, own=need.environment.own)
            # As the role has it in tasks/wheelhouse.yml.
            environments[need.environment.extra] = f"/opt/yiwang/{need.environment.extra}/complete-{digest}"
    ipv4, ipv6 = province.access.operators
    return Needs(
        ports=tuple(ports),
        disk=disk,
        memory=memory,
        systems=_systems(),
        names=_names(province, site, host),
        operators=(*ipv4, *ipv6),
        apt_sources=str(host.variables.get("base_apt_sources") or ""),
        apt_conf=str(host.variables.get("base_apt_conf") or ""),
        authorities="\n".join(map(str, (host.variables.get("base_ca_certificates") or {}).values())),
        environments=environments,
        storage=expected.of(province, site, host, applied[NOUN]) if NOUN in applied and drawer.drawers()[NOUN].directory else None,
    )


def _applies(need: drawer.Need, host: Host) -> bool:
    """Whether the host is in one of the groups, and its variables, or the role's own values for them, are those of the condition."""
    if need.groups and set(need.groups).isdisjoint(host.groups):
        return False
    defaults = rolevars.options()
    return all(host.variables.get(name, defaults.get(name, {}).get("default")) == value for name, value in need.when.items())


def _systems() -> dict[str, tuple[str, ...]]:
    """The systems that the role ``base`` says it runs on."""
    loaded: dict[str, Any] = yaml.safe_load((paths.data("roles") / "base" / "vars" / "main.yml").read_text(encoding="utf-8"))
    return {str(name): tuple(map(str, versions)) for name, versions in loaded["_base_systems"].items()}


def _names(province: Province, site: Site, host: Host) -> dict[str, Purpose]:
    """The names that the inventory gives this host and what for, most needed first; addresses need no resolution."""
    # Through a proxy apt resolves the proxy's name alone.
    settings = str(host.variables.get("base_apt_conf") or "")
    written = settings if re.search(r"\bProxy\b", settings) else str(host.variables.get("base_apt_sources") or "")
    national = province.national if site.stack == "province" else National()
    wanted: dict[Purpose, Iterable[str]] = {
        "time": map(str, host.variables.get("base_time_servers") or ()),
        "packages": map(_host_of, _ADDRESS.findall(written)),
        "national": (_host_of(address) for address in (national.identity, national.exchange, national.catalogue) if address),
    }
    found: dict[str, Purpose] = {}
    for purpose, given in wanted.items():
        for name in given:
            if _is_name(name):
                found.setdefault(name, purpose)
    return found


def _host_of(address: str) -> str:
    """The host of a URL, or the name itself."""
    try:
        return (urlsplit(address).hostname or "") if "://" in address else address
    except ValueError:
        return ""


def _is_name(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return bool(text)
    return False
