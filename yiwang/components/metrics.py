"""Where the metrics of a site's storage are shown: one port on each of its hosts, one module for each program."""

from __future__ import annotations

from typing import TypedDict

from yiwang.components.base import full_name
from yiwang.components.context import Context
from yiwang.components.databases import members
from yiwang.components.objects import backup_owner
from yiwang.inventory.backups import backup_host
from yiwang.inventory.model import Host

PORT = 9998
OUTPUT = "metrics"
# As in the role's templates/etc/yiwang/storage/metrics.yml.j2.
OBJECTS, DATABASES, BACKUPS = ("objects",), ("etcd", "patroni", "postgresql"), ("backups",)


class Endpoint(TypedDict):
    """Where one module of a host is asked for its metrics: by TLS, with a certificate of the internal authority."""

    host: str
    module: str
    url: str


def endpoints(context: Context) -> list[Endpoint]:
    """All of a site: those of the hosts with databases, and those of the store for backups."""
    data = sorted((*OBJECTS, *DATABASES, *(BACKUPS if backup_owner(context) is not None else ())))
    found = [_endpoint(context, host, module) for host in members(context.site) for module in data]
    backup = backup_host(context.site)
    return found + ([_endpoint(context, backup, module) for module in OBJECTS] if backup is not None else [])


def _endpoint(context: Context, host: Host, module: str) -> Endpoint:
    url = f"https://{full_name(context.site, host)}:{PORT}/proxy?module={module}"
    return Endpoint(host=host.name, module=module, url=url)
