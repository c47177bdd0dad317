"""Waits until the cluster has a leader and this member takes part, then brings the cluster's settings to what they shall be.

The leader alone changes those; a member whose new settings need a restart restarts PostgreSQL, the leader after all others. Standard
input: JSON with ``host`` (this member's name in certificates), ``cluster`` (settings), ``reloaded`` (whether a reload was asked for
just now), ``dry``. Prints what it has done, one line each.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
from typing import Any

TLS = "/etc/yiwang/tls"
PORT = 8008
START_SECONDS = 150.0
OTHERS_SECONDS = 120.0
# Two rounds of Patroni's loop: in the first one it reads its files, in the second one it says what they ask for.
RELOAD_SECONDS = 12.0
given = json.load(sys.stdin)
context = ssl.create_default_context(cafile=f"{TLS}/ca.crt")
context.load_cert_chain(f"{TLS}/host.crt", f"{TLS}/host.key")


def ask(method: str, path: str, body: Any = None, seconds: float = 10.0) -> tuple[int, Any]:
    """Status and answer of this host's Patroni; 0 when it does not answer."""
    connection = http.client.HTTPSConnection(given["host"], PORT, context=context, timeout=seconds)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def member() -> dict[str, Any]:
    """This member as Patroni sees it; empty when it does not answer."""
    said = ask("GET", "/patroni")[1]
    return said if isinstance(said, dict) else {}


def cluster() -> list[dict[str, Any]]:
    """All members."""
    said = ask("GET", "/cluster")[1]
    return list(said.get("members", ())) if isinstance(said, dict) else []


def leads(one: dict[str, Any]) -> bool:
    """Whether a member is the leader."""
    return one.get("role") in {"leader", "primary", "master"}


def ready() -> bool:
    """Whether there is a leader, and this member is it or follows it."""
    here = member()
    found = cluster()
    mine = next((one for one in found if one.get("host") == given["host"]), {})
    leader = any(leads(one) and one.get("state") == "running" for one in found)
    return leader and here.get("state") == "running" and (leads(here) or mine.get("state") == "streaming")


def lacking(wanted: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """The part of ``wanted`` that is not so."""
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        now = there.get(key)
        if isinstance(value, dict):
            below = lacking(value, now if isinstance(now, dict) else {})
            if below:
                found[key] = below
        elif now != value:
            found[key] = value
    return found


def wait(seconds: float, what: str, condition: Any) -> None:
    """Until ``condition()`` holds; ends the program with ``what`` when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(what)
        time.sleep(0.5)


def restart() -> None:
    """Restart PostgreSQL here; the leader after the others, so that one of them could take over."""
    if leads(member()):
        others = [one["name"] for one in cluster() if one.get("host") != given["host"]]
        wait(
            OTHERS_SECONDS,
            f"these have to be restarted first: {', '.join(others)}",
            lambda: not any(one.get("pending_restart") for one in cluster() if one.get("host") != given["host"]),
        )
    status, said = ask("POST", "/restart", {}, seconds=120.0)
    if status != 200:
        sys.exit(f"PostgreSQL was not restarted: {said}")
    print("PostgreSQL restarted, for settings that need it")
    wait(START_SECONDS, "PostgreSQL does not run after its restart", ready)


def main() -> None:
    """Do everything."""
    if not given["dry"]:
        wait(START_SECONDS, f"no leader, or this member does not follow it: {json.dumps(cluster() or member())}", ready)
    patched = False
    if leads(member()):
        change = lacking(given["cluster"], ask("GET", "/config")[1] or {})
        if change:
            print(f"settings of the cluster: {json.dumps(change, sort_keys=True)}")
            patched = not given["dry"]
            if patched and ask("PATCH", "/config", change)[0] != 200:
                sys.exit("the settings of the cluster were refused")
    deadline = time.monotonic() + (RELOAD_SECONDS if given["reloaded"] or patched else 0)
    while not member().get("pending_restart") and time.monotonic() < deadline:
        time.sleep(0.5)
    if member().get("pending_restart"):
        if given["dry"]:
            print("PostgreSQL would be restarted")
        else:
            restart()


main()
