"""Looks at the host and prints one JSON object; changes nothing. Arguments: names of packages to look for."""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

CERTIFICATE = "/etc/yiwang/tls/host.crt"
SERVICES = ("nftables", "chrony", "ssh")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
FIRST_CLIENT_PORT = 32768


def run(*command: str) -> str:
    """Output of a command, whatever its exit code; nothing when it is missing or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=ENVIRONMENT).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def read(path: str) -> str:
    """Text of a file, or nothing."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""


def pairs(text: str, separator: str) -> dict[str, str]:
    """Lines of keys and values."""
    return dict(line.split(separator, 1) for line in text.splitlines() if separator in line)


def system() -> dict[str, str]:
    """The distribution as /etc/os-release names it."""
    release = {key: value.strip('"') for key, value in pairs(read("/etc/os-release"), "=").items()}
    return {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "name": release.get("PRETTY_NAME", "")}


def packages(names: list[str]) -> dict[str, str]:
    """Installed ones of the packages, with their versions."""
    lines = run("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Status}\t${Version}\n", *names).splitlines() if names else []
    return {name: version for name, status, version in (line.split("\t") for line in lines) if status == "installed"}


def listening() -> list[str]:
    """Sockets that answer, as protocol/address:port; the short-lived ports of UDP clients are left out."""
    first = int((read("/proc/sys/net/ipv4/ip_local_port_range").split() or [str(FIRST_CLIENT_PORT)])[0])
    rows = [line.split() for line in run("ss", "-H", "-lntu").splitlines()]
    return sorted({f"{row[0]}/{row[4]}" for row in rows if row[0] == "tcp" or int(row[4].rpartition(":")[2]) < first})


def service(name: str) -> dict[str, str]:
    """Whether a unit runs, and starts at boot."""
    return pairs(run("systemctl", "show", "--property=ActiveState,UnitFileState", name), "=")


def main() -> None:
    """Print what there is to see."""
    ruleset = run("nft", "list", "ruleset")
    seen = {
        "os": system(),
        "machine": platform.machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "init": read("/proc/1/comm").strip(),
        "hostname": os.uname().nodename,
        "packages": packages(sys.argv[1:]),
        "ruleset": hashlib.sha256(ruleset.encode()).hexdigest(),
        "ruleset_loaded": read("/var/lib/yiwang/nftables.loaded").strip(),
        "certificate_not_after": pairs(run("openssl", "x509", "-in", CERTIFICATE, "-noout", "-enddate"), "=").get("notAfter", ""),
        "listening": listening(),
        "services": {name: service(name) for name in SERVICES},
        "sshd": pairs(run("sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1"), " "),
    }
    print(json.dumps(seen, sort_keys=True))


main()
