"""What tests of several nouns use: the command line on one inventory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


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
