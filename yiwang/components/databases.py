"""The databases of a site: which there are, who may sign in from where, and how each is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from yiwang.components.base import full_name
from yiwang.inventory.drawer import drawers
from yiwang.inventory.model import Host, Province, Site
from yiwang.provider.resources import Secret

NOUN = "storage"
GROUP = "data"
PORT = 5432
AUTHORITY = "/etc/yiwang/tls/ca.crt"
PASSWORD_LENGTH = 40
CONNECT_SECONDS = 3
LOGIN_CHARACTERS = 8
# Where the object store keeps what lies where. The inventory takes no name that begins like this one.
OBJECTS = "yiwang_objects"
OBJECTS_CONNECTIONS = 60


@dataclass(frozen=True)
class Consumer:
    """A component's database: its name, and how many connections its login may have (None: what the inventory says for all)."""

    database: str
    connections: int | None = None


CONSUMERS: Mapping[str, tuple[Consumer, ...]] = {
    "identity": (Consumer("identity"),),
    "exchange": (Consumer("exchange"),),
    "portal": (Consumer("portal"),),
}
"""What each component has on the databases of the site that it is placed at."""


@dataclass(frozen=True)
class Database:
    """How a database is reached. ``url`` holds every member, and no password; ``login`` is another one after a rotation."""

    name: str
    login: pulumi.Output[str]
    password: pulumi.Output[str]
    url: pulumi.Output[str]


def members(site: Site) -> tuple[Host, ...]:
    """The hosts of a site that carry databases, by name."""
    return tuple(sorted(site.group(GROUP), key=lambda host: host.name))


def databases(site: Site) -> dict[str, int]:
    """The databases of a site, with the connections of each one's login, by name: the components' own and those the inventory lists."""
    limit = max((variable(host, "storage_database_connections") for host in members(site)), default=0)
    listed = {name for host in members(site) for name in variable(host, "storage_databases")}
    placed = (several for noun, several in CONSUMERS.items() if site.placement.get(noun) in {"servers", "kubernetes"})
    needed = {each.database: each.connections or limit for several in placed for each in several}
    return dict(sorted((dict.fromkeys(listed, limit) | needed).items()))


def variable(host: Host, name: str) -> Any:
    """A role variable of a host: as the inventory has it, or as the role has it."""
    from yiwang.inventory import rolevars  # noqa: PLC0415 - reads the specifications of all roles

    return host.variables.get(name, rolevars.options()[name].get("default"))


def clients(province: Province, site: Site) -> list[str]:
    """Where the logins may come from: the hosts to which the component's own list of paths opens the port, beside the members."""
    sources = [end for path in drawers()[NOUN].ways if PORT in path.ports and path.source != path.target for end in path.source]
    found = [network for end in sources for networks in province.addresses(end, site.name) for network in networks]
    return [str(network) for network in sorted(set(found), key=lambda network: (network.version, network))]


def member(site: Site, host: Host) -> dict[str, Any]:
    """A member as the role is told of it."""
    addresses = [f"{host.ipv4}/32", *([f"{host.ipv6}/128"] if host.ipv6 is not None else [])]
    return {"name": host.name, "host": full_name(site, host), "addresses": addresses}


def database(site: Site, name: str, secret: Secret) -> Database:
    """Libpq tries the members in turn and stays with the one that takes writes: no further process is in the way."""
    login = secret.id.apply(lambda identifier: f"{name}__{identifier[:LOGIN_CHARACTERS]}")
    places = ",".join(f"{full_name(site, host)}:{PORT}" for host in members(site))
    # A member that is off does not answer at all: without a limit a client would stay with it for minutes.
    options = f"target_session_attrs=read-write&connect_timeout={CONNECT_SECONDS}&sslmode=verify-full&sslrootcert={AUTHORITY}"
    url = login.apply(lambda user: f"postgresql://{user}@{places}/{name}?{options}")
    return Database(name, login, pulumi.Output.secret(secret.value), url)
