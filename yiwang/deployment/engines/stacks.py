"""The stack of a site and the environment its program and providers run in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from yiwang import engine
from yiwang.deployment.selection import Selection
from yiwang.inventory.model import Province, Site
from yiwang.paths import data
from yiwang.rundir import VARIABLE as RUN_DIR

ORGANIZATION = "organization"


def stack_of(province: Province, site: Site, passphrase: str) -> engine.Stack:
    """The stack that holds ``site``: the program ``stacks/<kind>``, named after the site, kept in the state directory."""
    return engine.Stack(
        project_dir=data("stacks") / site.stack,
        name=site.name,
        backend=province.state_dir,
        passphrase=passphrase,
    )


def full_name(site: Site) -> str:
    """The name by which other stacks refer to this one."""
    return f"{ORGANIZATION}/{site.stack}/{site.name}"


def environment(
    province: Province,
    selection: Selection,
    run_dir: Path,
    *,
    detail: bool = False,
    reapply: bool = False,
    upgrade: bool = False,
    destroy_data: bool = False,
    gone: Iterable[str] = (),
) -> Mapping[str, str]:
    """What programs and providers are told.

    ``detail``: previews look at the hosts, file by file. ``reapply``: roles run again though nothing changed.
    ``upgrade``: roles that can bring newer versions of their packages do. ``destroy_data``: removal of a role takes its data too.
    ``gone``: hosts that will never answer again.
    """
    return {
        "YIWANG_INVENTORY": str(province.directory),
        RUN_DIR: str(run_dir),
        # All of them, always: what somebody has exported in the shell must not reach a provider.
        "YIWANG_LIMIT": ",".join(selection.hosts),
        "YIWANG_PLAN_DETAIL": "1" if detail else "",
        "YIWANG_REAPPLY": "1" if reapply else "",
        "YIWANG_UPGRADE": "1" if upgrade else "",
        "YIWANG_DESTROY_DATA": "1" if destroy_data else "",
        "YIWANG_GONE": ",".join(gone),
    }
