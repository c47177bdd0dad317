"""The inventory as Ansible resolves it (groups, group_vars, host_vars), kept in a cache by the digest of its files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from yiwang import paths
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.inventory.errors import HIDDEN, Finding, Findings
from yiwang.inventory.sources import HOSTS, Sources
from yiwang.messages import t

ANSIBLE_SECONDS = 120.0
KEPT = 64

_FORMAT = "1"


@dataclass(frozen=True)
class Resolved:
    """``variables`` by host; ``memberships``: each host's groups but ``all`` and ``ungrouped``, sorted; ``groups``: all names."""

    variables: Mapping[str, Mapping[str, Any]]
    memberships: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...]


def resolve(sources: Sources, findings: Findings, *, keep: bool) -> Resolved | None:
    """Resolve the inventory; ``None`` when Ansible refuses it, its reason goes to ``findings``.

    ``keep`` says whether the result may be written to the cache (not when it may hold a secret).
    """
    version = metadata.version("ansible-core")
    key = hashlib.sha256(f"{_FORMAT}\0{version}\0{sources.digest()}".encode()).hexdigest()
    cached = paths.cache() / "inventory" / f"{key}.json"
    listing = _read_cache(cached)
    if listing is None:
        listing = _run(sources.directory, findings)
        if listing is None:
            return None
        if keep and sources.unchanged():
            _write_cache(cached, listing)
    return _resolved(listing)


def _read_cache(path: Path) -> dict[str, Any] | None:
    try:
        loaded = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return loaded if _is_listing(loaded) else None


def _is_listing(value: object) -> bool:
    """Whether ``value`` has the shape of ``ansible-inventory --list``."""
    if not isinstance(value, dict) or not isinstance(value.get("_meta"), dict):
        return False
    variables = value["_meta"].get("hostvars", {})
    if not isinstance(variables, dict) or not all(isinstance(entry, dict) for entry in variables.values()):
        return False
    groups = [group for name, group in value.items() if name != "_meta"]
    return all(isinstance(group, dict) and all(_are_names(group.get(key, [])) for key in ("hosts", "children")) for group in groups)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _write_cache(path: Path, listing: dict[str, Any]) -> None:
    """Keep ``listing``; a cache that cannot be written costs time, not the run."""
    try:
        make_private(path.parent)
        write_atomic(path, json.dumps(listing, ensure_ascii=False))
        old = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)[KEPT:]
        for file in old:
            file.unlink(missing_ok=True)
    except OSError:
        return


def _environment() -> dict[str, str]:
    """Ansible's defaults whatever this machine's settings are: the inventory alone decides the result."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return kept | {
        "ANSIBLE_HOME": str(paths.cache() / "ansible"),
        "ANSIBLE_CONFIG": str(Path(__file__).with_name("ansible.cfg")),
        "ANSIBLE_INVENTORY_ENABLED": "ansible.builtin.yaml",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_VARS_ENABLED": "ansible.builtin.host_group_vars",
        "ANSIBLE_NOCOLOR": "true",
        "PYTHONWARNINGS": "ignore",
        "LC_ALL": "C.UTF-8",
    }


def _run(directory: Path, findings: Findings) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(directory / HOSTS), "--list"]
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSIBLE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(t("inventory.no_ansible", reason=error), code=ExitCode.MACHINE, fix=t("inventory.no_ansible_fix")) from None
    try:
        listing = json.loads(done.stdout) if done.returncode == 0 else None
    except (ValueError, RecursionError):
        listing = None
    if isinstance(listing, dict) and _is_listing(listing):
        return listing
    # Ansible quotes the files; not when one holds a secret.
    reason = HIDDEN if findings.secret_places else _reason(done.stderr.decode("utf-8", "replace"))
    findings.add(Finding(HOSTS, 0, (), "", t("inventory.ansible", reason=reason), t("inventory.ansible_fix")))
    return None


def _reason(stderr: str) -> str:
    """The line in which Ansible says what is wrong, without colour."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in stderr.splitlines()]
    errors = [line for line in lines if "ERROR" in line]
    chosen = (errors or [line for line in lines if line] or ["?"])[0]
    return re.sub(r"^\[?ERROR\]?!?:?\s*", "", chosen)[:300]


def _resolved(listing: dict[str, Any]) -> Resolved:
    parents: dict[str, set[str]] = {}
    direct: dict[str, set[str]] = {}
    names = [name for name in listing if name != "_meta"]
    for name in names:
        group = listing[name]
        for child in group.get("children", ()):
            parents.setdefault(child, set()).add(name)
        for host in group.get("hosts", ()):
            direct.setdefault(host, set()).add(name)
    memberships: dict[str, tuple[str, ...]] = {}
    for host, groups in direct.items():
        seen: set[str] = set()
        rest = list(groups)
        while rest:
            group = rest.pop()
            if group not in seen:
                seen.add(group)
                rest.extend(parents.get(group, ()))
        memberships[host] = tuple(sorted(seen - {"all", "ungrouped"}))
    return Resolved(listing["_meta"].get("hostvars", {}), memberships, tuple(names))
