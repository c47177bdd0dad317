"""``yiwang state list|unlock|backup|restore|export|import``: the recorded state of an inventory's stacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from yiwang import engine
from yiwang import inventory as inventories
from yiwang.commands._options import (
    EngineOption,
    InventoryOption,
    JsonOption,
    QuietOption,
    SiteOption,
    YesOption,
    example,
    inventory_directory,
)
from yiwang.deployment import recorded
from yiwang.deployment.engines import choose, stack_of
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.selection import select
from yiwang.deployment.session import confirm
from yiwang.engine import exported
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.messages import t
from yiwang.output import Console, table


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    end = example("yiwang state list", 0, 3)
    group = typer.Typer(help=t("engine.help_state"), epilog=end, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="state")
    _register_list(group)
    _register_unlock(group)
    _register_backup(group)
    _register_restore(group)
    _register_export(group)
    _register_import(group)


def _register_list(group: typer.Typer) -> None:
    @group.command("list", help=t("engine.help_list"), epilog=example("yiwang state list --json", 0, 3))
    def list_(
        inventory: InventoryOption = None,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Needs no passphrase."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        found = choose(province, engine_name).stacks()
        rows = [
            [entry.stack, entry.project, str(entry.resources), str(len(entry.in_flight)), entry.lock.describe() if entry.lock else "-"]
            for entry in found
        ]
        header = [t(f"engine.column_{name}") for name in ("stack", "project", "resources", "in_flight", "lock")]
        console.result(found, table(rows, header) if rows else t("engine.nothing_recorded", path=province.state_dir))


def _register_unlock(group: typer.Typer) -> None:
    @group.command(help=t("engine.help_unlock"), epilog=example("yiwang state unlock --site province", 0, 3, 5))
    def unlock(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        force: Annotated[bool, typer.Option("--force", help=t("engine.help_force"))] = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """A lock stays unless its holder is known to be gone, or --force is given."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        driver = choose(province, engine_name)
        departed = [gone.site for gone in recorded.departed(province, driver)]
        chosen = select(province, site, departed=departed, with_departed=True).sites
        stacks = {each.name: stack_of(province, each, "") for each in chosen}
        locks = {name: driver.locks(stack) for name, stack in stacks.items()}
        for name, held in locks.items():
            for lock in held if not force else ():
                if lock.alive is not False:
                    raise UserError(_still_held(name, lock), code=ExitCode.LOCKED, fix=t("engine.alive_fix"))
        found = {name: driver.unlock(stack, locks[name]) for name, stack in stacks.items()}
        removed = [t("engine.unlocked", site=name, holder=lock.describe()) for name, held in found.items() for lock in held]
        console.result(found, "\n".join(removed) or t("engine.not_locked"))


def _still_held(site: str, lock: Any) -> str:
    if lock.alive is None:
        return t("deployment.unlock_unsure", site=site, holder=lock.describe())
    return t("deployment.locked", site=site, reason=t("engine.locked", holder=lock.describe()))


def _register_backup(group: typer.Typer) -> None:
    @group.command(help=t("engine.help_backup"), epilog=example("yiwang state backup state.tar.gz", 0, 1, 3, 4, 5))
    def backup(
        file: Annotated[Path, typer.Argument(metavar="FILE", help=t("engine.help_backup_file"))],
        inventory: InventoryOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Secrets stay encrypted; the passphrase is not in the archive."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        if not file.absolute().parent.is_dir():
            raise UserError(t("engine.no_directory", path=file.absolute().parent), code=ExitCode.INPUT)
        engine.state.backup(province.state_dir, file)
        console.result({"file": str(file)}, t("engine.backed_up", file=file))


def _register_restore(group: typer.Typer) -> None:
    @group.command(help=t("engine.help_restore"), epilog=example("yiwang state restore state.tar.gz --yes", 0, 3, 4, 5))
    def restore(
        file: Annotated[Path, typer.Argument(metavar="FILE", help=t("engine.help_restore_file"))],
        inventory: InventoryOption = None,
        yes: YesOption = False,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """The present state is replaced whole."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        if not file.is_file():
            raise UserError(t("engine.no_file", path=file), code=ExitCode.INPUT)
        confirm(t("engine.confirm_restore", path=province.state_dir, file=file), yes=yes)
        done = engine.state.restore(province.state_dir, file, province.passphrase())
        said = [t("engine.restored", stacks=", ".join(done.stacks))]
        if done.kept is not None:
            said.append(t("engine.restored_kept", path=done.kept))
        # Secrets are compared with the state, not with the hosts: only a look at the hosts shows which are older or newer there.
        said.append(t("engine.restored_refresh"))
        console.result({"stacks": done.stacks, "kept": done.kept}, "\n".join(said))


SiteArgument = Annotated[str, typer.Option("--site", metavar="SITE", help=t("cli.site"))]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help=t("engine.help_export_file"))]


def _register_export(group: typer.Typer) -> None:
    @group.command("export", help=t("engine.help_export"), epilog=example("yiwang state export jinan.json --site jinan", 0, 3, 4))
    def export(
        file: FileArgument,
        site: SiteArgument,
        inventory: InventoryOption = None,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """The form is that of ``pulumi stack export``."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        (chosen,) = select(province, [site]).sites
        document = choose(province, engine_name).export(stack_of(province, chosen, province.present_passphrase() or ""))
        if not file.absolute().parent.is_dir():
            raise UserError(t("engine.no_directory", path=file.absolute().parent), code=ExitCode.INPUT)
        write_atomic(file.absolute(), json.dumps(document, ensure_ascii=False, indent=4) + "\n", mode=0o600)
        console.result({"site": site, "file": file}, t("deployment.exported", site=site, file=file))


def _register_import(group: typer.Typer) -> None:
    @group.command("import", help=t("engine.help_import"), epilog=example("yiwang state import jinan.json --site jinan", 0, 1, 3, 4, 5))
    def import_(
        file: FileArgument,
        site: SiteArgument,
        inventory: InventoryOption = None,
        yes: YesOption = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """What is recorded of the site is replaced whole."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        (chosen,) = select(province, [site]).sites
        if not file.is_file():
            raise UserError(t("engine.no_file", path=file), code=ExitCode.INPUT)
        document = exported.parse(file.read_bytes(), str(file))
        driver = choose(province, engine_name)
        confirm(t("deployment.confirm_import", site=site, file=file), yes=yes)
        driver.take(stack_of(province, chosen, province.passphrase()), document, str(file))
        console.result({"site": site, "file": file}, t("deployment.imported", site=site, file=file))
