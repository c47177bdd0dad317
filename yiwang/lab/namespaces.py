"""Named network namespaces of labs: ``yw-<tag>-router``, ``yw-<tag>-operator`` and ``yw-<tag>-host-<host>``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yiwang.lab.tools import run

DIRECTORY = Path("/run/netns")
_NAME = re.compile(r"yw-(?P<tag>[0-9a-f]{6})-(router|operator|host-(?P<host>.+))")
# Not every machine has the program sysctl; the kernel's files are always there.
_SET = 'for each; do echo "${each#*=}" >"/proc/sys/$(echo "${each%%=*}" | tr . /)" || exit 1; done'
# Addresses are usable at once (no duplicate address detection), and nobody but us gives any.
_QUIET_IPV6 = ("net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.accept_ra=0")


def router(tag: str) -> str:
    """The namespace between the zones of a lab."""
    return f"yw-{tag}-router"


def operator(tag: str) -> str:
    """The namespace from which the operator reaches the hosts."""
    return f"yw-{tag}-operator"


def of_host(tag: str, host: str) -> str:
    """The namespace of one host."""
    return f"yw-{tag}-host-{host}"


def path(namespace: str) -> Path:
    """The file that stands for a namespace."""
    return DIRECTORY / namespace


def alive(namespace: str) -> bool:
    """Whether the namespace exists: after a restart of the machine its file can be there with nothing behind it."""
    try:
        return path(namespace).stat().st_dev == Path("/proc/self/ns/net").stat().st_dev
    except OSError:
        return False


def make(namespace: str) -> None:
    """Make the namespace with its loopback up, in place of one that is dead."""
    if path(namespace).exists():
        remove(namespace)
    run(["ip", "netns", "add", namespace])
    sysctl(namespace, *_QUIET_IPV6)
    run(["ip", "-n", namespace, "link", "set", "lo", "up"])


def remove(namespace: str) -> None:
    """Remove the namespace, dead or alive; its interfaces go with it, and with them their other ends."""
    if path(namespace).exists():
        run(["ip", "netns", "delete", namespace])


def sysctl(namespace: str, *settings: str) -> None:
    """Set kernel parameters (``name=value``) of one namespace."""
    run(["nsenter", f"--net={path(namespace)}", "sh", "-c", _SET, "sh", *settings])


def batch(namespace: str, commands: Iterable[str]) -> None:
    """Run many ``ip`` commands in one go; the first that fails ends it with UserError."""
    run(["ip", "-n", namespace, "-batch", "-"], stdin="".join(f"{command}\n" for command in commands))


def link(namespace: str | None, name: str) -> dict[str, Any] | None:
    """One interface as ``ip -j link show`` describes it, or none. Without a namespace: the machine's own."""
    where = ["-n", namespace] if namespace else []
    for found in json.loads(run(["ip", "-j", *where, "link", "show"]) or "[]"):
        if found.get("ifname") == name:
            return dict(found)
    return None


def found() -> dict[str, list[str]]:
    """The tags and hosts of the namespaces on this machine; a lab without hosts has an empty list."""
    labs: dict[str, list[str]] = {}
    for entry in sorted(DIRECTORY.glob("yw-*")) if DIRECTORY.is_dir() else []:
        if match := _NAME.fullmatch(entry.name):
            hosts = labs.setdefault(match["tag"], [])
            if match["host"]:
                hosts.append(match["host"])
    return labs


def remove_all(tag: str) -> None:
    """Remove every namespace of a lab."""
    for entry in sorted(DIRECTORY.glob(f"yw-{tag}-*")) if DIRECTORY.is_dir() else []:
        remove(entry.name)
