"""What a program knows: the province's inventory and the site that its stack is named after."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import pulumi

from yiwang import inventory
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.messages import t

VARIABLE = "YIWANG_INVENTORY"


@dataclass(frozen=True)
class Context:
    """One site and the province it belongs to. A program is a function of this and of nothing else."""

    province: Province
    site: Site

    @property
    def below(self) -> tuple[Site, ...]:
        """The sites that this one is the parent of, by code."""
        return tuple(site for site in self.province.sites.values() if site.parent == self.site.name)

    @property
    def parent(self) -> Site:
        """The site above this one; raises KeyError at the top."""
        return self.province.sites[self.site.parent or ""]

    def on_servers(self, noun: str) -> bool:
        """Whether the site has a component on servers of its own."""
        return self.site.placement.get(noun) == "servers"

    def is_external(self, noun: str) -> bool:
        """Whether the site brings a component along itself."""
        return self.site.placement.get(noun) == "external"

    @functools.cached_property
    def above(self) -> pulumi.StackReference:
        """The stack of the site above this one, for what it hands down; raises KeyError at the top."""
        return pulumi.StackReference(f"organization/{self.parent.stack}/{self.parent.name}")

    @property
    def top(self) -> Site:
        """The uppermost site above this one, or this one: it owns the root certificate."""
        site = self.site
        while site.parent is not None:
            site = self.province.sites[site.parent]
        return site


def current() -> Context:
    """The context of the running program: inventory from ``YIWANG_INVENTORY``, site by the name of the stack.

    Raises UserError when one is missing, or when the site belongs to another program.
    """
    directory = os.environ.get(VARIABLE)
    if not directory:
        raise UserError(t("base.no_inventory", variable=VARIABLE), code=ExitCode.INPUT, fix=t("base.no_inventory_fix", variable=VARIABLE))
    province = inventory.load(Path(directory))
    name, program = pulumi.get_stack(), pulumi.get_project()
    site = province.sites.get(name)
    if site is None or site.stack != program:
        known = ", ".join(site.name for site in province.sites.values() if site.stack == program)
        raise UserError(t("base.no_site", site=name, program=program), code=ExitCode.INPUT, fix=t("base.no_site_fix", known=known or "-"))
    return Context(province, site)
