"""``yiwang status``: per site and component what is desired, what was applied when, whether it is well, certificate days left."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from yiwang import engine
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.deployment import health
from yiwang.deployment.engines import stack_of
from yiwang.deployment.session import Session, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console, table


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.status"), epilog=example("yiwang status --json"))
    def status(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        no_hosts: Annotated[bool, typer.Option("--no-hosts", help=t("cli.no_hosts"))] = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: everything is as desired and well; 7: something is not."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("status", inventory_directory(inventory), console, site) as work:
            run = work.run()
            previews = work.preview(run)
            found = _collect(work, previews)
            if not no_hosts:
                work.do(run, lambda: health.visit(work.province, work.run_dir, found))
            console.result({"components": found}, _text(found))
        return ExitCode.OK if all(part.ok for part in found) else ExitCode.FINDINGS


def _collect(work: Session, previews: dict[str, engine.Result]) -> list[health.ComponentStatus]:
    now = datetime.datetime.now(datetime.UTC)
    found = []
    for site in work.selection.sites:
        found += health.components(site.name, stack_of(work.province, site, work.passphrase), previews[site.name], now)
    return found


def _text(found: list[health.ComponentStatus]) -> str:
    header = [t(f"deployment.column_{name}") for name in ("site", "component", "host", "desired", "applied", "health", "days", "skipped")]
    return table([_row(part, host) for part in found for host in part.hosts or [health.HostHealth("-", applied=False)]], header)


def _row(part: health.ComponentStatus, host: health.HostHealth) -> list[str]:
    desired = part.desired if host.applied or part.desired == "absent" else "changes"
    return [
        part.site,
        part.component,
        host.host,
        t(f"deployment.desired_{desired}"),
        (part.last_applied or "-")[:19].replace("T", " "),
        t(f"deployment.health_{host.health}") + (f" ({', '.join(host.failed_units)})" if host.failed_units else ""),
        "-" if part.certificate_days is None else str(part.certificate_days),
        ", ".join(sorted({skip["capability"] for skip in host.skipped})) or "-",
    ]
