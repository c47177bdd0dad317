"""Random programs, disturbed and run again until they are through, end where a straight run ends (see ``random_runs``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

_RUNS = Path(__file__).with_name("random_runs.py")
CASES = 200
_EACH = 25
OFTEN = 3000


def _run(seed: int, count: int) -> None:
    done = subprocess.run([sys.executable, str(_RUNS), str(seed), str(count)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("seed", range(0, CASES, _EACH))
def test_random_programs(seed: int) -> None:
    _run(seed, _EACH)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(CASES, CASES + OFTEN, 250))
def test_random_programs_often(seed: int) -> None:
    _run(seed, 250)
