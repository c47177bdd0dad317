"""Property values on the wire: protobuf structs to Python values and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from google.protobuf import struct_pb2

from yiwang.engine.values import Properties, Value
from yiwang.messages import t

# Integers beyond this are not exact in the wire's floating point numbers.
_EXACT = 2**53


class NumberError(ValueError):
    """A number that JSON does not have: NaN or an infinity. The message names its place."""


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """A property map as Python values; whole numbers as ``int``. Raises NumberError."""
    try:
        return {key: _value(value) for key, value in struct.fields.items()}
    except NumberError:
        raise _number_error(struct_pb2.Value(struct_value=struct)) from None


def from_value(value: struct_pb2.Value) -> Value:
    """One value as a Python value. Raises NumberError."""
    try:
        return _value(value)
    except NumberError:
        raise _number_error(value) from None


def _number_error(value: struct_pb2.Value) -> NumberError:
    path, number = next(_not_finite(value, ""))
    return NumberError(t("engine.not_finite", path=path, number=number))


def _value(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return {key: _value(item) for key, item in value.struct_value.fields.items()}
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    return value.bool_value if kind == "bool_value" else None


def _number(number: float) -> int | float:
    if number.is_integer():
        return int(number) if abs(number) < _EXACT else number
    if not math.isfinite(number):
        raise NumberError(number)
    return number


def _not_finite(value: struct_pb2.Value, path: str) -> Iterator[tuple[str, float]]:
    """Where numbers lie that are none for JSON."""
    kind = value.WhichOneof("kind")
    if kind == "number_value" and not math.isfinite(value.number_value):
        yield path, value.number_value
    elif kind == "list_value":
        for index, item in enumerate(value.list_value.values):
            yield from _not_finite(item, f"{path}[{index}]")
    elif kind == "struct_value":
        for key, item in value.struct_value.fields.items():
            yield from _not_finite(item, f"{path}.{key}" if path else key)


def finite(struct: struct_pb2.Struct) -> struct_pb2.Struct:
    """A copy of ``struct`` with null in place of numbers that are none for JSON."""
    copy = struct_pb2.Struct()
    copy.CopyFrom(struct)
    waiting = list(copy.fields.values())
    for value in waiting:
        kind = value.WhichOneof("kind")
        if kind == "number_value" and not math.isfinite(value.number_value):
            value.null_value = struct_pb2.NULL_VALUE
        elif kind == "list_value":
            waiting.extend(value.list_value.values)
        elif kind == "struct_value":
            waiting.extend(value.struct_value.fields.values())
    return copy


def to_struct(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """The reverse of ``from_struct``. Raises TypeError for a value JSON cannot hold."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value)
    return struct


def _fill(target: struct_pb2.Value, value: Value) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _fill(target.struct_value.fields[key], item)
    elif isinstance(value, (list, tuple)):
        target.list_value.SetInParent()
        for item in value:
            _fill(target.list_value.values.add(), item)
    else:
        raise TypeError(f"not a property value: {type(value).__name__}")
