"""What a site brings along itself, handed to its consumers in the form in which the kit's own would be."""

from __future__ import annotations

import pulumi

from yiwang.components import databases, objects
from yiwang.components.base import external_authority
from yiwang.components.context import Context
from yiwang.components.databases import CONNECT_SECONDS, NOUN, Database
from yiwang.components.storage import BUCKETS_OUTPUT, DATABASES_OUTPUT
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import external
from yiwang.inventory.model import Site
from yiwang.messages import t


class ExternalStorage(pulumi.ComponentResource):
    """The databases and buckets that a site brings along, by name. Nothing is made, and nothing is asked of them here."""

    def __init__(self, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("yiwang:components:ExternalStorage", NOUN, None, opts)
        brought = context.site.external.storage or external.Storage()
        _complete(context.site, brought)
        self.databases = {name: _database(found) for name, found in brought.databases.items()}
        self.buckets = {name: _bucket(found) for name, found in brought.buckets.items()}
        self.register_outputs({})

    def export(self) -> None:
        """Export how each database and each bucket is reached; passwords and keys are secret."""
        reached = {
            name: {"url": found.url, "login": found.login, "password": pulumi.Output.secret(found.password)}
            for name, found in self.databases.items()
        }
        pulumi.export(DATABASES_OUTPUT, reached)
        pulumi.export(BUCKETS_OUTPUT, {name: found.exported() for name, found in self.buckets.items()})


def _complete(site: Site, brought: external.Storage) -> None:
    """Every component that is placed at the site has what it needs. Raises UserError for what is missing."""
    placed = [noun for noun, place in site.placement.items() if place in {"servers", "kubernetes"}]
    needed = {
        "databases": {each.database for noun in placed for each in databases.CONSUMERS.get(noun, ())},
        "buckets": {each.bucket for noun in placed for each in objects.CONSUMERS.get(noun, ())},
    }
    for kind, there in (("databases", brought.databases), ("buckets", brought.buckets)):
        missing = ", ".join(sorted(needed[kind] - set(there)))
        if missing:
            text = t("base.no_external", names=missing, site=site.name)
            key = f"sites.{site.name}.external.{NOUN}.{kind}"
            raise UserError(text, code=ExitCode.INPUT, fix=t("base.no_external_fix", names=missing, key=key))
    locked = {each.bucket for noun in placed for each in objects.CONSUMERS.get(noun, ()) if each.locked}
    for name in sorted(name for name in locked if not brought.buckets[name].lock):
        text = t("base.no_external_lock", name=name, site=site.name)
        raise UserError(
            text, code=ExitCode.INPUT, fix=t("base.no_external_lock_fix", key=f"sites.{site.name}.external.{NOUN}.buckets.{name}")
        )


def _database(found: external.Database) -> Database:
    """As the kit's own: every host in the URL, a limit for one that is off, and the writable one where there are several."""
    options = {"connect_timeout": str(CONNECT_SECONDS)}
    if len(found.url.places) > 1:
        options = {"target_session_attrs": "read-write"} | options
    url = found.url.text(**options, sslrootcert=external_authority(found.authority_name))
    password: pulumi.Output[str] = pulumi.Output.secret(found.password.read())
    return Database(found.name, pulumi.Output.from_input(found.login), password, pulumi.Output.from_input(url))


def _bucket(found: external.Bucket) -> objects.Bucket:
    access = pulumi.Output.from_input(found.access_key)
    secret: pulumi.Output[str] = pulumi.Output.secret(found.secret_key.read())
    return objects.Bucket(found.name, found.endpoint, found.region, found.bucket, access, secret)
