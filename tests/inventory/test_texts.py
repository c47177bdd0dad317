"""Every finding has its two texts: what was expected, and the fix."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import yiwang.inventory
from yiwang.messages import catalogue

PACKAGE = Path(yiwang.inventory.__file__).parent
# Their fix is the nearest name that is known.
WITHOUT_FIX = {"end", "group_vars_owner", "host_vars_owner"}


def raised() -> Iterator[str]:
    """The kinds of wrong values: first argument of WrongError and of the leaf validators, second of ``.wrong``, fourth of ``.add``."""
    positions = {"WrongError": 0, "_choice": 0, "_any_text": 0, "text": 0, "_network": 1, "_text_or_list": 1, "wrong": 1, "add": 3}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            position = positions.get(name)
            if position is not None and len(node.args) > position:
                argument = node.args[position]
                options = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
                yield from (option.value for option in options if isinstance(option, ast.Constant) and isinstance(option.value, str))


def test_every_kind_has_both_texts() -> None:
    texts = catalogue("inventory")
    kinds = set(raised())
    assert len(kinds) >= 40
    assert sorted(kind for kind in kinds if f"expect_{kind}" not in texts or f"fix_{kind}" not in texts) == []
