"""How long checking a million social credit codes takes in one process, against python-stdnum on the same codes in the same run."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from stdnum.cn import uscc as peer

from yiwang.standard import uscc
from yiwang.standard.checks import CREDIT_ALPHABET, DIGITS
from yiwang.standard.uscc import Uscc

pytestmark = pytest.mark.bench

CODES = 1_000_000
RUNS = 3


def sample() -> list[str]:
    """Codes that nobody issued, one of eight with a wrong check character."""
    chance = random.Random(5)
    found = []
    for number in range(CODES):
        division = "".join(chance.choices(DIGITS, k=6))
        code = Uscc.generate("9", "1", division, "".join(chance.choices(CREDIT_ALPHABET, k=8))).text
        found.append(code if number % 8 else code[:-1] + ("0" if code[-1] != "0" else "1"))
    return found


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def test_a_million_social_credit_codes() -> None:
    codes = sample()
    pairs = [(seconds(lambda: [*map(uscc.is_valid, codes)]), seconds(lambda: [*map(peer.is_valid, codes)])) for _ in range(RUNS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(slow / fast for fast, slow in pairs)
    parsed = seconds(lambda: [Uscc.parse(code) for number, code in enumerate(codes) if number % 8])
    print(f"\n{CODES} social credit codes checked: {ours:.2f} s; python-stdnum: {theirs:.2f} s; ratio {ratio:.1f}")
    print(f"the valid ones of them parsed: {parsed:.2f} s")
    assert [*map(uscc.is_valid, codes[:1000])] == [*map(peer.is_valid, codes[:1000])]


@pytest.mark.parametrize("module", ["standard", "standard.kinds", "standard.uscc", "standard.workdays", "standard.datasets"])
def test_import(module: str) -> None:
    program = f"import time; started = time.perf_counter(); import yiwang.{module}; print(time.perf_counter() - started)"
    runs = [float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    print(f"\nimport yiwang.{module}: {statistics.median(runs) * 1000:.0f} ms")
