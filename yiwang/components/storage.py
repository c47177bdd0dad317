"""Storage: databases and objects of a site, on one host or three, each consumer with a login and a key of its own, and their backups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from yiwang import delivery
from yiwang.components import databases as db
from yiwang.components import metrics, objects
from yiwang.components.base import Base
from yiwang.components.context import Context
from yiwang.components.databases import NOUN
from yiwang.inventory import backups
from yiwang.inventory.model import Host, Province, Site
from yiwang.provider.resources import Role, Secret

PREFIX = f"{NOUN}_"
# What is expected is for preflight alone: another figure changes no host.
EXPECTED_PREFIX = f"{PREFIX}expected_"
OBJECTS_SERVICE = "objects"
DATABASES_OUTPUT = "databases"
BUCKETS_OUTPUT = "buckets"


class Storage(pulumi.ComponentResource):
    """The role ``storage`` on those hosts of a site that carry it; ``databases`` and ``buckets`` by name."""

    def __init__(self, context: Context, base: Base, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("yiwang:components:Storage", NOUN, None, opts)
        province, site = context.province, context.site
        self._child = pulumi.ResourceOptions(parent=self)
        self._base, self._site = base, site
        self._metrics = metrics.endpoints(context)
        self._hosts = db.members(site)
        self.backups, backup_role = self._backup_store(context)
        variables = common_variables(province, site) | self._databases() | self._objects() | self._backup(context)
        self.role = self._role(NOUN, self._hosts, variables, after=[base.role, *backup_role])
        self.register_outputs({})

    def export(self) -> None:
        """Export the hosts with their versions, how each database and each bucket is reached, and where metrics are.

        Passwords and keys are secret.
        """
        facts = ("units", "postgresql")
        pulumi.export(NOUN, {host.name: {fact: self.role.fact(host.name, fact) for fact in facts} for host in self._hosts})
        reached = {
            name: {"url": found.url, "login": found.login, "password": pulumi.Output.secret(found.password)}
            for name, found in self.databases.items()
        }
        pulumi.export(DATABASES_OUTPUT, reached)
        pulumi.export(BUCKETS_OUTPUT, {name: bucket.exported() for name, bucket in self.buckets.items()})
        pulumi.export(metrics.OUTPUT, self._metrics)
        if self.backups:
            objects.export_keys(self.backups)

    def _databases(self) -> dict[str, Any]:
        """The databases, and what the role is told of them."""
        limits = db.databases(self._site)
        secrets = {name: Secret(f"{name}-database", length=db.PASSWORD_LENGTH, opts=self._child) for name in limits}
        own = db.database(self._site, db.OBJECTS, Secret("yiwang-objects-database", length=db.PASSWORD_LENGTH, opts=self._child))
        self.databases = {name: db.database(self._site, name, secret) for name, secret in secrets.items()}
        every = {**self.databases, own.name: own}
        limits |= {own.name: db.OBJECTS_CONNECTIONS}
        # What only the members themselves use is open to nobody else.
        return {
            "storage_logins": [
                {"database": name, "login": found.login, "connections": limits[name], "own": found is own} for name, found in every.items()
            ],
            "storage_passwords": pulumi.Output.secret({name: found.password for name, found in every.items()}),
        }

    def _objects(self) -> dict[str, Any]:
        """The buckets, and what the role is told of their store."""
        store = objects.Store(self._site, OBJECTS_SERVICE, self._hosts, self._child)
        self.buckets: dict[str, objects.Bucket] = {}
        for name, locked in objects.buckets(self._site).items():
            access, secret = store.identity(name, f"{name}-bucket")
            store.bucket(name, name, locked=locked)
            self.buckets[name] = objects.Bucket(name, store.endpoint, objects.REGION, name, access, secret)
        return store.variables()

    def _backup(self, context: Context) -> dict[str, Any]:
        """Where the site's backups go, and the passphrase by which they are encrypted."""
        passphrase = Secret("backup-passphrase", length=objects.KEY_LENGTH, keepers=objects.KEPT, opts=self._child)
        owner = objects.backup_owner(context)
        if owner is None:
            return {}
        key = self.backups[self._site.name] if owner is self._site else objects.key_from_above(context)
        secrets: dict[str, Any] = {"secret_key": pulumi.Output.secret(key.secret_key), "passphrase": pulumi.Output.secret(passphrase.value)}
        return {
            "storage_backup": objects.backup_place(owner, self._site) | {"access_key": key.access_key},
            "storage_backup_secrets": pulumi.Output.secret(secrets),
        }

    def _backup_store(self, context: Context) -> tuple[dict[str, objects.BackupKey], list[Role]]:
        """The store for backups, where the site has one: the keys to it, by site, and the role that makes it."""
        host = backups.backup_host(self._site)
        if host is None:
            return {}, []
        store = objects.Store(self._site, backups.BACKUP_GROUP, (host,), self._child)
        keys = objects.backup_keys(store, self._site, (self._site, *context.below))
        variables = {"storage_digest": delivery.digest(NOUN, own=False)} | store.variables()
        return keys, [self._role("backup-store", (host,), variables, after=[self._base.role])]

    def _role(self, name: str, hosts: tuple[Host, ...], variables: Mapping[str, Any], *, after: list[Role]) -> Role:
        return Role(
            name,
            role=NOUN,
            site=self._site.name,
            hosts={host.name: _host(host, self._base) for host in hosts},
            variables=variables,
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=after)),
        )


def common_variables(province: Province, site: Site) -> dict[str, Any]:
    """What is the same on all members."""
    return {
        "storage_members": [db.member(site, host) for host in db.members(site)],
        "storage_clients": db.clients(province, site),
        # Of others' programs alone: a new release of the kit restarts no database.
        "storage_digest": delivery.digest(NOUN, own=False),
    }


def _host(host: Host, base: Base) -> dict[str, Any]:
    given = {name: value for name, value in host.variables.items() if name.startswith(PREFIX) and not name.startswith(EXPECTED_PREFIX)}
    own = {"storage_name": host.name, "storage_certificate": base.certificates[host.name].fingerprint}
    return {"address": str(host.ipv4), "port": host.port, "variables": given | own}
