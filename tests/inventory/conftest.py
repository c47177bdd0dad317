"""A valid inventory, as `yiwang new` writes it, and a cache of its own for each test session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from yiwang.inventory.create import create
from yiwang.paths import cache as caches

# What hypothesis keeps between runs lies with the other caches; a directory of its own in the checkout stops pytest's collection.
set_hypothesis_home_dir(caches() / "hypothesis")


@pytest.fixture(scope="session")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An inventory as `yiwang new` writes it; not to be changed."""
    return create(tmp_path_factory.mktemp("valid") / "inventory", "370000", ())


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def surroundings(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("YIWANG_LANG", "en")


@pytest.fixture
def inventory(valid: Path, tmp_path: Path) -> Path:
    """A copy of the valid inventory, to be spoilt."""
    return Path(shutil.copytree(valid, tmp_path / "inventory"))
