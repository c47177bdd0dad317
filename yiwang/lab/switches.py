"""The machine's forwarding switches: turned on for labs, and put back as they were, with all that turning them changes.

Writing a switch sets the forwarding of every interface and of those to come, and the one of IPv4 also whether redirects
are accepted. So beside the switches it is recorded what their writing back would not bring back by itself, in a line
short enough for an interface's alias: ``4=0 4:eth0=1 4!=0 6=0``.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

_SYSCTL = Path("/proc/sys/net")
_LIMIT = 255
_TOKEN = re.compile(r"(?P<family>[46])(?P<rest>|!|:(?P<interface>[^\s/]+))=(?P<value>\d+)")


def recorded() -> str:
    """What ``restore`` needs to undo ``turn_on``. Raises UserError (exit 4) when that is too much to keep."""
    line = " ".join(f"{name}={value}" for family in "46" for name, value in _record(family).items())
    if len(line.encode()) > _LIMIT:
        raise UserError(t("lab.many_switches"), code=ExitCode.MACHINE, fix=t("lab.many_switches_fix"))
    return line


def read(line: str) -> dict[str, str]:
    """The settings in a line; none when it is no such line."""
    found = {token.rpartition("=")[0]: token.rpartition("=")[2] for token in line.split() if _TOKEN.fullmatch(token)}
    return found if "4" in found else {}


def turn_on(*, ipv6: bool) -> None:
    """Forward between interfaces, whatever was before."""
    for family in "46" if ipv6 else "4":
        # Only a change is written: it resets parameters of all interfaces.
        if _value(_path(family)) == "0":
            _path(family).write_text("1")


def restore(line: str) -> None:
    """Set everything to what the line holds; safe to repeat. Interfaces that are gone are left out."""
    # The switches first: they take all interfaces with them.
    for name, value in sorted(read(line).items(), key=lambda item: len(item[0])):
        with contextlib.suppress(FileNotFoundError):
            if _value(_path(name)) != value:
                _path(name).write_text(value)


def has_ipv6() -> bool:
    """Whether this machine has IPv6 at all."""
    return _path("6").exists()


def _record(family: str) -> dict[str, str]:
    switch = _path(family)
    if not switch.exists():
        return {}
    value = _value(switch)
    found = {family: value}
    if value != "0":
        # It will not be written, so nothing else changes.
        return found
    for directory in sorted((_SYSCTL / f"ipv{family}/conf").iterdir()):
        with contextlib.suppress(FileNotFoundError):
            own = _value(directory / "forwarding")
            if own != value and directory.name != "all":
                found[f"{family}:{directory.name}"] = own
    if family == "4" and _value(_path("4!")) != "1":
        found["4!"] = _value(_path("4!"))
    return found


def _path(name: str) -> Path:
    """The kernel's file of ``4``, ``6`` (the switches), ``4:<interface>``, ``6:<interface>`` or ``4!`` (redirects)."""
    match name[1:2]:
        case ":":
            return _SYSCTL / f"ipv{name[0]}/conf/{name[2:]}/forwarding"
        case "!":
            return _SYSCTL / f"ipv{name[0]}/conf/all/accept_redirects"
        case _:
            return _SYSCTL / ("ipv4/ip_forward" if name == "4" else "ipv6/conf/all/forwarding")


def _value(path: Path) -> str:
    return path.read_text().strip()
