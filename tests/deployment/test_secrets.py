"""No secret of a run is in argv, logs, output, journal, state in clear, or on the operator's disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from tests_support import Yiwang

from yiwang.engine.passphrase import Manager

pytestmark = pytest.mark.lab

# How often each process is looked at, from its first moment: before and after it has become another program.
LOOKS = 10
# A site with an authority of its own, and one below another: what they have in common with the rest need not be seen twice.
SOME = ("--site", "national", "--site", "jinan")


def ciphertexts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("ciphertext"), str):
            yield value["ciphertext"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from ciphertexts(item)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        # Of a PEM block the lines of its body: they are what would show in a log.
        yield from (line for line in value.splitlines() if not line.startswith("-----"))
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def secrets_of(yiwang: Yiwang) -> set[str]:
    """Every secret text in all states, decrypted, and the passphrase."""
    passphrase = (yiwang.inventory / ".state" / "passphrase").read_text().strip()
    found = {passphrase}
    for path in (yiwang.inventory / ".state" / ".pulumi" / "stacks").glob("*/*.json"):
        latest = json.loads(path.read_text())["checkpoint"]["latest"]
        manager = Manager(passphrase, latest["secrets_providers"]["state"]["salt"])
        for sealed in ciphertexts(latest["resources"]):
            found |= set(texts(json.loads(manager.decrypt(sealed))))
    return {text for text in found if len(text) >= 12}


class Watcher(threading.Thread):
    """Collects the argument lists and environments of all processes while its body runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        looks: dict[str, int] = {}
        while not self._done.wait(0.02):
            running = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()} - {str(os.getpid())}
            # A process is what it was started as after its first moments; the number of one that is gone is another's later.
            looks = {name: looks.get(name, 0) + 1 for name in running}
            for process in (name for name in running if looks[name] <= LOOKS):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        self.seen.add(Path("/proc", process, name).read_bytes())


@contextlib.contextmanager
def unreplaceable(yiwang: Yiwang, host: str, path: str) -> Iterator[None]:
    """While the body runs, the file ``path`` on the host cannot be replaced."""
    yiwang.ssh(host, f"sudo mount --bind {path} {path}")
    try:
        yield
    finally:
        yiwang.ssh(host, f"sudo umount {path}")


def killed(yiwang: Yiwang, *arguments: str, at: str) -> str:
    """What a verb prints until a line with ``at`` appears, where it is killed."""
    process = yiwang.start(*arguments)
    assert process.stdout is not None
    lines = []
    with process.stdout:
        for line in process.stdout:
            lines.append(line)
            if at in line:
                break
        else:
            pytest.fail(f"{arguments} ended without {at!r}:\n{''.join(lines)}")
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return "".join(lines)


def test_no_secret_is_anywhere_in_clear(lab: Yiwang) -> None:
    """In good runs, a rotation, a failing task that handles a secret, and a kill; old secrets and new ones."""
    secrets = secrets_of(lab)
    outputs = []

    def run(*arguments: str) -> int:
        done = lab(*arguments, check=False)
        outputs.append(done.stdout + done.stderr)
        return done.returncode

    with Watcher() as watcher:
        assert run("up", "--yes", "--reapply", "--json", *SOME) == 0
        assert run("rotate", "c-jinan-rescue", "--site", "jinan", "--yes") == 0
        with unreplaceable(lab, "c-jinan", "/etc/yiwang/tls/host.key"):
            assert run("rotate", "c-jinan-certificate", "--site", "jinan", "--yes") == 1
            assert run("plan", *SOME) in (1, 2)
            assert run("plan", "--json", "--site", "jinan") in (1, 2)
        secrets |= secrets_of(lab)
        outputs.append(killed(lab, "up", "--yes", "--reapply", *SOME, at="role base on"))
        assert run("up", "--yes", "--refresh", *SOME) == 0
        for arguments in (["plan", "--json"], ["outputs", "--json"], ["status", "--json"], ["state", "list", "--json"]):
            assert run(*arguments) == 0
    journals = [lab.ssh(host, "sudo journalctl -o cat; sudo cat /var/log/*.log /var/log/sudo* 2>/dev/null; true") for host in lab.hosts()]
    secrets |= secrets_of(lab)
    assert len(secrets) > 20, "the run's secrets were not found"

    places = {
        "argv or environment": b"\n".join(watcher.seen).decode(errors="replace"),
        "output": "\n".join(outputs),
        "journal": "\n".join(journals),
    }
    assert "Key of the certificate" in places["output"], "the failing task is the one that handles the key"
    leaked = [f"{place}: {secret[:4]}…" for place, text in places.items() for secret in secrets if secret in text]
    assert leaked == []


def test_no_secret_is_on_the_operators_disk(lab: Yiwang, tmp_path: Path) -> None:
    secrets = secrets_of(lab)
    words = tmp_path / "words"
    passphrase_file = lab.inventory / ".state" / "passphrase"
    words.write_text("\n".join(sorted(secrets)) + "\n")
    home = Path.home()
    places = [lab.inventory, home / ".cache" / "yiwang", home / ".ansible", home / ".pulumi", Path("/tmp"), Path("/var/tmp")]
    done = subprocess.run(
        ["grep", "-rlFsI", "--devices=skip", "-f", str(words), *(str(place) for place in places if place.exists())],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {Path(line) for line in done.stdout.splitlines()} - {words, passphrase_file}
    assert found == set()
    assert passphrase_file.stat().st_mode & 0o777 == 0o600


def test_the_state_keeps_secrets_encrypted_and_the_check_can_fail(lab: Yiwang) -> None:
    checkpoints = sorted((lab.inventory / ".state" / ".pulumi" / "stacks").glob("*/*.json"))
    assert len(checkpoints) == 4
    for path in checkpoints:
        text = path.read_text()
        assert json.loads(text)["checkpoint"]["latest"]["secrets_providers"]["type"] == "passphrase"
        assert "BEGIN PRIVATE KEY" not in text
        assert "BEGIN EC PRIVATE KEY" not in text
    shown = lab("outputs", "--show-secrets", "--json").stdout
    assert any(secret in shown for secret in secrets_of(lab)), "the words that the other checks look for are the real ones"


def test_outputs_hide_secrets_unless_asked(lab: Yiwang) -> None:
    assert "[secret]" in lab("outputs", "--json").stdout
    assert "PRIVATE KEY" not in lab("outputs", "--json").stdout
    assert "PRIVATE KEY" in lab("outputs", "--json", "--show-secrets").stdout
