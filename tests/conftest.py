"""Fixtures shared by all tests: one lab a run, made and configured by the commands a user types."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests_support import Yiwang

# The same examples in every run, and none judged by how long a busy machine takes for it.
settings.register_profile("yiwang", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("yiwang")

REPOSITORY = Path(__file__).parent.parent
# Always the same place, so that a run that was killed is cleaned up by the next one.
LAB_HOME = Path("/var/tmp/yiwang-tests")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """All tests of the lab go to one of the parallel workers, in their order: there is one lab a run."""
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.xdist_group("lab"))
    yield
    apart = [item.nodeid for item in items if item.get_closest_marker("lab") and not item.nodeid.endswith("@lab")]
    if apart and config.getoption("loadgroup", default=False):
        raise pytest.UsageError(f"not in the group of the lab, so it may wait for the other worker's lab: {apart[0]}")


@pytest.fixture(scope="session")
def lab_servers() -> Iterator[Yiwang]:
    """The lab's servers as `yiwang lab up` makes them, not configured yet; taken down at the end."""
    if os.geteuid() != 0:
        pytest.fail("tests marked lab need root")
    LAB_HOME.mkdir(exist_ok=True, mode=0o700)
    with (LAB_HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        directory = LAB_HOME / "lab"
        yiwang = Yiwang(directory)
        if directory.exists():
            yiwang("lab", "down")
            shutil.rmtree(directory)
        shutil.copytree(REPOSITORY / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
        try:
            yiwang("lab", "up")
            yield yiwang
        finally:
            yiwang("lab", "down")
            shutil.rmtree(directory)


@pytest.fixture(scope="session")
def lab(lab_servers: Yiwang) -> Yiwang:
    """The lab after its first `yiwang up`."""
    lab_servers("up", "--yes")
    return lab_servers
