"""Our own wheel: the same bytes from the same sources, wherever they come from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from yiwang.delivery import wheel

ROOT = Path(__file__).parent.parent.parent


def test_a_wheel_is_the_same_bytes_twice_and_carries_no_inventory(cache: Path, tmp_path: Path) -> None:
    first, digest, built = wheel.ensure()
    assert built
    assert hashlib.sha256(first.read_bytes()).hexdigest() == digest
    kept = tmp_path / first.name
    shutil.copyfile(first, kept)
    shutil.rmtree(first.parent)
    assert wheel.ensure() == (first, digest, True)
    with zipfile.ZipFile(kept) as archive:
        names = archive.namelist()
    assert "yiwang/_data/roles/base/tasks/main.yml" in names
    assert "yiwang/_data/stacks/city/__main__.py" in names
    assert "yiwang/_data/requirements/kit.txt" in names
    assert not [name for name in names if "inventories" in name or ".state" in name or "__pycache__" in name]


def test_a_truncated_wheel_is_never_handed_out(cache: Path) -> None:
    """Neither as it is nor with a hash of what is left of it."""
    made, digest, _ = wheel.ensure()
    os.truncate(made, made.stat().st_size // 2)
    assert wheel.ensure() == (made, digest, True)
    assert hashlib.sha256(made.read_bytes()).hexdigest() == digest


def deliver(location: Path, home: Path) -> tuple[str, Path]:
    """The digest and the wheel that the package at ``location`` makes, in a process of its own."""
    program = "import yiwang; from yiwang.delivery import wheel; print(yiwang.__file__, wheel.source_digest(), wheel.ensure()[0])"
    environment = {**os.environ, "PYTHONPATH": str(location), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], cwd=home.parent, env=environment, capture_output=True, text=True, check=True)
    file, digest, made = done.stdout.split()
    assert file.startswith(str(location))
    return digest, Path(made)


def test_an_installed_wheel_delivers_what_its_checkout_delivers(cache: Path, tmp_path: Path) -> None:
    """The operations host goes on where the operator's checkout stopped, and changes nothing."""
    ours, _, _ = wheel.ensure()
    site = tmp_path / "site"
    with zipfile.ZipFile(ours) as archive:
        archive.extractall(site)
    digest, theirs = deliver(site, tmp_path / "other")
    assert digest == wheel.source_digest()
    assert theirs.read_bytes() == ours.read_bytes()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files of this checkout that a build reads."""
    copy = tmp_path / "checkout"
    for tree in ("yiwang", "inventories", *wheel.TREES):
        if (ROOT / tree).is_dir():
            shutil.copytree(ROOT / tree, copy / tree, ignore=shutil.ignore_patterns("__pycache__", ".state"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, copy / name)
    return copy


def test_a_released_wheel_delivers_what_its_checkout_delivers(checkout: Path, tmp_path: Path) -> None:
    """What the build back end makes for people to install."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    (released,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(released) as archive:
        archive.extractall(tmp_path / "site")
    assert deliver(tmp_path / "site", tmp_path / "one")[0] == deliver(checkout, tmp_path / "other")[0]


def test_a_new_command_alone_reaches_the_hosts(checkout: Path, tmp_path: Path) -> None:
    before, _ = deliver(checkout, tmp_path / "cache")
    project = checkout / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("[project.scripts]", '[project.scripts]\nyiwang-also = "yiwang.cli:main"'), encoding="utf-8")
    after, made = deliver(checkout, tmp_path / "cache")
    assert after != before
    with zipfile.ZipFile(made) as archive:
        (commands,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "yiwang-also = yiwang.cli:main\n" in commands


def test_every_tree_that_hosts_get_is_in_the_released_wheel() -> None:
    target = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel.TREES) <= set(target["only-include"])
    assert {tree: f"yiwang/_data/{tree}" for tree in wheel.TREES}.items() <= target["sources"].items()
