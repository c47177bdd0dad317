"""The locked dependencies of one extra, for one kind of host, in one reproducible tar."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from yiwang import paths
from yiwang.delivery import store
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

ARCHIVE = "dependencies"
_OLDEST_LIBC_MINOR = 5


@dataclass(frozen=True)
class Target:
    """A kind of host: ``python`` "3.11", ``machine`` "x86_64" or "aarch64", ``libc`` the version of glibc, "2.36"."""

    python: str
    machine: str
    libc: str

    @property
    def markers(self) -> dict[str, str]:
        """The values of PEP 508 markers there."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }

    @property
    def platforms(self) -> tuple[str, ...]:
        """The tags of wheels that run there, best first."""
        newest = int(self.libc.split(".")[1])
        tags = [f"manylinux_2_{minor}" for minor in range(newest, _OLDEST_LIBC_MINOR - 1, -1)]
        return tuple(f"{tag}_{self.machine}" for tag in (*tags, "manylinux2014", "manylinux2010", "manylinux1", "linux"))


def lock(extra: str) -> str:
    """The lock file of an extra; raises UserError when there is none."""
    path = paths.data("requirements") / f"{extra}.txt"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.txt")))
        raise UserError(t("delivery.unknown_extra", extra=extra), code=ExitCode.INPUT, fix=t("delivery.unknown_extra_fix", known=known))
    return path.read_text(encoding="utf-8")


def combine(*parts: str) -> str:
    """32 hexadecimal digits that stand for all parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part.encode()).digest())
    return total.hexdigest()[:32]


def requirements(locked: str, target: Target) -> str:
    """The lines of a lock file that hold on ``target``, without markers, sorted.

    pip looks at the markers of the interpreter it runs on, not of the one it fetches for: they are decided here.
    """
    lines = []
    for line in re.sub(r"\\\n", " ", locked).splitlines():
        text, *hashes = re.split(r"\s+--hash=", line.strip())
        if not text or text.startswith("#"):
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(target.markers):
            requirement.marker = None
            lines.append(" ".join([str(requirement), *(f"--hash={value.strip()}" for value in hashes)]))
    return "".join(f"{line}\n" for line in sorted(lines))


def ensure(extra: str, target: Target) -> tuple[Path, bool]:
    """The archive for ``extra`` on ``target``, and whether it was made now."""
    wanted, kind, key = _wanted(extra, target)
    result = store.ensure(kind, key, lambda fresh: _make(fresh, key, wanted, target))
    return result.directory / f"{ARCHIVE}-{key}.tar", result.built


def made(extra: str, target: Target) -> bool:
    """Whether ``ensure`` would find the archive."""
    return store.has(*_wanted(extra, target)[1:])


def try_index(extra: str, target: Target) -> None:
    """Fetch the first package of ``extra`` from the index, past pip's cache; raises UserError when that fails."""
    with tempfile.TemporaryDirectory() as directory:
        first = _wanted(extra, target)[0].partition("\n")[0]
        Path(directory, "requirements.txt").write_text(f"{first}\n", encoding="utf-8")
        _download(Path(directory), target, "--no-cache-dir", "--retries=0", "--timeout=8")


def _wanted(extra: str, target: Target) -> tuple[str, str, str]:
    """The requirements of ``extra`` on ``target``, and the kind and the key of their archive."""
    wanted = requirements(lock(extra), target)
    key = combine(wanted, target.python, target.machine, target.libc)
    return wanted, f"{ARCHIVE}-{extra}-python{target.python}-{target.machine}-libc{target.libc}", key


def _make(fresh: Path, key: str, wanted: str, target: Target) -> None:
    wheels = fresh / "wheels"
    wheels.mkdir()
    (wheels / "requirements.txt").write_text(wanted, encoding="utf-8")
    _download(wheels, target)
    with tarfile.open(fresh / f"{ARCHIVE}-{key}.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(wheels.iterdir()):
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mode = file.stat().st_size, 0o644
            with file.open("rb") as content:
                tar.addfile(entry, content)
    for file in wheels.iterdir():
        file.unlink()
    wheels.rmdir()


def _download(wheels: Path, target: Target, *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary=:all:", "--no-deps", "--dest", str(wheels), "-r", str(wheels / "requirements.txt")]
    command += ["--implementation", "cp", "--python-version", target.python, "--abi", f"cp{target.python.replace('.', '')}"]
    command += ["--abi", "abi3", "--abi", "none"]
    command += [f"--platform={tag}" for tag in target.platforms]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), done.stderr.strip()[-300:])
        raise UserError(t("delivery.download_failed", reason=reason), code=ExitCode.MACHINE, fix=t("delivery.download_failed_fix"))
