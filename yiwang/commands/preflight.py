"""``yiwang preflight``: everything that can fail later, tried now."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import typer

from yiwang.commands._options import (
    EngineOption,
    HostOption,
    InventoryOption,
    JsonOption,
    QuietOption,
    SiteOption,
    example,
    inventory_directory,
)
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console
from yiwang.preflight.model import Finding, Verdict


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("preflight.help"), epilog=example("yiwang preflight -i inventories/shandong", 0, 3, 4, 7))
    def preflight(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        host: HostOption = None,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: nothing is in the way; 7: something is."""
        from yiwang import inventory as inventories  # noqa: PLC0415 - help needs none of it
        from yiwang import preflight as checks  # noqa: PLC0415
        from yiwang.deployment.selection import select  # noqa: PLC0415
        from yiwang.rundir import RunDir  # noqa: PLC0415

        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        selection = select(province, site, host)
        hosts = [(each, server) for each in selection.sites for server in each.hosts if server.name in (selection.hosts or province.hosts)]
        console.progress(t("preflight.looking", hosts=len(hosts)))
        with RunDir() as run:
            # Of single hosts alone is asked: what the site brings along is none of theirs.
            sites = () if selection.hosts else selection.sites
            found = asyncio.run(
                checks.run(
                    province,
                    hosts,
                    run.path,
                    lambda server: console.progress(t("preflight.host_done", host=server.name)),
                    engine_name,
                    sites,
                )
            )
        counts = Counter(finding.verdict for finding in found)
        console.result({"counts": dict(counts), "findings": found}, _text(found, counts, len(hosts)))
        return ExitCode.FINDINGS if counts["fail"] else ExitCode.OK


def _text(found: list[Finding], counts: Counter[Verdict], hosts: int) -> str:
    """What is wrong, each with its fix, what storage needs, what was not looked at and why, and one line about the whole."""
    lines = []
    for finding in found:
        # What the numbers come from is to be seen where they suffice, too.
        if finding.verdict in {"fail", "warn"} or finding.sizing is not None:
            lines.append(f"{t(f'preflight.verdict_{finding.verdict}')}  {finding.site}  {finding.host}  {finding.check}: {finding.text}")
            lines += [f"      {line}" for line in (finding.sizing.details if finding.sizing is not None else ())]
        if finding.verdict in {"fail", "warn"}:
            lines.append(f"      {t('preflight.fix')}: {finding.fix}")
    lines += _skipped(finding for finding in found if finding.verdict == "skip")
    if counts["fail"] or counts["warn"] or counts["skip"]:
        summary = t("preflight.failed", failed=counts["fail"], warnings=counts["warn"], skipped=counts["skip"], checks=len(found))
    else:
        summary = t("preflight.passed", checks=len(found), hosts=hosts)
    return "\n".join([*lines, summary])


def _skipped(found: Iterable[Finding]) -> list[str]:
    """One line for each reason: the hosts, and the checks that were left out there."""
    checks: dict[tuple[str, str], list[str]] = {}
    for finding in found:
        checks.setdefault((finding.text, finding.host), []).append(finding.check)
    hosts: dict[tuple[str, str], list[str]] = {}
    for (text, host), names in checks.items():
        hosts.setdefault((text, ", ".join(names)), []).append(host)
    return [f"{t('preflight.verdict_skip')}  {', '.join(where)}  {names}: {text}" for (text, names), where in hosts.items()]
