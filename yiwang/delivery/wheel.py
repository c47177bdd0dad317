"""Our own wheel, made from the sources this process runs from, and the digest of those sources.

The wheel for hosts carries the programs and their data, but no inventories: those are the operator's, with state and keys beside them.
A checkout and an installed wheel of the same sources make the same bytes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import os
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import yiwang
from yiwang import paths
from yiwang.delivery import store

# The trees beside the package that a host needs; each lies in the repository, or in the wheel under yiwang/_data.
TREES = ("charts", "requirements", "roles", "stacks", "templates")
KIND = "yiwang"
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


def metadata() -> dict[str, str]:
    """The files of the wheel's .dist-info directory, by name: what a host needs to run the programs by name.

    Dependencies are not among it: hosts install from the lock files.
    """
    scripts = "".join(f"{name} = {target}\n" for name, target in sorted(_scripts().items()))
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: yiwang\nVersion: {yiwang.__version__}\nLicense: Apache-2.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: yiwang\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "entry_points.txt": f"[console_scripts]\n{scripts}",
    }


def _scripts() -> Mapping[str, str]:
    """The commands: from a checkout's pyproject.toml as it is now, or as they were installed."""
    project = Path(yiwang.__file__).parent.parent / "pyproject.toml"
    if project.is_file():
        scripts: dict[str, str] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["scripts"]
        return scripts
    installed = importlib.metadata.distribution("yiwang").entry_points
    return {entry.name: entry.value for entry in installed if entry.group == "console_scripts"}


@functools.cache
def source_digest() -> str:
    """sha256 over the names and contents of ``metadata()`` and ``sources()``; the kit of one process does not change under it."""
    return _digest(_contents())


def ensure() -> tuple[Path, str, bool]:
    """The wheel, its sha256 as it was when it was made, and whether it was made now."""
    contents = _contents()
    result = store.ensure(KIND, _digest(contents)[:32], lambda fresh: _make(fresh, contents))
    ((name, digest),) = result.hashes.items()
    return result.directory / name, digest, result.built


def _contents() -> dict[str, bytes]:
    """Everything in the wheel but its list of hashes, by its name there."""
    found = {f"{_info()}/{name}": text.encode() for name, text in metadata().items()}
    return found | {name if name.startswith("yiwang/") else f"yiwang/_data/{name}": path.read_bytes() for name, path in sources().items()}


def _digest(contents: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, data in contents.items():
        total.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return total.hexdigest()


def _info() -> str:
    return f"yiwang-{yiwang.__version__}.dist-info"


def _make(fresh: Path, contents: Mapping[str, bytes]) -> None:
    write_wheel(fresh / f"yiwang-{yiwang.__version__}-py3-none-any.whl", contents, f"{_info()}/RECORD")


def write_wheel(path: Path, contents: Mapping[str, bytes], record: str) -> None:
    """Write a wheel whose bytes depend on ``contents`` (name to bytes) alone; ``record`` names its list of hashes."""
    lines = [f"{name},sha256={_hash(data)},{len(data)}" for name, data in sorted(contents.items())]
    everything = {**dict(sorted(contents.items())), record: "".join(f"{line}\n" for line in (*lines, f"{record},,")).encode()}
    # Not compressed: what a compressor writes depends on its version.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in everything.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
