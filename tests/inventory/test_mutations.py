"""Whatever is written into the files of an inventory, loading it gives a province or an InventoryError, never anything else."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from inventory.malformed import tree

from yiwang.inventory import InventoryError, Province, load, resolve

FILES = ("province.yml", "hosts.yml", "group_vars/all.yml", "group_vars/ops.yml")


def effort(examples: int, *, random: bool = False) -> settings:
    """The same examples in every run of `make test`; new ones in a soak."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, derandomize=not random, deadline=None, suppress_health_check=checks)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["any", "world", "10.0.0.0/8", "::/0", "192.0.2.11", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4/33", "0-0", "~/x", "/"]
    ),
    st.sampled_from(["-", "*", "{{ x }}", "..", "\ud7ff", "\u2028", "\x00", "!vault", "1:99", "2026-99-99", "<<", "=", "𝟙"]),
    st.sampled_from(["9" * 5000, "0x" + "f" * 5000]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("ipv4"), inner, max_size=3),
    max_leaves=6,
)


def attempt(directory: Path) -> Province | InventoryError:
    """Load, and hold the result to what is promised of it; any other exception fails the test."""
    before = tree(directory)
    result: Province | InventoryError
    try:
        result = load(directory)
    except InventoryError as error:
        result = error
    assert tree(directory) == before
    if isinstance(result, InventoryError):
        lines = result.report().split("\n")
        assert len(lines) == min(len(result.findings), 201) > 0
        assert all(line.isprintable() for line in lines)
    return result


@st.composite
def spoilt_text(draw: st.DrawFn, text: str) -> bytes:
    """The text with a few of its lines dropped, doubled, swapped, indented, or some bytes put in."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "double", "swap", "indent", "insert", "cut"]))
        if kind == "drop" and len(lines) > 1:
            del lines[index]
        elif kind == "double":
            lines.insert(index, lines[index])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[index], lines[other] = lines[other], lines[index]
        elif kind == "indent":
            lines[index] = draw(st.sampled_from([" ", "  ", "\t", "- ", "? ", "&a ", "*a ", "!x ", "'", "["])) + lines[index]
        elif kind == "insert":
            place = draw(st.integers(0, len(lines[index])))
            lines[index] = lines[index][:place] + draw(st.text(max_size=4)) + lines[index][place:]
        else:
            lines[index] = lines[index][: draw(st.integers(0, len(lines[index])))]
    return "".join(lines).encode("utf-8", "surrogatepass")


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found += paths_of(entry, (*path, key))
    return found


@st.composite
def spoilt_values(draw: st.DrawFn, text: str) -> bytes:
    """The document with one to three of its values, or keys, replaced by something else."""
    document = yaml.safe_load(text)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths_of(document)))
        holder = document
        for part in path[:-1]:
            holder = holder[part]
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[draw(st.text(min_size=1, max_size=8))] = holder.pop(path[-1])
        else:
            holder[path[-1]] = draw(VALUES)
    return yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")


def try_with(valid: Path, file: str, content: bytes) -> Province | InventoryError:
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(shutil.copytree(valid, Path(temporary) / "inventory"))
        (directory / file).write_bytes(content)
        return attempt(directory)


@effort(150)
@given(data=st.data())
def test_spoilt_facts(data: st.DataObject, valid: Path) -> None:
    text = (valid / "province.yml").read_text(encoding="utf-8")
    try_with(valid, "province.yml", data.draw(st.one_of(spoilt_text(text), spoilt_values(text))))


@effort(100)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(content=b"%YAML 9.9\n---\na: 1")
@example(content=b"a: &a [*a]")
@example(content=b"\xef\xbb\xbf")
@example(content=b"? {a: b}\n: c")
@example(content=b"code: 0x" + b"f" * 6000)
@example(content=b"code: " + b"9" * 6000)
@example(content=b"code: 1e999\nname: .nan\nzones: 9:99:99")
@example(content=b"<<: [1, {a: 2}]")
@example(content=b"[" * 100_000)
@example(content=b"- " * 5000)
@example(content=b"a: |\n" + b" x\n" * 1000)
def test_anything_as_facts(content: bytes, valid: Path) -> None:
    try_with(valid, "province.yml", content)


@effort(12)
@given(data=st.data(), file=st.sampled_from(FILES[1:]))
def test_spoilt_hosts_and_variables(data: st.DataObject, file: str, valid: Path) -> None:
    text = (valid / file).read_text(encoding="utf-8")
    try_with(valid, file, data.draw(st.one_of(spoilt_text(text), spoilt_values(text))))


@pytest.mark.soak
@effort(1500, random=True)
@given(data=st.data(), file=st.sampled_from(FILES))
def test_spoilt_files_at_length(data: st.DataObject, file: str, valid: Path) -> None:
    text = (valid / file).read_text(encoding="utf-8")
    try_with(valid, file, data.draw(st.one_of(spoilt_text(text), spoilt_values(text))))


@effort(100)
@given(data=st.data())
def test_whatever_ansible_makes_of_it(data: st.DataObject, valid: Path) -> None:
    """Ansible's answer itself may hold anything in the variables."""
    keys = st.sampled_from(["ansible_host", "ansible_port", "yiwang_ipv6", "yiwang_zone", "base_timezone"])
    names = st.sampled_from(["p-edge", "p-core", "c-370100", "x", "X y", "localhost"])
    variables = data.draw(st.dictionaries(names, st.dictionaries(keys, VALUES, max_size=4), max_size=4))
    groups = st.lists(st.sampled_from(["province", "c370100", "edge", "ungrouped", "all"]), max_size=3).map(tuple)
    memberships = data.draw(st.dictionaries(names, groups, max_size=4))
    resolved = resolve.Resolved(variables, memberships, ("all", "province", "c370100"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolve, "resolve", lambda *_, **__: resolved)
        attempt(valid)
