"""Writes a new inventory from the commented example; whole or not at all."""

from __future__ import annotations

import os
import shutil
import string
import tempfile
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.files import sync_directory, write_atomic
from yiwang.inventory.errors import display
from yiwang.messages import t
from yiwang.standard import divisions, names

EXAMPLE = Path(__file__).with_name("example")
DEFAULT_CITIES = 2
MAX_CITIES = 200

_IGNORE = "# State, keys and known hosts of the province lie in a directory that begins with a dot: never in the repository.\n/.*/\n"
_FIRST4 = IPv4Address("198.51.100.21")
_FIRST6 = IPv6Address("2001:db8:0:20::21")


def create(directory: Path, province: str, cities: tuple[str, ...]) -> Path:
    """Write an inventory for ``province`` with ``cities`` (GB/T 2260 codes; the first two when none are given) and return its directory.

    Raises UserError for an unknown code, for a city of another province, and for a directory that holds anything.
    """
    target = Path(os.path.abspath(directory))  # noqa: PTH100 - links are kept, as the person wrote them
    own = _province(province)
    members = [_city(own, code) for code in dict.fromkeys(cities)] or list(divisions.children(own.code)[:DEFAULT_CITIES])
    if len(members) > MAX_CITIES:
        raise UserError(t("inventory.new_many", limit=MAX_CITIES), code=ExitCode.INPUT, fix=t("inventory.new_many_fix"))
    try:
        if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
            raise UserError(t("inventory.new_exists", directory=display(target)), code=ExitCode.INPUT, fix=t("inventory.new_exists_fix"))
        target.parent.mkdir(parents=True, exist_ok=True)
        _publish(_render(own, members), target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            t("inventory.new_failed", directory=display(target), reason=reason), code=ExitCode.INPUT, fix=t("inventory.new_failed_fix")
        ) from None
    return target


def _publish(files: dict[str, str], target: Path) -> None:
    """Write beside ``target`` and rename: a reader, or a kill, sees no half-written inventory."""
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, text in files.items():
            path = staging / name
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, text, mode=0o644)
        staging.chmod(0o755)
        staging.replace(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    sync_directory(target.parent)


def _province(code: str) -> divisions.Division:
    division = divisions.lookup(code)
    if division is None or division.level != "province":
        known = ", ".join(f"{entry.code} {entry.name}" for entry in divisions.provinces())
        raise UserError(t("inventory.new_province", code=code), code=ExitCode.INPUT, fix=t("inventory.new_province_fix", known=known))
    return division


def _city(province: divisions.Division, code: str) -> divisions.Division:
    division = divisions.lookup(code)
    if division is None or division.parent != province.code:
        known = ", ".join(f"{entry.code} {entry.name}" for entry in divisions.children(province.code))
        raise UserError(
            t("inventory.new_city", code=code, province=province.name), code=ExitCode.INPUT, fix=t("inventory.known_keys", keys=known)
        )
    return division


def _render(province: divisions.Division, cities: list[divisions.Division]) -> dict[str, str]:
    sites, groups, members = "", "", ""
    for index, city in enumerate(cities):
        values = {
            "site": f"c{city.code}",
            "host": f"c-{city.code}",
            "code": city.code,
            "zh": city.name,
            "en": f"City {city.code}",
            "ipv4": str(_FIRST4 + index),
            # The same last digits as in the IPv4 address, read as they are written.
            "ipv6": str(_FIRST6 + int(str(21 + index), 16) - 0x21),
        }
        sites += _template("city.yml").substitute(values)
        groups += _template("city_hosts.yml").substitute(values)
        members += f"        {values['host']}:\n"
    facts = {"code": province.code, "zh": province.name, "en": names.PROVINCES[province.code], "cities": sites}
    return {
        "province.yml": _template("province.yml").substitute(facts),
        "hosts.yml": _template("hosts.yml").substitute(cities=groups, city_hosts=members),
        **{name: _template(name).template for name in ("group_vars/all.yml", "group_vars/ops.yml")},
        ".gitignore": _IGNORE,
    }


def _template(name: str) -> string.Template:
    return string.Template((EXAMPLE / f"{name}.in").read_text(encoding="utf-8"))
