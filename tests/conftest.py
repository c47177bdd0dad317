"""Fixtures shared by all tests: one lab a run, made and configured by the commands a user types."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parent.parent
# Always the same place, so that a run that was killed is cleaned up by the next one.
LAB_HOME = Path("/var/tmp/yiwang-tests")


@dataclass(frozen=True)
class Yiwang:
    """The command line on one inventory."""

    inventory: Path

    def environment(self, **extra: str) -> dict[str, str]:
        return {**os.environ, "YIWANG_INVENTORY": str(self.inventory), "YIWANG_LANG": "en", **extra}

    def __call__(self, *arguments: str, check: bool = True, timeout: float = 900, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "yiwang", *arguments]
        done = subprocess.run(
            command, env=self.environment(**extra), capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
        if check and done.returncode:
            pytest.fail(f"yiwang {' '.join(arguments)} exited {done.returncode}\n{done.stdout}\n{done.stderr}", pytrace=False)
        return done

    def json(self, *arguments: str, check: bool = True) -> Any:
        return json.loads(self(*arguments, "--json", check=check).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A verb in a session of its own, to be killed by the test."""
        return subprocess.Popen(
            [sys.executable, "-m", "yiwang", *arguments],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ssh(self, host: str, command: str, *, check: bool = True) -> str:
        return self("lab", "ssh", host, command, check=check).stdout

    def hosts(self) -> dict[str, Any]:
        return {host["name"]: host for site in self.json("inventory", "show")["sites"].values() for host in site["hosts"]}


@pytest.fixture(scope="session")
def lab_servers() -> Iterator[Yiwang]:
    """The lab's servers as `yiwang lab up` makes them, not configured yet; taken down at the end."""
    if os.geteuid() != 0:
        pytest.fail("tests marked lab need root")
    LAB_HOME.mkdir(exist_ok=True, mode=0o700)
    with (LAB_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = LAB_HOME / "lab"
        yiwang = Yiwang(directory)
        if directory.exists():
            yiwang("lab", "down")
            shutil.rmtree(directory)
        shutil.copytree(REPOSITORY / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
        try:
            yiwang("lab", "up")
            yield yiwang
        finally:
            yiwang("lab", "down")
            shutil.rmtree(directory)


@pytest.fixture(scope="session")
def lab(lab_servers: Yiwang) -> Yiwang:
    """The lab after its first `yiwang up`."""
    lab_servers("up", "--yes")
    return lab_servers
