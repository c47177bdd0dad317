"""A small lab for tests, and eyes on everything a lab may leave on a machine."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from yiwang.lab import LabHost, LabPath, LabSpec, LabZone, Operator, Progress, cgroups, namespaces
from yiwang.lab.spec import tag

ZONES = (
    LabZone("inner", (IPv4Network("10.91.1.0/24"),), (IPv6Network("fd91:0:0:1::/64"),)),
    LabZone("outer", (IPv4Network("10.91.2.0/24"),), (IPv6Network("fd91:0:0:2::/64"),)),
)
OPERATOR = Operator("inner", IPv4Address("10.91.1.2"), IPv6Address("fd91:0:0:1::2"))
HOSTS = (
    LabHost("one", "inner", IPv4Address("10.91.1.11"), IPv6Address("fd91:0:0:1::11")),
    LabHost("two", "outer", IPv4Address("10.91.2.12"), IPv6Address("fd91:0:0:2::12"), port=2222),
)
EVERYBODY = tuple(network for zone in ZONES for network in zone.ranges)
OUTER = ZONES[1].ranges
INNER = ZONES[0].ranges
PATHS = (
    LabPath((IPv4Network("10.91.1.2/32"), IPv6Network("fd91:0:0:1::2/128")), OUTER, "tcp", (2222,)),
    LabPath(INNER, OUTER, "tcp", ("8000-8001",)),
    LabPath(EVERYBODY, (), "tcp", (53, 80, 443), to_world=True),
    LabPath(EVERYBODY, (), "udp", (53,), to_world=True),
)
NAMES = ("labtest-7e5700", "labtest-7e5701")


def spec_of(name: str, key: str, hosts: tuple[LabHost, ...] = HOSTS) -> LabSpec:
    return LabSpec(name, Path("/nowhere/labtest"), ZONES, hosts, PATHS, OPERATOR, key)


def silent(_: Progress) -> None:
    pass


@dataclass(frozen=True)
class Key:
    """A login key made for one run of the tests."""

    path: Path

    @property
    def public(self) -> str:
        return self.path.with_suffix(".pub").read_text().strip()

    def argv(self, spec: LabSpec, host: str, command: str, *, ipv6: bool = False) -> list[str]:
        """The command that runs ``command`` as root on a host, over SSH from the operator's place."""
        found = spec.host(host)
        options = {
            "ProxyCommand": f"nsenter --net={namespaces.path(namespaces.operator(tag(spec.name)))} nc %h %p",
            "IdentityFile": str(self.path),
            "BatchMode": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "5",
        }
        address = found.ipv6 if ipv6 else found.ipv4
        start = ["ssh", "-F", "/dev/null", *(f"-o{key}={value}" for key, value in options.items())]
        return [*start, "-p", str(found.port), "-l", "root", str(address), command]

    def ssh(self, spec: LabSpec, host: str, command: str, *, ipv6: bool = False, timeout: float = 60) -> str:
        """What ``command`` prints on a host."""
        argv = self.argv(spec, host, command, ipv6=ipv6)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{host}: {command}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout.strip()


def traces(*names: str) -> dict[str, list[str]]:
    """Everything on this machine that a lab of the tests could leave behind, and the switches it may turn."""
    every: dict[str, list[str]] = {"namespaces": [], "links": [], "tables": [], "groups": [], "mounts": [], "files": []}
    for name in names or NAMES:
        mark = tag(name)
        every["namespaces"] += [path.name for path in Path("/run/netns").glob(f"yw-{mark}-*")]
        every["links"] += [link["ifname"] for link in json.loads(output("ip", "-j", "link")) if mark in link["ifname"]]
        every["tables"] += [line for line in output("nft", "list", "tables").splitlines() if mark in line]
        every["groups"] += [str(path) for root in cgroups.detect().roots for path in root.glob(f"*{mark}*")]
        every["mounts"] += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line or mark in line]
        every["files"] += [str(path) for path in Path("/run/systemd/nspawn").glob(f"*/*{mark}*")]
        every["files"] += [str(path) for path in Path("/var/lib/yiwang/lab").glob(f"*{mark}*")]
    return every


def nothing() -> dict[str, list[str]]:
    return {"namespaces": [], "links": [], "tables": [], "groups": [], "mounts": [], "files": []}


def processes(name: str) -> set[int]:
    """All processes of a lab, by the control groups of its hosts."""
    groups = cgroups.detect()
    return {pid for host in groups.found().get(tag(name), []) for pid in groups.processes(tag(name), host)}


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
