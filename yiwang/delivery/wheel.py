"""Our own wheel, made from the sources this process runs from, and the digest of those sources.

The wheel for hosts carries the programs and their data, but no inventories: those are the operator's, with state and keys beside them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yiwang
from yiwang import paths
from yiwang.delivery import store
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# The trees beside the package that a host needs; each lies in the repository, or in the wheel under yiwang/_data.
TREES = ("charts", "requirements", "roles", "stacks", "templates")
_PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def sources() -> dict[str, Path]:
    """All files that a host gets, by their name in the repository, sorted; equal from a checkout and from an installed wheel."""
    package = Path(yiwang.__file__).parent
    found = {f"yiwang/{name}": path for name, path in _files(package).items() if not name.startswith("_data/")}
    for tree in TREES:
        found |= {f"{tree}/{name}": path for name, path in _files(paths.data(tree)).items()}
    return dict(sorted(found.items()))


def _files(root: Path) -> dict[str, Path]:
    found = {}
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name != "__pycache__" and not name.startswith(".")]
        for name in files:
            if not name.endswith(".pyc"):
                path = Path(directory, name)
                found[path.relative_to(root).as_posix()] = path
    return found


@functools.cache
def source_digest() -> str:
    """sha256 over the names and contents of ``sources()``; the kit of one process does not change under it."""
    total = hashlib.sha256()
    for name, path in sources().items():
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def ensure() -> tuple[Path, str, bool]:
    """The wheel, its sha256, and whether it was made now; raises UserError when it cannot be built."""
    directory, built = store.ensure(f"yiwang-{source_digest()[:32]}", _make)
    wheel = next(directory.glob("*.whl"))
    return wheel, hashlib.sha256(wheel.read_bytes()).hexdigest(), built


def _make(fresh: Path) -> None:
    project = Path(yiwang.__file__).parent.parent
    if (project / "pyproject.toml").is_file():
        _build(project, fresh)
    else:
        _repack(fresh)


def _build(project: Path, fresh: Path) -> None:
    """Build from a copy that holds the sources and nothing else of the checkout."""
    stage = fresh / "stage"
    for name, path in sources().items():
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, stage / name)
    for name in _PROJECT_FILES:
        shutil.copyfile(project / name, stage / name)
    for tree in (*TREES, "inventories"):
        (stage / tree).mkdir(exist_ok=True)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(fresh)]
    done = subprocess.run(
        command, cwd=stage, env=os.environ | {"SOURCE_DATE_EPOCH": "315532800"}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()[-300:]
        raise UserError(t("delivery.build_failed", reason=reason), code=ExitCode.MACHINE, fix=t("delivery.build_failed_fix"))
    shutil.rmtree(stage)


def _repack(fresh: Path) -> None:
    """Put the installed distribution back into a wheel; its metadata is the one it was installed with."""
    distribution = importlib.metadata.distribution("yiwang")
    info = f"yiwang-{distribution.version}.dist-info"
    names = {name.removeprefix("yiwang/") if name.startswith("yiwang/") else f"_data/{name}": path for name, path in sources().items()}
    contents = {f"yiwang/{name}": path.read_bytes() for name, path in names.items()}
    for name in ("METADATA", "WHEEL", "entry_points.txt"):
        contents[f"{info}/{name}"] = (distribution.read_text(name) or "").encode()
    write_wheel(fresh / f"yiwang-{distribution.version}-py3-none-any.whl", contents, f"{info}/RECORD")


def write_wheel(path: Path, contents: Mapping[str, bytes], record: str) -> None:
    """Write a wheel whose bytes depend on ``contents`` (name to bytes) alone; ``record`` names its list of hashes."""
    lines = [f"{name},sha256={_hash(data)},{len(data)}" for name, data in sorted(contents.items())]
    everything = {**dict(sorted(contents.items())), record: "".join(f"{line}\n" for line in (*lines, f"{record},,")).encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in everything.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
