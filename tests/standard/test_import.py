"""What importing the library brings along: what is light stays light, for the portal and the exchange as for the command line."""

from __future__ import annotations

import importlib
import subprocess
import sys

from yiwang.standard.kinds import KINDS

CODES = "case code dates division divisions errors idcard item kinds labels licence names resource serials tables uscc workdays"


def modules(program: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys; before = set(sys.modules); {program}; print(*(set(sys.modules) - before), sep='\\n')"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def foreign(found: set[str]) -> set[str]:
    """Packages that are neither ours nor Python's."""
    return {name.partition(".")[0] for name in found} - {"yiwang"} - sys.stdlib_module_names


def test_the_package_alone_brings_nothing_along() -> None:
    assert {name for name in modules("import yiwang.standard") if name.startswith("yiwang")} == {"yiwang", "yiwang.standard"}


def test_codes_and_tables_need_python_alone_and_no_table_is_read() -> None:
    found = modules(f"from yiwang.standard import {', '.join(CODES.split())}; assert divisions.national.cache_info().currsize == 0")
    assert foreign(found) == set()
    assert {name for name in found if name.startswith("yiwang") and not name.startswith("yiwang.standard")} == {"yiwang"}
    assert {f"yiwang.standard.{name}" for name in CODES.split()} <= found


def test_a_kind_is_loaded_when_it_is_used() -> None:
    codes = {f"yiwang.standard.{kind}" for kind in KINDS}
    assert not modules("import yiwang.standard.kinds") & codes
    used = modules("from yiwang.standard.kinds import KINDS, Reading; KINDS['resource'].parse('307001', Reading())")
    assert used & codes == {"yiwang.standard.resource"}
    for name, kind in KINDS.items():
        assert importlib.import_module(f"yiwang.standard.{name}").KIND == name == kind.name


def test_data_sets_bring_pydantic_and_nothing_of_the_servers_or_the_kit() -> None:
    found = foreign(modules("import yiwang.standard.datasets, yiwang.standard.datasets.exchange"))
    assert "pydantic" in found
    assert not found & {"django", "pulumi", "ansible", "grpc", "yaml", "typer"}
