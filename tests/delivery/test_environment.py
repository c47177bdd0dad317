"""The host's part of a delivery: an environment from an archive, switched to when it is complete."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from yiwang.delivery import wheel

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / "roles" / "base" / "files" / "environment.py"
# Runs a program and writes what it started, renamed and opened for writing to a file, in that order.
TRACED = """
import os, runpy, sys
trace = open(sys.argv[1], "w", buffering=1)
def audit(event, arguments):
    if event == "subprocess.Popen":
        print(*map(str, arguments[1]), file=trace)
    elif event == "os.rename":
        print("rename", arguments[1], file=trace)
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
        print("create", arguments[0], file=trace)
sys.addaudithook(audit)
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def tiny(name: str, version: str, directory: Path, code: str = "", **info: str) -> tuple[Path, str]:
    """A wheel with one module."""
    path = directory / f"{name}-{version}-py3-none-any.whl"
    contents = {f"{name}.py": f"VERSION = {version!r}\n{code}".encode()}
    info |= {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents |= {f"{name}-{version}.dist-info/{file}": text.encode() for file, text in info.items()}
    wheel.write_wheel(path, contents, f"{name}-{version}.dist-info/RECORD")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


# A command that runs on until it is told to go on, and only then needs its other module.
COMMANDS = {"entry_points.txt": "[console_scripts]\nyiwang = yiwang:main\n"}
COMMAND = """
def main():
    print("started", flush=True)
    input()
    import dependency
    print(VERSION, dependency.VERSION)
"""


class Host:
    """A host's directories under one of the test's own."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.versions = prefix / "opt/yiwang/versions/kit"
        self.store = prefix / "var/lib/yiwang/wheelhouse/kit"

    def install(self, version: str, *, spoilt: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the host's part with an archive of one dependency, as version ``version``."""
        self.store.mkdir(parents=True, exist_ok=True)
        dependency, dependency_digest = tiny("dependency", version, self.prefix)
        own, own_digest = tiny("yiwang", version, self.store, COMMAND, **COMMANDS)
        requirements = self.prefix / "requirements.txt"
        requirements.write_text(f"dependency=={version} --hash=sha256:{dependency_digest}\n")
        if spoilt:
            dependency.write_bytes(dependency.read_bytes() + b"x")
        archive = self.store / f"dependencies-{version}.tar"
        with tarfile.open(archive, "w") as tar:
            for file in (requirements, dependency):
                tar.add(file, file.name)
        program = [sys.executable, "-c", TRACED, str(self.prefix / "trace"), str(ENVIRONMENT)]
        command = [*program, "kit", f"digest-{version}", archive.name, own.name, own_digest]
        environment = {**os.environ, "YIWANG_PREFIX": str(self.prefix)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def trace(self) -> list[str]:
        """What the last installation did, with paths relative to the versions."""
        return [line.replace(f"{self.versions}/", "") for line in (self.prefix / "trace").read_text().splitlines()]

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen([self.prefix / "opt/yiwang/kit/bin/yiwang"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process


def test_an_environment_is_switched_to_when_complete_and_the_last_one_stays(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (host.versions / "digest-0.9").mkdir(parents=True)
    done = host.install("1.0")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in host.versions.iterdir()] == ["digest-1.0"]

    with host.start() as running:
        failed = host.install("2.0", spoilt=True)
        assert failed.returncode != 0
        assert "dependency" in failed.stderr
        with host.start() as still:
            assert still.communicate("\n")[0] == "1.0 1.0\n"

        done = host.install("2.0")
        assert done.returncode == 0, done.stderr
        with host.start() as fresh:
            assert fresh.communicate("\n")[0] == "2.0 2.0\n"
        # What was started before the switch finds the modules that it has not imported yet, in its own version.
        assert running.communicate("\n")[0] == "1.0 1.0\n"
    assert sorted(path.name for path in host.versions.iterdir()) == ["digest-1.0", "digest-2.0"]
    assert (tmp_path / "opt/yiwang/kit/complete-digest-2.0").is_file()
    assert [path.name for path in host.store.glob("*.tar")] == ["dependencies-2.0.tar"]

    # A power cut at any moment finds the files on the disk before the mark, and the mark before the switch.
    steps = ["sync --file-system digest-2.0", "create digest-2.0/complete-digest-2.0", "sync digest-2.0/complete-digest-2.0 digest-2.0 "]
    steps += [f"rename {tmp_path}/opt/yiwang/kit", f"sync {tmp_path}/opt/yiwang"]
    assert [line for line in host.trace() if line.startswith(tuple(steps))] == [*steps[:2], f"{steps[2]}{host.versions}", *steps[3:]]

    # Back to the one before: it is there, whole. The next switch drops what is older than the last one.
    (host.versions / "digest-0.9").mkdir()
    done = host.install("1.0")
    assert done.returncode == 0, done.stderr
    assert not [line for line in host.trace() if " -m venv " in line]
    assert sorted(path.name for path in host.versions.iterdir()) == ["digest-1.0", "digest-2.0"]
    with host.start() as back:
        assert back.communicate("\n")[0] == "1.0 1.0\n"
