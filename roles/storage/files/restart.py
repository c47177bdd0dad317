"""Restarts a service of one member of several, so that the others go on meanwhile: it waits until those are well, and then until it is.

Arguments: a port, or nothing; the URL that says whether this one is well; JSON with those of the others that have ever run, of this run or
not; the command that restarts. One that was not well is restarted at once, for that may be its cure. One that was well is waited for; so is
any where the port of another member answers.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request

TLS = "/etc/yiwang/tls"
OTHERS_SECONDS = 60.0
# A big database that was stopped in the middle of its work has a log to go through.
SELF_SECONDS = 600.0


def context() -> ssl.SSLContext:
    """Who this host is, and whom it trusts."""
    found = ssl.create_default_context(cafile=f"{TLS}/ca.crt")
    found.load_cert_chain(f"{TLS}/host.crt", f"{TLS}/host.key")
    return found


def well(url: str) -> bool:
    """Whether it answers that it is; of PostgreSQL, that it runs, and where it does not lead, that it follows."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context()) as answer:  # noqa: S310 - https, written by the role
            said = answer.read()
            seen = json.loads(said) if said.startswith(b"{") else {}
    except (OSError, ValueError):
        return False
    follows = seen.get("role") != "replica" or seen.get("replication_state") == "streaming"
    return follows and seen.get("state", "running") == "running"


def until(url: str, seconds: float) -> bool:
    """Whether it becomes well within that time."""
    deadline = time.monotonic() + seconds
    while not well(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def answers(url: str, port: str) -> bool:
    """Whether somebody listens at a port of the host of a URL."""
    try:
        with socket.create_connection((urllib.parse.urlsplit(url).hostname or "", int(port)), timeout=3):
            return True
    except OSError:
        return False


def main() -> None:
    """Wait, restart, wait."""
    port, here, others, command = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]
    was_well = well(here)
    for url in others if was_well else ():
        if not until(url, OTHERS_SECONDS):
            sys.exit(
                f"not restarted, for another member is not well, and two may not be away at once: {url}; bring it back, or take its host "
                "out of the inventory"
            )
    waits = (was_well and bool(others)) or (bool(port) and any(answers(url, port) for url in others))
    subprocess.run(command, check=True)
    if waits and not until(here, SELF_SECONDS):
        sys.exit(f"restarted, and not well since: {here}")


if __name__ == "__main__":
    main()
