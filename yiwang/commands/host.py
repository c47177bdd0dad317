"""``yiwang host key`` and ``yiwang host trust``: our key for the hosts, and theirs for us."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from yiwang import keys, ssh
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, YesOption, example, inventory_directory
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.output import Console

SCANS_AT_ONCE = 16


@dataclass(frozen=True)
class Shown:
    """Fingerprints of one host, pinned before (``old``) and shown now (``new``); ``lines``: the known-hosts lines of the latter."""

    host: str
    old: list[str]
    new: list[str]
    lines: list[str]

    @property
    def changed(self) -> bool:
        """Whether there is something to pin."""
        return bool(self.new) and sorted(self.old) != sorted(self.new)

    def text(self) -> str:
        """One line for people: host, fingerprints."""
        return f"{self.host}  {t('ssh.fingerprints', old=', '.join(self.old) or '-', new=', '.join(self.new))}"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    end = example("yiwang host trust --all", 0, 3)
    group = typer.Typer(help=t("ssh.host_help"), epilog=end, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="host")
    _register_key(group)
    _register_trust(group)


def _register_key(group: typer.Typer) -> None:
    @group.command(help=t("ssh.key_help"), epilog=example("yiwang host key -i inventories/shandong", 0, 3))
    def key(inventory: InventoryOption = None, json_output: JsonOption = False, quiet: QuietOption = False) -> int:
        """Exit 0: the pair is there; 3: it cannot be made, or the private key cannot be used."""
        from yiwang import inventory as inventories  # noqa: PLC0415 - help needs none of it

        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        path = Path(province.access.key_file).expanduser()
        made = not path.exists()
        public = keys.pair(path)
        text = t("ssh.key_made" if made else "ssh.key_there", path=path)
        console.info(f"{text}\n{t('ssh.key_next', user=province.access.bootstrap_user)}")
        console.result({"key_file": path, "made": made, "public_key": public}, public)
        return ExitCode.OK


def _register_trust(group: typer.Typer) -> None:
    @group.command(help=t("ssh.trust_help"), epilog=example("yiwang host trust --all", 0, 3, 6))
    def trust(
        hosts: Annotated[list[str] | None, typer.Argument(metavar="[HOST]…", help=t("ssh.trust_host"), show_default=False)] = None,
        every: Annotated[bool, typer.Option("--all", help=t("ssh.trust_all"))] = False,
        fingerprint: Annotated[str | None, typer.Option("--fingerprint", metavar="SHA256:…", help=t("ssh.trust_fingerprint"))] = None,
        yes: YesOption = False,
        inventory: InventoryOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> int:
        """Exit 0: the keys are pinned (or were already); 3: nobody confirmed them; 6: no answer, or another key."""
        from yiwang import inventory as inventories  # noqa: PLC0415 - help needs none of it
        from yiwang.deployment.selection import select  # noqa: PLC0415
        from yiwang.rundir import RunDir  # noqa: PLC0415

        console = Console(json_output=json_output, quiet=quiet)
        if bool(hosts) == every or (fingerprint is not None and len(hosts or ()) != 1):
            raise UserError(t("ssh.trust_which"), code=ExitCode.INPUT, fix=t("ssh.trust_which_fix"))
        province = inventories.load(inventory_directory(inventory))
        chosen = list(select(province, None, hosts).hosts) or list(province.hosts)
        with RunDir() as run:
            access = ssh.Access(province, run.path)
            found = asyncio.run(_scan(access, chosen))
            # Among all hosts, one that shows another key than the pinned one is not what anybody had in mind.
            if fingerprint is not None:
                _compare(found[0], fingerprint)
            refused = [each for each in found if not each.new or (every and each.old and each.changed)]
            pinning = [each for each in found if each.changed and each not in refused]
            if pinning:
                _confirm(console, pinning, fingerprint, yes=yes)
            for each in pinning:
                access.trust(each.host, each.lines)
            errors = {each.host: _refusal(access, each).report() for each in refused}
        rows = [
            {"host": each.host, "changed": each in pinning, "old": each.old, "new": each.new, "error": errors.get(each.host, "")}
            for each in found
        ]
        console.result({"hosts": rows}, "\n".join(_done(each, pinning) for each in found if each not in refused))
        for error in errors.values():
            console.error(error)
        if errors:
            return ExitCode.HOST
        return ExitCode.OK


async def _scan(access: ssh.Access, hosts: Iterable[str]) -> list[Shown]:
    """What each host shows now beside what is pinned."""
    limit = asyncio.Semaphore(SCANS_AT_ONCE)

    async def one(host: str) -> Shown:
        async with limit:
            lines = await access.scan(host)
        return Shown(host, [ssh.fingerprint(line) for line in access.trusted(host)], [ssh.fingerprint(line) for line in lines], lines)

    return list(await asyncio.gather(*(one(host) for host in hosts)))


def _refusal(access: ssh.Access, shown: Shown) -> UserError:
    problem = ssh.Problem.KEY_CHANGED if shown.new else ssh.Problem.UNREACHABLE
    return ssh.explain(shown.host, problem, access.hosts[shown.host], t("ssh.no_key"), access.user)


def _done(shown: Shown, pinned: Iterable[Shown]) -> str:
    return t("ssh.trusted" if shown in pinned else "ssh.trusted_already", host=shown.host, fingerprint=", ".join(shown.new))


def _compare(shown: Shown, fingerprint: str) -> None:
    """Raises UserError (exit 6) when the host shows another key than the one given, pinned or not."""
    if shown.new and fingerprint not in shown.new:
        text = t("ssh.other_fingerprint", host=shown.host, shown=", ".join(shown.new), given=fingerprint)
        raise UserError(text, code=ExitCode.HOST, fix=t("ssh.other_fingerprint_fix"))


def _confirm(console: Console, pinning: list[Shown], fingerprint: str | None, *, yes: bool) -> None:
    """Raises UserError unless a person says that the keys are the hosts', or a fingerprint was given (and compared); asks once."""
    for each in pinning:
        console.info(each.text())
    if fingerprint is not None or yes:
        return
    names = ", ".join(each.host for each in pinning)
    if not sys.stdin.isatty():
        one = t("ssh.not_confirmed_fix", fingerprint=pinning[0].new[0]) if len(pinning) == 1 else t("ssh.not_confirmed_all_fix")
        raise UserError(t("ssh.not_confirmed", host=names), code=ExitCode.INPUT, fix=one)
    # Nobody can confirm what is not shown.
    if console.quiet:
        print("\n".join(each.text() for each in pinning), file=sys.stderr)
    if not typer.confirm(t("ssh.confirm", host=names), err=True):
        raise typer.Abort
