"""The command line as programs use it: an executable named `pulumi` in front on PATH, and a project of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PASSPHRASE = "open sesame"


def put_in_front(directory: Path) -> str:
    """A PATH on which `pulumi` is this command line and `python` this Python; the executables are made in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    scripts = {"pulumi": f'exec {sys.executable} -m yiwang pulumi "$@"', "python": f'exec {sys.executable} "$@"'}
    for name, line in scripts.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    return f"{directory}:{Path(sys.executable).parent}:{os.environ['PATH']}"


class Project:
    """A project with one program; ``pulumi(...)`` runs the command line in it."""

    def __init__(self, work: Path, program: str = "import pulumi\n", settings: str = "") -> None:
        self.work = work
        self.directory = work / "prog"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.backend = work / "backend"
        self.backend.mkdir(exist_ok=True)
        (self.directory / "Pulumi.yaml").write_text(f"name: sample\nruntime: python\n{settings}")
        self.write(program)

    def write(self, program: str) -> None:
        (self.directory / "__main__.py").write_text(program)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "YIWANG_"))}
        return {
            **kept,
            # Providers of the tests find the Python that runs them there.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": self.backend.as_uri(),
            "PULUMI_HOME": str(self.work / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PYTHONDONTWRITEBYTECODE": "1",
            "YIWANG_LANG": "en",
            **more,
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """In a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "yiwang", "pulumi", *arguments, "--non-interactive"],
            cwd=self.directory,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def pulumi(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def ok(self, *arguments: str, **more: str) -> str:
        done = self.pulumi(*arguments, **more)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, **more: str) -> Any:
        return json.loads(self.ok(*arguments, "--json", **more))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]
