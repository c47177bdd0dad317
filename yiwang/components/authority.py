"""The certificate authority of a province: a root, and an intermediate for each site, which signs the site's hosts.

The root's key stays in the state of the stack that made it. A city is handed its own intermediate, by StackReference.

Every host trusts the root, whatever the name: an intermediate is therefore bound, by name constraints, to its site's domain and
to the ranges in which its hosts lie. Both outlive the hosts: one more host in them issues no authority anew. Where a site
gets another range, its authority is issued anew with the same key, and what it has signed stays valid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi

from yiwang.components.context import Context
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.messages import t
from yiwang.provider.resources import Certificate

ROOT_DAYS = 3650
INTERMEDIATE_DAYS = 1825
RENEW_BEFORE = 180

ROOT_OUTPUT = "root_certificate"


@dataclass(frozen=True)
class Issuer:
    """What signs certificates: ``chain`` (PEM, the issuer's certificate first), ``key`` (PEM, secret), ``root`` (PEM) to trust."""

    chain: pulumi.Output[str]
    key: pulumi.Output[str]
    root: pulumi.Output[str]


class Authority(pulumi.ComponentResource):
    """The root of the context's site and an intermediate for each of ``sites``; ``issuers`` holds these by the site's name."""

    def __init__(self, context: Context, sites: Iterable[Site], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("yiwang:components:Authority", "authority", None, opts)
        child = pulumi.ResourceOptions(parent=self)
        owner, province = context.site, context.province
        self.root = Certificate(
            "root", kind="root", common_name=f"{owner.title.en} root CA", days=ROOT_DAYS, renew_before=RENEW_BEFORE, opts=child
        )
        self.issuers = {site.name: self._issuer(site, province, child) for site in sites}
        self.register_outputs({})

    def _issuer(self, site: Site, province: Province, child: pulumi.ResourceOptions) -> Issuer:
        made = Certificate(
            f"{site.name}-authority",
            kind="intermediate",
            common_name=f"{site.title.en} CA",
            permitted=[site.domain, *map(str, province.ranges(site))],
            issuer_certificate=self.root.certificate,
            issuer_key=self.root.private_key,
            days=INTERMEDIATE_DAYS,
            renew_before=RENEW_BEFORE,
            opts=child,
        )
        return Issuer(made.chain, made.private_key, self.root.certificate)


def export(authority: Authority, sites: Iterable[Site]) -> None:
    """Export the root's certificate, and for each of ``sites`` what ``issuer_of`` reads there."""
    pulumi.export(ROOT_OUTPUT, authority.root.certificate)
    for site in sites:
        issuer = authority.issuers[site.name]
        pulumi.export(chain_output(site.name), issuer.chain)
        pulumi.export(f"{site.name}_authority_key", pulumi.Output.secret(issuer.key))


def chain_output(site: str) -> str:
    """The name of the output that holds the chain of a site's authority."""
    return f"{site}_authority_chain"


def unknown_above(site: str, above: Site) -> UserError:
    """The error of a site that the stack above does not know yet."""
    return UserError(
        t("base.no_authority", site=site, parent=above.name),
        code=ExitCode.INPUT,
        fix=t("base.no_authority_fix", site=site, parent=above.name),
    )


def issuer_of(context: Context) -> Issuer:
    """The issuer that the stack of the site above has made for this site; an ``up`` ends with a UserError where it has not."""
    above, stack = context.parent, context.above
    name = context.site.name

    def exported(output: str) -> pulumi.Output[str]:
        def required(value: str | None) -> str:
            if value is None:
                raise unknown_above(name, above)
            return value

        return stack.get_output(output).apply(required)

    return Issuer(exported(chain_output(name)), pulumi.Output.secret(exported(f"{name}_authority_key")), exported(ROOT_OUTPUT))
