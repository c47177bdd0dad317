"""Storage: the databases of a site, on one member or three, with an owner and a login for each component that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from yiwang import delivery
from yiwang.components.base import Base, full_name
from yiwang.components.context import Context
from yiwang.inventory.drawer import drawers
from yiwang.inventory.model import Host, Province, Site
from yiwang.provider.resources import Role, Secret

NOUN = "storage"
PREFIX = f"{NOUN}_"
PORT = 5432
AUTHORITY = "/etc/yiwang/tls/ca.crt"
PASSWORD_LENGTH = 40
CONNECT_SECONDS = 3
LOGIN_CHARACTERS = 8
DATABASES_OUTPUT = "databases"


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


class Storage(pulumi.ComponentResource):
    """The role ``storage`` on those hosts of a site that carry it; ``databases`` by name."""

    def __init__(self, context: Context, base: Base, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("yiwang:components:Storage", NOUN, None, opts)
        province, site = context.province, context.site
        child = pulumi.ResourceOptions(parent=self)
        hosts = members(site)
        self._hosts = hosts
        limits = databases(site)
        secrets = {name: Secret(f"{name}-database", length=PASSWORD_LENGTH, opts=child) for name in limits}
        self.databases = {name: _database(site, hosts, name, secret) for name, secret in secrets.items()}
        passwords = {name: database.password for name, database in self.databases.items()}
        logins = [{"database": name, "login": self.databases[name].login, "connections": limit} for name, limit in limits.items()]
        self.role = Role(
            NOUN,
            role=NOUN,
            site=site.name,
            hosts={host.name: _host(host, base) for host in hosts},
            variables=common_variables(province, site) | {"storage_logins": logins, "storage_passwords": pulumi.Output.secret(passwords)},
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[base.role])),
        )
        self.register_outputs({})

    def export(self) -> None:
        """Export the members with their versions, and for each database how it is reached; passwords are secret."""
        listed = {
            host.name: {"units": self.role.fact(host.name, "units"), "postgresql": self.role.fact(host.name, "postgresql")}
            for host in self._hosts
        }
        pulumi.export(NOUN, listed)
        reached = {
            name: {"url": found.url, "login": found.login, "password": pulumi.Output.secret(found.password)}
            for name, found in self.databases.items()
        }
        pulumi.export(DATABASES_OUTPUT, reached)


def members(site: Site) -> tuple[Host, ...]:
    """The hosts of a site that carry databases, by name."""
    drawer = drawers()[NOUN]
    return tuple(sorted((host for host in site.hosts if drawer.carried_by(host)), key=lambda host: host.name))


def databases(site: Site) -> dict[str, int]:
    """The databases of a site, with the connections of each one's login, by name: the components' own and those the inventory lists."""
    limit = max((_variable(host, "storage_database_connections") for host in members(site)), default=0)
    listed = {name for host in members(site) for name in _variable(host, "storage_databases")}
    placed = (several for noun, several in CONSUMERS.items() if site.placement.get(noun) in {"servers", "kubernetes"})
    needed = {each.database: each.connections or limit for several in placed for each in several}
    return dict(sorted((dict.fromkeys(listed, limit) | needed).items()))


def _variable(host: Host, name: str) -> Any:
    """A role variable of a host: as the inventory has it, or as the role has it."""
    from yiwang.inventory import rolevars  # noqa: PLC0415 - reads the specifications of all roles

    return host.variables.get(name, rolevars.options()[name].get("default"))


def clients(province: Province, site: Site) -> list[str]:
    """Where the logins may come from: the hosts to which the component's own list of paths opens the port, beside the members."""
    sources = [end for path in drawers()[NOUN].ways if PORT in path.ports and path.source != path.target for end in path.source]
    found = [network for end in sources for networks in province.addresses(end, site.name) for network in networks]
    return [str(network) for network in sorted(set(found), key=lambda network: (network.version, network))]


def common_variables(province: Province, site: Site) -> dict[str, Any]:
    """What is the same on all members."""
    return {
        "storage_members": [_member(site, host) for host in members(site)],
        "storage_clients": clients(province, site),
        # Of others' programs alone: a new release of the kit restarts no database.
        "storage_digest": delivery.digest(NOUN, own=False),
    }


def _member(site: Site, host: Host) -> dict[str, Any]:
    addresses = [f"{host.ipv4}/32", *([f"{host.ipv6}/128"] if host.ipv6 is not None else [])]
    return {"name": host.name, "host": full_name(site, host), "addresses": addresses}


def _host(host: Host, base: Base) -> dict[str, Any]:
    given = {name: value for name, value in host.variables.items() if name.startswith(PREFIX)}
    own = {"storage_name": host.name, "storage_certificate": base.certificates[host.name].fingerprint}
    return {"address": str(host.ipv4), "port": host.port, "variables": given | own}


def _database(site: Site, hosts: tuple[Host, ...], name: str, secret: Secret) -> Database:
    """Libpq tries the members in turn and stays with the one that takes writes: no further process is in the way."""
    login = secret.id.apply(lambda identifier: f"{name}__{identifier[:LOGIN_CHARACTERS]}")
    places = ",".join(f"{full_name(site, host)}:{PORT}" for host in hosts)
    # A member that is off does not answer at all: without a limit a client would stay with it for minutes.
    options = f"target_session_attrs=read-write&connect_timeout={CONNECT_SECONDS}&sslmode=verify-full&sslrootcert={AUTHORITY}"
    url = login.apply(lambda user: f"postgresql://{user}@{places}/{name}?{options}")
    return Database(name, login, pulumi.Output.secret(secret.value), url)
