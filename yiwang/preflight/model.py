"""What preflight knows of a host, what it asks for, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from yiwang.preflight.formula import Expected, Term
from yiwang.ssh import Endpoint, Problem

Verdict = Literal["ok", "warn", "fail", "skip"]
Purpose = Literal["time", "packages", "national"]


@dataclass(frozen=True)
class Sizing:
    """What a host needs of something and has of it, in bytes. ``place``: the file system; empty for memory.

    ``needed`` is the sum of ``terms``, and as much more that ``free_percent`` of it stay free; ``formula`` and ``details`` say it in words.
    """

    resource: Literal["disk", "memory"]
    place: str
    needed: int
    has: int
    formula: str
    terms: tuple[Term, ...]
    free_percent: int = 0
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The answer of one check for one host; ``fix`` is empty when nothing is wrong. ``sizing``: the numbers, where it is about them.

    ``host`` is ``-`` for this machine, and ``databases.NAME`` or ``buckets.NAME`` for what the site brings along.
    """

    site: str
    host: str
    check: str
    verdict: Verdict
    text: str
    fix: str = ""
    sizing: Sizing | None = None


@dataclass(frozen=True)
class Port:
    """A port that a component will listen on. ``owners``: programs that may hold it already (the component itself)."""

    number: int
    protocol: Literal["tcp", "udp"]
    owners: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Storage:
    """What is to be held on a host of storage: ``data`` of the one site of ``sites``, or their backups.

    ``base``: what the component needs beside it where ``directory`` is; ``programs``: elsewhere, by path; ``own_memory``: what it states;
    ``store_memory``: the part of that which is the object store's. ``memory``: what the databases may count on; 0: all the host has.
    ``hosts``: how many share the objects.
    """

    data: bool
    directory: str
    base: int
    programs: Mapping[str, int]
    free_percent: int
    wal_times: int
    memory: int
    connections: int
    hosts: int
    own_memory: int
    store_memory: int
    sites: tuple[Expected, ...]


@dataclass(frozen=True)
class Needs:
    """What the components of a host need. ``disk`` (free, by path) and ``memory`` (of the host) in bytes.

    ``systems``: versions by ID of ``/etc/os-release``. ``names``: what must resolve on the host, and what for. ``operators``: the
    networks that may sign in. ``apt_sources``, ``apt_conf``, ``authorities`` (PEM): what the inventory says of package sources, empty
    where it says nothing. ``environments``: extra (kit, storage …) -> the file that is there once its packages are.
    ``storage``: where the host carries that.
    """

    ports: tuple[Port, ...] = ()
    disk: Mapping[str, int] = field(default_factory=dict)
    memory: int = 1 << 30
    systems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    architectures: tuple[str, ...] = ("x86_64", "aarch64")
    names: Mapping[str, Purpose] = field(default_factory=dict)
    operators: tuple[IPv4Network | IPv6Network, ...] = ()
    apt_sources: str = ""
    apt_conf: str = ""
    authorities: str = ""
    environments: Mapping[str, str] = field(default_factory=dict)
    storage: Storage | None = None


@dataclass(frozen=True)
class Seen:
    """What was seen of one host.

    ``problem`` (with ``detail``, ssh's own words): why SSH did not get in. ``facts``: the lines of the probe, empty when
    it did not run. ``offset``: least and greatest possible lead of the host's clock over ours, in seconds.
    """

    site: str
    host: str
    endpoint: Endpoint
    needs: Needs
    pinned: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    problem: Problem | None = None
    detail: str = ""
    user: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    offset: tuple[float, float] | None = None

    def finding(self, check: str, verdict: Verdict, text: str, fix: str = "", sizing: Sizing | None = None) -> Finding:
        """A finding about this host."""
        return Finding(self.site, self.host, check, verdict, text, fix, sizing)
