"""Our key pair for the hosts, compared with what SSH's own tools make of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from yiwang import keys
from yiwang.errors import ExitCode, UserError


def keygen(*arguments: str | Path) -> str:
    return subprocess.run(["ssh-keygen", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def test_a_pair_is_made_once_private_and_as_ssh_reads_it(tmp_path: Path) -> None:
    key = tmp_path / "made" / "here" / "id"
    line = keys.pair(key)
    assert line.split()[:2] == keygen("-y", "-f", key).split()[:2]
    assert [path.stat().st_mode & 0o777 for path in (key, key.parent, key.parent.parent)] == [0o600, 0o700, 0o700]
    before = key.read_bytes()
    assert keys.pair(key) == line
    assert key.read_bytes() == before


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_the_public_half_that_is_missing_or_wrong_is_written(kind: str, form: str, tmp_path: Path) -> None:
    key = tmp_path / "id"
    keygen("-q", "-t", kind, "-m", form, "-N", "", "-C", "somebody", "-f", key)
    half = keygen("-y", "-f", key).split()[:2]
    assert keys.pair(key).split() == [*half, "somebody"], "one that is right stays as it is"
    keys.public_file(key).unlink()
    assert keys.pair(key).split()[:2] == half
    keys.public_file(key).write_text("ssh-ed25519 AAAA other\n")
    assert keys.pair(key).split()[:2] == keys.written(key) == half


@pytest.mark.parametrize("spoil", ["passphrase", "mode", "text", "directory"])
def test_a_key_that_ssh_cannot_use_alone_is_one_line_and_stays(spoil: str, tmp_path: Path) -> None:
    key = tmp_path / "id"
    if spoil == "directory":
        key.mkdir()
    else:
        keygen("-q", "-t", "ed25519", "-N", "secret" if spoil == "passphrase" else "", "-f", key)
    if spoil == "mode":
        key.chmod(0o644)
        assert keys.public_half(key, strict=False) == keys.written(key)
    elif spoil == "text":
        key.write_text("no key\n")
    elif spoil == "passphrase":
        assert keys.public_half(key, strict=False) == keys.written(key)
    with pytest.raises(UserError) as caught:
        keys.pair(key)
    assert caught.value.code is ExitCode.INPUT
    assert len(caught.value.report().splitlines()) == 1
    assert str(key) in caught.value.report()
