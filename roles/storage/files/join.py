"""Decides how a member of etcd starts for the first time, whether it begins a cluster or joins one, and starts it.

Never two clusters: one begins only when this run sees all members and none of them knows another cluster. It is started here, because
the next member can only join when the one before it runs. Standard input: JSON with ``directory``, ``name``, ``members`` (each with
``name``, ``host``, and ``joined`` and ``first`` where this run sees it), ``start`` (a command). Prints what it has done.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SECONDS = 60.0
TLS = "/etc/yiwang/tls"
given = json.load(sys.stdin)
members: list[dict[str, Any]] = given["members"]
mine: dict[str, Any] = next(member for member in members if member["name"] == given["name"])
others = [member for member in members if member is not mine]
directory = Path(given["directory"])
# Host -> what etcdctl has said last where it failed.
told: dict[str, str] = {}


def peer(member: dict[str, Any]) -> str:
    """Where its neighbours reach a member."""
    return f"https://{member['host']}:2380"


def settings(state: str, urls: dict[str, str]) -> str:
    """The settings of a first start, for systemd."""
    cluster = ",".join(f"{name}={url}" for name, url in sorted(urls.items()))
    return f"ETCD_INITIAL_CLUSTER_STATE={state}\nETCD_INITIAL_CLUSTER={cluster}\n"


def etcdctl(host: str, *command: str) -> dict[str, Any] | None:
    """What a command says as JSON; None when it fails."""
    options = ["--endpoints", f"https://{host}:2379", "--dial-timeout=3s", "--command-timeout=5s", "-w", "json"]
    options += [f"--cacert={TLS}/ca.crt", f"--cert={TLS}/host.crt", f"--key={TLS}/host.key"]
    environment = {"PATH": "/usr/bin:/bin", "ETCDCTL_API": "3"}
    done = subprocess.run(["/usr/bin/etcdctl", *options, *command], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        told[host] = (done.stderr.strip().splitlines() or ["no reason is told"])[-1]
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


def joining() -> str | None:
    """The settings by which a cluster that is there already is joined; None when nobody answers, or it cannot be joined yet."""
    for other in others:
        found = etcdctl(other["host"], "member", "list")
        if found is None:
            continue
        entry = next((each for each in found["members"] if peer(mine) in each["peerURLs"]), None)
        if entry is not None and entry.get("name") and not entry.get("clientURLs"):
            return settings("new", {each["name"]: peer(each) for each in members})  # the cluster begins just now, with us in it
        if entry is not None and entry.get("clientURLs"):
            # It has worked and its data is gone: a host made anew. Under its old number it would vote on what it does not know.
            if etcdctl(other["host"], "member", "remove", f"{entry['ID']:x}") is None:
                return None
            entry = None
        # Who is no longer listed was replaced: while it is away nobody could be added.
        listed = {peer(each) for each in members}
        for gone in [each for each in found["members"] if listed.isdisjoint(each["peerURLs"])]:
            if etcdctl(other["host"], "member", "remove", f"{gone['ID']:x}") is None:
                return None
            found["members"].remove(gone)
        if entry is None and (etcdctl(other["host"], "member", "add", mine["name"], f"--peer-urls={peer(mine)}") is None):
            return None
        known = {each["name"]: each["peerURLs"][0] for each in found["members"] if each.get("name") and peer(mine) not in each["peerURLs"]}
        return settings("existing", {**known, mine["name"]: peer(mine)})
    return None


def decided() -> str:
    """The settings of the first start. Ends the program when none can be had."""
    fresh = settings("new", {member["name"]: peer(member) for member in members})
    all_here = all("joined" in member for member in members)
    deadline = time.monotonic() + SECONDS
    while True:
        found = joining()
        if found is not None:
            return found
        # Those that have begun may be waiting for us: then they have begun the same cluster.
        if all_here and all(other["first"] == fresh for other in others if other["joined"]):
            return fresh
        if time.monotonic() > deadline:
            said = "; ".join(f"{host}: {reason}" for host, reason in told.items()) or ", ".join(other["host"] for other in others)
            sys.exit(f"no cluster can be joined, and one may only begin with all members: {said}")
        time.sleep(2)


def main() -> None:
    """Write the settings where they are needed, and start."""
    text = decided()
    fresh = directory / ".etcd.first"
    fresh.write_text(text, encoding="utf-8")
    os.sync()
    fresh.replace(directory / "etcd.first")
    print(text.splitlines()[0])
    done = subprocess.run(given["start"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"etcd does not start: {done.stderr.strip()}")


main()
