"""A Pulumi project and one stack's configuration: ``Pulumi.yaml``, ``Pulumi.<stack>.yaml`` and what the caller adds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from yiwang.engine.passphrase import Manager
from yiwang.engine.values import Properties, secret
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t


@dataclass(frozen=True)
class Project:
    """``Pulumi.yaml``. ``plugins``: package -> path of a plugin of the project's own. ``python``: what runs the program."""

    name: str
    directory: Path
    main: Path
    plugins: Mapping[str, Path] = field(default_factory=dict)
    python: str = sys.executable


@dataclass(frozen=True)
class Config:
    """The configuration of one run: ``project:key`` -> value, and which keys are secret."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_keys: frozenset[str] = frozenset()

    def of_package(self, package: str) -> Properties:
        """What a default provider of ``package`` is configured with. The dynamic one gets everything, as with the CLI."""
        found: Properties = {}
        for key, value in self.values.items():
            namespace, _, name = key.partition(":")
            shown = key if package == DYNAMIC else name
            if package in {DYNAMIC, namespace}:
                found[shown] = secret(value) if key in self.secret_keys else value
        return found


DYNAMIC = "pulumi-python"


def _read(path: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - one of the two safe loaders
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(t("engine.bad_yaml", path=path), code=ExitCode.INPUT) from None
    if found is not None and not isinstance(found, dict):
        raise UserError(t("engine.bad_yaml", path=path), code=ExitCode.INPUT)
    return found or {}


def load_project(directory: Path) -> Project:
    """The project in ``directory``. Raises UserError when it is none, or not one in Python."""
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        raise UserError(t("engine.no_project", path=path), code=ExitCode.INPUT)
    data = _read(path)
    runtime = data.get("runtime")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise UserError(t("engine.not_python", path=path, runtime=language), code=ExitCode.INPUT, fix=t("engine.use_cli"))
    if not data.get("name"):
        raise UserError(t("engine.no_project_name", path=path), code=ExitCode.INPUT)
    main = directory / (data.get("main") or ".")
    providers = (data.get("plugins") or {}).get("providers") or []
    return Project(
        name=str(data["name"]),
        directory=directory,
        main=main / "__main__.py" if main.is_dir() else main,
        plugins={entry["name"]: (directory / entry["path"]).resolve() for entry in providers},
        python=_python(path, runtime.get("options") or {}) if isinstance(runtime, dict) else sys.executable,
    )


def _python(path: Path, options: Mapping[str, Any]) -> str:
    """The Python of the project's virtual environment, ours when it names none. Raises UserError for options we do not have."""
    unknown = sorted(key for key, value in options.items() if key != "virtualenv" and (key, value) != ("toolchain", "pip"))
    if unknown:
        text = t("engine.runtime_option", path=path, option=f"{unknown[0]}: {options[unknown[0]]}")
        raise UserError(text, code=ExitCode.INPUT, fix=t("engine.use_cli"))
    if not options.get("virtualenv"):
        return sys.executable
    python = path.parent / str(options["virtualenv"]) / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise UserError(t("engine.no_virtualenv", path=path, python=python), code=ExitCode.INPUT, fix=t("engine.no_virtualenv_fix"))
    return str(python)


def stack_settings(project: Project, stack: str) -> dict[str, Any]:
    """``Pulumi.<stack>.yaml``, empty when there is none."""
    path = project.directory / f"Pulumi.{stack}.yaml"
    return _read(path) if path.is_file() else {}


def load_config(
    project: Project, settings: Mapping[str, Any], secrets: Manager, extra: Mapping[str, str], extra_secret: Mapping[str, str]
) -> Config:
    """The configuration from the stack's file, under what the caller gives (keys without a namespace are the project's)."""
    values: dict[str, str] = {}
    secret_keys: set[str] = set()
    for key, value in (settings.get("config") or {}).items():
        full = _full(project, key)
        if isinstance(value, dict) and set(value) == {"secure"}:
            values[full] = secrets.decrypt(str(value["secure"]))
            secret_keys.add(full)
        else:
            values[full] = value if isinstance(value, str) else json.dumps(value)
    for key, value in extra.items():
        values[_full(project, key)] = value
        secret_keys.discard(_full(project, key))
    for key, value in extra_secret.items():
        values[_full(project, key)] = value
        secret_keys.add(_full(project, key))
    return Config(values, frozenset(secret_keys))


def _full(project: Project, key: str) -> str:
    return key if ":" in key else f"{project.name}:{key}"
