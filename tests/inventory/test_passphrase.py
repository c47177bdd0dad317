"""The passphrase of the state: from each source, never shown."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from yiwang.errors import ExitCode, UserError
from yiwang.inventory import load
from yiwang.inventory.model import Passphrase
from yiwang.inventory.passphrase import read
from yiwang.inventory.secret_source import MAX_BYTES


def test_generated_once_and_private(inventory: Path) -> None:
    province = load(inventory)
    assert not province.state_dir.exists(), "loading made something"
    first = province.passphrase()
    file = province.state_dir / "passphrase"
    assert len(first) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert province.state_dir.stat().st_mode & 0o777 == 0o700
    assert load(inventory).passphrase() == first
    assert first not in repr(province)


def test_two_at_once_get_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: read(Passphrase("generate"), tmp_path / "state"), range(16)))
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["passphrase"]


def test_none_is_made_for_a_state_whose_passphrase_is_gone(tmp_path: Path) -> None:
    stack = tmp_path / ".pulumi" / "stacks" / "city" / "jinan.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    with pytest.raises(UserError) as raised:
        read(Passphrase("generate"), tmp_path)
    assert raised.value.code == ExitCode.INPUT
    assert "restore it" in raised.value.report()
    assert not (tmp_path / "passphrase").exists()


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError) as raised:
        read(Passphrase("generate"), tmp_path / "file" / "state")
    assert raised.value.code == ExitCode.INPUT


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_the_machines(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: object, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(UserError) as raised:
        read(Passphrase("generate"), tmp_path)
    assert raised.value.code == ExitCode.MACHINE
    assert str(tmp_path / "passphrase") in raised.value.text


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    assert read(Passphrase("file", file=file), tmp_path) == "correct horse"


def test_a_directory_is_no_passphrase_file_and_its_mode_stays(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o755)
    with pytest.raises(UserError) as raised:
        read(Passphrase("file", file=place), tmp_path)
    assert raised.value.code == ExitCode.INPUT
    assert "chmod" not in raised.value.report()
    assert "directory" in raised.value.report()


@pytest.mark.parametrize(
    ("content", "mode"),
    [("", 0o600), ("\n", 0o600), ("two\nlines", 0o600), ("x" * (MAX_BYTES + 1), 0o600), ("fine", 0o644), ("fine", 0o620)],
)
def test_a_bad_file_is_refused_and_not_quoted(content: str, mode: int, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(UserError) as raised:
        read(Passphrase("file", file=file), tmp_path)
    assert raised.value.code == ExitCode.INPUT
    assert len(raised.value.report().splitlines()) == 1
    assert str(file) in raised.value.report()
    assert "fine" not in raised.value.report()


@pytest.mark.parametrize("name", ["absent", "."])
def test_no_file(name: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(UserError) as raised:
        read(Passphrase("file", file=tmp_path / name), tmp_path)
    assert raised.value.code == ExitCode.INPUT


@pytest.mark.parametrize(
    "command",
    [
        ("/bin/false",),
        ("/does/not/exist",),
        ("/bin/sh", "-c", "echo leaked; exit 3"),
        ("/bin/sh", "-c", "echo leaked >&2; exit 3"),
        ("/bin/true",),
    ],
)
def test_a_failing_command_is_refused_and_not_quoted(command: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        read(Passphrase("command", command=command), tmp_path)
    assert raised.value.code == ExitCode.INPUT
    report = raised.value.report().replace(" ".join(command), "")
    assert len(report.splitlines()) == 1
    assert "leaked" not in report
