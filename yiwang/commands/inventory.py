"""``yiwang inventory check`` and ``yiwang inventory show``: is an inventory right, and what does it say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yiwang.commands._options import InventoryOption, JsonOption, QuietOption, example, inventory_directory
from yiwang.errors import ExitCode
from yiwang.inventory import Host, InventoryError, Province, load
from yiwang.inventory.errors import display, dotted
from yiwang.messages import language, t
from yiwang.output import Console, plain, table

DirectoryArgument = Annotated[Path | None, typer.Argument(metavar="[DIR]", help=t("inventory.help_inventory"), show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    end = example("yiwang inventory check inventories/lab", 0, 3)
    group = typer.Typer(help=t("inventory.help_group"), epilog=end, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="inventory")

    @group.command(help=t("inventory.help_check"), epilog=example("yiwang inventory check inventories/lab", 0, 3))
    def check(
        directory: DirectoryArgument = None, inventory: InventoryOption = None, json_output: JsonOption = False, quiet: QuietOption = False
    ) -> None:
        """Check the inventory; exit code 3 when anything is wrong."""
        console = Console(json_output=json_output, quiet=quiet)
        chosen = inventory_directory(directory or inventory)
        try:
            province = load(chosen)
        except InventoryError as error:
            if not json_output:
                raise
            console.result(_findings(error))
            raise typer.Exit(ExitCode.INPUT) from None
        counts = {"directory": province.directory, "ok": True, "sites": len(province.sites), "hosts": len(province.hosts), "findings": []}
        console.result(counts, t("inventory.right", directory=display(chosen), sites=len(province.sites), hosts=len(province.hosts)))

    @group.command(help=t("inventory.help_show"), epilog=example("yiwang inventory show -i inventories/lab --json", 0, 3))
    def show(
        directory: DirectoryArgument = None, inventory: InventoryOption = None, json_output: JsonOption = False, quiet: QuietOption = False
    ) -> None:
        """Show the resolved inventory."""
        province = load(inventory_directory(directory or inventory))
        Console(json_output=json_output, quiet=quiet).result(_as_json(province) if json_output else None, _text(province))


def _findings(error: InventoryError) -> dict[str, object]:
    findings = [{**plain(finding), "key": dotted(finding.key)} for finding in error.findings]
    return {"ok": False, "findings": findings}


def _as_json(province: Province) -> dict[str, object]:
    """The model as it is; operators' networks in one list."""
    found: dict[str, object] = plain(province)
    ipv4, ipv6 = province.access.operators
    found["access"] = {**plain(province.access), "operators": [str(network) for network in (*ipv4, *ipv6)]}
    return found


def _text(province: Province) -> str:
    lang = language()
    sites = [
        [site.name, site.stack, site.code, site.title.in_language(lang), site.domain, _pairs(site.placement), str(len(site.hosts))]
        for site in province.sites.values()
    ]
    hosts = [
        [host.name, host.site, host.zone, str(host.ipv4), str(host.ipv6 or "-"), str(host.port), _others(host)]
        for host in province.hosts.values()
    ]
    zones = [[zone.name, *(" ".join(map(str, networks)) for networks in (zone.ipv4, zone.ipv6))] for zone in province.zones.values()]
    paths = [
        [" ".join(path.source), " ".join(path.target), path.protocol, " ".join(map(str, path.ports)), path.purpose.in_language(lang)]
        for path in (*province.paths, *(path for required in province.component_paths.values() for path in required))
    ]
    parts = [
        f"{province.title.in_language(lang)} {province.code}  {province.domain}",
        f"{t('inventory.word_state')}: {display(province.state_dir)}",
        table(sites, _words("site", "stack", "code", "title", "domain", "placement", "hosts")),
        table(hosts, _words("host", "site", "zone", "ipv4", "ipv6", "port", "groups")),
        table(zones, _words("zone", "ipv4", "ipv6")),
        table(paths, _words("from", "to", "protocol", "ports", "purpose")),
    ]
    return "\n".join(parts[:2]) + "\n\n" + "\n\n".join(parts[2:])


def _others(host: Host) -> str:
    return " ".join(group for group in host.groups if group != host.site) or "-"


def _words(*keys: str) -> list[str]:
    return [t(f"inventory.word_{key}") for key in keys]


def _pairs(values: object) -> str:
    return " ".join(f"{key}={value}" for key, value in dict(values).items()) if isinstance(values, dict) else ""
