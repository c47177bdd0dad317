from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.lab_support import NAMES, Key, silent, spec_of

from yiwang import lab
from yiwang.lab import LabSpec

LOCK = Path("/var/tmp/yiwang-labtest.lock")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    path = tmp_path_factory.mktemp("key") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return Key(path)


@pytest.fixture(scope="session")
def machine(key: Key) -> Iterator[None]:
    """The right to make the labs of these tests; whatever a killed run left of them is wiped first."""
    if os.geteuid() != 0:
        pytest.fail("tests marked lab need root")
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in NAMES:
            lab.down(name, silent)
        yield
        for name in NAMES:
            lab.down(name, silent)


@pytest.fixture
def spec(machine: None, key: Key) -> LabSpec:
    """A lab that is up before each test, whatever the one before did to it."""
    wanted = spec_of(NAMES[0], key.public)
    lab.up(wanted, silent)
    return wanted
