"""``yiwang status``: per site and component what is desired, what was applied when, whether it is well, certificate days left."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.deployment import health, runner
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.session import Session, session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console, table


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.status"), epilog=example("yiwang status --json", 0, 3, 4, 7))
    def status(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        no_hosts: Annotated[bool, typer.Option("--no-hosts", help=t("cli.no_hosts"))] = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: everything is as desired and well; 7: something is not."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("status", inventory_directory(inventory), console, site, engine_name=engine_name) as work:
            run = work.run()
            console.progress(t("deployment.planning", sites=len(work.selection.sites)))
            found = _collect(work, work.previews(run))
            if not no_hosts and not run.control.cancelled:
                parts = [part for status in found for part in status.components]
                work.do(run, lambda: health.visit(work.province, work.run_dir, parts))
            console.result(_record(work, found), _text(work, found))
        if run.control.cancelled:
            return ExitCode.INTERRUPTED
        return ExitCode.OK if all(status.ok for status in found) and not work.departed else ExitCode.FINDINGS


def _collect(work: Session, previews: runner.Results) -> list[health.SiteStatus]:
    now = datetime.datetime.now(datetime.UTC)
    errors = {part.site: part.error for part in work.record(previews, (), work.unplanned(previews))}
    found = []
    for site in work.selection.sites:
        preview = previews.get(site.name)
        parts = health.components(site.name, work.driver.resources(work.stack(site)), preview, now)
        found.append(health.SiteStatus(site.name, parts, errors[site.name]))
    return found


def _record(work: Session, found: list[health.SiteStatus]) -> dict[str, object]:
    return {
        "components": [part for status in found for part in status.components],
        "sites": [{"site": status.site, "ok": status.ok, "error": status.error} for status in found],
        "departed": [{"site": gone.site.name, "resources": gone.resources} for gone in work.departed],
    }


def _text(work: Session, found: list[health.SiteStatus]) -> str:
    """The table, and below it everything that is not well, one line each."""
    header = [t(f"deployment.column_{name}") for name in ("site", "component", "host", "desired", "applied", "health", "days", "skipped")]
    parts = [part for status in found for part in status.components]
    rows = [_row(part, host) for part in parts for host in part.hosts or [health.HostHealth("-", applied=False)]]
    lines = [table(rows, header)] if rows else []
    lines += dict.fromkeys(host.detail for part in parts for host in part.hosts if host.detail)
    lines += [f"{host.host}: {note}" for part in parts for host in part.hosts for note in host.notes]
    lines += [f"{status.site}: {line}" for status in found for line in status.error.splitlines()]
    lines += [f"{status.site}: {t('deployment.never_applied')}" for status in found if not status.error and not status.components]
    return "\n".join([*lines, *(gone.describe() for gone in work.departed)])


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
