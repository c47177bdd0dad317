"""The object stores of a site: its buckets with a key each, and the store in which this site and those below it are backed up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from yiwang.components.authority import chain_output, unknown_above
from yiwang.components.context import Context
from yiwang.components.databases import NOUN, member, members, variable
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import backups
from yiwang.inventory.model import Host, Site
from yiwang.messages import t
from yiwang.provider.resources import Secret

PORT = 8333
REGION = "yiwang"
KEY_LENGTH = 40
HEXADECIMAL = "0123456789abcdef"
# As long as the store asks for: 256 bits.
ENCRYPTION_LENGTH = 64
ACCESS_CHARACTERS = 12
# Of a secret that opens what stays: a rotation is refused.
KEPT = {"rotation": "never"}
ACCESS_OUTPUT, KEYS_OUTPUT = "backup_access_keys", "backup_keys"


@dataclass(frozen=True)
class Wanted:
    """A bucket that a component has; ``locked``: what is put there stays as it is until its date, for everybody (WORM)."""

    bucket: str
    locked: bool = False


CONSUMERS: Mapping[str, tuple[Wanted, ...]] = {
    # What is measured and checked here is recorded there.
    NOUN: (Wanted("evidence", locked=True),),
    "exchange": (Wanted("exchange"),),
    "portal": (Wanted("documents"), Wanted("licences", locked=True), Wanted("audit", locked=True)),
}
"""What each component has in the object store of the site that it is placed at."""


@dataclass(frozen=True)
class Bucket:
    """How a bucket is reached: ``endpoint`` is a URL that stands for every host of the store, in S3's path style."""

    name: str
    endpoint: str
    region: str
    bucket: str
    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]

    def exported(self) -> dict[str, Any]:
        """As in a stack's outputs."""
        place = {"endpoint": self.endpoint, "region": self.region, "bucket": self.bucket}
        return {**place, "access_key": self.access_key, "secret_key": pulumi.Output.secret(self.secret_key)}


def buckets(site: Site) -> dict[str, bool]:
    """The buckets of a site by name, and whether each is locked: the components' own and those the inventory lists."""
    listed = {
        name: locked
        for host in members(site)
        for key, locked in (("storage_buckets", False), ("storage_locked_buckets", True))
        for name in variable(host, key)
    }
    placed = (several for noun, several in CONSUMERS.items() if site.placement.get(noun) in {"servers", "kubernetes"})
    return dict(sorted((listed | {each.bucket: each.locked for several in placed for each in several}).items()))


class Store:
    """What the role is told of one object store: its hosts, buckets, and who may do what in which. ``name``: of its service."""

    def __init__(self, site: Site, name: str, hosts: tuple[Host, ...], opts: pulumi.ResourceOptions) -> None:
        self._opts = opts
        self.service = f"{name}.{site.domain}"
        self.endpoint = f"https://{self.service}:{PORT}"
        self._hosts = [member(site, host) for host in hosts]
        self._buckets: list[dict[str, Any]] = []
        self._identities: list[dict[str, Any]] = []
        admin, signing = (Secret(f"{name}-{use}", length=KEY_LENGTH, opts=opts) for use in ("administrator", "signing"))
        encryption = Secret(f"{name}-encryption", length=ENCRYPTION_LENGTH, alphabet=HEXADECIMAL, keepers=KEPT, opts=opts)
        self._secrets: dict[str, pulumi.Output[str]] = {
            "administrator": pulumi.Output.secret(admin.value),
            "signing": pulumi.Output.secret(signing.value),
            "encryption": pulumi.Output.secret(encryption.value),
        }
        self._keys: dict[str, pulumi.Output[str]] = {}

    def identity(self, name: str, secret: str) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
        """Somebody with a key of his own, which a rotation makes anew; returns access key and secret key."""
        made = Secret(secret, length=KEY_LENGTH, opts=self._opts)
        access = made.id.apply(lambda identifier: f"{name}-{identifier[:ACCESS_CHARACTERS]}")
        self._identities.append({"name": name, "access_key": access})
        self._keys[name] = pulumi.Output.secret(made.value)
        return access, self._keys[name]

    def bucket(self, name: str, identity: str, *, locked: bool = False, kept_days: int = 0) -> None:
        """A bucket that one identity may read and write.

        ``kept_days``: earlier versions stay for so long, and it cannot delete them; 0: as the inventory says, and it can.
        """
        self._buckets.append({"name": name, "identity": identity, "locked": locked, "kept_days": kept_days})

    def variables(self) -> dict[str, Any]:
        """The role's variables."""
        return {
            "storage_store_service": self.service,
            "storage_store_hosts": self._hosts,
            "storage_store_buckets": self._buckets,
            "storage_store_identities": self._identities,
            "storage_store_secrets": pulumi.Output.secret(self._secrets),
            "storage_store_keys": pulumi.Output.secret(self._keys),
        }


@dataclass(frozen=True)
class BackupKey:
    """The key of one site to its place in a store for backups."""

    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]


def export_keys(keys: Mapping[str, BackupKey]) -> None:
    """Export what ``key_from_above`` reads: access keys, which everybody may know, apart from the secret ones."""
    pulumi.export(ACCESS_OUTPUT, {name: key.access_key for name, key in keys.items()})
    pulumi.export(KEYS_OUTPUT, {name: pulumi.Output.secret(key.secret_key) for name, key in keys.items()})


def backup_owner(context: Context) -> Site | None:
    """The nearest site with a store for backups, this one or the one above; None where there is none."""
    return backups.backup_owner(context.site, context.parent if context.site.parent is not None else None)


def backup_place(owner: Site, site: Site) -> dict[str, Any]:
    """Where the backups of ``site`` go in the store of ``owner``: a bucket for the databases' and one for the objects'."""
    return {
        "host": f"{backups.BACKUP_GROUP}.{owner.domain}",
        "region": REGION,
        "databases": f"databases-{site.name}",
        "objects": f"objects-{site.name}",
    }


def backup_keys(store: Store, owner: Site, sites: tuple[Site, ...]) -> dict[str, BackupKey]:
    """A place in ``store`` for each of ``sites`` that has data on servers of its own: its key, by the site's name."""
    found = {}
    for site in sites:
        if site.placement.get(NOUN) != "servers":
            continue
        found[site.name] = BackupKey(*store.identity(site.name, f"{site.name}-backup"))
        place = backup_place(owner, site)
        # Whoever holds a host of the site does not hold its backups.
        store.bucket(place["databases"], site.name, kept_days=backups.DATABASES_KEPT_DAYS)
        store.bucket(place["objects"], site.name, kept_days=backups.OBJECTS_KEPT_DAYS)
    return found


def key_from_above(context: Context) -> BackupKey:
    """The key that the stack of the site above has made for this one; an ``up`` ends with a UserError where it has not."""
    name, above = context.site.name, context.parent.name

    def mine(found: list[Any]) -> str:
        chain, keys = found
        if chain is None:
            # Then nothing else is there either: one error, whichever of the two is asked for first.
            raise unknown_above(name, context.parent)
        if not keys or name not in keys:
            raise UserError(
                t("base.no_backup_store", site=name, parent=above),
                code=ExitCode.INPUT,
                fix=t("base.no_authority_fix", site=name, parent=above),
            )
        return str(keys[name])

    chain = context.above.get_output(chain_output(name))
    access, secret = (pulumi.Output.all(chain, context.above.get_output(output)).apply(mine) for output in (ACCESS_OUTPUT, KEYS_OUTPUT))
    return BackupKey(access, pulumi.Output.secret(secret))
