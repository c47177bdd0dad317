"""Where the backups of a site lie, and for how long what is deleted there stays."""

from __future__ import annotations

from yiwang.inventory.model import Host, Site

NOUN = "storage"
BACKUP_GROUP = "backup"
# What a site deletes of its backups stays for so long: expired ones of the databases, deleted objects.
DATABASES_KEPT_DAYS = 7
OBJECTS_KEPT_DAYS = 90


def backup_host(site: Site) -> Host | None:
    """The host that carries the store for backups, where the site has one."""
    return next(iter(site.group(BACKUP_GROUP)), None)


def backup_owner(site: Site, parent: Site | None) -> Site | None:
    """The nearest site with a store for backups, this one or the one above; None where there is none."""
    near = (site, parent) if parent is not None else (site,)
    return next((each for each in near if backup_host(each) is not None and each.placement.get(NOUN) == "servers"), None)
