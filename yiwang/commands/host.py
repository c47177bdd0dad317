"""``yiwang host``: the hosts' keys."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from yiwang import ssh
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(help=t("ssh.host_help"), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="host")

    # With a callback a group of one command stays a group.
    @group.callback()
    def _group() -> None:
        """The hosts' keys."""

    @group.command(help=t("ssh.trust_help"), epilog=example("yiwang host trust p-core"))
    def trust(
        host: Annotated[str, typer.Argument(metavar="HOST", help=t("ssh.trust_host"))],
        fingerprint: Annotated[str | None, typer.Option("--fingerprint", metavar="SHA256:…", help=t("ssh.trust_fingerprint"))] = None,
        yes: YesOption = False,
        inventory: InventoryOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the key is pinned (or was already); 3: nobody confirmed it; 6: no answer, or another key."""
        from yiwang import inventory as inventories  # noqa: PLC0415 - help needs none of it
        from yiwang.rundir import RunDir  # noqa: PLC0415

        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        with RunDir() as run:
            access = ssh.Access(province, run.path)
            shown = asyncio.run(access.scan(host))
            if not shown:
                raise ssh.explain(host, ssh.Problem.UNREACHABLE, access.hosts[host], t("ssh.no_key"), access.user)
            pinned = access.trusted(host)
            changed = sorted(pinned) != sorted(shown)
            old, new = ([ssh.fingerprint(line) for line in lines] for lines in (pinned, shown))
            if changed:
                console.info(t("ssh.fingerprints", old=", ".join(old) or "-", new=", ".join(new)))
                _confirm(host, new, fingerprint, yes=yes)
                access.trust(host, shown)
        text = t("ssh.trusted" if changed else "ssh.trusted_already", host=host, fingerprint=", ".join(new))
        console.result({"host": host, "changed": changed, "old": old, "new": new}, text)
        return ExitCode.OK


def _confirm(host: str, new: list[str], fingerprint: str | None, *, yes: bool) -> None:
    """Raises UserError unless a person, or the fingerprint given, says that the key is the host's."""
    if fingerprint is not None:
        if fingerprint not in new:
            text = t("ssh.other_fingerprint", host=host, shown=", ".join(new), given=fingerprint)
            raise UserError(text, code=ExitCode.HOST, fix=t("ssh.other_fingerprint_fix"))
        return
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(t("ssh.not_confirmed", host=host), code=ExitCode.INPUT, fix=t("ssh.not_confirmed_fix", fingerprint=new[0]))
    if not typer.confirm(t("ssh.confirm", host=host), err=True):
        raise typer.Abort
