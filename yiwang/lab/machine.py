"""Whether this machine can hold a lab, found out before anything is changed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.lab import cgroups, layers, records
from yiwang.lab.tools import environment, succeeds
from yiwang.messages import t

PACKAGES = ("mmdebstrap", "systemd-container", "nftables", "iproute2", "openssh-client", "netcat-openbsd")
_PROGRAMS = ("mmdebstrap", "systemd-nspawn", "nft", "ip", "ssh", "nc", "setpriv", "unshare", "nsenter", "setsid")
_SYSTEM = ("debian", "12")
_UNSHARED_MOUNT = ("unshare", "--mount", "--propagation", "private")
_NAT_HOOK = "{ type nat hook postrouting priority 100; }"
_MIB = 1 << 20
_DISK_BASE, _DISK_HOST = 2048 * _MIB, 768 * _MIB
_MEMORY_BASE, _MEMORY_HOST = 256 * _MIB, 320 * _MIB


@dataclass(frozen=True)
class Finding:
    """Something this machine lacks, and what to do about it."""

    text: str
    fix: str


def require(hosts: int) -> None:
    """Raises UserError (exit 4) with one line for each thing that is missing to hold ``hosts`` more hosts."""
    found = findings(hosts)
    if found:
        rest = tuple(f"{finding.text}; {finding.fix}" for finding in found[1:])
        raise UserError(found[0].text, code=ExitCode.MACHINE, fix=found[0].fix, lines=rest)


def require_root() -> None:
    """Raises UserError (exit 4) for everybody else: nothing of a lab can be seen or changed without root."""
    if os.geteuid() != 0:
        raise UserError(t("lab.not_root"), code=ExitCode.MACHINE, fix=t("lab.not_root_fix"))


def findings(hosts: int) -> list[Finding]:
    """Everything this machine lacks to hold ``hosts`` more hosts; nothing is changed by looking."""
    found = _system()
    if found:
        # Without root or the right system every other answer would mislead.
        return found
    found += _packages() + _room(hosts)
    if not found:
        found += _kernel()
    return found


def missing_packages() -> list[str]:
    """The Debian packages a lab needs that are not installed."""
    listing = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *PACKAGES],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    installed = {line.split()[0] for line in listing.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in PACKAGES if package not in installed]


def available_memory() -> int:
    """Bytes of memory that can be used without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return 0


def free_disk(path: Path) -> int:
    """Free bytes on the file system that holds ``path``, or will."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def _system() -> list[Finding]:
    if os.geteuid() != 0:
        return [Finding(t("lab.not_root"), t("lab.not_root_fix"))]
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    # Hosts are made of this machine's own release, and the roles are for that one.
    if (release.get("ID"), release.get("VERSION_ID")) != _SYSTEM:
        return [Finding(t("lab.not_debian", system=release.get("PRETTY_NAME", platform.system())), t("lab.not_debian_fix"))]
    return []


def _packages() -> list[Finding]:
    packages = missing_packages()
    if packages:
        listing = " ".join(packages)
        return [Finding(t("lab.packages_missing", packages=listing), t("lab.packages_missing_fix", packages=listing))]
    path = environment()["PATH"]
    programs = [program for program in _PROGRAMS if shutil.which(program, path=path) is None]
    return [Finding(t("lab.programs_missing", programs=", ".join(programs)), t("lab.programs_missing_fix"))] if programs else []


def _room(hosts: int) -> list[Finding]:
    found: list[Finding] = []
    for path, wanted in ((records.ROOT, _DISK_HOST * hosts), (layers.directory(), _DISK_BASE if not layers.found() else 0)):
        free = free_disk(path)
        if free < wanted:
            found.append(Finding(t("lab.no_disk", path=path, free=free // _MIB, wanted=wanted // _MIB), t("lab.no_disk_fix", path=path)))
    memory, wanted = available_memory(), _MEMORY_BASE + _MEMORY_HOST * hosts if hosts else 0
    if memory < wanted:
        found.append(Finding(t("lab.no_memory", free=memory // _MIB, wanted=wanted // _MIB), t("lab.no_memory_fix")))
    return found


def _kernel() -> list[Finding]:
    """Try what hosts are made of. Everything tried ends with the process that tries it."""
    try:
        cgroups.detect()
    except UserError as error:
        return [Finding(error.text, error.fix)]
    if not succeeds(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "true"]):
        return [Finding(t("lab.no_namespaces"), t("lab.no_namespaces_fix"))]
    # Overlays must work where the hosts will lie (not on top of another overlay, as inside most containers).
    place = records.ROOT
    while not place.exists():
        place = place.parent
    with _probe(place / ".yiwang-probe") as probe:
        for name in ("lower", "upper", "work", "root"):
            (probe / name).mkdir(exist_ok=True)
        options = f"lowerdir={probe}/lower,upperdir={probe}/upper,workdir={probe}/work"
        if not succeeds([*_UNSHARED_MOUNT, "mount", "-t", "overlay", "probe", "-o", options, f"{probe}/root"]):
            return [Finding(t("lab.no_overlay", path=place), t("lab.no_overlay_fix"))]
    if not succeeds(["unshare", "--net", "nft", f"add table inet probe; add chain inet probe post {_NAT_HOOK}"]):
        return [Finding(t("lab.no_nft"), t("lab.no_nft_fix"))]
    return []


@contextmanager
def _probe(path: Path) -> Iterator[Path]:
    """A directory to try things in, for one process at a time. Its name is fixed, so that a killed one's goes with the next."""
    with records.locked(lambda: path):
        try:
            yield path
        finally:
            shutil.rmtree(path)
