"""``yiwang drill``: restores the newest backups beside the live data, checks them, and measures what a disaster would cost."""

from __future__ import annotations

import typer

from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.commands._recovery import ComponentOption, finish, run
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.recovery import Done, Part, Recovery
from yiwang.errors import UserError
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("recovery.help_drill"), epilog=example("yiwang drill --site province", 0, 1, 3, 6))
    def drill(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        component: ComponentOption = None,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 1: what is backed up could not be brought back, and why is said."""
        console = Console(json_output=json_output, quiet=quiet)
        done = run("drill", inventory_directory(inventory), console, site, component, engine_name, _drill)
        return finish(console, done, _text)


async def _drill(ask: Recovery, chosen: list[Part]) -> list[Done]:
    done = await ask.each(chosen, "drill")
    for each in done:
        found = (each.answer or {}).get("drill") or {}
        if found and not found.get("ok"):
            each.error = UserError(t("recovery.drill_failed", reason=found.get("error", "-")), fix=t("recovery.drill_failed_fix"))
    return done


def _text(done: Done) -> str:
    found = (done.answer or {}).get("drill") or {}
    return t(
        "recovery.drilled",
        site=done.part.site,
        component=done.part.component,
        backup=found["backup"],
        rpo=found["rpo_seconds"],
        rto=found["rto_seconds"],
        tables=sum(each["tables"] for each in found["databases"].values()),
        rows=sum(each["rows"] for each in found["databases"].values()),
        objects=sum(each["objects"] for each in found["objects"].values()),
    )
