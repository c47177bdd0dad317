"""The catalogues of texts as a whole: every text is asked for somewhere, and every key that is asked for exists, put-together ones too."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import yaml
from inventory.test_texts import WITHOUT_FIX, raised

from yiwang.engine.commandline.failure import Code
from yiwang.errors import ExitCode
from yiwang.inventory.facts import _SHAPES
from yiwang.lab.spec import HostState, LabState
from yiwang.preflight.external import CAPABILITIES, FIXES
from yiwang.preflight.formula import Name
from yiwang.preflight.model import Purpose, Verdict
from yiwang.ssh import Problem

PACKAGE = Path(__file__).parent.parent / "yiwang"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
# The types of role variables, and the places of a variable's file; the fix of the latter is the nearest known name.
TYPES = ("type_str", "type_int", "type_bool", "type_float", "type_list", "type_dict")
SHAPES = (*_SHAPES.values(), "valid")
KINDS = {*raised(), *TYPES, *SHAPES}
# Pulumi's operations that the engine has.
OPERATIONS = "create update delete replace create_replacement delete_replaced read refresh discard discard_replaced same"


def columns(module: str, function: str = "t") -> set[str]:
    """The words that ``module`` fills into a key: those of the tuple it walks over, or the arguments of ``function``."""
    found: set[str] = set()
    for node in ast.walk(TREES[PACKAGE / module]):
        if isinstance(node, ast.ListComp) and isinstance(node.generators[0].iter, ast.Tuple):
            found |= set(strings(node.generators[0].iter))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function != "t":
            found |= set(chain.from_iterable(strings(argument) for argument in node.args))
    return found


def strings(tree: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


# Each key that is put together (`{}` for what is filled in), and all that may be filled in; pairs where there are two places.
FILLED: dict[str, typing.Collection[str | tuple[str, str]]] = {
    "base.{}": ("derive_public_key_fix", "no_public_key_fix"),
    "cli.exit_{}": [code.name.lower() for code in ExitCode],
    "code.{}": ("valid", "doubtful", "invalid"),
    "code.column_{}": columns("commands/code.py"),
    "core.usage_missing_{}": ("argument", "option"),
    "core.machine_{}_fix": ("full", "forbidden", "other"),
    "deployment.column_{}": columns("commands/status.py"),
    "deployment.desired_{}": ("applied", "changes", "absent"),
    "deployment.health_{}": ("ok", "failed", "alarm", "unknown", *(problem.value for problem in Problem)),
    "deployment.op_{}": OPERATIONS.split(),
    "deployment.under_way_{}": ("creating", "updating", "deleting", "reading", "importing"),
    "deployment.unknown_{}": ("site", "host", "host_here", "component"),
    "recovery.column_{}": columns("commands/backup.py"),
    "engine.column_{}": columns("commands/state.py"),
    "engine.what_{}": ("remote", "hooks", "migrations", "parameterized", "mappings"),
    "inventory.expect_{}": KINDS,
    "inventory.fix_{}": KINDS - WITHOUT_FIX,
    "inventory.expect_{}_owner": ("group_vars", "host_vars"),
    "inventory.word_{}": columns("commands/inventory.py", "_words"),
    "inventory.{}_{}": [(part, kind) for part in ("expect", "fix") for kind in KINDS - WITHOUT_FIX],
    "inventory.{}": ("recursive", "no_anchor", "no_directory", "not_inventory"),
    "inventory.{}_fix": ("recursive", "no_anchor"),
    "lab.column_{}": columns("commands/lab.py"),
    "lab.lab_state_{}": typing.get_args(LabState),
    "lab.layer_{}": ("base", "sources", "packages"),
    "lab.state_{}": typing.get_args(HostState),
    "pulumi.exit_{}": [code.name.lower() for code in Code],
    "preflight.verdict_{}": typing.get_args(Verdict),
    "preflight.{}_{}": [(kind, each) for kind, all_of in CAPABILITIES.items() for each in all_of],
    "preflight.{}_{}_fix": [(kind, each) for kind, all_of in FIXES.items() for each in all_of],
    "preflight.name_{}": typing.get_args(Purpose),
    "preflight.no_{}": ("given", "own"),
    "preflight.no_{}_fix": ("given", "own"),
    "preflight.size_{}": typing.get_args(Name),
    "preflight.source_{}": ("given", "own"),
    "ssh.{}": [problem.value for problem in Problem],
    "ssh.{}_fix": [problem.value for problem in Problem],
}


def filled() -> Iterator[str]:
    """All keys that can be put together."""
    for pattern, words in FILLED.items():
        yield from (pattern.format(*([word] if isinstance(word, str) else word)) for word in words)


def entries() -> set[str]:
    files = (PACKAGE / "locale").glob("*.yaml")
    return {f"{path.stem}.{key}" for path in files for key in yaml.safe_load(path.read_text(encoding="utf-8")) or {}}


def asked() -> Iterator[ast.expr]:
    """The keys of all calls of ``t``."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t" and node.args:
                yield node.args[0]


def put_together(key: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in key.values)


def test_every_put_together_key_is_in_the_table() -> None:
    assert {put_together(key) for key in asked() if isinstance(key, ast.JoinedStr)} == set(FILLED)


def test_every_key_that_is_put_together_exists() -> None:
    assert sorted(set(filled()) - entries()) == []
    assert [pattern for pattern, words in FILLED.items() if not words] == []


def test_every_key_that_is_written_out_exists() -> None:
    nouns = {path.stem for path in (PACKAGE / "locale").glob("*.yaml")}
    key = re.compile(rf"(?:{'|'.join(nouns)})\.[a-z][a-z0-9_]*")
    # All of a call's first argument, so that `t("a.x" if … else "a.y")` counts too.
    written = {text for argument in asked() if not isinstance(argument, ast.JoinedStr) for text in strings(argument) if key.fullmatch(text)}
    assert sorted(written - entries()) == []


def test_no_text_is_left_over() -> None:
    """A text whose key no string of the program holds, and no put-together key can be, is never shown."""
    used = set(chain.from_iterable(strings(tree) for tree in TREES.values()))
    assert sorted(entries() - used - set(filled())) == []
