"""record.py, unchanged, with this command line in front as `pulumi`: what it records is what it recorded with the real CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from engine.commandline_case import put_in_front
from engine.recording import Comparison

pytestmark = pytest.mark.system

ROOT = Path(__file__).with_name("reference")
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("*/scenario.yaml"))
# A real CLI to compare with, beside its language host for Python.
CLI = os.environ.get("YIWANG_TEST_PULUMI", "")


def record(name: str, work: Path, path: str) -> list[str]:
    """What differs from the recorded data when the scenario is recorded with the `pulumi` on ``path``."""
    for entry in ("record.py", "thing.py"):
        shutil.copy(ROOT / entry, work)
    shutil.copytree(ROOT / "plugin", work / "plugin")
    shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("expected", "__pycache__"))
    done = subprocess.run(
        [sys.executable, "record.py", "--work", str(work / "work"), name],
        cwd=work,
        env={**os.environ, "PATH": path, "YIWANG_LANG": "zh"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Comparison(ROOT / name / "expected", work / name / "expected").compare()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    """In a Chinese locale, where programs that know the CLI's words have to find them too."""
    assert record(name, tmp_path, put_in_front(tmp_path / "bin")) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secrets_providers", {"type": "cloud"}),
        ("pending_operations", [{"type": "creating", "resource": {"urn": "urn:pulumi:case::p::t:i:T::a"}}]),
        ("metadata", {"more": {}}),
        ("manifest", {"time": ""}),
    ],
)
def test_the_comparison_sees_all_of_an_export(key: str, value: Any, tmp_path: Path) -> None:
    expected = ROOT / "01-lifecycle" / "expected"
    assert Comparison(expected, expected).compare() == []
    shutil.copytree(expected, tmp_path / "found")
    path = tmp_path / "found" / "1" / "export.json"
    document = json.loads(path.read_text())
    document["deployment"][key] = value
    path.write_text(json.dumps(document))
    assert [problem.partition(":")[0] for problem in Comparison(expected, tmp_path / "found").compare()] == ["step 1, rest of the export"]


@pytest.mark.skipif(not CLI, reason="YIWANG_TEST_PULUMI names no Pulumi CLI to compare with")
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_with_a_live_cli(name: str, tmp_path: Path) -> None:
    """The expectations are those of a real CLI, of whichever version is there."""
    directory = tmp_path / "bin"
    path = put_in_front(directory)
    (directory / "pulumi").unlink()
    assert record(name, tmp_path, f"{Path(CLI).absolute().parent}:{path}") == []


@pytest.mark.skipif(not CLI, reason="YIWANG_TEST_PULUMI names no Pulumi CLI to compare with")
@pytest.mark.parametrize("name", ["01-lifecycle", "05-secrets", "21-providers"])
def test_a_stack_goes_to_and_fro(name: str, tmp_path: Path) -> None:
    """What one of them made is nothing to do for the other, in both directions."""
    ours = put_in_front(tmp_path / "bin")
    programs = tmp_path / "programs"
    programs.mkdir()
    record(name, programs, ours)
    work = programs / "work" / name
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": (work / "backend").as_uri(),
        "PULUMI_HOME": str(work / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "THING_WORLD": str(work / "world.json"),
        "THING_LOG": str(work / "calls.log"),
        "STEP": "2",
    }
    theirs = f"{Path(CLI).absolute().parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = ["pulumi", "up", "--stack", "case", "--yes", "--skip-preview", "--non-interactive"]
    look = ["pulumi", "preview", "--stack", "case", "--expect-no-changes", "--non-interactive"]
    for maker, other in ((ours, theirs), (theirs, ours), (ours, theirs)):
        for path, command in ((maker, run), (other, look)):
            done = subprocess.run(
                command, cwd=work / "prog", env={**environment, "PATH": path}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        environment["STEP"] = "3" if environment["STEP"] == "2" else "2"
