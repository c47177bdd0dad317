"""``yiwang lab up|down|status|ssh``: the servers of an inventory, made on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yiwang import lab
from yiwang.commands import _lab, _lab_state
from yiwang.commands._options import HostOption, InventoryOption, JsonOption, QuietOption, example, inventory_directory
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import load
from yiwang.lab import LabStatus, Progress
from yiwang.messages import t
from yiwang.output import Console, plain, table
from yiwang.paths import data


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    end = example("yiwang lab up", 0, 3)
    group = typer.Typer(help=t("lab.help"), epilog=end, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="lab")
    _register_up(group)
    _register_down(group)
    _register_status(group)
    _register_ssh(group)


def _register_up(group: typer.Typer) -> None:
    @group.command(help=t("lab.help_up"), epilog=example("yiwang lab up", 0, 1, 3, 4))
    def up(
        inventory: InventoryOption = None,
        ha: Annotated[bool, typer.Option("--ha", help=t("lab.help_up_ha"))] = False,
        host: HostOption = None,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Exit 0: every host answers; 3: the inventory; 4: this machine cannot do it; 6: a host does not answer."""
        console = Console(json_output=json_output, quiet=quiet)
        if ha and inventory is not None:
            raise UserError(t("lab.ha_inventory"), code=ExitCode.INPUT, fix=t("lab.ha_inventory_fix"))
        directory = data("inventories") / "lab-ha" if ha else inventory_directory(inventory)
        province = load(directory)
        name = lab.lab_name(directory)
        _known(name, list(province.hosts), host)
        # Before anything is made, the login key too.
        lab.require(name, host or list(province.hosts))
        _lab_state.require(province.state_dir, name)
        spec = _lab.spec_of(province)
        _lab_state.claim(province.state_dir, name)
        _lab.lead_into(province, spec)
        found = lab.up(spec, _reporting(console), host or ())
        for warning in found.warnings:
            console.warn(warning)
        for changed in _lab.pin(province, found):
            console.warn(t("lab.made_anew", host=changed))
        head = t("lab.up_done", lab=found.name, hosts=len(found.hosts), started=len(found.started), seconds=f"{console.elapsed():.1f}")
        console.result({**plain(found), "seconds": round(console.elapsed(), 1)}, "\n".join([head, "", _text(found), "", _hints(directory)]))


def _register_down(group: typer.Typer) -> None:
    @group.command(help=t("lab.help_down"), epilog=example("yiwang lab down --host c-jinan", 0, 1, 3, 4))
    def down(
        inventory: InventoryOption = None,
        host: HostOption = None,
        named: Annotated[str, typer.Option("--lab", metavar="NAME", help=t("lab.help_down_lab"), show_default=False)] = "",
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Works without a readable inventory too: the lab is found by the directory's name."""
        console = Console(json_output=json_output, quiet=quiet)
        directory = inventory_directory(inventory)
        name = named or lab.lab_name(directory)
        report = _reporting(console)
        if host:
            _known(name, [found.name for found in lab.status(name).hosts], host)
            gone = [each for each in host if lab.remove_host(name, each, report)]
            console.result({"lab": name, "removed": gone}, t("lab.hosts_down", hosts=", ".join(gone) or "-"))
            return
        known = lab.status(name)
        # The inventory of a lab that is named outright is the recorded one.
        state_dir = _state_dir(known.directory if named else directory)
        with _lab_state.undisturbed(state_dir, "lab down"):
            removed = lab.down(name, report)
            forgotten = _lab_state.forget(state_dir, known.name)
        if forgotten:
            console.info(t("lab.state_gone", path=state_dir))
        elif state_dir and _lab_state.recorded(state_dir):
            console.warn(t("lab.state_stays", path=state_dir))
        text = t("lab.down_done" if removed else "lab.nothing", lab=name, seconds=f"{console.elapsed():.1f}")
        console.result({"lab": name, "removed": removed}, text)


def _register_status(group: typer.Typer) -> None:
    @group.command(help=t("lab.help_status"), epilog=example("yiwang lab status --json", 0, 3, 4, 7))
    def status(inventory: InventoryOption = None, json_output: JsonOption = False, quiet: QuietOption = False) -> int:
        """Exit 0: every host answers; 7: not all of them do."""
        directory = inventory_directory(inventory)
        found = lab.status(lab.lab_name(directory))
        text = "\n".join([_text(found), "", _hints(directory)]) if found.hosts else t("lab.nothing", lab=found.name)
        Console(json_output=json_output, quiet=quiet).result(found, text)
        return ExitCode.OK if found.state == "running" else ExitCode.FINDINGS


def _register_ssh(group: typer.Typer) -> None:
    # What follows the host's name belongs to the command there, its options too.
    settings = {"ignore_unknown_options": True, "allow_interspersed_args": False}

    @group.command("ssh", help=t("lab.help_ssh"), epilog=example("yiwang lab ssh p-core", 3, 4, 6), context_settings=settings)
    def shell(
        host: Annotated[str, typer.Argument(metavar="HOST", help=t("lab.help_ssh_host"))],
        command: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", help=t("lab.help_ssh_command"))] = None,
        inventory: InventoryOption = None,
    ) -> int:
        """Exit code: the command's own; 6 when the host cannot be reached."""
        words = list(command or [])
        if len(words) > 1 and words[0] in {"-i", "--inventory"}:
            # No command of a host begins so: it is meant for us.
            inventory, words = Path(words[1]), words[2:]
        if words[:1] == ["--"]:
            words = words[1:]
        province = load(inventory_directory(inventory))
        name = lab.lab_name(province.directory)
        _known(name, list(province.hosts), [host])
        return _lab.shell(province, lab.status(name), host, words)


def _state_dir(directory: Path | None) -> Path | None:
    """Where the state lies; of an inventory that cannot be read, the usual place."""
    if directory is None:
        return None
    try:
        return load(directory).state_dir
    except UserError:
        return directory / ".state"


def _known(lab_name: str, names: list[str], asked: list[str] | None) -> None:
    for name in asked or []:
        if name not in names:
            fix = t("lab.unknown_host_fix", known=", ".join(names) or "-")
            raise UserError(t("lab.unknown_host", host=name, lab=lab_name), code=ExitCode.INPUT, fix=fix)


def _reporting(console: Console) -> lab.Report:
    def report(progress: Progress) -> None:
        console.progress(f"[{progress.done}/{progress.total}] {progress.text}")

    return report


def _text(found: LabStatus) -> str:
    rows = [
        [
            host.name,
            host.zone,
            str(host.ipv4),
            str(host.ipv6),
            t(f"lab.state_{host.state}"),
            "-" if host.uptime is None else _duration(host.uptime),
            "-" if host.memory is None else f"{host.memory >> 20} MiB",
        ]
        for host in found.hosts
    ]
    return table(rows, [t(f"lab.column_{name}") for name in ("host", "zone", "ipv4", "ipv6", "state", "uptime", "memory")])


def _hints(directory: Path) -> str:
    chosen = "" if directory == inventory_directory(None) else f" -i {directory}"
    return t("lab.hints", option=chosen)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
