"""What the operator's machine fetches for hosts without a package index, and what the kit says that it needs."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from yiwang import delivery
from yiwang.delivery import dependencies
from yiwang.errors import ExitCode, UserError

ROOT = Path(__file__).parent.parent.parent
HERE = delivery.Target("{}.{}".format(*sys.version_info[:2]), os.uname().machine, "2.36")


def test_markers_are_decided_for_the_host_and_not_for_this_machine() -> None:
    locked = (
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\n"
        "tomli==2.0.1 ; python_version < '3.11' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "alpha==1 ; platform_machine == 'aarch64' \\\n    --hash=sha256:dd\nbeta[x]==2 \\\n    --hash=sha256:ee\n"
    )
    assert dependencies.requirements(locked, delivery.Target("3.10", "x86_64", "2.36")).splitlines() == [
        "beta[x]==2 --hash=sha256:ee",
        "tomli==2.0.1 --hash=sha256:bb --hash=sha256:cc",
    ]
    assert "alpha==1 --hash=sha256:dd\n" in dependencies.requirements(locked, delivery.Target("3.12", "aarch64", "2.36"))


def test_wheels_for_older_c_libraries_run_on_a_host_and_newer_ones_do_not() -> None:
    tags = delivery.Target("3.11", "x86_64", "2.31").platforms
    assert tags[0] == "manylinux_2_31_x86_64"
    assert "manylinux_2_17_x86_64" in tags
    assert "manylinux_2_34_x86_64" not in tags


def test_every_extra_has_a_digest_of_its_own_and_an_unknown_one_is_refused() -> None:
    digests = {delivery.digest(extra) for extra in ("kit", "portal", "exchange")}
    assert len(digests) == 3
    with pytest.raises(UserError) as refused:
        delivery.digest("kit2")
    assert refused.value.code == ExitCode.INPUT
    assert "portal" in refused.value.fix


def test_what_the_index_does_not_have_is_one_line_and_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError) as refused:
        dependencies.ensure("exchange", HERE)
    assert refused.value.code == ExitCode.MACHINE
    assert "\n" not in refused.value.report()
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def foreign_imports() -> dict[str, set[str]]:
    """Modules of others that ours import, by name, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "yiwang").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                if name.partition(".")[0] not in sys.stdlib_module_names | {"yiwang"}:
                    found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def owners() -> dict[str, str]:
    """The distribution that brings each module that is installed here."""
    found = {}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            if file.suffix in {".py", ".so"}:
                parts = [*file.parts[:-1], file.name.partition(".")[0]]
                found[".".join(parts).removesuffix(".__init__")] = distribution.name.lower().replace("_", "-")
    return found


def test_what_our_modules_import_is_declared() -> None:
    """Not what happens to come along with something else, and may stay away one day."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = project["dependencies"] + [pin for extra in ("kit", "portal", "exchange") for pin in project["optional-dependencies"][extra]]
    declared = {name.group() for pin in pins if (name := re.match(r"[a-z0-9-]+", pin))}
    known = owners()
    used = {known[module]: (module, sorted(files)) for module, files in foreign_imports().items() if module in known}
    assert {"pyyaml", "pydantic", "grpcio"} <= set(used)
    used["pip"] = ("run as a program", ["yiwang/delivery/dependencies.py"])
    assert {name: where for name, where in used.items() if name not in declared} == {}
