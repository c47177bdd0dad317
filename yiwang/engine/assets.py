"""Assets and archives: what a program passes to a provider as files. They are known by the hash of what they hold.

An archive's hash is that of its file, or for a directory or a set of assets of the tar file that they would make.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from yiwang.engine.values import ARCHIVE, ASSET, SIGNATURE, Properties, Value
from yiwang.messages import t

_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".zip", ".jar")
_BOOKKEEPING = ".pulumi"
_BLOCK = 512
_NAME = 100
_PREFIX = 155


class AssetError(ValueError):
    """An asset that cannot be read or is not supported; the message is for the person."""


def hashed(value: Value, directory: Path) -> Value:
    """``value`` with the hash of each asset and archive in it; paths are relative to ``directory``. Raises AssetError."""
    if isinstance(value, list):
        return [hashed(item, directory) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) in {ASSET, ARCHIVE}:
        return _asset(value, directory)
    return {key: hashed(item, directory) for key, item in value.items()}


def _asset(value: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    kept = {key: item for key, item in value.items() if key != "hash" and item not in ("", None)}
    if "uri" in kept:
        raise AssetError(t("engine.remote_asset", uri=kept["uri"]))
    if "assets" in kept:
        kept["assets"] = {name: _asset(item, directory) for name, item in kept["assets"].items()}
    try:
        return {**kept, "hash": _hash(kept, directory)}
    except OSError as error:
        raise AssetError(t("engine.asset_unreadable", path=error.filename or kept.get("path"), error=error.strerror or error)) from None


def _hash(value: Mapping[str, Any], directory: Path) -> str:
    found = hashlib.sha256()
    path = directory / value["path"] if value.get("path") else None
    if value[SIGNATURE] == ASSET:
        found.update(path.read_bytes() if path is not None else str(value.get("text", "")).encode())
    elif path is not None and path.name.endswith(_ARCHIVES):
        found.update(path.read_bytes())
    else:
        _tar(_members(value, directory), found.update)
    return found.hexdigest()


def _members(value: Mapping[str, Any], directory: Path) -> Iterator[tuple[str, bytes]]:
    """The files of an archive in their order: name and content."""
    if "assets" in value:
        for name, item in sorted(value["assets"].items()):
            if item[SIGNATURE] == ASSET:
                yield name, (directory / item["path"]).read_bytes() if item.get("path") else str(item.get("text", "")).encode()
            else:
                yield from ((os.path.normpath(f"{name}/{inner}"), content) for inner, content in _members(item, directory))
        return
    path = directory / value["path"]
    if path.name.endswith(_ARCHIVES):
        raise AssetError(t("engine.nested_archive", path=path))
    if not path.is_dir():
        raise AssetError(t("engine.no_archive", path=path))
    yield from ((str(file.relative_to(path)), file.read_bytes()) for file in _walk(path))


def _walk(path: Path) -> Iterator[Path]:
    for entry in sorted(path.iterdir(), key=lambda found: os.fsencode(found.name)):
        if entry.name == _BOOKKEEPING or (entry.is_symlink() and entry.is_dir()):
            continue
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _tar(members: Iterator[tuple[str, bytes]], write: Callable[[bytes], object]) -> None:
    """A tar file as the CLI makes it: nothing but names and contents, in the oldest format that can hold them."""
    seen = set()
    for name, content in members:
        if name in seen:
            continue
        seen.add(name)
        for block in _entry(name, content):
            write(block)
    write(bytes(2 * _BLOCK))


def _entry(name: str, content: bytes) -> Iterator[bytes]:
    prefix, short = _split(name)
    if short is None:
        yield from _extended(name)
        prefix, short = b"", _plain(name)
    yield _header(short, prefix, len(content), b"0")
    yield from _padded(content)


def _split(name: str) -> tuple[bytes, bytes | None]:
    """A name as prefix and rest, where it fits into a header; else the rest is None."""
    if not name.isascii():
        return b"", None
    raw = name.encode()
    if len(raw) <= _NAME:
        return b"", raw
    at = raw.rfind(b"/", 0, min(len(raw) - 1, _PREFIX + 1))
    fits = at > 0 and len(raw) - at - 1 <= _NAME
    return (raw[:at], raw[at + 1 :]) if fits else (b"", None)


def _extended(name: str) -> Iterator[bytes]:
    """The record before a header that says the whole name."""
    text = f" path={name}\n".encode()
    size = len(text) + len(str(len(text)))
    record = str(len(text) + len(str(size))).encode() + text
    directory, _, file = name.rpartition("/")
    yield _header(_plain(os.path.normpath(f"{directory or '.'}/PaxHeaders.0/{file}")), b"", len(record), b"x", extended=True)
    yield from _padded(record)


def _plain(name: str) -> bytes:
    """As much of a name as a header holds of it."""
    return "".join(character for character in name if character.isascii()).encode()[:_NAME].rstrip(b"/")


def _header(name: bytes, prefix: bytes, size: int, kind: bytes, *, extended: bool = False) -> bytes:
    mode = b"0000000\0" if extended else b"0000600\0"
    number = b"0000000\0"
    devices = bytes(16) if extended else number * 2
    head = name.ljust(_NAME, b"\0") + mode + number * 2 + f"{size:011o}\0".encode() + b"00000000000\0"
    tail = kind + bytes(100) + b"ustar\x0000" + bytes(64) + devices + prefix.ljust(_PREFIX, b"\0") + bytes(12)
    total = sum(head) + 8 * ord(" ") + sum(tail)
    return head + f"{total:06o}\0 ".encode() + tail


def _padded(content: bytes) -> Iterator[bytes]:
    yield content
    yield bytes(-len(content) % _BLOCK)


def without_contents(properties: Properties) -> Properties:
    """The properties with only the hash of each asset: what providers get of what is recorded."""
    return {key: _elided(value) for key, value in properties.items()} if hold_assets(properties) else properties


def _elided(value: Value) -> Value:
    if isinstance(value, list):
        return [_elided(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) in {ASSET, ARCHIVE}:
        return {key: item for key, item in value.items() if key in {SIGNATURE, "hash"}}
    return {key: _elided(item) for key, item in value.items()}


def restored(value: Value, known: Value) -> Value:
    """``value`` with the contents of assets that a provider gave back with nothing but their hash, from where it is ``known``."""
    if isinstance(value, dict) and isinstance(known, dict):
        if value.get(SIGNATURE) in {ASSET, ARCHIVE}:
            return known if set(value) <= {SIGNATURE, "hash"} and value.get("hash") == known.get("hash") else value
        return {key: restored(item, known.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(known, list):
        return [restored(item, known[at] if at < len(known) else None) for at, item in enumerate(value)]
    return value


def hold_assets(properties: Properties) -> bool:
    """Whether there is an asset or archive anywhere in it."""
    return any(map(_holds, properties.values()))


def _holds(value: Value) -> bool:
    if isinstance(value, dict):
        return value.get(SIGNATURE) in {ASSET, ARCHIVE} or any(map(_holds, value.values()))
    return isinstance(value, list) and any(map(_holds, value))
