"""The servers: a root of layers with an own one on top, systemd-nspawn in a control group and a network of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.lab import carry, namespaces, records, uplink
from yiwang.lab.cgroups import Cgroups
from yiwang.lab.spec import LabHost, LabSpec, tag
from yiwang.lab.tools import environment, run, wait_until
from yiwang.messages import t

_STOP_SECONDS = 8.0
_NSPAWN = "systemd-nspawn"
_PROPAGATE = Path("/run/systemd/nspawn/propagate")
# The mount lives in a namespace of the host's own: when the host ends, however it ends, the kernel takes the mount away.
_MOUNT = 'mount -t overlay "$1" -o "$2" "$3" && shift 3 && exec "$@"'


@dataclass(frozen=True)
class HostFiles:
    """Where one host lies on this machine."""

    path: Path

    @property
    def upper(self) -> Path:
        """The host's own writes, over its layers."""
        return self.path / "upper"

    @property
    def console(self) -> Path:
        """What the host printed on its console since it was made."""
        return self.path / "console.log"

    @property
    def meta(self) -> Path:
        """The layers it was made on; the last file written, so a directory without it is half made."""
        return self.path / "host.json"

    def made(self) -> bool:
        """Whether the host was made completely."""
        return self.meta.is_file()

    def layers(self) -> list[Path]:
        """The trees below the host's own, topmost first."""
        return [Path(layer) for layer in json.loads(self.meta.read_text())["layers"]]

    def host_key(self) -> str | None:
        """The public SSH key of the host, "ssh-ed25519 AAAA…"."""
        try:
            return " ".join((self.upper / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2])
        except OSError:
            return None


def files(lab: str, host: str) -> HostFiles:
    """The place of a host."""
    return HostFiles(records.directory(lab) / "hosts" / host)


def known(lab: str) -> list[str]:
    """The hosts that have a place, made or half made."""
    return records.listed(records.directory(lab) / "hosts")


def make(spec: LabSpec, host: LabHost, layers: tuple[Path, ...], private: Mapping[Path, bytes]) -> None:
    """Make the host's files: a fresh machine id, host key and the first authorized key. A half-made one is replaced.

    ``private`` is what only hosts get of the machine's package configuration, by path.
    """
    place = files(spec.name, host.name)
    wipe(spec.name, host.name)
    for path, mode in ((place.path, 0o700), (place.upper, 0o755), (place.path / "work", 0o700), (place.path / "root", 0o755)):
        path.mkdir(parents=True, mode=mode)
        path.chmod(mode)
    upper = place.upper
    for name, mode in (("etc", 0o755), ("etc/ssh", 0o755), ("root", 0o700), ("root/.ssh", 0o700)):
        (upper / name).mkdir(mode=mode)
    _write(upper / "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    _write(upper / "etc/hostname", f"{host.name}\n")
    _write(upper / "etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n::1 localhost ip6-localhost ip6-loopback\n")
    _write(upper / "root/.ssh/authorized_keys", f"{spec.authorized_key.strip()}\n", 0o600)
    if host.port != 22:
        (upper / "etc/ssh/sshd_config.d").mkdir(mode=0o755)
        _write(upper / "etc/ssh/sshd_config.d/90-port.conf", f"Port {host.port}\n")
    key = upper / "etc/ssh/ssh_host_ed25519_key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(key)])
    carry.place(private, upper, 0o600)
    write_atomic(place.meta, json.dumps({"layers": [str(layer) for layer in layers]}))


def start(spec: LabSpec, host: LabHost, groups: Cgroups) -> None:
    """Start a host that is made, has its network and is not running. It lives on when this process ends.

    Raises UserError when a layer it was made on is gone.
    """
    mark, place = tag(spec.name), files(spec.name, host.name)
    layers = place.layers()
    missing = [layer for layer in layers if not layer.is_dir()]
    if missing:
        raise UserError(
            t("lab.layer_gone", host=host.name, layer=missing[0]), code=ExitCode.FAILED, fix=t("lab.layer_gone_fix", host=host.name)
        )
    # Never two inits on one root: whatever an earlier end left over goes first.
    groups.kill(mark, host.name)
    _refresh_resolver(place)
    root = place.path / "root"
    overlay = f"lowerdir={':'.join(map(str, layers))},upperdir={place.upper},workdir={place.path / 'work'}"
    mounted = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _MOUNT, "sh", f"yiwang-{mark}-{host.name}", overlay, str(root)]
    command = groups.entering(mark, host.name, [*mounted, *_nspawn(mark, host.name, root)])
    with place.console.open("ab") as console:
        place.console.chmod(0o600)
        subprocess.run(
            ["setsid", "--fork", *command],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            check=True,
            env=_supervisor_environment(),
            cwd="/",
        )
    # From here on the host can be found by its group; without it, it has ended already and its console says why.
    wait_until(lambda: bool(groups.processes(mark, host.name)), 5.0, 0.005)


def running(lab: str, host: str, groups: Cgroups) -> bool:
    """Whether the host runs under its supervisor (after a ``kill -9`` of that, its orphans do not count)."""
    return _supervisor(tag(lab), host, groups) is not None


def uptime(lab: str, host: str, groups: Cgroups) -> float | None:
    """Seconds since the host was started; None when it does not run."""
    pid = _supervisor(tag(lab), host, groups)
    if pid is None:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    return None


def stop(lab: str, hosts: Sequence[str], groups: Cgroups) -> None:
    """Ask hosts to shut down in order, all at once; what has not after a few seconds is ended."""
    for host in hosts:
        pid = _supervisor(tag(lab), host, groups)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for host in hosts:
        # Orphans without a supervisor have nobody to ask.
        wait_until(lambda: not running(lab, host, groups), deadline - time.monotonic(), 0.05)  # noqa: B023 - used in this turn only
        groups.kill(tag(lab), host)


def wipe(lab: str, host: str) -> None:
    """Remove the files of a host that does not run."""
    # nspawn leaves this one behind where /run is an ordinary file system.
    with contextlib.suppress(OSError):
        (_PROPAGATE / _machine(tag(lab), host)).rmdir()
    place = files(lab, host).path
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in sorted((mount for mount in mounts if mount == str(place) or mount.startswith(f"{place}/")), reverse=True):
        run(["umount", "--lazy", mount])
    if place.exists():
        run(["rm", "--recursive", "--force", "--one-file-system", str(place)], timeout=300)


def console_tail(lab: str, host: str, count: int = 15) -> str:
    """The last lines of a host's console."""
    try:
        lines = files(lab, host).console.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-count:])


def _supervisor(mark: str, host: str, groups: Cgroups) -> int | None:
    for pid in groups.processes(mark, host):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == _NSPAWN:
                return pid
    return None


def _machine(mark: str, host: str) -> str:
    """What nspawn calls the host: hosts of two labs can have the same name."""
    return f"yw-{mark}-{host}"


def _nspawn(mark: str, host: str, root: Path) -> list[str]:
    """The host's supervisor. No CAP_SYS_TIME: a clock daemon in a host would step the machine's clock."""
    return [
        _NSPAWN,
        "--quiet",
        "--keep-unit",
        "--register=no",
        f"--directory={root}",
        f"--network-namespace-path={namespaces.path(namespaces.of_host(mark, host))}",
        "--boot",
        f"--machine={_machine(mark, host)}",
        f"--hostname={host}",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--capability=CAP_NET_ADMIN",
        "--console=read-only",
        # For the host's init: tell on the console what starts and what fails.
        "--",
        "--show-status=1",
    ]


def _supervisor_environment() -> dict[str, str]:
    """Where programs are, and nothing else of this process's environment; a host rules its own network parameters.

    nspawn's lock files are left behind by a kill, and guard nothing here: every start mounts a file system of its own.
    """
    kept = {name: value for name, value in environment().items() if name in ("PATH", "LC_ALL")}
    return {**kept, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network", "SYSTEMD_NSPAWN_LOCK": "0"}


def _refresh_resolver(place: HostFiles) -> None:
    """Follow the machine's name servers, unless the host's file was changed since we wrote it."""
    target, ours = place.upper / "etc/resolv.conf", place.path / "resolv.conf"
    absent = not (target.exists() or target.is_symlink())
    if absent or (ours.exists() and target.is_file() and target.read_bytes() == ours.read_bytes()):
        text = uplink.resolv_conf()
        _write(ours, text)
        shutil.copyfile(ours, target)
        target.chmod(0o644)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)
