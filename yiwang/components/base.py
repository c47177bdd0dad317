"""Base: every host of a site, hardened, known by name, with a certificate of its own and a firewall from the list of paths."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from yiwang import delivery, keys
from yiwang.components.authority import Issuer
from yiwang.components.context import Context
from yiwang.components.firewall import rules
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import drawer
from yiwang.inventory.model import ANY, Host, Province, Site
from yiwang.messages import t
from yiwang.provider.resources import Certificate, Role, Secret

PREFIX = "base_"
CERTIFICATE_DAYS = 397
RENEW_BEFORE = 30
RESCUE_LENGTH = 24
# Without letters and digits that look alike on a console.
RESCUE_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
RESCUE_OUTPUT = "rescue_passwords"


class Base(pulumi.ComponentResource):
    """The role ``base`` on all hosts of a site; by host: ``certificates``, and ``rescue``, root's passwords at the console."""

    def __init__(self, context: Context, issuer: Issuer, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("yiwang:components:Base", "base", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        province, site = context.province, context.site
        self.certificates = {host.name: _certificate(site, host, issuer, child) for host in site.hosts}
        self.rescue = {
            host.name: Secret(f"{host.name}-rescue", length=RESCUE_LENGTH, alphabet=RESCUE_ALPHABET, opts=child) for host in site.hosts
        }
        self.role = Role(
            "base",
            role="base",
            site=site.name,
            hosts={host.name: self._host(province, host) for host in site.hosts},
            variables=common_variables(province, site) | {"base_trust": {context.top.name: issuer.root}},
            opts=child,
        )
        self.register_outputs({})

    def export(self) -> None:
        """Export root's passwords by host: whoever stands at a console has to read one there is no other way to."""
        pulumi.export(RESCUE_OUTPUT, {host: pulumi.Output.secret(secret.value) for host, secret in self.rescue.items()})

    def _host(self, province: Province, host: Host) -> dict[str, Any]:
        certificate = self.certificates[host.name]
        key: pulumi.Output[str] = pulumi.Output.secret(certificate.private_key)
        rescue: pulumi.Output[str] = pulumi.Output.secret(self.rescue[host.name].value)
        secrets = {"base_tls_certificate": certificate.chain, "base_tls_key": key, "base_rescue_password": rescue}
        return {"address": str(host.ipv4), "port": host.port, "variables": host_variables(province, host) | secrets}


def _certificate(site: Site, host: Host, issuer: Issuer, opts: pulumi.ResourceOptions) -> Certificate:
    addresses = [str(address) for address in (host.ipv4, host.ipv6) if address is not None]
    return Certificate(
        f"{host.name}-certificate",
        kind="server",
        common_name=full_name(site, host),
        # Not the short name: an authority is bound to its site's domain, and nobody else may be called like that.
        names=[full_name(site, host), *(name for name, hosts in services(site).items() if host in hosts), *addresses],
        issuer_certificate=issuer.chain,
        issuer_key=issuer.key,
        days=CERTIFICATE_DAYS,
        renew_before=RENEW_BEFORE,
        opts=opts,
    )


def full_name(site: Site, host: Host) -> str:
    """The name of a host in DNS and in certificates."""
    return f"{host.name}.{site.domain}"


def services(site: Site) -> dict[str, tuple[Host, ...]]:
    """The names that stand for several hosts of a site, each with its hosts, by name: one address for clients, whoever answers."""
    placed = [each for noun, each in drawer.drawers().items() if site.placement.get(noun) == "servers"]
    grouped = {name: group for each in placed for name, group in each.services.items()}
    found = {name: tuple(sorted(site.group(group), key=lambda host: host.name)) for name, group in sorted(grouped.items())}
    return {f"{name}.{site.domain}": hosts for name, hosts in found.items() if hosts}


def common_variables(province: Province, site: Site) -> dict[str, Any]:
    """What is the same on all hosts of a site."""
    clients = province.addresses(ANY)
    return {
        "base_automation_user": province.access.user,
        "base_bootstrap_user": province.access.bootstrap_user,
        "base_automation_public_keys": [public_key(province.access.key_file)],
        "base_names": names(province, site),
        "base_external_authorities": external_authorities(site),
        "base_time_clients": [str(network) for networks in clients for network in networks],
    }


def external_authority(name: str) -> str:
    """Where the role puts an authority of what a site brings along itself."""
    return f"/etc/yiwang/tls/external-{name}.crt"


def external_authorities(site: Site) -> dict[str, str]:
    """The authorities of what a site brings along itself (PEM), by name. Raises UserError for one that cannot be read any more."""
    found = {}
    for name, path in site.external.authorities.items():
        try:
            found[name] = path.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise UserError(t("base.no_external_authority", path=path, reason=error), code=ExitCode.INPUT) from None
    return found


def host_variables(province: Province, host: Host) -> dict[str, Any]:
    """What the inventory says of one host, and what follows from it; secrets and certificates are added by the component."""
    given = {name: value for name, value in host.variables.items() if name.startswith(PREFIX)}
    incoming, outgoing = rules(province, host)
    computed: dict[str, Any] = {
        "base_hostname": host.name,
        "base_ssh_port": host.port,
        "base_firewall_input": incoming,
        "base_firewall_output": outgoing,
    }
    if given.get("base_kit"):
        computed["base_kit_digest"] = delivery.digest("kit")
    return given | computed


def names(province: Province, site: Site) -> list[Mapping[str, Any]]:
    """The hosts that a site may know: its own and those of the sites above it, never those of its neighbours."""
    found: list[Mapping[str, Any]] = []
    above: Site | None = site
    while above is not None:
        named = {host.name: [full_name(above, host), host.name] for host in above.hosts}
        for name, hosts in services(above).items():
            for host in hosts:
                named[host.name].append(name)
        for host in sorted(above.hosts, key=lambda host: host.name):
            addresses = [str(address) for address in (host.ipv4, host.ipv6) if address is not None]
            found += [{"address": address, "names": named[host.name]} for address in addresses]
        above = province.sites.get(above.parent) if above.parent else None
    return found


def public_key(key_file: Path) -> str:
    """The public half of the operator's key, without its comment.

    Raises UserError when it is not there, or when the private half tells that it belongs to another key.
    """
    path, written = keys.public_file(key_file), keys.written(key_file)
    if not written:
        # A command that makes a key would offer to overwrite the one that opens every host.
        fix = "derive_public_key_fix" if key_file.exists() else "no_public_key_fix"
        raise UserError(t("base.no_public_key", path=path), code=ExitCode.INPUT, fix=t(f"base.{fix}", path=key_file))
    with contextlib.suppress(keys.Unusable):
        if keys.public_half(key_file, strict=False) != written:
            text, fix = t("base.other_public_key", path=path, key=key_file), t("base.derive_public_key_fix", path=key_file)
            raise UserError(text, code=ExitCode.INPUT, fix=fix)
    return " ".join(written)
