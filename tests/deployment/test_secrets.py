"""No secret of a run is in argv, logs, output, journal, state in clear, or on the operator's disk."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests_support import Yiwang

from yiwang.engine.passphrase import Manager

pytestmark = pytest.mark.lab


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
    """Collects the argument lists and environments of all processes while something runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.2):
            for process in Path("/proc").iterdir():
                if process.name.isdigit() and int(process.name) != os.getpid():
                    for name in ("cmdline", "environ"):
                        try:
                            self.seen.add((process / name).read_bytes())
                        except OSError:
                            continue


def test_no_secret_is_anywhere_in_clear(lab: Yiwang) -> None:
    watcher = Watcher()
    watcher.start()
    outputs = []
    for arguments in (
        ["up", "--yes", "--reapply", "--json"],
        ["plan", "--json"],
        ["outputs", "--json"],
        ["status", "--json"],
        ["state", "list", "--json"],
    ):
        done = lab(*arguments, check=False)
        outputs.append(done.stdout + done.stderr)
    watcher.done.set()
    watcher.join()
    journals = [lab.ssh(host, "sudo journalctl -o cat; sudo cat /var/log/*.log /var/log/sudo* 2>/dev/null; true") for host in lab.hosts()]
    secrets = secrets_of(lab)
    assert len(secrets) > 20, "the run's secrets were not found"

    places = {
        "argv or environment": b"\n".join(watcher.seen).decode(errors="replace"),
        "output": "\n".join(outputs),
        "journal": "\n".join(journals),
    }
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
