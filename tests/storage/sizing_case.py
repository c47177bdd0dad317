"""What the tests of sizing share: a site that expects something, the lab's inventory that says so, and a host that was seen."""

from __future__ import annotations

import dataclasses

from yiwang import paths
from yiwang.inventory.model import Province, Site
from yiwang.preflight import formula, needs
from yiwang.preflight.checks import judge
from yiwang.preflight.formula import Expected
from yiwang.preflight.model import Finding, Needs, Seen
from yiwang.ssh import Endpoint

ROLE = paths.data("roles") / "storage"
README = (ROLE / "README.md").read_text(encoding="utf-8")
MIB, GIB = 1 << 20, 1 << 30
DIRECTORY = "/var/lib/yiwang/storage"
SITE = Expected("province", 20 * GIB, 200 * GIB, 100, 5, 90, 30, 7, 30)
GIVEN: dict[str, object] = {"storage_expected_databases": "20G", "storage_expected_objects": "200G", "storage_memory": ""}


def sizes(terms: tuple[formula.Term, ...]) -> dict[str, int]:
    """By name."""
    return {term.name: term.bytes for term in terms}


def expecting(province: Province, given: dict[str, dict[str, object]]) -> Province:
    """The province with variables on the hosts of some sites."""

    def changed(site: Site) -> Site:
        hosts = (dataclasses.replace(host, variables={**host.variables, **given.get(site.name, {})}) for host in site.hosts)
        return dataclasses.replace(site, hosts=tuple(hosts))

    return dataclasses.replace(province, sites={name: changed(site) for name, site in province.sites.items()})


def asked(province: Province, host: str) -> Needs:
    server = province.hosts[host]
    return needs.of(province, province.sites[server.site], server)


def seen(wanted: Needs, host: str = "p-data", **facts: str) -> Seen:
    there = {
        f"file_system {DIRECTORY}": f"{500 * GIB} {480 * GIB} /var",
        f"stored {DIRECTORY}": "0",
        "room /": f"{20 * GIB} /",
        "room /opt": f"{20 * GIB} /",
        "room /var": f"{480 * GIB} /var",
        "memory_total": str(16 * GIB),
    }
    return Seen("province", host, Endpoint("192.0.2.1"), wanted, facts=there | facts)


def sized(where: Seen) -> list[Finding]:
    return [finding for finding in judge(where) if finding.check == "sizing"]
