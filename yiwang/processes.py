"""Who a process is, written down so that another one can tell later whether it still lives."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def me() -> dict[str, Any]:
    """This process: what tells it from one of the same number on another machine, boot or pid namespace, or started later."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {
        "pid": os.getpid(),
        "hostname": socket.gethostname(),
        "machine": _machine_id(),
        "boot": boot,
        "namespace": str(Path("/proc/self/ns/pid").readlink()),
        "start": _start(os.getpid()),
    }


def alive(process: Mapping[str, Any]) -> bool | None:
    """Whether a process written down by ``me`` lives; None when that cannot be told from here, or ``process`` is not whole."""
    if not process.get("boot") or not process.get("start"):
        return None
    here = me()
    if process["boot"] != here["boot"]:
        # The same machine after a restart runs none of the old processes; another machine cannot be judged. Machines made from
        # one image may have equal names and no number.
        same = here["machine"] and process.get("machine") == here["machine"] and process.get("hostname") == here["hostname"]
        return False if same else None
    pid = process.get("pid")
    if process.get("namespace") != here["namespace"] or not isinstance(pid, int):
        return None
    return bool(_start(pid) == process["start"])


def _start(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; None when it is gone or has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


def _machine_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    return ""
