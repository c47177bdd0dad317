"""The private directory of a run: those of dead runs go, those of living ones and of others stay."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from yiwang import processes, rundir

OLD = time.time() - 3600


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("yiwang.rundir.private_tmpfs", lambda: tmp_path)
    return tmp_path


def make(base: Path, owner: str | None) -> Path:
    directory = base / f"run-{len(list(base.iterdir()))}"
    directory.mkdir()
    if owner is not None:
        (directory / "owner").write_text(owner)
    os.utime(directory, (OLD, OLD))
    return directory


def test_those_of_dead_runs_go(base: Path) -> None:
    with rundir.RunDir() as mine:
        me = processes.me()
        dead = make(base, json.dumps({**me, "start": "1"}))
        killed_early, empty = make(base, None), make(base, "")
        stay = [
            make(base, json.dumps(me)),
            make(base, json.dumps({**me, "start": "1", "namespace": "pid:[1]"})),
            make(base, "123 456"),
            make(base, "[]"),
        ]
        with rundir.RunDir() as another:
            assert sorted(base.iterdir()) == sorted([mine.path, another.path, *stay])
        assert not any(path.exists() for path in (dead, killed_early, empty))
    assert sorted(base.iterdir()) == sorted(stay)


def test_one_that_is_just_being_made_stays(base: Path) -> None:
    fresh = base / "run-fresh"
    fresh.mkdir()
    with rundir.RunDir():
        assert fresh.exists()
