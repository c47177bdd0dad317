"""No text of the command line's own nouns is left that nothing shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import yiwang
from yiwang.messages import catalogue

PACKAGE = Path(yiwang.__file__).parent


def shown() -> Iterator[str]:
    """Every constant text of the program, and the constant beginnings of texts that are put together."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = node.values[0] if isinstance(node, ast.JoinedStr) else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield f"{first.value}*"
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("noun", ["deployment", "core", "cli"])
def test_every_text_is_shown_somewhere(noun: str) -> None:
    found = set(shown())
    begun = tuple(text[:-1] for text in found if text.startswith(f"{noun}.") and text.endswith("_*"))
    keys = {f"{noun}.{key}" for key in catalogue(noun)}
    assert sorted(key for key in keys if key not in found and not key.startswith(begun)) == []
    assert keys
