"""Looks at the host and prints one JSON object; changes nothing. Arguments: names of packages to look for."""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

CERTIFICATE = "/etc/yiwang/tls/host.crt"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
SETTINGS = "/etc/sysctl.d/90-yiwang.conf"
MODULES = "/etc/modprobe.d/yiwang.conf"
# What reads files only when it is told to, with its files (or patterns), and the handler that tells it: see reread.sh.
READS = {
    "chrony": ("/etc/chrony/chrony.conf", "/etc/default/chrony", "/etc/systemd/system/chrony.service.d/yiwang.conf"),
    "ssh": ("/etc/ssh/sshd_config",),
    "systemd-journald": ("/etc/systemd/journald.conf.d/zz-yiwang.conf",),
    "trust": ("/usr/local/share/ca-certificates/yiwang-*.crt",),
}
RECORDS = Path("/var/lib/yiwang/read")
SERVICES = ("nftables", "chrony", "ssh", "systemd-journald")
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
TRUSTED = Path("/etc/ssl/certs")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
FIRST_CLIENT_PORT = 32768


def run(*command: str, errors: bool = False) -> str:
    """Output of a command, or what it writes of errors, whatever its exit code; nothing when it is missing or hangs."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False, env=ENVIRONMENT)
        return done.stderr if errors else done.stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def read(path: str) -> str:
    """Text of a file, or nothing."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def pairs(text: str, separator: str) -> dict[str, str]:
    """Lines of keys and values."""
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


def system() -> dict[str, str]:
    """The distribution as /etc/os-release names it."""
    release = {key: value.strip('"') for key, value in pairs(read("/etc/os-release"), "=").items()}
    return {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "name": release.get("PRETTY_NAME", "")}


def session() -> dict[str, str]:
    """The SSH session that this runs in: addresses of both sides and our port; empty without one.

    sudo takes the variable away, so that it is read from the processes above us.
    """
    process = os.getppid()
    while process > 1:
        found = pairs(read(f"/proc/{process}/environ").replace("\0", "\n"), "=").get("SSH_CONNECTION", "").split()
        if len(found) == len(("peer", "its port", "host", "port")):
            return {"peer": found[0].partition("%")[0], "host": found[2].partition("%")[0], "port": found[3]}
        # The name in brackets may hold anything.
        process = int((read(f"/proc/{process}/stat").rpartition(")")[2].split() or ["", "0"])[1])
    return {}


def packages(names: list[str]) -> dict[str, str]:
    """Installed ones of the packages, with their versions."""
    lines = run("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\t${Version}\n", *names).splitlines() if names else []
    return {name: version for name, status, version in (line.split("\t") for line in lines) if status == "installed"}


def listening() -> list[str]:
    """Sockets that answer, as protocol/address:port; the short-lived ports of UDP clients are left out."""
    first = int((read("/proc/sys/net/ipv4/ip_local_port_range").split() or [str(FIRST_CLIENT_PORT)])[0])
    rows = [line.split() for line in run("ss", "-H", "-lntu").splitlines()]
    return sorted({f"{row[0]}/{row[4]}" for row in rows if row[0] == "tcp" or int(row[4].rpartition(":")[2]) < first})


def offered(sshd: dict[str, str]) -> str:
    """The ways to sign in that the running SSH server offers, joined by commas.

    Its file says so when the server has read it as it is. Else we ask as a client that has none of them: that stays in the log.
    """
    methods = sshd.get("authenticationmethods", "any")
    if methods != "any" and not unread("ssh"):
        return methods
    port = sshd.get("port", "22")
    options = {"PreferredAuthentications": "none", "StrictHostKeyChecking": "no", "UserKnownHostsFile": os.devnull, "ConnectTimeout": "5"}
    given = [f"-o{key}={value}" for key, value in {**options, "BatchMode": "yes", "LogLevel": "ERROR"}.items()]
    text = run("ssh", "-F", os.devnull, *given, "-p", port, "root@127.0.0.1", "true", errors=True)
    return text.rpartition("Permission denied (")[2].partition(")")[0] if "Permission denied (" in text else ""


def units() -> dict[str, dict[str, str]]:
    """State of the services."""
    text = run("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *(f"{name}.service" for name in SERVICES))
    found = (pairs(block, "=") for block in text.split("\n\n"))
    return {unit["Id"].removesuffix(".service"): unit for unit in found if unit.get("Id")}


def files_of(patterns: tuple[str, ...]) -> str:
    """The files as reread.sh puts them on record: name, inode, and time of the last change, which nobody sets back."""
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]  # noqa: PTH207 - patterns are absolute
    states = ((path, Path(path).stat()) for path in found)
    return "".join(f"{path} {each.st_ino} {each.st_ctime_ns // 10**9}.{each.st_ctime_ns % 10**9:09}\n" for path, each in states)


def unread(name: str) -> bool:
    """Whether the files that something reads are not the ones on record as read by it."""
    return files_of(READS[name]) != read(str(RECORDS / name))


def stale() -> list[str]:
    """Names of the handlers that an earlier run, or somebody else, owes."""
    found = [f"Restart {name}" for name in READS if name != "trust" and unread(name)]
    journal = Path("/var/log/journal", read("/etc/machine-id").strip())
    if "Restart systemd-journald" not in found and files_of(READS["systemd-journald"]) and not journal.is_dir():
        found.append("Restart systemd-journald")
    ours = {path.stem for path in LOCAL_AUTHORITIES.glob("yiwang-*.crt")}
    if unread("trust") or ours != {path.stem for path in TRUSTED.glob("yiwang-*.pem")}:
        found.append("Update the trusted certificates")
    if any(is_now not in {wanted, None} for wanted, is_now in settings().values()):
        found.append("Apply the kernel settings")
    return found


def settings() -> dict[str, tuple[str, str | None]]:
    """The kernel settings that the role has written, by key: what they shall be, and what they are (None: not in this kernel)."""
    wanted = pairs(read(SETTINGS).replace("\n-", "\n"), " = ")
    places = {key: Path("/proc/sys", key.replace(".", "/")) for key in wanted}
    return {key: (value, read(str(places[key])).strip() if places[key].exists() else None) for key, value in wanted.items()}


def main() -> None:
    """Print what there is to see."""
    ruleset = run("nft", "list", "ruleset")
    states = units()
    sshd = pairs(run("sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1"), " ")
    seen = {
        "os": system(),
        "machine": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "libc": platform.libc_ver()[1],
        "init": read("/proc/1/comm").strip(),
        "hostname": os.uname().nodename,
        "packages": packages(sys.argv[1:]),
        "packages_owed": bool(run("dpkg", "--audit")) or any(Path("/var/lib/dpkg/updates").glob("[0-9]*")),
        "ruleset": hashlib.sha256(ruleset.encode()).hexdigest(),
        "ruleset_loaded": read("/var/lib/yiwang/nftables.loaded").strip(),
        "certificate_not_after": pairs(run("openssl", "x509", "-in", CERTIFICATE, "-noout", "-enddate"), "=").get("notAfter", ""),
        "listening": listening(),
        "running": [name for name, unit in states.items() if (unit.get("ActiveState"), unit.get("UnitFileState")) == ("active", "enabled")],
        "stale": stale(),
        "settings_missing": sorted(key for key, (_, is_now) in settings().items() if is_now is None),
        "capability_files": [path for path in (SETTINGS, MODULES) if Path(path).exists()],
        "session": session(),
        "host_key": Path(HOST_KEY).is_file(),
        "sshd": sshd,
        "sshd_offers": offered(sshd),
    }
    print(json.dumps(seen, sort_keys=True))


if __name__ == "__main__":
    main()
