"""``yiwang outputs``: what the stacks export, from the recorded state; secrets only when asked for."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from yiwang import inventory as inventories
from yiwang.commands._options import EngineOption, InventoryOption, JsonOption, QuietOption, SiteOption, example, inventory_directory
from yiwang.deployment.engines import choose, stack_of
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.deployment.selection import select
from yiwang.messages import t
from yiwang.output import Console, plain


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("cli.outputs"), epilog=example("yiwang outputs --site province --json", 0, 3))
    def outputs(
        inventory: InventoryOption = None,
        site: SiteOption = None,
        show_secrets: Annotated[bool, typer.Option("--show-secrets", help=t("cli.show_secrets"))] = False,
        engine_name: EngineOption = EMBEDDED,
        json_output: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        """Secrets are shown as `[secret]` without --show-secrets."""
        console = Console(json_output=json_output, quiet=quiet)
        province = inventories.load(inventory_directory(inventory))
        driver = choose(province, engine_name)
        passphrase = province.present_passphrase() or ""
        found = {
            chosen.name: driver.outputs(stack_of(province, chosen, passphrase), show_secrets=show_secrets)
            for chosen in select(province, site).sites
        }
        text = "\n".join(f"{name}:\n{json.dumps(plain(values), ensure_ascii=False, indent=2)}" for name, values in found.items())
        console.result(found, text)
