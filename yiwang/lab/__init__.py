"""Servers made on this machine: systemd-nspawn hosts in zones behind a router, reached over SSH like real ones.

Public: ``up``, ``down``, ``remove_host``, ``require``, ``status``, ``names``, ``operator_namespace`` and the types of
``yiwang.lab.spec``. Root is needed.
"""

from __future__ import annotations

from yiwang.lab.api import down, names, operator_namespace, remove_host, require, status, up
from yiwang.lab.spec import (
    HostStatus,
    LabHost,
    LabPath,
    LabSpec,
    LabStatus,
    LabZone,
    Operator,
    Progress,
    Report,
    lab_name,
)

__all__ = [
    "HostStatus",
    "LabHost",
    "LabPath",
    "LabSpec",
    "LabStatus",
    "LabZone",
    "Operator",
    "Progress",
    "Report",
    "down",
    "lab_name",
    "names",
    "operator_namespace",
    "remove_host",
    "require",
    "status",
    "up",
]
