"""Fixtures of the component's tests."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parent.parent.parent / "roles" / "storage" / "files"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the program, as on a host."""
    monkeypatch.syspath_prepend(str(FILES))
    yield lambda name: importlib.import_module(f"recovery.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "recovery"]:
        del sys.modules[name]
