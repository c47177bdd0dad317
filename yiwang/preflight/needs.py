"""What the components of a host need, from the inventory and from the roles themselves."""

from __future__ import annotations

from typing import Any

import yaml

from yiwang import paths
from yiwang.inventory.model import Host, Site
from yiwang.preflight.model import Needs, Port

NAMES = ("localhost",)


def of(site: Site, host: Host) -> Needs:
    """The needs of one host. Every host carries the component ``base``."""
    ports = [Port(host.port, "tcp", frozenset({"sshd", "systemd"}))]
    if site.placement.get("base") == "servers":
        # The time service listens for the hosts of the site.
        ports.append(Port(123, "udp", frozenset({"chronyd"})))
    return Needs(ports=tuple(ports), systems=_systems(), names=NAMES)


def _systems() -> dict[str, tuple[str, ...]]:
    """The systems that the role ``base`` says it runs on."""
    loaded: dict[str, Any] = yaml.safe_load((paths.data("roles") / "base" / "vars" / "main.yml").read_text(encoding="utf-8"))
    return {str(name): tuple(map(str, versions)) for name, versions in loaded["_base_systems"].items()}
