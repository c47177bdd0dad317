"""What the package's README says is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from yiwang import sealing
from yiwang.sealing import stream

PACKAGE = Path(sealing.__file__).parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


def strings(module: str, name: str) -> list[str]:
    """The keys of a dict of a module that cannot be imported here: psycopg and boto3 are on the servers alone."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert isinstance(node.value, ast.Dict)
            return [key.value for key in node.value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return []


def test_the_verbs_are_those_of_the_program() -> None:
    section = README.split("\n## For operators\n")[1].split("\n### ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == sorted(strings("__main__.py", "COMMANDS"))


def test_what_the_example_imports_is_there() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    imports = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.ImportFrom) and node.module]
    assert len(imports) == 6
    for node in imports:
        tree = ast.parse((PACKAGE / f"{(node.module or '').rpartition('.')[2]}.py").read_text(encoding="utf-8"))
        defined = {each.name for each in tree.body if isinstance(each, (ast.ClassDef, ast.FunctionDef))}
        assert {alias.name for alias in node.names} <= defined


def test_the_format_is_as_written() -> None:
    assert b"YWSEAL" + bytes([1, 16]) == stream.HEADER
    assert (stream.CHUNK, stream.TAG) == (65536, 16)
    assert "65,536 bytes" in README
    assert stream.sealed_size(0) == 8 + 16
    assert stream.sealed_size(65536) == 8 + 65536 + 16
    assert stream.sealed_size(65537) == 8 + 65537 + 32


def test_a_step_of_the_table_is_a_method_or_a_function() -> None:
    steps = re.findall(r"^\| \d (\w+) \|", README, re.MULTILINE)
    text = (PACKAGE / "erasure.py").read_text(encoding="utf-8") + (PACKAGE / "evidence.py").read_text(encoding="utf-8")
    assert steps == ["decide", "destroy", "publish"]
    assert all(f"def {step}(" in text for step in steps)
