"""State that the real CLI wrote is taken over: the program it was written for changes nothing."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from engine.reference_case import ROOT, Case

from yiwang.engine import checkpoint
from yiwang.engine.passphrase import Manager
from yiwang.engine.store import Store

pytestmark = pytest.mark.system

# Scenario and step: after a successful `up` of the whole program.
TAKEN_OVER = [("01-lifecycle", 2), ("02-replace", 1), ("04-components", 1), ("05-secrets", 1), ("15-depends-on", 1), ("21-providers", 1)]


@pytest.mark.parametrize(("name", "number"), TAKEN_OVER)
def test_state_of_the_cli_is_a_no_op(name: str, number: int, tmp_path: Path) -> None:
    case = Case(name, tmp_path)
    step = dict(case.steps())[number]
    for _, earlier in case.steps()[:number]:
        case.config |= earlier.get("config", {})
        case.secret_config |= earlier.get("secret_config", {})
    store = Store(tmp_path / "backend", name, "case")
    secrets = Manager("x")
    store.write(checkpoint.dump(checkpoint.load(_exported(name, number), secrets), secrets, store.full_name))
    world = case.expected(number, "world")
    if world is not None:
        (tmp_path / "world.json").write_text(json.dumps(world))
    recorded = _urns(case)
    result = case.run(number, step)
    assert result.ok, result.diagnostics
    assert result.changes == {}
    assert {step.op for step in result.steps} <= {"same", "read", "refresh"}
    assert _urns(case) == recorded
    assert case.world() == world


def _exported(name: str, number: int) -> dict[str, Any]:
    """The deployment as it was exported, with numbers for providers and a time in place of their names."""
    text = (ROOT / name / "expected" / str(number) / "export.json").read_text()
    numbers: dict[str, str] = {}
    text = re.sub("<provider-id-[0-9]+>", lambda found: numbers.setdefault(found.group(), str(uuid.uuid4())), text)
    text = text.replace('"<time>"', '"2026-01-02T03:04:05.678901234Z"')
    deployment: dict[str, Any] = json.loads(text)["deployment"]
    return deployment


def _urns(case: Case) -> list[tuple[str, str]]:
    return sorted((entry["urn"], entry.get("id", "")) for entry in case.export())
