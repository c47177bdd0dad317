"""Sites as the state knows them: also those that are no longer in the inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import get_args

from yiwang import engine
from yiwang.deployment.changes import ROLE
from yiwang.deployment.engines import Engine
from yiwang.deployment.selection import Selection, unknown
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Name, Province, Site, StackKind
from yiwang.messages import t


@dataclass(frozen=True)
class Departed:
    """A site that is recorded and no longer in the inventory; ``resources``: how many of them are recorded."""

    site: Site
    resources: int

    def describe(self) -> str:
        """One line for people, with the way to take it away."""
        return t("deployment.departed", site=self.site.name, resources=self.resources)


def departed(province: Province, driver: Engine) -> list[Departed]:
    """The recorded sites that the inventory does not have. What they consist of is in their state: they need no program."""
    kinds: dict[str, StackKind] = {kind: kind for kind in get_args(StackKind)}
    owner = next((site.name for site in province.sites.values() if site.stack == "province"), None)
    found = []
    for stack in driver.stacks():
        kind = kinds.get(stack.project)
        if kind is None or stack.stack in province.sites or not (stack.resources or stack.in_flight):
            continue
        site = Site(
            name=stack.stack,
            stack=kind,
            code="",
            title=Name(stack.stack, stack.stack),
            domain="",
            placement={},
            hosts=(),
            parent=owner if kind == "city" else None,
        )
        found.append(Departed(site, stack.resources))
    return found


def gone(selection: Selection, driver: Engine, stack_of: Callable[[Site], engine.Stack], names: Iterable[str]) -> list[str]:
    """The hosts of the selected sites that ``names`` (of ``--gone``) are; also those that only the state still knows.

    Raises UserError (exit 3) for any other: a slip of the pen would leave the wrong host as it is.
    """
    names = list(dict.fromkeys(names))
    known: dict[str, None] = {}
    for site in selection.sites if names else ():
        roles = [resource for resource in driver.resources(stack_of(site)) if resource.type == ROLE]
        known |= dict.fromkeys(host.name for host in site.hosts)
        for role in roles:
            known |= dict.fromkeys([*(role.inputs.get("hosts") or {}), *(role.outputs.get("results") or {})])
    for name in names:
        if name not in known:
            raise unknown("host_here", name, known)
    return names


def require_below_gone(province: Province, selection: Selection, driver: Engine) -> None:
    """Raises UserError (exit 3) when a site is recorded that lives off a selected one and is not selected itself.

    Such a site would be left with certificates of an authority that nobody has any more.
    """
    chosen = {site.name for site in selection.sites}
    recorded = {stack.stack for stack in driver.stacks() if stack.resources or stack.in_flight}
    every = [*province.sites.values(), *(gone.site for gone in departed(province, driver))]
    for site in selection.sites:
        below = [other.name for other in every if other.parent == site.name and other.name in recorded - chosen]
        if below:
            options = " ".join(f"--site {name}" for name in (*(each.name for each in selection.sites), *below))
            raise UserError(
                t("deployment.still_below", site=site.name, names=", ".join(below)),
                code=ExitCode.INPUT,
                fix=t("deployment.still_below_fix", options=options),
            )
