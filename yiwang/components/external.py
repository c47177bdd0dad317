"""What a site brings along itself, handed to its consumers in the form in which the kit's own would be."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from yiwang.components.base import external_authority
from yiwang.components.context import Context
from yiwang.components.storage import CONNECT_SECONDS, CONSUMERS, DATABASES_OUTPUT, NOUN, Database
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import external
from yiwang.inventory.model import Site
from yiwang.messages import t

BUCKETS_OUTPUT = "buckets"


@dataclass(frozen=True)
class Bucket:
    """How a bucket is reached: by S3, over TLS."""

    name: str
    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: pulumi.Output[str]


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
        databases = {
            name: {"url": found.url, "login": found.login, "password": pulumi.Output.secret(found.password)}
            for name, found in self.databases.items()
        }
        buckets = {
            name: {
                "endpoints": [found.endpoint],
                "region": found.region,
                "bucket": found.bucket,
                "access_key": found.access_key,
                "secret_key": found.secret_key,
            }
            for name, found in self.buckets.items()
        }
        pulumi.export(DATABASES_OUTPUT, databases)
        pulumi.export(BUCKETS_OUTPUT, buckets)


def _complete(site: Site, brought: external.Storage) -> None:
    """Every component that is placed at the site has its databases. Raises UserError for one that has not."""
    placed = (several for noun, several in CONSUMERS.items() if site.placement.get(noun) in {"servers", "kubernetes"})
    missing = sorted({each.database for several in placed for each in several} - set(brought.databases))
    if missing:
        place = f"sites.{site.name}.external.{NOUN}.databases"
        text = t("base.no_external", names=", ".join(missing), site=site.name)
        raise UserError(text, code=ExitCode.INPUT, fix=t("base.no_external_fix", names=", ".join(missing), key=place))


def _database(found: external.Database) -> Database:
    """As the kit's own: every host in the URL, a limit for one that is off, and the writable one where there are several."""
    options = {"connect_timeout": str(CONNECT_SECONDS)}
    if len(found.url.places) > 1:
        options = {"target_session_attrs": "read-write"} | options
    url = found.url.text(**options, sslrootcert=external_authority(found.authority_name))
    password: pulumi.Output[str] = pulumi.Output.secret(found.password.read())
    return Database(found.name, pulumi.Output.from_input(found.login), password, pulumi.Output.from_input(url))


def _bucket(found: external.Bucket) -> Bucket:
    key: pulumi.Output[str] = pulumi.Output.secret(found.secret_key.read())
    return Bucket(found.name, found.endpoint, found.region, found.bucket, found.access_key, key)
