"""Looks at the host and prints one JSON object; changes nothing. Arguments: names of packages to look for."""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import datetime
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
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
# Services, and the files that they read when they start; the firewall's own digest says whether it is in force.
READS = {
    "nftables": (),
    "chrony": ("/etc/chrony/chrony.conf", "/etc/default/chrony", "/etc/systemd/system/chrony.service.d/yiwang.conf"),
    "ssh": ("/etc/ssh/sshd_config",),
    "systemd-journald": ("/etc/systemd/journald.conf.d/zz-yiwang.conf",),
}
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


def offered(port: str) -> str:
    """The ways to sign in that the running SSH server offers, joined by commas, as a client sees them that has none of them."""
    options = {"PreferredAuthentications": "none", "StrictHostKeyChecking": "no", "UserKnownHostsFile": os.devnull, "ConnectTimeout": "5"}
    given = [f"-o{key}={value}" for key, value in {**options, "BatchMode": "yes", "LogLevel": "ERROR"}.items()]
    text = run("ssh", "-F", os.devnull, *given, "-p", port, "root@127.0.0.1", "true", errors=True)
    return text.rpartition("Permission denied (")[2].partition(")")[0] if "Permission denied (" in text else ""


def units() -> dict[str, dict[str, str]]:
    """State of the services, and when it last changed (a restart or a reload), in seconds since 1970."""
    properties = "--property=Id,ActiveState,UnitFileState,StateChangeTimestamp"
    text = run("systemctl", "show", "--timestamp=us+utc", properties, *(f"{name}.service" for name in READS))
    found = (pairs(block, "=") for block in text.split("\n\n"))
    return {unit["Id"].removesuffix(".service"): unit for unit in found if unit.get("Id")}


def instant(text: str) -> float:
    """A time as systemd writes it; 0 for none."""
    try:
        return datetime.datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return 0.0


def written(path: Path) -> float:
    """When a file last changed in any way, by the kernel's account (nobody sets that back); 0 when it is missing."""
    return path.stat().st_ctime if path.is_file() else 0.0


def stale(states: dict[str, dict[str, str]]) -> list[str]:
    """Names of the handlers that an earlier run owed: files that are newer than what reads them."""
    found = []
    for name, files in READS.items():
        since = instant(states.get(name, {}).get("StateChangeTimestamp", ""))
        if states.get(name, {}).get("ActiveState") == "active" and any(written(Path(file)) > since for file in files):
            found.append(f"Restart {name}")
    journal = Path("/var/log/journal", read("/etc/machine-id").strip())
    if written(Path(READS["systemd-journald"][0])) and not journal.is_dir():
        found.append("Restart systemd-journald")
    ours = {path.stem: path for path in LOCAL_AUTHORITIES.glob("yiwang-*.crt")}
    known = {path.stem for path in TRUSTED.parent.glob("yiwang-*.pem")}
    if set(ours) != known or any(written(path) > written(TRUSTED) for path in ours.values()):
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
        "stale": stale(states),
        "settings_missing": sorted(key for key, (_, is_now) in settings().items() if is_now is None),
        "capability_files": [path for path in (SETTINGS, MODULES) if Path(path).exists()],
        "session": session(),
        "host_key": Path(HOST_KEY).is_file(),
        "sshd": sshd,
        "sshd_offers": offered(sshd.get("port", "22")),
    }
    print(json.dumps(seen, sort_keys=True))


if __name__ == "__main__":
    main()
