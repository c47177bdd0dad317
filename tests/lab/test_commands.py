"""The verbs `lab` and `doctor` as a person types them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from lab.lab_support import NAMES, nothing, traces

from yiwang import inventory, lab
from yiwang.cli import run
from yiwang.commands import _lab, _lab_state
from yiwang.engine import lock
from yiwang.errors import ExitCode
from yiwang.lab import LabSpec
from yiwang.paths import data


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lab's inventory, of which no lab was made."""
    copied = tmp_path / "lab"
    shutil.copytree(data("inventories") / "lab", copied, ignore=shutil.ignore_patterns(".state"))
    monkeypatch.setenv("YIWANG_INVENTORY", str(copied))
    monkeypatch.setenv("YIWANG_LANG", "en")
    return copied


@pytest.mark.parametrize(
    "arguments", [["lab", "up"], ["lab", "down"], ["lab", "down", "--host", "p-core"], ["lab", "status"], ["lab", "ssh", "p-core"]]
)
def test_without_root_nothing_is_done(
    directory: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(arguments) == ExitCode.MACHINE
    assert capsys.readouterr().err == "error: a lab needs root; run it with sudo\n"
    assert not (directory / ".state").exists()


@pytest.mark.lab
@pytest.mark.parametrize("arguments", [["lab", "up", "--host", "nope"], ["lab", "ssh", "nope"], ["lab", "down", "--host", "nope"]])
def test_unknown_hosts_are_refused_with_those_there_are(directory: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == ExitCode.INPUT
    error = capsys.readouterr().err
    assert "has no host nope" in error
    assert len(error.splitlines()) == 1
    assert not (directory / ".state").exists()
    assert lab.lab_name(directory) not in lab.names()


@pytest.mark.lab
def test_a_lab_that_is_not_there(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "status", "--json"]) == ExitCode.FINDINGS
    assert json.loads(capsys.readouterr().out)["state"] == "absent"
    assert run(["lab", "down", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"lab": lab.lab_name(directory), "removed": False}
    assert run(["lab", "ssh", "p-core", "true"]) == ExitCode.HOST


def recorded(directory: Path) -> Path:
    """What a run would have recorded."""
    checkpoint = directory / ".state/.pulumi/stacks/province/province.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    return checkpoint


@pytest.mark.lab
def test_state_of_other_servers_keeps_a_lab_out(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = recorded(directory)
    before = sorted(directory.rglob("*"))
    assert run(["lab", "up"]) == ExitCode.INPUT
    error = capsys.readouterr().err
    assert "copy the inventory directory without its state" in error
    assert len(error.splitlines()) == 1
    assert sorted(directory.rglob("*")) == before
    assert lab.lab_name(directory) not in lab.names()
    assert run(["lab", "down"]) == ExitCode.OK
    assert checkpoint.exists()
    assert "was not begun by this lab and stays" in capsys.readouterr().err


@pytest.mark.lab
def test_down_without_a_lab_keeps_what_was_recorded_since(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _lab_state.claim(directory / ".state", lab.lab_name(directory))
    checkpoint = recorded(directory)
    assert run(["lab", "down"]) == ExitCode.OK
    assert "was not begun by this lab and stays" in capsys.readouterr().err
    assert checkpoint.exists()


@pytest.mark.lab
def test_a_lab_lost_without_a_trace_is_cleaned_up_with_its_state(directory: Path) -> None:
    province = inventory.load(directory)
    _lab_state.claim(province.state_dir, lab.lab_name(directory))
    _lab.lead_into(province, _lab.spec_of(province))
    recorded(directory)
    assert run(["lab", "down"]) == ExitCode.OK
    assert not province.state_dir.exists()


@pytest.mark.lab
def test_down_waits_for_no_run_but_refuses(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    province = inventory.load(directory)
    _lab_state.claim(province.state_dir, lab.lab_name(directory))
    _lab.lead_into(province, _lab.spec_of(province))
    # A first run, which has recorded nothing yet.
    with lock.held(province.state_dir / ".pulumi/locks/organization/province/province", "up"):
        assert run(["lab", "down"]) == ExitCode.LOCKED
        assert "the state is locked" in capsys.readouterr().err
        assert province.state_dir.exists()
    assert run(["lab", "down"]) == ExitCode.OK
    assert not province.state_dir.exists()


@pytest.mark.lab
def test_up_pins_keys_and_tells_of_a_host_made_anew(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = directory / ".state/ssh/known_hosts"
    try:
        assert run(["lab", "up", "--host", "p-core", "--json"]) == ExitCode.OK
        found = {host["name"]: host for host in json.loads(capsys.readouterr().out)["hosts"]}
        assert {name for name, host in found.items() if host["state"] == "running"} == {"p-core"}
        assert known.read_text() == f"p-core {found['p-core']['host_key']}\n"
        assert run(["lab", "ssh", "p-core", "test", "$(hostname)", "=", "p-core"]) == ExitCode.OK
        assert run(["lab", "ssh", "p-core", "exit 42"]) == 42
        # As `lab status` and users write it.
        assert run(["lab", "ssh", "p-core", "--", "exit 43"]) == 43
        assert run(["lab", "down", "--host", "p-core"]) == ExitCode.OK
        assert run(["lab", "up", "--host", "p-core"]) == ExitCode.OK
        assert "run `yiwang host trust p-core`" in capsys.readouterr().err
        assert known.read_text() == f"p-core {found['p-core']['host_key']}\n", "a changed key is for a person to trust"
        assert run(["lab", "ssh", "p-core", "true"]) == ExitCode.OK, "the lab knows its own hosts"
        # From elsewhere, by its name: its inventory is the recorded one.
        monkeypatch.delenv("YIWANG_INVENTORY")
        assert run(["lab", "down", "--lab", lab.lab_name(directory)]) == ExitCode.OK
        assert not (directory / ".state").exists()
        monkeypatch.setenv("YIWANG_INVENTORY", str(directory))
    finally:
        assert run(["lab", "down"]) == ExitCode.OK
    assert not (directory / ".state").exists()
    assert lab.lab_name(directory) not in lab.names()


@pytest.mark.lab
def test_doctor_names_what_is_left_over_and_how_to_remove_it(
    spec: LabSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    assert run(["doctor", "--json"]) == ExitCode.FINDINGS
    report = json.loads(capsys.readouterr().out)
    assert {"name": NAMES[0], "state": "running", "directory": str(spec.directory), "leftover": True} in report["labs"]
    assert report["findings"] == []
    assert report["cgroups"] in ("v1", "v2", "v2-systemd")
    assert report["tools"]["systemd-nspawn"]
    assert report["caches"]["layers"] > 100 << 20
    run(["doctor"])
    assert f"`yiwang lab down --lab {NAMES[0]}` removes it" in capsys.readouterr().out
    assert run(["lab", "down", "--lab", NAMES[0]]) == ExitCode.OK
    assert traces(NAMES[0]) == nothing()


@pytest.mark.lab
def test_what_is_no_lab_cannot_be_wiped(machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "down", "--lab", "../etc"]) == ExitCode.INPUT
    assert "../etc is not the name of a lab" in capsys.readouterr().err


def test_the_lab_that_fails_over_has_its_own_inventory(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "up", "--ha", "-i", str(directory)]) == ExitCode.INPUT
    assert "--ha and --inventory cannot go together" in capsys.readouterr().err
    assert run(["lab", "up", "--ha", "--host", "p-data-9"]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert "p-data-9" in said
    assert "p-data-3" in said
