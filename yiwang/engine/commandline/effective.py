"""The configuration as the settings have it, with what the project says below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from yiwang.engine.commandline import keys
from yiwang.engine.project import Project, declared


def merged(project: Project, config: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's configuration with the project's values and defaults below it; keys are full, secrets encrypted."""
    found = {keys.full_key(str(key), project.name): value for key, value in config.items()}
    for key, spec in declared(project).items():
        value = spec.get("value", spec.get("default"))
        if value is not None:
            found.setdefault(keys.full_key(str(key), project.name), value)
    return found
