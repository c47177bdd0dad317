"""``yiwang host trust``: a key is pinned only when somebody says that it is the host's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from yiwang import cli, ssh
from yiwang.errors import ExitCode

REPOSITORY = Path(__file__).parent.parent.parent
OLD = "p-core ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7Cxq5Fz1oDbCLdLZ3D5pZ4ma4Zl1x9PZk1sRcaJ0Yc"
NEW = "p-core ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPNtH2yPv9x1mGz7P8bJ3h2m4a5b6c7d8e9f0g1h2i3j"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "lab"
    shutil.copytree(REPOSITORY / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
    monkeypatch.setenv("YIWANG_INVENTORY", str(directory))
    monkeypatch.setenv("YIWANG_LANG", "en")
    shows(monkeypatch, [NEW])
    known = directory / ".state" / "ssh" / "known_hosts"
    known.parent.mkdir(parents=True)
    known.write_text(f"{OLD}\n{OLD.replace('p-core', 'p-data')}\n")
    return known


def shows(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    async def scan(_self: ssh.Access, _host: str) -> list[str]:
        return lines

    monkeypatch.setattr(ssh.Access, "scan", scan)


def test_nobody_confirms(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = inventory.read_text()
    assert cli.run(["host", "trust", "p-core"]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert ssh.fingerprint(OLD) in said
    assert f"--fingerprint {ssh.fingerprint(NEW)}" in said
    assert inventory.read_text() == before


@pytest.mark.parametrize("options", [["--yes"], ["--fingerprint", ssh.fingerprint(NEW)]])
def test_confirmed(inventory: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["host", "trust", "p-core", "--json", *options]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {
        "host": "p-core",
        "changed": True,
        "old": [ssh.fingerprint(OLD)],
        "new": [ssh.fingerprint(NEW)],
    }
    assert sorted(inventory.read_text().splitlines()) == sorted([NEW, OLD.replace("p-core", "p-data")])
    assert cli.run(["host", "trust", "p-core", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["changed"] is False


def test_another_key_than_the_one_named(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = inventory.read_text()
    assert cli.run(["host", "trust", "p-core", "--fingerprint", ssh.fingerprint(OLD), "--yes"]) == ExitCode.HOST
    assert ssh.fingerprint(NEW) in capsys.readouterr().err
    assert inventory.read_text() == before


def test_no_answer_and_no_such_host(inventory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shows(monkeypatch, [])
    assert cli.run(["host", "trust", "p-core", "--yes"]) == ExitCode.HOST
    monkeypatch.undo()
    monkeypatch.setenv("YIWANG_INVENTORY", str(inventory.parent.parent.parent))
    assert cli.run(["host", "trust", "p-coer", "--yes"]) == ExitCode.INPUT
    assert "p-coer" in capsys.readouterr().err
