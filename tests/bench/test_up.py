"""How long an `up` without changes takes, against running the same role by plain Ansible on the same hosts in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from tests_support import Yiwang

pytestmark = [pytest.mark.lab, pytest.mark.bench]

RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_unchanged_up_against_running_the_roles(lab: Yiwang) -> None:
    pairs = [(seconds(lambda: lab("up", "--yes")), seconds(lambda: lab("up", "--yes", "--reapply"))) for _ in range(RUNS)]
    unchanged, reapplied = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(slow / fast for fast, slow in pairs)
    print(f"\nup without changes, 4 sites, 6 hosts: {unchanged:.2f} s; every role run again: {reapplied:.2f} s; ratio {ratio:.1f}")
