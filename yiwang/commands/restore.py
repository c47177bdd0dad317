"""``yiwang restore``: brings a component of a site back to a moment or a backup, in place or beside the live data."""

from __future__ import annotations

from typing import Annotated

import typer

from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.commands._recovery import ComponentOption, finish, run
from yiwang.commands.up import apply
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.recovery import Done, Part, Recovery, parts
from yiwang.deployment.selection import select
from yiwang.deployment.session import confirm, session
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console

SCRATCH = "scratch"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("recovery.help_restore"), epilog=example("yiwang restore --site jinan --to 2026-01-31T08:30:00+08:00", 0, 1, 3, 6))
    def restore(
        site: Annotated[str, typer.Option("--site", metavar="SITE", help=t("cli.site"))],
        inventory: InventoryOption = None,
        component: ComponentOption = None,
        to: Annotated[str | None, typer.Option("--to", metavar="TIME|BACKUP|latest", help=t("recovery.to"), show_default=False)] = None,
        into: Annotated[str | None, typer.Option("--into", metavar=SCRATCH, help=t("recovery.into"), show_default=False)] = None,
        remove_scratch: Annotated[bool, typer.Option("--remove-scratch", help=t("recovery.remove_scratch"))] = False,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """In place: what was there before stays beside it on the host. Run again after a failure, it finishes the work."""
        if into not in (None, SCRATCH):
            raise UserError(t("recovery.bad_into", into=into), code=ExitCode.INPUT, fix=t("recovery.bad_into_fix"))
        if (to is None) == (not remove_scratch):
            raise UserError(t("recovery.needs_to"), code=ExitCode.INPUT, fix=t("recovery.needs_to_fix"))
        console, directory = Console(json_output=json_output, quiet=quiet), inventory_directory(inventory)
        if remove_scratch:
            return finish(console, run("restore", directory, console, [site], component, engine_name, _remove), _removed)
        target = to or ""
        if into == SCRATCH:
            done = run("restore", directory, console, [site], component, engine_name, lambda ask, chosen: ask.beside(chosen, target))
            return finish(console, done, _beside)
        with session("restore", directory, console, [site], engine_name=engine_name) as work:
            chosen = parts(work, component)
            confirm(t("recovery.confirm", site=site, components=", ".join(part.component for part in chosen), to=target), yes=yes)
            done = work.do(work.run(), lambda: Recovery(work).restored(chosen, target))
            if any(each.error is not None for each in done):
                return finish(console, done, _back)
            for each in done:
                console.info(_back(each))
            # Logins may have been others then: the role brings them to what they are now.
            work.selection = select(work.province, [site], [host for part in chosen for host in part.hosts])
            run_ = work.run(reapply=True)
            return apply(console, work, run_, work.preview(run_), [site])


async def _remove(ask: Recovery, chosen: list[Part]) -> list[Done]:
    return [Done(part, host, await ask.ask(part, host, "scratch-remove")) for part in chosen for host in part.hosts]


def _removed(done: Done) -> str:
    return t("recovery.removed", site=done.part.site, host=done.host)


def _beside(done: Done) -> str:
    answer = done.answer or {}
    return t(
        "recovery.beside",
        site=done.part.site,
        host=done.host,
        databases=", ".join(answer.get("databases", [])),
        socket=answer.get("socket", "-"),
        objects=sum((answer.get("objects") or {}).values()),
        directory=answer.get("directory", "-"),
    )


def _back(done: Done) -> str:
    answer = done.answer or {}
    text = t("recovery.back", site=done.part.site, component=done.part.component, host=done.host, before=answer.get("before") or "-")
    return f"{text}\n{t('recovery.catalogue_lost', site=done.part.site)}" if answer.get("catalogue_lost") else text
