"""``yiwang backup`` and ``yiwang backup list``: takes backups now; shows those there are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.commands._recovery import ComponentOption, finish, run
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.recovery import Done
from yiwang.messages import t
from yiwang.output import Console, table

_MEBIBYTE = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    end = example("yiwang backup --site jinan", 0, 1, 3, 6)
    group = typer.Typer(help=t("recovery.help_backup"), epilog=end, invoke_without_command=True, rich_markup_mode=None)
    app.add_typer(group, name="backup")

    @group.callback()
    def backup(
        ctx: typer.Context,
        inventory: InventoryOption = None,
        site: SiteOption = None,
        component: ComponentOption = None,
        full: Annotated[bool, typer.Option("--full", help=t("recovery.full"))] = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Without a verb of its own: take backups."""
        if ctx.invoked_subcommand is not None:
            return
        console = Console(json_output=json_output, quiet=quiet)
        words = ["backup", *(["--full"] if full else [])]
        done = run(
            "backup", inventory_directory(inventory), console, site, component, engine_name, lambda ask, parts: ask.each(parts, *words)
        )
        raise typer.Exit(finish(console, done, _taken))

    @group.command("list", help=t("recovery.help_list"), epilog=example("yiwang backup list --json", 0, 1, 3, 6))
    def list_(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        component: ComponentOption = None,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Newest last."""
        console = Console(json_output=json_output, quiet=quiet)
        done = run(
            "backup", inventory_directory(inventory), console, site, component, engine_name, lambda ask, parts: ask.all_listed(parts)
        )
        return finish(console, done, _table)


def _taken(done: Done) -> str:
    found = (done.answer or {}).get("databases") or {}
    return t(
        "recovery.taken", site=done.part.site, component=done.part.component, backup=found.get("backup", "-"), type=found.get("type", "-")
    )


def _rows(done: Done) -> list[list[str]]:
    answer: dict[str, Any] = done.answer or {}
    types = {"full": t("recovery.type_full"), "diff": t("recovery.type_diff"), "incr": t("recovery.type_incr")}
    rows = [
        [
            done.part.site,
            done.part.component,
            each["backup"],
            types.get(each["type"], each["type"]),
            each["time"],
            f"{each['stored_bytes'] / _MEBIBYTE:.1f}",
        ]
        for each in answer.get("databases", [])
    ]
    objects = answer.get("objects") or {}
    if objects:
        copied = datetime.fromisoformat(objects["time"]).isoformat(timespec="seconds")
        rows.append([done.part.site, done.part.component, t("recovery.objects"), "-", copied, "-"])
    return rows


def _table(done: Done) -> str:
    header = [t(f"recovery.column_{name}") for name in ("site", "component", "backup", "type", "time", "stored")]
    rows = _rows(done)
    return table(rows, header) if rows else t("recovery.none", site=done.part.site, component=done.part.component)
