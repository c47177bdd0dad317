"""The verbs of a lab, each safe to repeat and safe to kill."""

from __future__ import annotations

from yiwang.lab.spec import LabSpec, LabStatus, Report


def up(spec: LabSpec, report: Report) -> LabStatus:
    """Make what is missing of the lab and start what is not running; wait until every host answers SSH.

    A second run on a running lab changes nothing. Hosts no longer in ``spec`` are wiped. Raises UserError.
    """
    raise NotImplementedError


def down(name: str, report: Report) -> bool:
    """Stop and wipe the whole lab and everything that carries its name, with or without records. Returns whether there was anything."""
    raise NotImplementedError


def remove_host(name: str, host: str, report: Report) -> bool:
    """Stop and wipe one host; the next ``up`` makes it anew, with a new host key. Returns whether there was anything."""
    raise NotImplementedError


def status(name: str) -> LabStatus:
    """The lab as it is now; reads only."""
    raise NotImplementedError


def names() -> list[str]:
    """The labs of this machine, running or left over."""
    raise NotImplementedError
