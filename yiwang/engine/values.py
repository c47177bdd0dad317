"""Property values: secrets, unknowns, property paths.

Values are as in JSON: dict, list, str, int, float, bool, None. A secret is ``{SIGNATURE: SECRET, "value": ...}``, a value not
known yet is the string ``UNKNOWN``, a reference to a resource ``{SIGNATURE: RESOURCE, "urn": ..., "id": ...}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type mark of the protocol
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value = Any
Properties = dict[str, Any]


def equal(left: Value, right: Value) -> bool:
    """Whether two values are the same. For Python 1 and True are, for JSON they are not."""
    if left != right:
        return False
    if isinstance(left, dict):
        return all(equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list):
        return all(map(equal, left, right))
    return isinstance(left, bool) is isinstance(right, bool)


def is_secret(value: Value) -> bool:
    """Whether ``value`` itself is a secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def secret(value: Value) -> Value:
    """``value`` as one secret: secrets inside become part of it."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": reveal(value)}


def has_secret(value: Value) -> bool:
    """Whether ``value`` is a secret or holds one."""
    if isinstance(value, dict):
        return is_secret(value) or any(map(has_secret, value.values()))
    return isinstance(value, list) and any(map(has_secret, value))


def has_unknown(value: Value) -> bool:
    """Whether ``value`` is unknown or holds an unknown."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return bool(value == UNKNOWN)


def reveal(value: Value) -> Value:
    """A copy of ``value`` with every secret in clear."""
    if isinstance(value, dict):
        if is_secret(value):
            return reveal(value.get("value"))
        return {key: reveal(item) for key, item in value.items()}
    return [reveal(item) for item in value] if isinstance(value, list) else value


def without_unknown(value: Value) -> Value:
    """A copy of ``value`` without keys whose value is not known; elsewhere null stands for it."""
    if isinstance(value, dict):
        return {key: without_unknown(item) for key, item in value.items() if item != UNKNOWN}
    if isinstance(value, list):
        return [without_unknown(item) for item in value]
    return None if value == UNKNOWN else value


def mask(value: Value) -> Value:
    """A copy of ``value`` for people: ``[secret]`` and ``[unknown]`` in place of what cannot be shown."""
    if isinstance(value, dict):
        if is_secret(value):
            return "[secret]"
        return {key: mask(item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item) for item in value]
    return "[unknown]" if value == UNKNOWN else value


def normalise(value: Value) -> Value:
    """What a program sent, as the engine keeps it: output values resolved, secrets not nested in secrets."""
    if isinstance(value, list):
        return [normalise(item) for item in value]
    if not isinstance(value, dict):
        return value
    mark = value.get(SIGNATURE)
    if mark == SECRET:
        return secret(normalise(value.get("value")))
    if mark == OUTPUT:
        inner = normalise(value["value"]) if "value" in value else UNKNOWN
        return secret(inner) if value.get("secret") else inner
    return {key: normalise(item) for key, item in value.items()}


def for_provider(value: Value, *, secrets: bool, resources: bool) -> Value:
    """``value`` as a provider takes it: what it does not accept is unwrapped (secrets to values, resources to ids or URNs)."""
    if isinstance(value, list):
        return [for_provider(item, secrets=secrets, resources=resources) for item in value]
    if not isinstance(value, dict):
        return value
    mark = value.get(SIGNATURE)
    if mark == SECRET and not secrets:
        return for_provider(value.get("value"), secrets=secrets, resources=resources)
    if mark == RESOURCE and not resources:
        return (value.get("id") or UNKNOWN) if "id" in value else value.get("urn")
    return {key: for_provider(item, secrets=secrets, resources=resources) for key, item in value.items()}


def remark(values: Properties, marked: Mapping[str, Value]) -> Properties:
    """``values`` with secrets where ``marked`` has them (for what comes back from a provider that does not accept secrets).

    A list that holds a secret becomes one secret; in objects the mark stays on the key.
    """
    result = dict(values)
    for key, mark in marked.items():
        if key in result:
            result[key] = _remark(result[key], mark)
    return result


def _remark(value: Value, mark: Value) -> Value:
    if is_secret(mark):
        return secret(value)
    if isinstance(mark, dict) and isinstance(value, dict) and not is_secret(value):
        return remark(value, mark)
    return secret(value) if has_secret(mark) else value


PathPart = str | int


def parse_path(path: str) -> list[PathPart]:
    """``a.b[0]["c.d"].*`` as its parts: ``["a", "b", 0, "c.d", "*"]``. Raises ValueError for what is none."""
    if path.startswith("."):
        raise ValueError(path)
    parts: list[PathPart] = []
    position = 0
    while position < len(path):
        found = _PART.match(path, position)
        if found is None:
            raise ValueError(path)
        quoted, index, name = found["quoted"], found["index"], found["name"]
        if name is not None:
            parts.append(name)
        elif quoted is not None:
            parts.append(quoted.replace('\\"', '"'))
        else:
            parts.append(index if index == "*" else int(index))
        position = found.end()
    return parts


# A quoted key, an index, or a name, which a dot may come before.
_PART = re.compile(r'\.?(?:\["(?P<quoted>(?:\\"|[^"])*)"\]|\[(?P<index>\*|-?[0-9]+)\]|(?P<name>[^.\[]+))')


def path_covers(pattern: list[PathPart], path: list[PathPart]) -> bool:
    """Whether ``path`` is ``pattern`` or lies inside it, or ``pattern`` lies inside ``path``; ``*`` matches any one part."""
    return all("*" in (left, right) or left == right for left, right in zip(pattern, path, strict=False))


def reset_path(old: Value, new: Value, path: list[PathPart], *, secret_old: bool = False, secret_new: bool = False) -> bool:
    """Put what ``old`` has at ``path`` into ``new`` (in place); what ``old`` has not is removed from ``new``.

    Returns False where that cannot be: an element of a list that only one of them has, or something on the way that only one
    has. What was secret stays so.
    """
    secret_old, secret_new = secret_old or is_secret(old), secret_new or is_secret(new)
    old, new = _unwrapped(old), _unwrapped(new)
    first, rest = path[0], path[1:]
    if first == "*":
        return _reset_all(old, new, rest, secret_old=secret_old, secret_new=secret_new)
    kind = list if isinstance(first, int) else dict
    if isinstance(first, int) and first < 0:
        return False
    if not isinstance(old, kind) or not isinstance(new, kind):
        return _reset_missing(old, new, first, last=not rest)
    before, after = cast("Any", old), cast("Any", new)
    has_old, has_new = _has(old, first), _has(new, first)
    if rest:
        if has_old and has_new:
            return reset_path(before[first], after[first], rest, secret_old=secret_old, secret_new=secret_new)
        return not has_old and (kind is list) <= (not has_new)
    if kind is list and has_old != has_new:
        return False
    if has_old:
        after[first] = secret(before[first]) if secret_old and not secret_new else before[first]
    elif isinstance(new, dict):
        new.pop(first, None)
    return True


def _reset_all(old: Value, new: Value, rest: list[PathPart], *, secret_old: bool, secret_new: bool) -> bool:
    """The same for every key or element."""
    if isinstance(new, dict) and isinstance(old, dict):
        if not rest:
            new.clear()
            new.update({key: secret(value) if secret_old and not secret_new else value for key, value in old.items()})
            return True
        keys: list[PathPart] = list(old)
        if any(key not in new for key in keys):
            return False
    elif isinstance(new, list) and isinstance(old, list):
        keys = list(range(min(len(old), len(new))))
    else:
        return not rest and isinstance(new, (dict, list))
    done = [reset_path(old, new, [key, *rest], secret_old=secret_old, secret_new=secret_new) for key in keys]
    return all(done) and (isinstance(new, dict) or len(old) == len(new))


def _reset_missing(old: Value, new: Value, first: PathPart, *, last: bool) -> bool:
    """At least one of the two cannot hold ``first`` at all."""
    if last and isinstance(first, str):
        if isinstance(old, dict) and first in old:
            return False
        if isinstance(new, dict):
            new.pop(first, None)
        return True
    kind = list if isinstance(first, int) else dict
    return not isinstance(old, kind) and not isinstance(new, kind)


def _unwrapped(value: Value) -> Value:
    return value["value"] if is_secret(value) else value


def _has(container: Value, key: PathPart) -> bool:
    return 0 <= key < len(container) if isinstance(key, int) else key in container
