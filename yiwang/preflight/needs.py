"""What the components of a host need, from the inventory and from the roles themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import yaml

from yiwang import delivery, paths
from yiwang.inventory.model import Host, National, Province, Site
from yiwang.preflight.model import Needs, Port, Purpose

# Free space that `base` takes: programs and settings; packages, lists and the journal; the kit with its environment.
DISK = {"/": 512 << 20, "/var": 3 << 29}
DISK_KIT = {"/opt": 1 << 30}
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"';]+")


def of(province: Province, site: Site, host: Host) -> Needs:
    """The needs of one host. Every host carries the component ``base``."""
    ports = [Port(host.port, "tcp", frozenset({"sshd", "systemd"}))]
    if site.placement.get("base") == "servers":
        # The time service listens for the hosts of the site.
        ports.append(Port(123, "udp", frozenset({"chronyd"})))
    kit = bool(host.variables.get("base_kit"))
    ipv4, ipv6 = province.access.operators
    return Needs(
        ports=tuple(ports),
        disk=DISK | (DISK_KIT if kit else {}),
        systems=_systems(),
        names=_names(province, site, host),
        operators=(*ipv4, *ipv6),
        apt_sources=str(host.variables.get("base_apt_sources") or ""),
        apt_conf=str(host.variables.get("base_apt_conf") or ""),
        authorities="\n".join(map(str, (host.variables.get("base_ca_certificates") or {}).values())),
        # As the role has it in tasks/wheelhouse.yml.
        environment=f"/opt/yiwang/kit/complete-{delivery.digest('kit')}" if kit else "",
    )


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
