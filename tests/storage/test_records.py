"""Records of drills and copies: the newest of a host's file and of the table that all members see counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest


class Table:
    """The table, as far as these statements go."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] | None = None
        self.answer: tuple[Any, ...] | None = None

    def execute(self, statement: str, given: Any = None) -> Table:
        if "create table" in statement:
            self.rows = []
        elif self.rows is None:
            raise psycopg.errors.UndefinedTable
        elif "insert" in statement:
            self.rows = [row for row in self.rows if row["name"] != given["name"] or not given["alone"]] + [given]
        else:
            named = [json.loads(row["record"]) for row in self.rows if row["name"] == given[0]]
            self.answer = (max(named, key=lambda row: row["time"]),) if named else None
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.answer


@pytest.fixture
def records(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, Table | None], Any]:
    """The module, on a host of this name, with these databases."""
    module = program("records")

    def on(host: str, table: Table | None) -> Any:
        def connect() -> Any:
            if table is None:
                raise psycopg.OperationalError
            return nullcontext(table)

        monkeypatch.setattr(module, "RECORDS", tmp_path / host)
        monkeypatch.setattr(module, "connect", connect)
        return module

    return on


OLD, NEW = {"time": "2026-01-01T00:00:00+00:00", "ok": False}, {"time": "2026-01-02T00:00:00+00:00", "ok": True}


def test_a_new_leader_knows_what_the_one_before_did(records: Any) -> None:
    table = Table()
    records("a", table).keep("drill", OLD)
    assert records("b", table).newest("drill") == OLD
    records("b", table).keep("drill", NEW)
    assert records("a", table).newest("drill") == NEW
    assert len(table.rows or ()) == 2
    assert records("a", table).newest("objects") == {}


def test_databases_that_went_back_or_are_away_forget_nothing(records: Any) -> None:
    table = Table()
    records("a", table).keep("drill", OLD)
    records("a", None).keep("drill", NEW)
    assert records("a", table).newest("drill") == records("a", None).newest("drill") == NEW
    assert records("b", None).newest("drill") == {}


def test_of_copies_the_newest_stays_alone(records: Any) -> None:
    table = Table()
    for record in (OLD, NEW):
        records("a", table).keep("objects", record, alone=True)
    assert [json.loads(row["record"]) for row in table.rows or ()] == [NEW]
