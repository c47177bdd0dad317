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
    async def scan(_self: ssh.Access, host: str) -> list[str]:
        return [line.replace("p-core", host) for line in lines]

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
    row = {"host": "p-core", "changed": True, "old": [ssh.fingerprint(OLD)], "new": [ssh.fingerprint(NEW)], "error": ""}
    assert json.loads(capsys.readouterr().out) == {"hosts": [row]}
    assert sorted(inventory.read_text().splitlines()) == sorted([NEW, OLD.replace("p-core", "p-data")])
    assert cli.run(["host", "trust", "p-core", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["hosts"][0]["changed"] is False


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


def test_all_hosts_at_once(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those without a pinned key; one that shows another key than its pinned one is refused and stays as it was."""
    assert cli.run(["host", "trust", "--all"]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert all(f"{host}  pinned: -; shown now: {ssh.fingerprint(NEW)}" in said for host in ("p-edge", "p-ops", "n-core", "c-jinan"))
    assert "compare each, then add --yes" in said
    assert cli.run(["host", "trust", "--all", "--yes", "--json"]) == ExitCode.HOST
    printed = capsys.readouterr()
    rows = json.loads(printed.out)["hosts"]
    assert {row["host"] for row in rows if row["error"]} == {"p-core", "p-data"}
    changed = {row["host"]: row["changed"] for row in rows}
    assert changed == {host: host not in ("p-core", "p-data") for host in changed}
    assert len(changed) == 7
    refused = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert [host for host in ("p-core", "p-data") if any(f"host {host} " in line for line in refused)] == ["p-core", "p-data"]
    assert len(refused) == 2
    assert OLD in inventory.read_text()


def test_several_hosts(inventory: Path) -> None:
    assert cli.run(["host", "trust", "p-core", "p-ops", "--yes"]) == ExitCode.OK
    pinned = {line.split()[0] for line in inventory.read_text().splitlines() if line.endswith(NEW.split(" ", 1)[1])}
    assert pinned == {"p-core", "p-ops"}


@pytest.mark.parametrize("arguments", [[], ["p-core", "--all"], ["--all", "--fingerprint", "x"], ["p-core", "p-ops", "--fingerprint", "x"]])
def test_which_hosts_is_said_in_one_way(inventory: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["host", "trust", *arguments]) == ExitCode.INPUT
    assert "expected hosts, or --all" in capsys.readouterr().err


def test_the_nearest_host_is_named(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["host", "trust", "p-coer"]) == ExitCode.INPUT
    assert "did you mean p-core?" in capsys.readouterr().err


# --- Our own key ----------------------------------------------------------------------------------------------------


def test_the_key_pair_is_made_once(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = inventory.with_name("id_ed25519")
    assert cli.run(["host", "key", "--json"]) == ExitCode.OK
    first = json.loads(capsys.readouterr().out)
    assert first["made"] is True
    assert key.stat().st_mode & 0o777 == 0o600
    key.with_suffix(".pub").write_text("of another key\n")
    assert cli.run(["host", "key", "--json"]) == ExitCode.OK
    second = json.loads(capsys.readouterr().out)
    assert (second["made"], second["public_key"]) == (False, first["public_key"])
    assert key.with_suffix(".pub").read_text().strip() == first["public_key"]


def test_a_key_that_cannot_be_used(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = inventory.with_name("id_ed25519")
    key.write_text("no key\n")
    key.chmod(0o600)
    assert cli.run(["host", "key"]) == ExitCode.INPUT
    assert "id_ed25519 cannot be made or used" in capsys.readouterr().err
    assert key.read_text() == "no key\n"


def test_a_fingerprint_is_compared_also_where_the_key_is_pinned_already(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory.write_text(f"{NEW}\n")
    assert cli.run(["host", "trust", "p-core", "--fingerprint", ssh.fingerprint(OLD)]) == ExitCode.HOST
    assert f"shows the key {ssh.fingerprint(NEW)}" in capsys.readouterr().err
    assert cli.run(["host", "trust", "p-core", "--fingerprint", ssh.fingerprint(NEW)]) == ExitCode.OK
    assert inventory.read_text() == f"{NEW}\n"
