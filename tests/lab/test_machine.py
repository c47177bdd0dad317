from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest
import yaml

from yiwang.errors import ExitCode, UserError
from yiwang.lab import cgroups, layers, machine, records
from yiwang.paths import data


@pytest.fixture(autouse=True)
def root_on_debian(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with everything; each test takes one thing away."""
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"})
    monkeypatch.setattr(machine, "missing_packages", list)
    monkeypatch.setattr(shutil, "which", lambda program, **_: f"/usr/bin/{program}")
    monkeypatch.setattr(machine, "free_disk", lambda _: 1 << 40)
    monkeypatch.setattr(machine, "available_memory", lambda: 1 << 40)
    monkeypatch.setattr(machine, "succeeds", lambda _: True)
    monkeypatch.setattr(cgroups, "detect", lambda: None)
    monkeypatch.setattr(layers, "found", list)
    monkeypatch.setattr(records, "ROOT", tmp_path / "lab")


def refused(hosts: int = 7) -> str:
    with pytest.raises(UserError) as caught:
        machine.require(hosts)
    assert caught.value.code == ExitCode.MACHINE
    assert caught.value.fix
    return caught.value.report()


def test_a_machine_with_everything_passes() -> None:
    machine.require(7)


def test_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert refused() == "a lab needs root; run it with sudo"


@pytest.mark.parametrize(
    "release",
    [
        {"ID": "fedora", "VERSION_ID": "43"},
        {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_ID": "24.04", "VERSION_CODENAME": "noble"},
        {"ID": "debian", "VERSION_ID": "13", "VERSION_CODENAME": "trixie"},
        {"ID": "debian", "VERSION_CODENAME": "forky"},
        {"ID": "uos", "ID_LIKE": "debian", "VERSION_ID": "12"},
    ],
)
def test_systems_the_roles_are_not_for_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, release: dict[str, str]) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {**release, "PRETTY_NAME": "Other 1"})
    assert refused() == "this system is not supported: Other 1; use Debian 12"


def test_the_system_is_the_one_the_roles_are_for() -> None:
    name, version = machine._SYSTEM
    role = yaml.safe_load((data("roles") / "base/vars/main.yml").read_text())
    assert version in role["_base_systems"][name]


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "missing_packages", lambda: ["mmdebstrap", "nftables"])
    assert refused() == "missing packages: mmdebstrap nftables; run apt-get install mmdebstrap nftables"


def test_all_lacks_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free_disk", lambda _: 100 << 20)
    monkeypatch.setattr(machine, "available_memory", lambda: 100 << 20)
    report = refused(4)
    assert "has 100 MiB free, 2048 MiB are needed" in report
    assert "100 MiB of memory are available, 1536 MiB are needed" in report


def test_hosts_that_run_already_need_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "found", lambda: ["layer"])
    monkeypatch.setattr(machine, "free_disk", lambda _: 0)
    monkeypatch.setattr(machine, "available_memory", lambda: 0)
    machine.require(0)


@pytest.mark.parametrize(
    ("step", "expected"), [("--fork", "namespaces"), ("overlay", "overlay file systems do not work"), ("nft", "translate addresses")]
)
def test_what_the_kernel_cannot_do_is_found_by_trying(monkeypatch: pytest.MonkeyPatch, step: str, expected: str) -> None:
    monkeypatch.setattr(machine, "succeeds", lambda argv: step not in argv)
    assert expected in refused()


def test_what_a_killed_look_left_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".yiwang-probe/work").mkdir(parents=True)
    machine.require(7)
    assert list(tmp_path.iterdir()) == []
