"""Makes the virtual environment /opt/yiwang/<name> from an archive of wheels; an earlier one stays in use until this one is complete.

The last one is kept until the next switch: what still runs from it finds the modules that it has not imported yet.

Arguments: name, digest, file names of the archive and of our wheel (empty: without it), sha256 of our wheel; YIWANG_PREFIX moves all
paths (tests).
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

name, digest, archive, wheel, wheel_sha256 = sys.argv[1:6]
prefix = Path(os.environ.get("YIWANG_PREFIX", "/"))
store = prefix / "var/lib/yiwang/wheelhouse" / name
versions = prefix / "opt/yiwang/versions" / name
link = prefix / "opt/yiwang" / name
target = versions / digest
mark = target / f"complete-{digest}"

# Bytecode comes with the first run of a program: compiling all of it takes longer than everything else here.
PIP = (
    "--no-compile",
    "--no-index",
    "--require-hashes",
    "--no-deps",
    "--no-cache-dir",
    "--no-input",
    "--disable-pip-version-check",
    "--quiet",
)


def run(*command: str | Path) -> None:
    """Run one command; its output is shown only when it fails."""
    environment = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))}: {done.stdout[-1000:]}{done.stderr[-3000:]}")


def installer() -> Path:
    """The pip that Python brings along, run from its wheel: putting it into the environment takes longer, and nothing there needs it."""
    wheels = Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).parent / "_bundled")
    return max(wheels.glob("pip-*.whl")) / "pip"


def make() -> None:
    """Fill the new environment from the archive alone; each file must have its hash."""
    shutil.rmtree(target, ignore_errors=True)
    versions.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=versions) as directory:
        unpacked = Path(directory)
        with tarfile.open(store / archive) as tar:
            tar.extractall(unpacked)  # noqa: S202 - our own archive: plain files, and pip checks each one's hash
        own = unpacked / "own.txt"
        own.write_text(f"yiwang @ file://{store / wheel} --hash=sha256:{wheel_sha256}\n" if wheel else "", encoding="utf-8")
        run(sys.executable, "-m", "venv", "--without-pip", target)
        requirements = ("-r", unpacked / "requirements.txt", "-r", own)
        run(target / "bin/python", installer(), "install", *PIP, "--find-links", unpacked, *requirements)
    # A power cut must not leave a mark on an environment whose files never reached the disk.
    run("sync", "--file-system", target)
    mark.touch()
    run("sync", mark, target, versions)


def switch() -> None:
    """Point the component at the new environment in one step, then drop the versions before the last one."""
    previous = link.resolve()
    if previous == target.resolve():
        return
    fresh = link.with_name(f".{name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    run("sync", link.parent)
    for old in versions.iterdir():
        if old.resolve() not in {target.resolve(), previous}:
            shutil.rmtree(old, ignore_errors=True)
    for file in store.iterdir():
        if file.name not in {archive, wheel}:
            file.unlink()


if not mark.exists():
    make()
switch()
