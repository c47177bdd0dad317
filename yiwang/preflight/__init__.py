"""Preflight: tries everything that can fail later, on all hosts at once, and changes nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from yiwang.inventory.model import Host, Province, Site
from yiwang.messages import t
from yiwang.preflight import needs, probe
from yiwang.preflight.checks import judge
from yiwang.preflight.model import Finding
from yiwang.ssh import Access


async def run(
    province: Province, hosts: Iterable[tuple[Site, Host]], run_dir: Path, done: Callable[[Host], None] = lambda _host: None
) -> list[Finding]:
    """All findings: about this machine first, then host by host in the order given. ``done`` is called as hosts finish."""
    access = Access(province, run_dir)

    async def one(site: Site, host: Host) -> list[Finding]:
        findings = judge(await probe.look(access, site.name, host.name, needs.of(site, host)))
        done(host)
        return findings

    found = await asyncio.gather(*(one(site, host) for site, host in hosts))
    return [*_this_machine(access), *(finding for findings in found for finding in findings)]


def _this_machine(access: Access) -> list[Finding]:
    """The findings about the operator's machine: the key and the programs that a run needs."""
    findings = []
    if os.access(access.key_file, os.R_OK):
        findings.append(Finding("-", "-", "key_file", "ok", str(access.key_file)))
    else:
        text, fix = t("preflight.key_file", path=access.key_file), t("preflight.key_file_fix")
        findings.append(Finding("-", "-", "key_file", "fail", text, fix))
    playbook = Path(sys.executable).parent / "ansible-playbook"
    if playbook.is_file():
        findings.append(Finding("-", "-", "ansible", "ok", str(playbook)))
    else:
        findings.append(Finding("-", "-", "ansible", "fail", t("preflight.ansible", path=playbook), t("preflight.ansible_fix")))
    return findings


__all__ = ["Finding", "run"]
