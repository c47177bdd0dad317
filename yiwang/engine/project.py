"""A Pulumi project and one stack's configuration: ``Pulumi.yaml``, ``Pulumi.<stack>.yaml`` and what the caller adds."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml
from cryptography.exceptions import InvalidTag

from yiwang.engine import shape
from yiwang.engine.jsontext import compact_json
from yiwang.engine.passphrase import Manager
from yiwang.engine.values import Properties, secret
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t


@dataclass(frozen=True)
class Project:
    """``Pulumi.yaml``. ``plugins``: package -> path of a plugin of the project's own. ``config``: what it says about keys.

    ``python``: what runs the program.
    """

    name: str
    directory: Path
    main: Path
    plugins: Mapping[str, Path] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
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


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as the CLI reads it: ``yes``, ``1:30`` and ``2026-01-01`` are texts."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?)|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+0123456789."),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("merge", r"<<", "<"),
):
    firsts = [*_first, ""] if _tag == "null" else list(_first)
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), firsts)


def _float(loader: Loader, node: yaml.ScalarNode) -> float:
    found = float(loader.construct_yaml_float(node))
    if not math.isfinite(found):
        raise yaml.constructor.ConstructorError(None, None, f"{node.value} is no number that JSON has", node.start_mark)
    return found


def _map(loader: Loader, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:
    """A map whose keys are all different: of two the later one would win, silently."""
    seen: set[str] = set()
    for key, _ in node.value:
        name = f"{key.tag} {key.value}"
        if name in seen and isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, f"{key.value} is there twice", key.start_mark)
        seen.add(name)
    yield from loader.construct_yaml_map(node)


Loader.add_constructor("tag:yaml.org,2002:map", _map)
Loader.add_constructor("tag:yaml.org,2002:float", _float)


def read(path: Path) -> dict[str, Any]:
    """A YAML file that holds a map, empty when it holds nothing. Raises UserError for what is none."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506 - made of a safe loader
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UserError(t("engine.bad_yaml", path=path), code=ExitCode.INPUT) from None
    if found is not None and not isinstance(found, dict):
        raise UserError(t("engine.bad_yaml", path=path), code=ExitCode.INPUT)
    return found or {}


def read_project(path: Path) -> dict[str, Any]:
    """What a ``Pulumi.yaml`` says. Raises UserError naming the key that is of another kind than it has to be."""
    return _shaped(path, shape.of_project)


def _shaped(path: Path, check: Callable[[Mapping[str, Any]], shape.Wrong | None]) -> dict[str, Any]:
    data = read(path)
    wrong = check(data)
    if wrong:
        raise UserError(t("engine.bad_key", path=path, key=wrong[0], expected=wrong[1]), code=ExitCode.INPUT)
    return data


def load_project(directory: Path) -> Project:
    """The project in ``directory``. Raises UserError when it is none, or not one in Python."""
    path = directory / "Pulumi.yaml"
    if not path.is_file():
        raise UserError(t("engine.no_project", path=path), code=ExitCode.INPUT)
    data = read_project(path)
    runtime = data.get("runtime")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise UserError(t("engine.not_python", path=path, runtime=language), code=ExitCode.INPUT, fix=t("engine.use_cli"))
    if not data.get("name"):
        raise UserError(t("engine.no_project_name", path=path), code=ExitCode.INPUT)
    main = directory / (data.get("main") or ".")
    providers = (data.get("plugins") or {}).get("providers") or []
    config = data.get("config")
    return Project(
        name=data["name"],
        directory=directory,
        main=main / "__main__.py" if main.is_dir() else main,
        plugins={entry["name"]: (directory / entry["path"]).resolve() for entry in providers},
        config=config if isinstance(config, dict) else {},
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
    python = path.parent / options["virtualenv"] / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise UserError(t("engine.no_virtualenv", path=path, python=python), code=ExitCode.INPUT, fix=t("engine.no_virtualenv_fix"))
    return str(python)


def stack_settings(project: Project, stack: str) -> dict[str, Any]:
    """``Pulumi.<stack>.yaml``, empty when there is none. Raises UserError as ``read_project`` does."""
    path = project.directory / f"Pulumi.{stack}.yaml"
    return _shaped(path, shape.of_settings) if path.is_file() else {}


def load_config(
    project: Project, settings: Mapping[str, Any], secrets: Manager, extra: Mapping[str, str], extra_secret: Mapping[str, str], stack: str
) -> Config:
    """The configuration from the project's and the stack's file, under what the caller gives.

    Keys without a namespace are the project's. Raises UserError for what the project wants otherwise.
    """
    values: dict[str, str] = {}
    secret_keys: set[str] = set()
    for key, value in merged(project, settings.get("config") or {}).items():

        def decrypt(sealed: str, key: str = key) -> str:
            try:
                return secrets.decrypt(sealed)
            except (InvalidTag, ValueError):
                raise UserError(t("engine.config_secret", key=key), code=ExitCode.INPUT) from None

        values[key] = as_text(value, decrypt)
        secret_keys |= {key} if has_secure(value) else set()
    for key, value in extra.items():
        values[full_key(key, project.name)] = value
        secret_keys.discard(full_key(key, project.name))
    for key, value in extra_secret.items():
        values[full_key(key, project.name)] = value
        secret_keys.add(full_key(key, project.name))
    require(project, stack, values, secret_keys)
    return Config(values, frozenset(secret_keys))


def full_key(key: str, project: str) -> str:
    """A key with its namespace; ``ns:config:key`` is an older way to write ``ns:key``. Raises UserError for what is no key."""
    namespace, separator, rest = key.partition(":")
    name = rest.removeprefix("config:")
    if not separator and key:
        return f"{project}:{key}"
    if not namespace or not name or ":" in name:
        raise UserError(t("engine.config_key", key=key), code=ExitCode.INPUT)
    return f"{namespace}:{name}"


def merged(project: Project, config: Mapping[str, Any]) -> dict[str, Any]:
    """A stack's configuration with the project's values and defaults below it; keys are full, secrets encrypted."""
    found = {full_key(str(key), project.name): value for key, value in config.items()}
    for key, spec in declared(project).items():
        value = spec.get("value", spec.get("default"))
        if value is not None:
            found.setdefault(full_key(key, project.name), value)
    return found


def is_secure(value: Any) -> bool:
    """Whether ``value`` is an encrypted one."""
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def has_secure(value: Any) -> bool:
    """Whether ``value`` is encrypted or holds what is."""
    if isinstance(value, dict):
        return is_secure(value) or any(map(has_secure, value.values()))
    return isinstance(value, list) and any(map(has_secure, value))


def opened(value: Any, decrypt: Callable[[str], str]) -> Any:
    """A copy of ``value`` with all that is encrypted in clear."""
    if is_secure(value):
        return decrypt(value["secure"])
    if isinstance(value, dict):
        return {str(key): opened(item, decrypt) for key, item in value.items()}
    return [opened(item, decrypt) for item in value] if isinstance(value, list) else value


def as_text(value: Any, decrypt: Callable[[str], str]) -> str:
    """A value as programs get it, decrypted: text as it is, everything else as JSON in the way of the CLI."""
    return _text(opened(value, decrypt))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else compact_json(value)


def declared(project: Project) -> dict[str, dict[str, Any]]:
    """What the project says of each key, by the key as it is written there; a plain value is a default."""
    return {
        key: said if isinstance(said, dict) and _SPEC & set(said) else {"default": said} for key, said in sorted(project.config.items())
    }


def require(project: Project, stack: str, values: Mapping[str, str], secret_keys: AbstractSet[str]) -> None:
    """Raises UserError for what the project says of its keys otherwise: which there have to be, encrypted, and of what type."""
    missing = []
    for key, spec in declared(project).items():
        full = full_key(key, project.name)
        if full not in values:
            missing += [f"'{key}'"] if full.startswith(f"{project.name}:") else []
            continue
        if "type" in spec:
            if spec.get("secret") and full not in secret_keys:
                raise UserError(t("engine.config_not_secret", stack=stack, key=key), code=ExitCode.INPUT)
            if not _is_of_type(values[full], spec["type"], spec.get("items")):
                raise UserError(t("engine.config_type", stack=stack, key=key, type=spec["type"]), code=ExitCode.INPUT)
    if missing:
        raise UserError(t("engine.config_missing", stack=stack, keys=", ".join(missing)), code=ExitCode.INPUT)


_SPEC = {"type", "default", "value", "description", "secret", "items"}


def _is_of_type(text: str, wanted: str, items: Any) -> bool:
    if wanted == "integer":
        return bool(re.fullmatch(r"[-+]?[0-9]+", text))
    if wanted == "boolean":
        return text in {"true", "false"}
    if wanted not in {"array", "object"}:
        return True
    try:
        value = json.loads(text)
    except ValueError:
        return False
    if wanted == "object":
        return isinstance(value, dict)
    inner = items if isinstance(items, dict) else {}
    return isinstance(value, list) and all(
        _is_of_type(_text(item), inner.get("type", ""), inner.get("items")) and (inner.get("type") != "string" or isinstance(item, str))
        for item in value
    )
