"""The ends of paths, checked: zones, host groups and whose hosts of a group are meant.

A group alone (``core``) means hosts of one site at both ends, for each site by itself. ``core@province`` are the hosts of one site,
``core@cities`` those of all cities, ``core@any`` those of all sites. What is wrong here would open one city to another.
"""

from __future__ import annotations

from dataclasses import dataclass

from yiwang.inventory.errors import Finding, Findings, KeyPath, shown
from yiwang.inventory.facts import Facts, nearest
from yiwang.inventory.model import ANY, CITIES, RESERVED_ENDPOINTS, SCOPE
from yiwang.inventory.resolve import Resolved
from yiwang.inventory.sources import FACTS
from yiwang.messages import t


@dataclass(frozen=True)
class _End:
    """One end as it is written. ``kind``: ``wide`` (hosts of many sites), ``free`` (of no site), ``scoped`` or ``plain`` (a group)."""

    text: str
    place: KeyPath
    kind: str

    @property
    def many(self) -> bool:
        return self.kind == "scoped" and self.text.partition(SCOPE)[2] in (ANY, CITIES)


class _Checker:
    def __init__(self, facts: Facts, resolved: Resolved, findings: Findings) -> None:
        self.facts = facts
        self.findings = findings
        self.province = next((name for name, site in facts.sites.items() if site is not None and site.stack == "province"), "")
        # The sites in which each group has hosts.
        self.groups: dict[str, set[str]] = {}
        for member in resolved.memberships.values():
            for group in member:
                self.groups.setdefault(group, set()).update(set(member) & set(facts.sites))

    def add(self, end: _End, expected: str, fix: str) -> None:
        self.findings.add(Finding(FACTS, self.facts.line(end.place), end.place, shown(end.text), expected, fix))

    def wrong(self, end: _End, what: str, **details: object) -> None:
        self.add(end, t(f"inventory.expect_{what}", **details), t(f"inventory.fix_{what}", **details))

    def end(self, text: str, place: KeyPath) -> _End | None:
        """The end, if it exists."""
        group, scoped, scope = text.partition(SCOPE)
        if not scoped and (text in self.facts.zones or text in RESERVED_ENDPOINTS):
            return _End(text, place, "wide" if text == ANY or text in self.facts.zones else "free")
        end = _End(text, place, "scoped" if scoped or text in self.facts.sites else "plain")
        scopes = {*self.facts.sites, CITIES, ANY}
        if group not in self.groups:
            known = set(self.groups) - set(self.facts.sites) if scoped else {*self.groups, *self.facts.zones, *RESERVED_ENDPOINTS}
            self.add(end, t("inventory.expect_end"), nearest(group, known))
        elif scoped and scope not in scopes:
            self.add(end, t("inventory.expect_scope"), nearest(text, {f"{group}@{name}" for name in scopes}))
        elif scoped and scope in self.facts.sites and scope not in self.groups[group]:
            there = ", ".join(f"{group}@{name}" for name in sorted(self.groups[group]))
            self.wrong(end, "scope_hosts", group=group, site=scope, known=there)
        else:
            return end
        return None

    def path(self, sources: list[_End], targets: list[_End]) -> None:
        """A group alone has its like at the other end; many sites never face many sites."""
        for ends, others in ((sources, targets), (targets, sources)):
            for end in ends:
                other = next((other for other in others if other.kind in ("wide", "scoped")), None)
                if end.kind == "plain" and other is not None:
                    options = ", ".join(f"{end.text}@{scope}" for scope in (self.province, CITIES, ANY) if scope)
                    self.wrong(end, "scope_needed", group=end.text, other=other.text, options=options)
        source, target = (next((end for end in ends if end.many), None) for ends in (sources, targets))
        if source is not None and target is not None:
            self.wrong(target, "scope_many", source=source.text, target=target.text)


def check(facts: Facts, resolved: Resolved, findings: Findings) -> None:
    """Check the ends of every path."""
    checker = _Checker(facts, resolved, findings)
    for index, path in facts.paths.items():
        sides = []
        for key, texts in (("from", path.source), ("to", path.target)):
            places = (facts.entry(("paths", index, key), position) for position in range(len(texts)))
            sides.append([checker.end(text, place) for text, place in zip(texts, places, strict=True)])
        sources, targets = ([end for end in ends if end is not None] for ends in sides)
        checker.path(sources, targets)
