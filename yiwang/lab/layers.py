"""The read-only systems below all hosts, made once and kept by content.

Three layers, each over the one before: ``base`` (the smallest system, by mmdebstrap from the machine's own package
sources), ``sources`` (those sources and the machine's certificates), ``packages`` (packages.txt). A host's own writes
lie above them. A layer's directory is named by a digest of everything it was made from.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yiwang import paths
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.lab import carry, records
from yiwang.lab.carry import Carried
from yiwang.lab.tools import failed, killed_with_us, run, wait_until
from yiwang.messages import t

_HERE = Path(__file__).parent
_BUILD = _HERE / "build.sh"
_BASE_PACKAGES = ("systemd", "systemd-sysv", "dbus", "iproute2", "ca-certificates", "python3")
# Documentation and translations are half of a small system's files.
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
_MARK = "layer.json"
_IDLE_SECONDS = 14 * 24 * 3600.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Layer:
    """One layer: what it is called, where it lies, how many bytes and when it was made (seconds since 1970)."""

    kind: str
    path: Path
    size: int
    made: float

    @property
    def rootfs(self) -> Path:
        """The directory tree."""
        return self.path / "rootfs"


def packages() -> tuple[str, ...]:
    """The packages of the last layer."""
    lines = (line.partition("#")[0].strip() for line in (_HERE / "packages.txt").read_text().splitlines())
    return tuple(line for line in lines if line)


def directory() -> Path:
    """Where the layers lie."""
    return paths.cache() / "layers"


def ensure(carried: Carried, say: Say) -> tuple[Path, ...]:
    """The trees below a new host, topmost first; what is missing is built. Raises UserError.

    Two builders at once are safe: the second waits and finds the work done. A killed one leaves a directory that the
    next removes.
    """
    keys = _keys(carried)
    if not all(_touch(key) for key in keys.values()):
        with _building(say):
            for kind, key in keys.items():
                if not _touch(key):
                    _build(kind, key, keys, carried, say)
            _prune(set(keys.values()))
    return tuple(directory() / key / "rootfs" for key in reversed(keys.values()))


def found() -> list[Layer]:
    """All finished layers of the cache."""
    layers: list[Layer] = []
    for name in records.listed(directory()):
        # Another command may just be removing one.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            text = json.loads((directory() / name / _MARK).read_text())
            layers.append(Layer(text["kind"], directory() / name, text["size"], text["made"]))
    return layers


def _keys(carried: Carried) -> dict[str, str]:
    """The directory name of each layer, lowest first."""
    release = platform.freedesktop_os_release()
    base = _key("base", release["VERSION_CODENAME"], platform.machine(), carried.sources_digest, *_BASE_PACKAGES, *_LEFT_OUT)
    recipe = hashlib.sha256(_BUILD.read_bytes()).hexdigest()
    sources = _key("sources", base, recipe, carried.digest)
    return {"base": base, "sources": sources, "packages": _key("packages", sources, recipe, *packages())}


def _key(kind: str, *parts: str) -> str:
    return f"{kind}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"


def _touch(key: str) -> bool:
    """Note that a layer is of use now. Returns whether it is there, and whole."""
    try:
        os.utime(directory() / key / _MARK)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _building(say: Say) -> Iterator[None]:
    """Hold the cache's lock, which the kernel lets go when its holder dies, and clear away what a dead holder left."""
    descriptor = os.open(make_private(directory()), os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(t("lab.layer_waiting"))
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        for leftover in directory().glob(".new-*"):
            _clear(leftover)
        yield
    finally:
        os.close(descriptor)


def _build(kind: str, key: str, keys: dict[str, str], carried: Carried, say: Say) -> None:
    """Make one layer beside its place and move it there when it is whole."""
    started = time.monotonic()
    say(t(f"lab.layer_{kind}"))
    carried_to = carried.endpoints() if kind != "sources" else []
    for host, port in carried_to:
        _reachable(host, port)
    place = Path(tempfile.mkdtemp(prefix=".new-", dir=directory()))
    try:
        for name, mode in (("rootfs", 0o755), ("work", 0o700), ("root", 0o755), ("stage", 0o700)):
            (place / name).mkdir(mode=mode)
        _stage(place / "stage", carried)
        if kind == "base":
            _run_build(_bootstrap(place, carried), say)
        else:
            lower = [directory() / keys[below] / "rootfs" for below in (("base",) if kind == "sources" else ("sources", "base"))]
            arguments = [":".join(map(str, lower)), *(str(place / name) for name in ("rootfs", "work", "root", "stage")), kind]
            _run_build(["sh", str(_BUILD), *arguments, *(packages() if kind == "packages" else ())], say)
        for name in ("work", "root", "stage"):
            shutil.rmtree(place / name)
        size = int(run(["du", "--summarize", "--bytes", str(place / "rootfs")]).split()[0])
        write_atomic(place / _MARK, json.dumps({"kind": kind, "size": size, "made": time.time()}))
        run(["sync", "--file-system", str(place)])
        place.rename(directory() / key)
    except BaseException:
        _clear(place)
        raise
    say(t("lab.layer_built", kind=kind, seconds=f"{time.monotonic() - started:.0f}", size=size >> 20))


def _stage(stage: Path, carried: Carried) -> None:
    """Lay out what the build copies. Modes are those the files get on the host."""
    for name, mode in (("bootstrap", 0o755), ("public", 0o755), ("private", 0o755)):
        (stage / name).mkdir(mode=mode)
    carry.place({**carried.sources, **carried.public}, stage / "public", 0o644)
    settings = b'APT::Install-Recommends "false";\nDPkg::Lock::Timeout "120";\nAcquire::Languages "none";\n'
    carry.place({Path("/etc/apt/apt.conf.d/90small"): settings}, stage / "public", 0o644)
    carry.place(carried.private, stage / "private", 0o600)
    # While the first packages come, apt works with the machine's own settings and certificates.
    settings_of_apt = {path: data for path, data in carried.private.items() if path not in carried.private_sources}
    carry.place({**carried.public, **settings_of_apt}, stage / "bootstrap", 0o600)
    if carry.CA_BUNDLE.is_file():
        carry.place({carry.CA_BUNDLE: carry.CA_BUNDLE.read_bytes()}, stage / "bootstrap", 0o644)


def _bootstrap(place: Path, carried: Carried) -> list[str]:
    """The command that makes the smallest system."""
    stage = place / "stage"
    # Each carried file is taken out again: the layer above brings the public ones, hosts get the private ones.
    unwanted = [f'"$1"{path}' for path in (*carried.public, *carried.private)]
    # So are the sources, which the program writes under names of its own.
    unwanted += ['"$1"/etc/apt/sources.list', '"$1"/etc/apt/sources.list.d/*']
    private = carried.private_sources
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--aptopt=APT::Install-Recommends false",
        f"--include={','.join(_BASE_PACKAGES)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        f'--setup-hook=cp -r "{stage}/bootstrap/." "$1/"',
        f"--customize-hook=rm -f {' '.join(unwanted)}",
        platform.freedesktop_os_release()["VERSION_CODENAME"],
        str(place / "rootfs"),
        *(str(stage / ("private" if path in private else "public") / path.relative_to("/")) for path in carried.all_sources),
    ]


def _run_build(argv: list[str], say: Say) -> None:
    """Run a build to its end, passing on the lines that tell how far it is. Raises UserError with its last line."""
    lines: list[str] = []
    with killed_with_us(argv) as process:
        for printed in process.stdout or ():
            line = carry.without_credentials(printed.encode()).decode()
            lines.append(line)
            if line.startswith("I: "):
                say(t("lab.layer_step", step=line[3:].strip()))
        if process.wait() != 0:
            errors = [line for line in lines if line.startswith("E: ")]
            raise failed(argv, "".join(errors[:1] or lines))


def _reachable(host: str, port: int) -> None:
    """A package source that does not answer is found in seconds here; apt would wait for minutes."""
    import socket  # noqa: PLC0415 - a lab that is up never pays for it

    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        text = t("lab.source_closed", host=host, port=port, reason=error)
        raise UserError(text, code=ExitCode.MACHINE, fix=t("lab.source_closed_fix")) from error


def _prune(wanted: set[str]) -> None:
    """Remove layers that no host was made on and that nobody asked for in a while."""
    used: set[str] = set()
    for lab in records.recorded():
        for host in records.listed(records.ROOT / lab / "hosts"):
            # A host that just went, or is half made, uses none.
            with contextlib.suppress(FileNotFoundError):
                used |= {*json.loads((records.ROOT / lab / "hosts" / host / "host.json").read_text())["layers"]}
    for layer in found():
        mark = layer.path / _MARK
        if layer.path.name not in wanted and str(layer.rootfs) not in used and time.time() - mark.stat().st_mtime > _IDLE_SECONDS:
            mark.unlink()  # first, so that a layer half removed counts as none
            _clear(layer.path)


def _clear(place: Path) -> None:
    """Remove an unfinished layer; a builder that was just killed may still be ending."""

    def gone() -> bool:
        shutil.rmtree(place, ignore_errors=True)
        return not place.exists()

    wait_until(gone, 10.0)
