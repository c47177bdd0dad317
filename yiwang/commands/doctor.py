"""``yiwang doctor``: what this machine has, which way a lab would run on it, and what labs left behind."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import typer

from yiwang import __version__, lab, paths
from yiwang.commands._options import JsonOption, QuietOption, example
from yiwang.errors import ExitCode, UserError
from yiwang.lab import cgroups, machine, records
from yiwang.lab.tools import environment
from yiwang.messages import t
from yiwang.output import Console, table

# How each tool tells its version; those of the Python environment are asked from it.
_TOOLS = {
    "mmdebstrap": ("mmdebstrap", "--version"),
    "systemd-nspawn": ("systemd-nspawn", "--version"),
    "nft": ("nft", "--version"),
    "ip": ("ip", "-V"),
    "ssh": ("ssh", "-V"),
    "pulumi (CLI)": ("pulumi", "version"),
}
_LIBRARIES = ("pulumi", "ansible-core", "cryptography", "grpcio")
_NUMBER = re.compile(r"\d+(\.\d+)+\S*|\b\d{3}\b")
_HOSTS = 7


@dataclass(frozen=True)
class LabFound:
    """A lab on this machine. ``leftover``: its inventory is gone, so that no ordinary command names it any more."""

    name: str
    state: str
    directory: Path | None
    leftover: bool


@dataclass(frozen=True)
class Report:
    """What ``doctor`` found. Memory and disk in bytes; ``findings`` is what keeps this machine from holding a lab."""

    system: str
    kernel: str
    init: str
    cgroups: str
    processors: int
    memory_total: int
    memory_available: int
    disk_free: dict[str, int]
    findings: list[machine.Finding]
    tools: dict[str, str | None]
    caches: dict[str, int]
    labs: list[LabFound]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""

    @app.command(help=t("lab.help_doctor"), epilog=example("yiwang doctor --json", 0, 7))
    def doctor(json_output: JsonOption = False, quiet: QuietOption = False) -> int:
        """Exit 0: this machine can hold a lab; 7: it cannot, or something is left over."""
        report = examine()
        Console(json_output=json_output, quiet=quiet).result(report, _text(report))
        return ExitCode.FINDINGS if report.findings or any(found.leftover for found in report.labs) else ExitCode.OK


def examine() -> Report:
    """Look at this machine; changes nothing."""
    try:
        kind: str = cgroups.detect().kind
    except UserError:
        kind = "-"
    return Report(
        system=_system(),
        kernel=platform.release(),
        init=Path("/proc/1/comm").read_text().strip(),
        cgroups=kind,
        processors=len(os.sched_getaffinity(0)),
        memory_total=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        memory_available=machine.available_memory(),
        disk_free={str(path): machine.free_disk(path) for path in (records.ROOT, paths.cache())},
        findings=machine.findings(_HOSTS),
        tools=_versions(),
        caches={entry.name: _size(entry) for entry in sorted(paths.cache().glob("*"))},
        labs=_labs(),
    )


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']} {platform.machine()}"
    except OSError:
        return platform.platform()


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"yiwang": __version__, "python": platform.python_version()}
    found |= {name: metadata.version(name) for name in _LIBRARIES}
    return found | {name: _version(*argv) for name, argv in _TOOLS.items()}


def _version(program: str, *options: str) -> str | None:
    """What a tool says its version is; None when it is not there."""
    full = shutil.which(program, path=environment()["PATH"])
    if full is None:
        return None
    done = subprocess.run([full, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    match = _NUMBER.search(done.stdout + done.stderr)
    return match[0].rstrip(",") if match else "?"


def _size(path: Path) -> int:
    done = subprocess.run(["du", "--summarize", "--bytes", str(path)], capture_output=True, text=True, check=False)  # noqa: S607
    return int(done.stdout.split()[0]) if done.stdout else 0


def _labs() -> list[LabFound]:
    if os.geteuid() != 0:
        return []
    found: list[LabFound] = []
    for name in lab.names():
        status = lab.status(name)
        known = status.directory is not None and status.directory.is_dir()
        found.append(LabFound(name, status.state, status.directory, leftover=not known))
    return found


def _text(report: Report) -> str:
    rows = [
        [t("lab.doctor_system"), report.system],
        [t("lab.doctor_kernel"), report.kernel],
        [t("lab.doctor_init"), report.init],
        [t("lab.doctor_cgroups"), report.cgroups],
        [t("lab.doctor_processors"), str(report.processors)],
        [t("lab.doctor_memory"), f"{_gib(report.memory_available)}/{_gib(report.memory_total)}"],
        *([t("lab.doctor_disk", path=path), _gib(free)] for path, free in report.disk_free.items()),
        [t("lab.doctor_lab"), t("lab.doctor_no" if report.findings else "lab.doctor_yes")],
        *([t("lab.doctor_missing"), f"{finding.text}; {finding.fix}"] for finding in report.findings),
        [t("lab.doctor_tools"), ", ".join(f"{name} {version or '-'}" for name, version in report.tools.items())],
        [t("lab.doctor_caches"), ", ".join(f"{name} {size >> 20} MiB" for name, size in report.caches.items()) or "-"],
        [t("lab.doctor_labs"), ", ".join(f"{found.name} ({t(f'lab.lab_state_{found.state}')})" for found in report.labs) or "-"],
        *(["", t("lab.doctor_leftover", directory=found.directory or "?", name=found.name)] for found in report.labs if found.leftover),
    ]
    return table(rows[1:], rows[0])


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
