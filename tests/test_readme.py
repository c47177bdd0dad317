"""The README is true: its tables are those of the program, and its commands run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from yiwang.cli import VERBS, app
from yiwang.errors import ExitCode
from yiwang.inventory.model import COMPONENTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# What every verb has, or what a verb has by being one.
COMMON = {"--inventory", "--json", "--quiet", "--help"}
# The verbs of a role, in the order of the design; `bootstrap` makes the account that all others sign in as.
ROLE_VERBS = ("preflight", "install", "configure", "run", "verify", "backup", "restore", "upgrade", "remove", "bootstrap")
# What packages say of their licence in words, as SPDX has it.
CLASSIFIERS = {
    "MIT License": {"MIT"},
    "Apache Software License": {"Apache-2.0"},
    "GNU General Public License v3 or later (GPLv3+)": {"GPL-3.0-or-later"},
    # The classifier does not say which of them.
    "BSD License": {"BSD-2-Clause", "BSD-3-Clause"},
}
WORDS = {"3-Clause BSD License": "BSD-3-Clause", "MIT License": "MIT", "LGPL": "LGPL-2.1-or-later"}


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the section's tables, heads and rules left out."""
    found = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in section(title).splitlines() if line.startswith("|")]
    rules = [index for index, row in enumerate(found) if set("".join(row)) == {"-"}]
    return [row for index, row in enumerate(found) if index not in rules and index + 1 not in rules]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_exit_codes() -> None:
    assert {int(number): name.strip("`") for number, name, _ in rows("Exit codes")} == {code.value: code.name for code in ExitCode}


def tree(verb: str) -> tuple[list[str], set[str]]:
    """The commands below a verb, and the options of it and of them that not every verb has."""
    command = typer.main.get_command(app).get_command(None, verb)  # type: ignore[attr-defined]
    below = dict(getattr(command, "commands", {}))
    parameters = [parameter for each in (*below.values(), command) for parameter in each.params]
    return list(below), {option for parameter in parameters for option in parameter.opts if option.startswith("--")} - COMMON


def test_verbs_with_their_commands_and_options() -> None:
    said = {}
    for verbs, options, _ in rows("A province of your own"):
        first, *others = quoted(verbs)
        _, verb, *below = first.split()
        said[verb] = (sorted([*below, *others]), set(quoted(options)))
    assert list(said) == list(VERBS)
    assert said == {verb: (sorted(tree(verb)[0]), tree(verb)[1]) for verb in VERBS}


def test_options_named_in_the_text_exist() -> None:
    known = COMMON.union(*(tree(verb)[1] for verb in VERBS))
    text = re.sub(r"```sh\n(.*?)```", "", README, flags=re.DOTALL)
    named = {option for part in quoted(text) for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", part)}
    # Of a later release, and said to be so.
    assert named - known <= {"--engine"}


def test_components_and_the_verbs_of_their_roles() -> None:
    table = {name: verbs for names, _, verbs, _ in rows("Components") for name in names.split(", ")}
    assert list(table) == list(COMPONENTS)
    for name, verbs in table.items():
        tasks = {path.stem for path in (ROOT / "roles" / name / "tasks").glob("*.yml")}
        assert verbs == ", ".join(verb for verb in ROLE_VERBS if verb in tasks), name
        missing = [verb for verb in ROLE_VERBS if tasks and verb not in tasks]
        assert all(f"`{verb}`" in section("Components").split(f"`{name}` has no ")[1] for verb in missing), missing


def licences(name: str) -> set[str]:
    """The licences that an installed package may be under by what it says of itself."""
    about: Any = metadata.metadata(name)  # a message of email; its declared type lacks `get`
    said = about.get("License-Expression") or WORDS.get(about.get("License", ""), about.get("License", ""))
    if said and "\n" not in said and said != "UNKNOWN":
        return set(said.split(" OR "))
    classified = [text.rpartition(" :: ")[2] for text in about.get_all("Classifier", []) if text.startswith("License ::")]
    return set().union(*(CLASSIFIERS[text] for text in classified))


def test_licences_of_what_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: {re.split(r"[\[=]", pin)[0] for pin in pins} for name, pins in project["optional-dependencies"].items()}
    pinned = set().union(*extras.values(), {pin.split("==")[0] for pin in project["dependencies"]}) - {"yiwang"}
    packages = [(names.split(", "), set(licence.split(" or "))) for names, licence, _ in rows("Licences") if "Debian" not in names]
    table = {name: licence for names, licence in packages for name in names}
    assert set(table) == pinned
    unknown = set()
    for name in sorted(pinned):
        try:
            assert table[name] == licences(name) or (len(table[name]) == 1 and table[name] < licences(name)), name
        except metadata.PackageNotFoundError:
            unknown.add(name)
    # The programs of the servers are not installed where the kit is worked on.
    assert unknown <= extras["portal"] | extras["exchange"] | extras["storage"]


def commands(title: str) -> list[str]:
    """The lines of the section's shell blocks without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {text.split()[1] for text in [*commands("Two commands"), *quoted(README)] if text.startswith("make ")}
    assert named >= {"lab", "test"}
    assert named <= targets


def test_commands_for_a_lab_are_those_of_the_program() -> None:
    for line in commands("What stands afterwards")[1:]:
        program, *arguments = shlex.split(line)
        assert program == "$yiwang"
        help_of = arguments[:2] if arguments[0] == "lab" else arguments[:1]
        done = yiwang(ROOT, {}, *help_of, "--help")
        assert done.returncode == ExitCode.OK, line


def test_commands_for_codes_run_as_printed(tmp_path: Path) -> None:
    program, *lines = commands("National codes")
    assert program == "yiwang=.venv/bin/yiwang"
    assert len(lines) == 3
    for line in lines:
        done = yiwang(tmp_path, {"XDG_STATE_HOME": str(tmp_path)}, *shlex.split(line)[1:])
        assert done.returncode == ExitCode.OK, line
        assert done.stdout


def yiwang(directory: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "yiwang", *arguments],
        cwd=directory,
        env={**os.environ, "YIWANG_LANG": "en", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_province_of_your_own(tmp_path: Path) -> None:
    """Every line as it is printed, as far as it goes when no host answers (SSH is told not to try)."""
    program, exported, *lines = commands("A province of your own")
    assert program == "yiwang=.venv/bin/yiwang"
    name, _, value = exported.removeprefix("export ").partition("=")
    environment = {name: value, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    expected = {
        "new": ExitCode.OK,
        "inventory check": ExitCode.OK,
        "host key": ExitCode.OK,
        "host trust": ExitCode.HOST,
        "preflight": ExitCode.FINDINGS,
        "plan": ExitCode.CHANGES,
        "up": ExitCode.INPUT,
    }
    assert len(lines) == len(expected)
    said = {}
    for line, (verb, code) in zip(lines, expected.items(), strict=True):
        assert line.startswith(f"$yiwang {verb}")
        done = yiwang(tmp_path, environment, *shlex.split(line)[1:])
        said[verb] = done.stdout + done.stderr
        assert done.returncode == code, f"{line}: {said[verb]}"
        if verb == "host key":
            (tmp_path / value / ".state" / "ssh" / "nowhere.conf").write_text("Host *\n  ProxyCommand false\n")
    hosts = yaml.safe_load((tmp_path / value / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]["province"]["hosts"]
    assert all(f"host {host} (" in said["host trust"] for host in hosts)
    # This machine is ready; what fails is that no host answers.
    failed = [line for line in said["preflight"].splitlines() if line.startswith("FAIL")]
    assert failed
    assert all("reachable: host" in line for line in failed)
    assert "there is no terminal to confirm on; add --yes" in said["up"]


@pytest.mark.parametrize("code", ["110000", "370000", "650000"])
def test_a_new_inventory_is_right(code: str, tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert yiwang(tmp_path, environment, "new", "mine", "--province", code).returncode == ExitCode.OK
    assert yiwang(tmp_path, environment, "inventory", "check", "mine").returncode == ExitCode.OK
