"""What the library's README says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from yiwang import standard
from yiwang.standard.errors import CodeError, Problem
from yiwang.standard.kinds import KINDS

PACKAGE = Path(standard.__file__).parent
README = (PACKAGE / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_printed() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program.replace("except CodeError as error:", "except CodeError as caught:\n    error = caught"), names)  # noqa: S102 - our own
    error: CodeError = names["error"]
    assert (error.finding.problem, error.finding.position) == (Problem.CHECK, 18)
    assert f"# {error.text('zh')}\n" in program


def test_every_module_of_the_table_is_there_and_every_kind_is_in_both_tables() -> None:
    first, second = (re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for part in README.split("\n## ")[:2])
    named = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}
    assert all((PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir() for name in named)
    assert set(KINDS) <= named
    assert {cell.strip("`") for cell in second} == set(KINDS)
