"""Pulumi's property values as Python values and back: secrets, unknowns, whole numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type mark of the protocol
_OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWNS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


class _Unknown:
    """The type of ``UNKNOWN``."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()
"""A value that is not known yet (in previews)."""


@dataclass(frozen=True, repr=False)
class Secret:
    """A value that must not be shown. Its representation does not show it either."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A property map as Python values; secrets are ``Secret``, unknowns ``UNKNOWN``, whole numbers ``int``."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _from_object(value.struct_value)
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    return value.bool_value if kind == "bool_value" else None


def _from_object(struct: struct_pb2.Struct) -> Any:
    fields = from_struct(struct)
    mark = fields.get(_SIGNATURE)
    if mark == _SECRET:
        return Secret(fields.get("value"))
    if mark == _OUTPUT:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") else value
    if mark == _RESOURCE:
        return fields.get("id") or fields.get("urn")
    return fields


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """The property map of Python values (the inverse of ``from_struct``)."""
    struct = struct_pb2.Struct()
    struct.update({key: _to_plain(value) for key, value in values.items()})
    return struct


def _to_plain(value: Any) -> Any:
    if value is UNKNOWN:
        return "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET, "value": _to_plain(value.value)}
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_plain(item) for item in value]
    return value


def reveal(value: Any) -> Any:
    """``value`` with its secrets in clear."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, Mapping):
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def public(value: Any) -> Any:
    """``value`` with a fixed mark in place of each secret."""
    if isinstance(value, Secret):
        return {"secret": True}
    if isinstance(value, Mapping):
        return {key: public(item) for key, item in value.items()}
    return [public(item) for item in value] if isinstance(value, list) else value


def secret(value: Any) -> bool:
    """Whether ``value`` is or holds a secret."""
    return any(isinstance(item, Secret) for item in _walk(value))


def unknown(value: Any) -> bool:
    """Whether ``value`` is or holds something not known yet."""
    return any(item is UNKNOWN for item in _walk(value))


def secret_texts(value: Any) -> set[str]:
    """Every text and number inside the secrets of ``value``, as text."""
    found: set[str] = set()
    for item in _walk(value):
        if isinstance(item, Secret):
            found.update(str(leaf) for leaf in _walk(item) if isinstance(leaf, (str, int, float)) and not isinstance(leaf, bool))
    return found


def _walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, Secret):
        yield from _walk(value.value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)


def digest(value: Any) -> str:
    """SHA-256 (hex) of a value without secrets and unknowns, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()
