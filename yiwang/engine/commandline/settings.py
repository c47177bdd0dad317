"""``Pulumi.<stack>.yaml``: read, and written back with what else is in it (other keys, their order, comments) as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from yiwang.engine import shape
from yiwang.engine.commandline.failure import CommandError, writing
from yiwang.engine.project import Loader
from yiwang.files import write_atomic
from yiwang.messages import t

_SALT = "encryptionsalt"
_CONFIG = "config"
_INDENT = "  "


class Settings:
    """One stack's settings. ``config`` maps keys, as they are written, to plain values or ``{"secure": ciphertext}``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = path.read_text(encoding="utf-8") if path.is_file() else ""
            loaded = yaml.load(self._text, Loader=Loader)  # noqa: S506 - a safe loader
        except (yaml.YAMLError, UnicodeDecodeError):
            raise CommandError(t("engine.bad_yaml", path=path)) from None
        data = loaded if loaded is not None else {}
        if not isinstance(data, dict):
            raise CommandError(t("engine.bad_yaml", path=path))
        wrong = shape.of_settings(data)
        if wrong:
            raise CommandError(t("engine.bad_key", path=path, key=wrong[0], expected=wrong[1]))
        config = data.get(_CONFIG)
        for key in ("secretsprovider", "encryptedkey", "environment"):
            if data.get(key) not in (None, "", "passphrase", "default"):
                raise CommandError(t("pulumi.settings_key", path=path, key=key))
        self.salt = data.get(_SALT) or ""
        self._salt_before = self.salt
        self._before: dict[str, Any] = dict(config or {})
        self.config: dict[str, Any] = dict(config or {})

    def save(self) -> None:
        """Write what changed; nothing where nothing did."""
        if self.config == self._before and self.salt == self._salt_before:
            return
        text = self._text
        if not _spans(text)[1]:
            # In one line, as no tool writes it: it becomes a block.
            text = "\n".join(_dump(yaml.load(text, Loader=Loader))) + "\n"  # noqa: S506 - a safe loader
        if self.salt != self._salt_before:
            text = _with_entry(text, _SALT, self.salt)
        if self.config != self._before:
            text = _with_config(text, self._before, self.config)
        self._require_as_meant(text)
        # The mode stays what it was: the file is kept in repositories, and secrets in it are encrypted.
        mode = self._path.stat().st_mode & 0o777 if self._path.exists() else 0o644
        with writing(str(self._path)):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, text, mode=mode)

    def _require_as_meant(self, text: str) -> None:
        """Raises CommandError where ``text`` would not be read back as what is to be written: a file with anchors, for instance."""
        try:
            found = yaml.load(text, Loader=Loader) or {}  # noqa: S506 - a safe loader
        except yaml.YAMLError:
            found = None
        if not isinstance(found, dict) or (found.get(_CONFIG) or {}, found.get(_SALT) or "") != (self.config, self.salt):
            raise CommandError(t("pulumi.settings_by_hand", path=self._path))


class _Dumper(yaml.SafeDumper):
    """Writes texts so that every reader of YAML takes them for texts: ours, the CLI's, and those of YAML 1.1."""


for _first, _resolvers in Loader.yaml_implicit_resolvers.items():
    for _tag, _pattern in _resolvers:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])

# What some take for the end of a line.
_BREAKS = re.compile("[\r\x85\u2028\u2029]")


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _BREAKS.search(text) else None)


_Dumper.add_representer(str, _text)


def _dump(data: Mapping[str, Any], indent: str = "") -> list[str]:
    text = yaml.dump(dict(data), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=10**6, sort_keys=False)
    return [f"{indent}{line}" for line in text.splitlines()]


def _spans(text: str, *keys: str) -> tuple[dict[str, tuple[int, int]], bool]:
    """The lines (first, behind the last) of each entry of the mapping at ``keys``; and whether it is written as a block."""
    node: Any = yaml.compose(text, Loader=Loader)
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)
    if node is None:
        return {}, True
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return {}, False
    found: dict[str, tuple[int, int]] = {}
    lines = [*text.splitlines(), ""]
    for name, value in node.value:
        # A block ends where the next thing begins: at the start of its line, or behind its indentation.
        end = value.end_mark
        last = end.line + (1 if lines[end.line][: end.column].strip() else 0)
        found[str(name.value)] = (name.start_mark.line, max(last, name.start_mark.line + 1))
    return found, True


def _trimmed(lines: list[str], span: tuple[int, int]) -> tuple[int, int]:
    """A span without empty lines and comments at its end."""
    first, last = span
    while last > first + 1 and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")):
        last -= 1
    return first, last


def _with_entry(text: str, key: str, value: Any) -> str:
    """``text`` with one top-level entry set."""
    lines = text.splitlines()
    spans, _ = _spans(text)
    if key in spans:
        first, last = _trimmed(lines, spans[key])
        lines[first:last] = _dump({key: value})
    else:
        # Where the CLI has it: before the configuration.
        at = spans[_CONFIG][0] if _CONFIG in spans else len(lines)
        lines[at:at] = _dump({key: value})
    return "\n".join(lines) + "\n"


def _with_config(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """``text`` with another configuration; entries that stay the same keep their lines."""
    top, _ = _spans(text)
    if _CONFIG not in top or not before:
        return _with_entry(text, _CONFIG, dict(after)) if after or _CONFIG in top else text
    spans, block = _spans(text, _CONFIG)
    if not block or not after:
        return _with_entry(text, _CONFIG, dict(after)) if after else _without(text, _CONFIG)
    lines = text.splitlines()
    indent = _indent(lines[next(iter(spans.values()))[0]])
    for key in reversed(spans):
        first, last = _trimmed(lines, spans[key])
        if key not in after:
            del lines[first:last]
        elif after[key] != before[key]:
            lines[first:last] = _dump({key: after[key]}, indent)
    end = _trimmed(text.splitlines(), list(spans.values())[-1])[1] + len(lines) - len(text.splitlines())
    lines[end:end] = [line for key in after if key not in before for line in _dump({key: after[key]}, indent)]
    return "\n".join(lines) + "\n"


def _without(text: str, key: str) -> str:
    lines = text.splitlines()
    first, last = _trimmed(lines, _spans(text)[0][key])
    del lines[first:last]
    return "\n".join(lines) + "\n" if lines else ""


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())] or _INDENT
