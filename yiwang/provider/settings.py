"""What the environment tells a provider process, and where it finds the inventory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yiwang import rundir
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.ssh import ProvinceLike

SOCKET = "PULUMI_PROVIDER_SOCKET"


@dataclass(frozen=True)
class Settings:
    """One process's settings; see the table in this package's README.

    ``run_dir``: None when nobody has made one (the Pulumi CLI runs us). ``limit``: hosts that may be visited, None for all.
    ``gone``: hosts that somebody says will never answer again.
    """

    inventory: Path | None
    run_dir: Path | None
    limit: frozenset[str] | None
    destroy_data: bool
    reapply: bool
    detail: bool
    upgrade: bool = False
    gone: frozenset[str] = frozenset()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that ``environment`` holds."""
        run_dir = environment.get(rundir.VARIABLE)
        limit = _names(environment.get("YIWANG_LIMIT", ""))
        inventory = environment.get("YIWANG_INVENTORY")
        return cls(
            inventory=Path(inventory) if inventory else None,
            run_dir=Path(run_dir) if run_dir else None,
            limit=limit or None,
            destroy_data=environment.get("YIWANG_DESTROY_DATA") == "1",
            reapply=environment.get("YIWANG_REAPPLY") == "1",
            # Without verbs of ours around it (the CLI's own preview) nobody else would look at the hosts.
            detail=environment.get("YIWANG_PLAN_DETAIL") == "1" or not run_dir,
            upgrade=environment.get("YIWANG_UPGRADE") == "1",
            gone=_names(environment.get("YIWANG_GONE", "")),
        )

    def province(self) -> ProvinceLike:
        """The province of the inventory. Raises UserError when none is named or it does not load."""
        # Loading takes a part of a second and a run without changes does not need it.
        from yiwang import inventory  # noqa: PLC0415

        if self.inventory is None:
            raise UserError(t("provider.no_inventory"), code=ExitCode.INPUT, fix=t("provider.no_inventory_fix"))
        province: ProvinceLike = inventory.load(self.inventory)
        return province


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def from_environment() -> Settings:
    """The settings of this process."""
    return Settings.of(os.environ)
