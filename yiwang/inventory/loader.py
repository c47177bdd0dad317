"""From a directory to a ``Province``: read, check everything, report everything, build."""

from __future__ import annotations

import functools
import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from yiwang.inventory import checks, drawer, external_checks, hosts, model, resolve, rolevars, secrets, sources
from yiwang.inventory import facts as fact_files
from yiwang.inventory.errors import Finding, Findings, InventoryError
from yiwang.messages import t
from yiwang.standard import divisions

NATIONAL_CODE = "000000"


def load(directory: Path) -> model.Province:
    """The validated province of an inventory directory.

    Raises InventoryError with every finding. Reads only; the cache of the resolved inventory is the only thing written.
    """
    directory = Path(os.path.abspath(directory))  # noqa: PTH100 - links are kept, as the person wrote them
    findings = Findings()
    if not directory.is_dir():
        kind = "no_directory" if not directory.exists() else "not_inventory"
        findings.add(Finding(".", 0, (), "", t(f"inventory.{kind}"), t("inventory.no_directory_fix")))
        raise InventoryError(directory, findings.all())
    read = sources.read(directory, findings)
    # What is wrong in the shape of these files would only come back in other words from what follows.
    readable = not any(finding.file != sources.FACTS for finding in findings.all())
    secrets.check(read, findings)
    node = read.documents.get(sources.FACTS)
    if node is not None and node.items is None:
        findings.add(Finding(sources.FACTS, node.line, (), "", t("inventory.expect_mapping"), t("inventory.mapping_fix")))
        node = None
    facts = fact_files.read(node, findings) if node is not None else None
    hosts.check_keys(read, findings)
    rolevars.check(read, facts, findings)
    resolved = resolve.resolve(read, findings, keep=not findings.secret_places) if readable else None
    found: dict[str, model.Host] = {}
    if resolved is not None:
        found = hosts.check(read, facts, resolved, findings)
    if facts is not None:
        checks.check(directory, facts, findings, resolved)
        if resolved is not None:
            checks.check_sites_have_hosts(facts, resolved, findings)
            checks.check_members(facts, resolved, findings)
    if findings or facts is None:
        raise InventoryError(directory, findings.all())
    return _build(directory, facts, found)


def _build(directory: Path, facts: fact_files.Facts, found: dict[str, model.Host]) -> model.Province:
    """The province; everything has been checked, so every section is there."""
    assert facts.code and facts.domain and facts.name and facts.access and facts.passphrase and facts.national  # noqa: S101, PT018
    state = checks.state_dir(directory, facts.state_dir)
    zones = {
        name: model.Zone(name, tuple(sorted(zone.ipv4)), tuple(sorted(zone.ipv6))) for name, zone in facts.zones.items() if zone is not None
    }
    return model.Province(
        directory=directory,
        code=facts.code,
        title=model.Name(facts.name.zh, facts.name.en),
        domain=facts.domain,
        zones=zones,
        paths=tuple(
            model.Path(path.source, path.target, path.protocol, tuple(path.ports), model.Name(path.purpose.zh, path.purpose.en))
            for path in facts.paths.values()
        ),
        component_paths={noun: each.ways for noun, each in drawer.drawers().items() if each.ways},
        sites=_sites(directory, facts, found),
        national=model.National(facts.national.identity, facts.national.exchange, facts.national.catalogue),
        contacts=tuple(
            model.Contact(contact.duty, model.Name(contact.name.zh, contact.name.en), contact.email, contact.phone)
            for contact in facts.contacts.values()
        ),
        access=_access(directory, state, facts),
        state_dir=state,
        state_backend=facts.state_backend,
        passphrase_source=_passphrase(directory, facts),
    )


def _sites(directory: Path, facts: fact_files.Facts, found: dict[str, model.Host]) -> dict[str, model.Site]:
    top = next(name for name, site in facts.sites.items() if site is not None and site.stack == "province")
    sites: list[model.Site] = []
    for name, site in facts.sites.items():
        assert site is not None and facts.name is not None and facts.code is not None  # noqa: S101, PT018 - checked
        code = {"national": NATIONAL_CODE, "province": facts.code}.get(site.stack) or site.code or ""
        division = divisions.lookup(code)
        title = model.Name(division.name if division else name, name.capitalize())
        if site.title is not None:
            title = model.Name(site.title.zh, site.title.en)
        elif site.stack == "province":
            title = model.Name(facts.name.zh, facts.name.en)
        sites.append(
            model.Site(
                name=name,
                stack=site.stack,
                code=code,
                title=title,
                domain=checks.site_domain(facts.domain, name, site.stack, site.domain) or "",
                placement={"base": "servers", **site.placement},
                hosts=tuple(host for host in found.values() if host.site == name),
                parent=top if site.stack == "city" else None,
                external=external_checks.build(name, site.external, functools.partial(checks.resolve_file, directory)),
            )
        )
    sites.sort(key=lambda site: (model.STACKS.index(site.stack), site.code))
    return {site.name: site for site in sites}


def _access(directory: Path, state: Path, facts: fact_files.Facts) -> model.Access:
    assert facts.access is not None  # noqa: S101 - checked
    written = facts.access.key_file
    operators = (
        tuple(sorted(network for network in facts.access.operators if isinstance(network, IPv4Network))),
        tuple(sorted(network for network in facts.access.operators if isinstance(network, IPv6Network))),
    )
    key_file = checks.resolve_file(directory, written) if written else state / "ssh" / "id_ed25519"
    return model.Access(facts.access.user, facts.access.bootstrap_user, key_file, operators)


def _passphrase(directory: Path, facts: fact_files.Facts) -> model.Passphrase:
    assert facts.passphrase is not None  # noqa: S101 - checked
    if facts.passphrase.file is not None:
        return model.Passphrase("file", file=checks.resolve_file(directory, facts.passphrase.file))
    if facts.passphrase.command is not None:
        return model.Passphrase("command", command=facts.passphrase.command)
    return model.Passphrase("generate")
