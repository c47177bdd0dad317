"""``yiwang rotate``: makes a secret or a certificate anew and brings the new one to its hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import shutil
from typing import Annotated

import typer

from yiwang import engine
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.commands.up import apply
from yiwang.deployment import changes, runner, summary
from yiwang.deployment.session import Session, confirm, session
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console

ROTATABLE = ("yiwang:index:Secret", "yiwang:index:Certificate")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.rotate"), epilog=example("yiwang rotate c-jinan-rescue --site jinan --yes", 0, 1, 3, 4, 5, 6))
    def rotate(
        name: Annotated[str, typer.Argument(metavar="NAME", help=t("cli.rotate_name"))],
        site: Annotated[str, typer.Option("--site", metavar="SITE", help=t("cli.site"))],
        inventory: InventoryOption = None,
        yes: YesOption = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Shows what a rotation would change, asks, marks the resource and applies the site."""
        console = Console(json_output=json_output, quiet=quiet)
        with session("rotate", inventory_directory(inventory), console, [site]) as work:
            urn = _urn(work, name)
            run = work.run()
            planned = _preview(work, run, urn)
            if run.control.cancelled or any(part.error for part in planned):
                console.result({"sites": planned}, summary.describe(planned, planned=True))
                return ExitCode.INTERRUPTED if run.control.cancelled else changes.exit_code(planned)
            console.info(summary.describe(planned, planned=True, tasks=False))
            confirm(t("deployment.confirm_rotate", name=name, site=site), yes=yes)
            return _apply(console, work, run, planned, urn)


def _urn(work: Session, name: str) -> str:
    """The resource to rotate. Raises UserError for a name that the site has no secret or certificate of, with those it has."""
    chosen = work.selection.sites[0]
    known = {found.name: found.urn for found in engine.state.resources(work.stack(chosen)) if found.type in ROTATABLE}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1)
    fix = t("deployment.did_you_mean", name=near[0]) if near else t("deployment.known", names=", ".join(sorted(known)) or "-")
    raise UserError(t("deployment.unknown_secret", site=chosen.name, name=name), code=ExitCode.INPUT, fix=fix)


def _preview(work: Session, run: runner.Run, urn: str) -> list[changes.SiteChanges]:
    """What the rotation would change, tried on a copy of the state: until somebody says yes, nothing is marked in the real one."""
    real = work.province
    copy = work.run_dir / "rotation"
    shutil.copytree(real.state_dir / ".pulumi", copy / ".pulumi", ignore=shutil.ignore_patterns("locks", "*.bak"), copy_function=_copy)
    run.province = work.province = dataclasses.replace(real, state_dir=copy)
    try:
        engine.state.taint(work.stack(work.selection.sites[0]), urn)
        return work.preview(run)
    finally:
        run.province = work.province = real
        shutil.rmtree(copy, ignore_errors=True)


def _copy(source: str, target: str) -> None:
    """Copy a file of the state, if it is still there: runs of other sites come and go."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _apply(console: Console, work: Session, run: runner.Run, planned: list[changes.SiteChanges], urn: str) -> int:
    """Mark and apply. Where the run ends before it made the new one, the mark goes too, so that no later ``up`` rotates unasked.

    A kill in between leaves the mark: that rotation was confirmed, ``plan`` shows it and the next ``up`` finishes it, as always.
    """
    chosen = work.selection.sites[0]
    stack = work.stack(chosen)
    try:
        engine.state.taint(stack, urn)
    except UserError as error:
        raise runner.for_site(chosen.name, error) from None
    try:
        return apply(console, work, run, planned, [chosen.name])
    finally:
        if any(found.urn == urn and found.taint and not found.delete for found in engine.state.resources(stack)):
            with contextlib.suppress(UserError):  # somebody else has the state by now, and has seen the mark
                engine.state.taint(stack, urn, tainted=False)
