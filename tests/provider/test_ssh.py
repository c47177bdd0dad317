"""SSH: what the configuration says by ssh's own reading, pins, and what errors mean."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from yiwang.errors import ExitCode, UserError
from yiwang.files import private_tmpfs
from yiwang.ssh import Access, Endpoint, Problem, explain, fingerprint, problem_of

LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE7Cxq5Fz1oDbCLdLZ3D5pZ4ma4Zl1x9PZk1sRcaJ0Yc"


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    province = SimpleNamespace(
        state_dir=tmp_path / "a state",
        access=SimpleNamespace(user="yiwang", bootstrap_user="root", key_file=tmp_path / "key"),
        hosts={"one": SimpleNamespace(ipv4="192.0.2.1", port=22), "two": SimpleNamespace(ipv4="192.0.2.2", port=2222)},
    )
    with tempfile.TemporaryDirectory(dir=private_tmpfs(), prefix="test-") as run_dir:
        yield Access(province, Path(run_dir))


def effective(access: Access, host: str) -> dict[str, str]:
    done = subprocess.run(["ssh", "-G", "-F", str(access.config), host], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_the_configuration_as_ssh_reads_it(access: Access) -> None:
    options = effective(access, "two")
    assert (options["hostname"], options["port"], options["user"], options["hostkeyalias"]) == ("192.0.2.2", "2222", "yiwang", "two")
    assert (options["stricthostkeychecking"], options["batchmode"], options["identitiesonly"]) == ("true", "yes", "yes")
    assert options["userknownhostsfile"] == str(access.known_hosts)
    assert options["controlmaster"] == "auto"


def test_ways_of_the_province_come_first(access: Access) -> None:
    (access.directory / "jump.conf").write_text("Host one\n  ProxyJump bastion.example\n")
    assert effective(access, "one")["proxyjump"] == "bastion.example"
    assert "proxyjump" not in effective(access, "two")


def test_pins_are_replaced_host_by_host(access: Access) -> None:
    assert access.trusted("one") == []
    access.trust("one", [f"one {LINE}"])
    access.trust("two", [f"two {LINE}"])
    access.trust("one", [f"one {LINE}x"])
    assert (access.trusted("one"), access.trusted("two")) == ([f"one {LINE}x"], [f"two {LINE}"])
    assert access.known_hosts.stat().st_mode & 0o777 == 0o600


def test_fingerprints_are_those_of_ssh(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True).stdout
    kind, key = (tmp_path / "key.pub").read_text().split()[:2]
    assert fingerprint(f"one {kind} {key}") == shown.split()[1]
    assert fingerprint("nonsense") == "?"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ssh: connect to host 192.0.2.1 port 22: Connection refused", Problem.UNREACHABLE),
        ("no answer within 10 seconds", Problem.UNREACHABLE),
        ("No ED25519 host key is known for one and you asked for checking.\nHost key verification failed.", Problem.KEY_UNKNOWN),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.", Problem.KEY_CHANGED),
        ("root@192.0.2.1: Permission denied (publickey).", Problem.DENIED),
    ],
)
def test_errors_are_told_apart(text: str, problem: Problem) -> None:
    assert problem_of(text) is problem
    error = explain("one", problem, Endpoint("192.0.2.1"), text, "yiwang")
    assert error.code == ExitCode.HOST
    assert "one" in error.text
    assert error.fix


def test_a_command_that_does_not_end_is_ended(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "command", lambda *_a, **_k: ["sh", "-c", "sleep 60 & sleep 60"])
    done = asyncio.run(access.run("one", "true", timeout=0.2))
    assert done.problem is Problem.UNREACHABLE


def test_an_unknown_host_is_an_error_for_a_person(access: Access) -> None:
    with pytest.raises(UserError, match="three"):
        asyncio.run(access.run("three", "true"))
