"""Which sites a verb is about, and in which order they can be done."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.messages import t


@dataclass(frozen=True)
class Selection:
    """The sites of one run, in inventory order; ``hosts`` limits the run to those hosts (all when empty)."""

    sites: tuple[Site, ...]
    hosts: tuple[str, ...] = ()

    def waves(self) -> list[list[Site]]:
        """The sites grouped so that each wave needs only what earlier waves made; a wave's sites run side by side."""
        chosen = {site.name: site for site in self.sites}
        depth: dict[str, int] = {}

        def level(site: Site) -> int:
            if site.name not in depth:
                parent = chosen.get(site.parent or "")
                depth[site.name] = 0 if parent is None else level(parent) + 1
            return depth[site.name]

        waves: list[list[Site]] = [[] for _ in range(1 + max(map(level, self.sites), default=-1))]
        for site in self.sites:
            waves[level(site)].append(site)
        return waves


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones; it names the nearest of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 1)
    fix = t("deployment.did_you_mean", name=near[0]) if near else t("deployment.known", names=", ".join(names))
    return UserError(t(f"deployment.unknown_{kind}", name=name), code=ExitCode.INPUT, fix=fix)


def _departed(name: str) -> UserError:
    return UserError(t("deployment.departed_site", name=name), code=ExitCode.INPUT, fix=t("deployment.departed_fix", name=name))


def select(
    province: Province,
    sites: Iterable[str] | None = None,
    hosts: Iterable[str] | None = None,
    *,
    departed: Iterable[Site] = (),
    with_departed: bool = False,
) -> Selection:
    """The selection named by ``--site`` and ``--host``; a host alone selects its site.

    ``departed``: sites that are recorded and no longer in the inventory; they can be selected only ``with_departed``.
    Raises UserError (exit 3) for a name that is not known, with the nearest known one.
    """
    wanted, limit = list(sites or ()), list(hosts or ())
    gone = {site.name: site for site in departed}
    every = dict(province.sites) | (gone if with_departed else {})
    for name in wanted:
        if name not in every:
            raise _departed(name) if name in gone else unknown("site", name, every)
    known = province.hosts
    for name in limit:
        if name not in known:
            raise unknown("host", name, known)
        if not wanted or known[name].site in wanted:
            continue
        raise UserError(
            t("deployment.host_elsewhere", host=name, site=known[name].site),
            code=ExitCode.INPUT,
            fix=t("deployment.host_elsewhere_fix", site=known[name].site),
        )
    names = set(wanted) or {known[name].site for name in limit} or set(every)
    return Selection(tuple(site for site in every.values() if site.name in names), tuple(dict.fromkeys(limit)))
