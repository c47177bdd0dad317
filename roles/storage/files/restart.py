"""Restarts a service of one member of several, so that the others go on meanwhile: it waits until those are well, and then until it is.

Arguments: when it waits for the service itself (``again``: if it was well before; ``always``: also where it is new), the URL that says
whether this one is well, JSON with those of the others that run, and the command that restarts. One that was not well is restarted at
once, for that may be its cure; one without others is not waited for: before new members start it may not be well.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.request

TLS = "/etc/yiwang/tls"
OTHERS_SECONDS = 60.0
# A big database that was stopped in the middle of its work has a log to go through.
SELF_SECONDS = 600.0
context = ssl.create_default_context(cafile=f"{TLS}/ca.crt")
context.load_cert_chain(f"{TLS}/host.crt", f"{TLS}/host.key")


def well(url: str) -> bool:
    """Whether it answers that it is; of PostgreSQL, that it runs, and where it does not lead, that it follows."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - https, written by the role
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


def main() -> None:
    """Wait, restart, wait."""
    waits, here, others, command = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]
    was_well = well(here)
    for url in others if was_well else ():
        if not until(url, OTHERS_SECONDS):
            sys.exit(f"not restarted, for another member is not well, and two may not be away at once: {url}")
    subprocess.run(command, check=True)
    if others and (was_well or waits == "always") and not until(here, SELF_SECONDS):
        sys.exit(f"restarted, and not well since: {here}")


main()
