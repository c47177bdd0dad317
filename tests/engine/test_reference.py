"""The programs that were recorded with the real CLI take the same steps, calls and checkpoints here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.reference_case import ROOT, Case, broken_pairs, by_key, last_lines, step_set

SCENARIOS = sorted(path.parent.name for path in ROOT.glob("*/scenario.yaml"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    case = Case(name, tmp_path)
    for number, step in case.steps():
        result = case.run(number, step)
        where = f"step {number} ({step['command']})"
        exit_ = case.expected(number, "exit")
        diagnostics = [(entry.severity, entry.urn, entry.message) for entry in result.diagnostics if entry.severity != "info#err"]
        wanted = [(entry["severity"], entry["urn"], entry["message"]) for entry in exit_["diagnostics"]]
        assert last_lines(diagnostics) == last_lines(wanted), where
        assert result.ok == (exit_["exit"] == 0), where
        _compare_steps(case, number, result, where)
        assert _calls(case.calls(), result) == _calls(case.expected(number, "calls")["set"], result), where
        counts = {**result.changes, **({"same": result.unchanged} if result.unchanged else {})}
        recorded = dict(exit_["changes"] or {})
        if not result.ok:
            # Which independent ones were still looked at before the failure is a race.
            counts.pop("same", None)
            recorded.pop("same", None)
        assert counts == recorded, where
        _compare_export(case, number, where)
        assert case.world() == case.expected(number, "world"), where


def _calls(calls: list[str], result: Any) -> list[str]:
    """All calls; after a failure without the questions about independent resources, which may come before it or never."""
    return calls if result.ok else [call for call in calls if not call.startswith(("check ", "diff "))]


def _compare_steps(case: Case, number: int, result: Any, where: str) -> None:
    expected = case.expected(number, "steps")
    found = case.found_steps(result)
    ours, recorded = step_set(found), step_set(expected["steps"])
    if not result.ok:
        for name in (ours - recorded) + (recorded - ours):
            if name.startswith("same "):
                del ours[name], recorded[name]
    assert ours == recorded, where
    assert broken_pairs(expected, found) == [], where


def _compare_export(case: Case, number: int, where: str) -> None:
    exported = ((case.expected(number, "export") or {}).get("deployment") or {}).get("resources") or []
    ours = case.export()
    case.name_providers(exported, ours)
    expected, found = by_key(exported), by_key(case.clean(ours))
    assert sorted(found) == sorted(expected), where
    for key, resource in expected.items():
        assert found[key] == resource, f"{where}: {key}"
