"""A control group for each host: accounting, and the only sure way to end everything a host started.

The one module that knows how machines differ here:

- ``v1``: cgroup v1, alone or hybrid. Directories ``yiwang-lab/<tag>/<host>`` in the hierarchies used.
- ``v2``: cgroup v2 where PID 1 is not systemd. The same directory in the one hierarchy.
- ``v2-systemd``: cgroup v2 under systemd, which owns the tree: each host is a transient scope with ``Delegate=yes``.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from yiwang.errors import ExitCode, UserError
from yiwang.lab.tools import succeeds, wait_until
from yiwang.messages import t

Kind = Literal["v1", "v2", "v2-systemd"]

# nspawn finds a container's processes in the named hierarchy; memory and cpu are for accounting, pids against fork bombs.
_V1_HIERARCHIES = ("systemd", "memory", "cpu", "cpuacct", "cpu,cpuacct", "pids", "unified")
_V2_CONTROLLERS = "+memory +pids +cpu"
_SLICE = "yiwang-lab.slice"
# Enters the control groups given before "--" and becomes the program given after it.
_ENTER = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 1; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Cgroups:
    """The control groups of this machine. ``roots`` hold the labs' groups; the first one lists the processes."""

    kind: Kind
    roots: tuple[Path, ...]

    def groups(self, tag: str, host: str) -> tuple[Path, ...]:
        """The directories of one host's group, whether they exist or not."""
        if self.kind == "v2-systemd":
            return (self.roots[0] / f"{_unit(tag, host)}.scope",)
        return tuple(root / tag / host for root in self.roots)

    def entering(self, tag: str, host: str, argv: Sequence[str]) -> list[str]:
        """The command that runs ``argv`` inside the host's group, from its first instruction on."""
        if self.kind == "v2-systemd":
            options = ["--scope", "--quiet", "--collect", f"--slice={_SLICE}", f"--unit={_unit(tag, host)}", "--property=Delegate=yes"]
            return ["systemd-run", *options, "--", *argv]
        groups = self.groups(tag, host)
        try:
            for group in groups:
                group.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable() from error
        if self.kind == "v2":
            _delegate(groups[0])
        return ["sh", "-c", _ENTER, "sh", *(str(group / "cgroup.procs") for group in groups), "--", *argv]

    def processes(self, tag: str, host: str) -> list[int]:
        """The process ids in the host's group and all groups below it."""
        group = self.groups(tag, host)[0]
        before: list[Path] | None = None
        while True:
            found: list[int] = []
            directories = list(_below(group))
            for directory in directories:
                with contextlib.suppress(OSError):
                    found += [int(line) for line in (directory / "cgroup.procs").read_text().split()]
            # A process that moves into a group made this moment is in none of those looked at: nobody twice, in the same groups.
            if found or directories == before:
                return found
            before = directories

    def memory(self, tag: str, host: str) -> int | None:
        """Bytes of memory the host uses, without file cache the kernel can drop; None where the machine does not account."""
        for group in self.groups(tag, host):
            for name, cache in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
                with contextlib.suppress(OSError, ValueError):
                    used = int((group / name).read_text())
                    return max(0, used - _statistic(group / "memory.stat", cache))
        return None

    def kill(self, tag: str, host: str, seconds: float = 20.0) -> None:
        """End every process of the host's group at once, and remove the group. Raises UserError when some survive."""
        if not wait_until(lambda: self._killed(tag, host), seconds):
            left = ", ".join(str(pid) for pid in self.processes(tag, host))
            raise UserError(t("lab.not_killed", host=host, pids=left), code=ExitCode.MACHINE, fix=t("lab.not_killed_fix"))
        if self.kind == "v2-systemd":
            # Returns when systemd has forgotten the scope, so that the name is free for the next start.
            succeeds(["systemctl", "stop", f"{_unit(tag, host)}.scope"])
            return
        for group in self.groups(tag, host):
            _remove(group)

    def remove_lab(self, tag: str) -> None:
        """Remove the empty groups of a lab, and the labs' own when this was the last one."""
        if self.kind == "v2-systemd":
            if not self.found():
                succeeds(["systemctl", "stop", _SLICE, "yiwang.slice"])
            return
        for root in self.roots:
            _remove(root / tag)
            with contextlib.suppress(OSError):
                root.rmdir()

    def found(self) -> dict[str, list[str]]:
        """The tags and hosts that have groups on this machine."""
        labs: dict[str, list[str]] = {}
        for root in self.roots:
            if self.kind == "v2-systemd":
                pairs = [path.stem.removeprefix("yiwang-lab-").split("-", 1) for path in root.glob("yiwang-lab-*.scope")]
            else:
                pairs = [[path.parent.name, path.name] for path in root.glob("*/*/")]
                labs |= {path.name: labs.get(path.name, []) for path in root.glob("*/")}
            for tag, host in (pair for pair in pairs if len(pair) == 2):
                if host not in labs.setdefault(tag, []):
                    labs[tag].append(host)
        return labs

    def _killed(self, tag: str, host: str) -> bool:
        """Send KILL to what is left; True when nothing is."""
        processes = self.processes(tag, host)
        for pid in processes:
            with contextlib.suppress(OSError):
                descriptor = os.pidfd_open(pid)
                try:
                    # Looked up again with the process pinned: a number used anew by a stranger is not hit.
                    if pid in self.processes(tag, host):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                finally:
                    os.close(descriptor)
        return not processes


def detect(mounts: str | None = None, init: str | None = None) -> Cgroups:
    """The control groups of this machine, or of one described by its ``/proc/self/mountinfo`` and the name of its PID 1.

    Raises UserError (exit 4) when there are none that can be used.
    """
    mounts = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    init = Path("/proc/1/comm").read_text().strip() if init is None else init
    points = _cgroup_mounts(mounts)
    if points.get(Path("/sys/fs/cgroup")) == "cgroup2":
        if init == "systemd":
            return Cgroups("v2-systemd", (Path("/sys/fs/cgroup/yiwang.slice") / _SLICE,))
        return Cgroups("v2", (Path("/sys/fs/cgroup/yiwang-lab"),))
    roots = tuple(point / "yiwang-lab" for name in _V1_HIERARCHIES if (point := Path("/sys/fs/cgroup") / name) in points)
    if not roots or roots[0].parent.name != "systemd":
        raise _unusable()
    return Cgroups("v1", roots)


def _unusable() -> UserError:
    return UserError(t("lab.no_cgroups"), code=ExitCode.MACHINE, fix=t("lab.no_cgroups_fix"))


def _cgroup_mounts(mounts: str) -> dict[Path, str]:
    """Where control groups are mounted and can be written to (containers often show them read-only), and of which kind."""
    found: dict[Path, str] = {}
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if after[0] in ("cgroup", "cgroup2"):
            # A later line of the same place lies over the ones before.
            found[Path(before[4])] = "" if "ro" in {*before[5].split(","), *after[2].split(",")} else after[0]
    return {point: kind for point, kind in found.items() if kind}


def _unit(tag: str, host: str) -> str:
    return f"yiwang-lab-{tag}-{host}"


def _delegate(group: Path) -> None:
    """Let the accounting controllers reach the host's group; a machine may hold them back, then only numbers are missing."""
    for directory in reversed(group.parents[:3]):
        if (directory / "cgroup.subtree_control").exists():
            with contextlib.suppress(OSError):
                (directory / "cgroup.subtree_control").write_text(_V2_CONTROLLERS)


def _statistic(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _below(group: Path) -> Iterator[Path]:
    for directory, _, _ in os.walk(group):
        yield Path(directory)


def _remove(group: Path) -> None:
    """Remove an empty group and those below it; a group just left can be busy for an instant."""

    def gone() -> bool:
        for directory in sorted(_below(group), key=lambda path: len(path.parts), reverse=True):
            with contextlib.suppress(OSError):
                directory.rmdir()
        return not group.exists()

    wait_until(gone, 5.0)
