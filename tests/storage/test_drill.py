"""The drill, without servers: what it compares, and that it leaves a record whatever happens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

GIVEN = {"site": "province", "host": "p-data", "directory": ""}


class Nothing:
    """An instance that was never restored."""

    def __init__(self, *_: object) -> None: ...

    def remove(self) -> None: ...


class Store:
    """A store of objects that takes what it is given, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.bodies = error, [b""]

    def put_object(self, **given: Any) -> None:
        if self.error:
            raise self.error
        self.bodies.append(given["Body"])


@pytest.fixture
def drill(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A drill that goes well, with its records in a directory."""
    module = program("drill")
    (tmp_path / "identities.json").write_text(json.dumps({"identities": [{"name": "evidence", "credentials": [KEY]}]}))
    monkeypatch.setattr(module, "RECORDS", tmp_path)
    monkeypatch.setattr(module.records, "RECORDS", tmp_path)
    monkeypatch.setattr(module.records, "connect", away)
    monkeypatch.setattr(module, "IDENTITIES", tmp_path / "identities.json")
    monkeypatch.setattr(module.databases, "Scratch", Nothing)
    monkeypatch.setattr(module, "databases_drill", lambda *_: {"rpo_seconds": 1.0, "rto_seconds": 2.0})
    monkeypatch.setattr(module.objects, "check", lambda *_: {})
    monkeypatch.setattr(module.objects, "last", dict)
    monkeypatch.setattr(module.boto3, "client", lambda *_, **__: Store())
    return module


def away(*_: object) -> Any:
    """Databases that do not answer."""
    raise psycopg.OperationalError


KEY = {"accessKey": "a", "secretKey": "s"}


def drilled(module: Any, directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is told, and what is on record."""
    told = module.drill({**GIVEN, "directory": str(directory)})
    return told, json.loads((directory / "drill.json").read_text())


def test_a_good_drill_is_kept(drill: Any, tmp_path: Path) -> None:
    told, kept = drilled(drill, tmp_path)
    assert told == kept
    assert (kept["ok"], kept["kept"]) == (True, True)
    assert len(list((tmp_path / "drill").glob("*.json"))) == 1


@pytest.mark.parametrize("error", [ValueError("00000002.history"), StopIteration(), OSError("no space"), KeyError("credentials")])
def test_a_drill_that_crashes_leaves_a_record(drill: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception) -> None:
    def crashes(*_: object) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(drill, "databases_drill", crashes)
    told, kept = drilled(drill, tmp_path)
    assert told["ok"] is kept["ok"] is False
    assert kept["error"]


def test_one_that_has_no_room_to_begin_leaves_a_record(drill: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = drill.drill({**GIVEN, "directory": str(tmp_path / "file")})
    assert told["ok"] is json.loads((tmp_path / "drill.json").read_text())["ok"] is False


@pytest.mark.parametrize("why", ["identity", "store"])
def test_a_record_that_nobody_locked_says_so(drill: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, why: str) -> None:
    if why == "identity":
        (tmp_path / "identities.json").write_text(json.dumps({"identities": []}))
    else:
        monkeypatch.setattr(drill.boto3, "client", lambda *_, **__: Store(OSError("no answer")))
    told, kept = drilled(drill, tmp_path)
    assert (told["ok"], kept["ok"], told["kept"], kept["kept"]) == (True, True, False, False)
    assert kept["unkept"] == ("no answer" if why == "store" else "there is no identity that may write into the bucket evidence")


@pytest.mark.parametrize(
    ("words", "ok", "code", "forgiven"), [(["--strict"], True, 0, True), (["--strict"], False, 1, False), ([], False, 0, False)]
)
def test_the_timers_drill_is_a_failed_unit_where_it_failed(
    program: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], ok: bool, code: int, forgiven: bool
) -> None:
    main, ended = program("__main__"), []
    monkeypatch.setattr(main, "leads", lambda: True)
    monkeypatch.setattr(main, "settings", dict)
    monkeypatch.setattr(main, "alone", main.contextlib.nullcontext)
    monkeypatch.setattr(main, "drill", lambda _: {"ok": ok})
    monkeypatch.setattr(main.subprocess, "run", lambda words, **_: ended.append(words[-1]))
    monkeypatch.setattr(sys, "argv", ["yiwang-recovery", "drill", *words])
    assert main.main() == code
    assert ended == (["yiwang-drill.service"] if forgiven else [])


@pytest.mark.parametrize(
    ("before", "after", "found", "good"),
    [
        ((9,), (8,), 8, True),
        ((9,), (9,), 8, False),
        # Large ones, by statistics: near is near enough, half of them gone is not.
        ((1000, "near"), (1000, "near"), 900, True),
        ((1000, "near"), (1100, "near"), 2200, True),
        ((1000, "near"), (1000, "near"), 499, False),
        ((1000, "near"), (1000, "near"), 2001, False),
        ((1000, "near"), (1000, "near"), 0, False),
        # It grew over the limit meanwhile.
        ((1000,), (1001, "near"), 1000, True),
        ((1000,), (1001, "near"), 400, False),
        # Nobody has looked at it yet: that it is there is all that is known.
        ((-1, "near"), (-1, "near"), 0, True),
        ((-1, "near"), (500, "near"), 7, True),
    ],
)
def test_rows_of_large_tables_are_near(program: Any, before: tuple[Any, ...], after: tuple[Any, ...], found: int, good: bool) -> None:
    drill, estimate = program("drill"), program("databases").Estimate
    seen = [estimate(rows) if kind else rows for rows, *kind in (before, after)]
    assert drill.near(found, *seen) is good
