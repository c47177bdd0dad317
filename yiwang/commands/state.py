"""``yiwang state list|unlock|backup|restore``: the recorded state of an inventory's stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from yiwang import engine
from yiwang import inventory as inventories
from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, SiteOption, YesOption, example, inventory_directory
from yiwang.deployment import recorded
from yiwang.deployment.engines import stack_of
from yiwang.deployment.selection import select
from yiwang.deployment.session import confirm
from yiwang.errors import ExitCode, UserError
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


def _register_list(group: typer.Typer) -> None:
    @group.command("list", help=t("engine.help_list"), epilog=example("yiwang state list --json", 0, 3))
    def list_(inventory: InventoryOption = None, json_output: JsonOption = False, quiet: QuietOption = False) -> None:
        """Needs no passphrase."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        found = engine.state.stacks(province.state_dir)
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
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """A lock stays unless its holder is known to be gone, or --force is given."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        departed = [gone.site for gone in recorded.departed(province)]
        chosen = select(province, site, departed=departed, with_departed=True).sites
        stacks = {each.name: stack_of(province, each, "") for each in chosen}
        locks = {name: engine.state.locks(stack) for name, stack in stacks.items()}
        for name, held in locks.items():
            for lock in held if not force else ():
                if lock.alive is not False:
                    raise UserError(_still_held(name, lock), code=ExitCode.LOCKED, fix=t("engine.alive_fix"))
        found = {name: engine.state.unlock(stack, locks[name]) for name, stack in stacks.items()}
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
        names = engine.state.restore(province.state_dir, file)
        console.result({"stacks": names}, t("engine.restored", stacks=", ".join(names)))
