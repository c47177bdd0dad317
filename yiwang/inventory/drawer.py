"""What a component asks of its hosts: ``roles/<noun>/meta/component.yml``, typed. A new component brings its own; nothing here names one.

The inventory reads where it may be placed and what its variables may hold, preflight what it needs, the firewall which paths it
requires within a site.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field

from yiwang import paths
from yiwang.inventory import rolevalues
from yiwang.inventory.model import COMPONENTS, PARENT, SCOPE, Host, Name, Placement, Site
from yiwang.inventory.model import Path as InventoryPath
from yiwang.inventory.schema import PathFacts, Strict
from yiwang.inventory.values import GROUP

EVERY_HOST = "all"
_UNITS = {"M": 1 << 20, "G": 1 << 30}


def _size(value: Any) -> int:
    match = re.fullmatch(r"([1-9][0-9]*)([MG])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value}: expected a size like 512M or 2G")
    return int(match[1]) * _UNITS[match[2]]


def _between_groups(path: PathFacts) -> PathFacts:
    """A component knows host groups alone, and opens them within a site, or towards the site above it (``GROUP@parent``)."""
    wrong = [end for end in (*path.source, *path.target) if not GROUP.fullmatch(end.removesuffix(f"{SCOPE}{PARENT}"))]
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected host groups")
    return path


def _check(value: Any) -> rolevalues.Validator:
    return rolevalues.validator(value)


Size = Annotated[int, BeforeValidator(_size)]
Check = Annotated[Any, AfterValidator(_check)]


class PortNeed(Strict):
    """A port that the component listens on; ``owners``: the programs that may hold it, its own."""

    number: Annotated[int, Field(ge=1, le=65535)]
    protocol: Literal["tcp", "udp"]
    owners: tuple[str, ...] = ()


class Environment(Strict):
    """The packages of ``extra``, brought to the host by the task ``wheelhouse`` of the role ``base``; with ``own`` our wheel too."""

    extra: str
    own: bool = True


class Need(Strict):
    """What a host must have: free ports, free space by path, memory, packages.

    ``when``: only where role variables have these values; ``groups``: only on hosts of one of these groups.
    """

    groups: tuple[str, ...] = ()
    when: dict[str, Any] = Field(default_factory=dict)
    ports: tuple[PortNeed, ...] = ()
    disk: dict[str, Size] = Field(default_factory=dict)
    memory: Size = 0
    environment: Environment | None = None


class Drawer(Strict):
    """One component. ``groups``: the host groups that carry it; ``values`` and ``names``: see ``rolevalues``.

    ``members``: how many hosts of a group a site may have, where the number matters; a host is in one of these groups only.
    ``services``: names below the site's domain that stand for all hosts of a group. ``directory``: the variable that says where its data
    lies; preflight tells then what it takes for what is expected.
    """

    placements: tuple[Placement, ...]
    groups: tuple[str, ...] = (EVERY_HOST,)
    members: dict[str, tuple[Annotated[int, Field(ge=0)], ...]] = Field(default_factory=dict)
    services: dict[str, str] = Field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    directory: str | None = None
    paths: tuple[Annotated[PathFacts, AfterValidator(_between_groups)], ...] = ()
    values: dict[str, Check] = Field(default_factory=dict)
    names: dict[str, Check] = Field(default_factory=dict)

    def carried_by(self, host: Host) -> bool:
        """Whether ``host`` is in one of the groups."""
        return self.carried(host.groups)

    def carried(self, groups: Collection[str]) -> bool:
        """Whether a host in ``groups`` carries it."""
        return EVERY_HOST in self.groups or not set(self.groups).isdisjoint(groups)

    @property
    def ways(self) -> tuple[InventoryPath, ...]:
        """The paths as the model has them."""
        return tuple(
            InventoryPath(path.source, path.target, path.protocol, tuple(path.ports), Name(path.purpose.zh, path.purpose.en))
            for path in self.paths
        )


def drawers() -> Mapping[str, Drawer]:
    """Every component of this release by its noun, in the order of the nouns. Raises ValueError for a file that is wrong: a bug."""
    files = [paths.data("roles") / noun / "meta" / "component.yml" for noun in COMPONENTS]
    return _drawers(tuple((file, file.stat().st_mtime_ns) for file in files if file.is_file()))


@functools.lru_cache(maxsize=4)
def _drawers(files: tuple[tuple[Path, int], ...]) -> Mapping[str, Drawer]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return {
        file.parent.parent.name: Drawer.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=loader))  # noqa: S506 - one of the two safe loaders
        for file, _ in files
    }


def groups_of_paths() -> frozenset[str]:
    """The host groups that components' paths name: a zone or a site of such a name would be taken for them."""
    ends = (end for drawer in drawers().values() for path in drawer.paths for end in (*path.source, *path.target))
    return frozenset(end.partition(SCOPE)[0] for end in ends)


def on(site: Site, host: Host) -> tuple[tuple[str, Drawer], ...]:
    """The components that are placed on ``host`` of ``site``, with their nouns."""
    return tuple((noun, drawer) for noun, drawer in drawers().items() if site.placement.get(noun) == "servers" and drawer.carried_by(host))
