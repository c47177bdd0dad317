"""Looks at one host over SSH: one command that runs one small script."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from yiwang.messages import t
from yiwang.preflight.model import Needs, Seen
from yiwang.ssh import Access, Completed, Problem

_SCRIPT = Path(__file__).parent / "probe.sh"
_DOWNLOAD_SECONDS = 8
_PROBE_SECONDS = 60.0


async def look(access: Access, site: str, host: str, needs: Needs) -> Seen:
    """What there is to see of ``host``: as the automation account, else as the account of the first contact."""
    endpoint = access.hosts[host]
    pinned = tuple(access.trusted(host))
    if not pinned:
        shown = tuple(await access.scan(host))
        problem = Problem.KEY_UNKNOWN if shown else Problem.UNREACHABLE
        return Seen(site, host, endpoint, needs, shown=shown, problem=problem, detail=t("ssh.no_key"))
    user, began, answer, ended = access.user, *(await _ask(access, host, access.user, needs))
    if answer.problem is Problem.DENIED:
        user, began, answer, ended = access.bootstrap_user, *(await _ask(access, host, access.bootstrap_user, needs))
    if answer.problem is not None:
        shown = tuple(await access.scan(host)) if answer.problem is Problem.KEY_CHANGED else ()
        return Seen(site, host, endpoint, needs, pinned, shown, answer.problem, answer.err, user)
    facts = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    return Seen(site, host, endpoint, needs, pinned, pinned, None, answer.err, user, facts, _offset(facts, began, ended))


async def _ask(access: Access, host: str, user: str, needs: Needs) -> tuple[float, Completed, float]:
    command = shlex.join(["sh", "-s", "--", *needs.names])
    script = _variables(needs).encode() + _SCRIPT.read_bytes()
    began = time.time()
    answer = await access.run(host, command, user=user, stdin=script, timeout=_PROBE_SECONDS)
    return began, answer, time.time()


def _variables(needs: Needs) -> str:
    """The variables that the script begins with."""
    values = {
        "seconds": str(_DOWNLOAD_SECONDS),
        "places": " ".join(needs.disk),
        "stores": needs.storage.directory if needs.storage is not None else "",
        "environments": " ".join(f"{extra}={mark}" for extra, mark in needs.environments.items()),
        "apt_sources": needs.apt_sources,
        "apt_conf": needs.apt_conf,
        "authorities": needs.authorities,
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _offset(facts: dict[str, str], began: float, ended: float) -> tuple[float, float] | None:
    """The bounds of the host's lead: it said ``clock_begin`` after we began, and ``clock_end`` before we had ended."""
    try:
        return float(facts["clock_end"]) - ended, float(facts["clock_begin"]) - began
    except (KeyError, ValueError):
        return None
