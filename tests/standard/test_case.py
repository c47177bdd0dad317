"""Case numbers, and serials that are never given twice."""

from __future__ import annotations

import datetime
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standard.samples import CASE, ITEM_OF_A_DOUBTFUL_BODY, ITEMS

from yiwang.standard import serials
from yiwang.standard.case import LAST_SERIAL, CaseNumber
from yiwang.standard.errors import CodeError, Problem, Severity
from yiwang.standard.serials import SerialFile

ITEM = ITEMS[0]
DAY = datetime.date(2022, 6, 23)
PROCESSES, EACH = 4, 25


def test_the_sample_is_valid_and_has_parts() -> None:
    code = CaseNumber.parse(CASE)
    assert (code.warnings, code.implementing, code.date, code.serial) == ((), ITEM, DAY, 68)
    assert "".join(part.text for part in code.parts() if part.key in {"implementing", "date", "serial"}) == CASE


@pytest.mark.parametrize("text", ["1", "BJ20220001", "A" * 50, "Z" * 43, ITEM])
def test_other_layouts_are_valid_and_have_no_parts(text: str) -> None:
    code = CaseNumber.parse(text)
    assert (code.implementing, code.date, code.serial, code.warnings) == (None, None, None, ())
    assert [part.text for part in code.parts()] == [text]


def test_a_number_that_only_looks_like_the_layout_is_a_warning() -> None:
    code = CaseNumber.parse(f"{ITEM}202213320001")
    assert [(each.problem, each.position, each.severity) for each in code.warnings] == [(Problem.LAYOUT, 32, Severity.WARNING)]
    assert code.serial is None


def test_what_is_doubtful_about_the_body_is_told_of_its_case_numbers() -> None:
    made = CaseNumber.generate(ITEM_OF_A_DOUBTFUL_BODY, DAY, lambda _: 1)
    for code in (made, CaseNumber.parse(str(made))):
        assert [(each.problem, each.position, each.severity) for each in code.warnings] == [
            (Problem.CHECK, 17, Severity.WARNING),
            (Problem.CHECK, 18, Severity.WARNING),
        ]


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("", Problem.EMPTY, None),
        ("A" * 51, Problem.TOO_LONG, None),
        ("A-1", Problem.CHARACTER, 2),
        ("a", Problem.CHARACTER, 1),
        ("１", Problem.CHARACTER, 1),
        ("1 ", Problem.CHARACTER, 2),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, problem: Problem, position: int | None) -> None:
    with pytest.raises(CodeError) as refused:
        CaseNumber.parse(text)
    assert (refused.value.finding.problem, refused.value.finding.position) == (problem, position)


@given(st.dates(), st.integers(1, LAST_SERIAL))
def test_what_is_generated_is_read_and_its_parts_make_it_again(day: datetime.date, serial: int) -> None:
    code = CaseNumber.generate(ITEM, day, lambda _: serial)
    assert len(code.text) in {43, 44, 45}
    again = CaseNumber.parse(code.text)
    assert (again, again.implementing, again.date, again.serial) == (code, ITEM, day, serial)


def test_serials_are_asked_for_by_item_and_day() -> None:
    asked: list[str] = []

    def serials(key: str) -> int:
        asked.append(key)
        return len(asked)

    numbers = [CaseNumber.generate(item, DAY, serials).text for item in ITEMS[:2]]
    assert asked == [f"{item}20220623" for item in ITEMS[:2]]
    assert numbers == [f"{ITEMS[0]}202206230001", f"{ITEMS[1]}202206230002"]


@pytest.mark.parametrize("serial", [0, -1, LAST_SERIAL + 1])
def test_a_serial_beyond_the_layout_is_refused(serial: int) -> None:
    with pytest.raises(CodeError) as refused:
        CaseNumber.generate(ITEM, DAY, lambda _: serial)
    assert refused.value.finding.problem is Problem.SERIAL


@pytest.mark.parametrize("item", ["370117002011", ITEMS[2], "", "x"])
def test_a_number_is_made_for_an_implementing_code_only(item: str) -> None:
    def serials(key: str) -> int:
        pytest.fail(f"a serial of {key} is lost")

    with pytest.raises(CodeError):
        CaseNumber.generate(item, DAY, serials)


def test_serials_count_from_one_for_each_key(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "new" / "serials.db")
    assert [serials("a"), serials("a"), serials("b"), SerialFile(serials.path)("a")] == [1, 2, 1, 3]
    assert stat.S_IMODE(serials.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(serials.path.parent.stat().st_mode) == 0o700


def test_processes_that_issue_at_once_give_no_number_twice(tmp_path: Path) -> None:
    program = (
        "import datetime, sys; from pathlib import Path\n"
        "from yiwang.standard.case import CaseNumber; from yiwang.standard.serials import SerialFile\n"
        "serials = SerialFile(Path(sys.argv[1])); sys.stdin.read()\n"
        f"print(*(CaseNumber.generate('{ITEM}', datetime.date(2022, 6, 23), serials) for _ in range({EACH})))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "serials.db")]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    numbers: list[str] = []
    # All wait for the end of their input, and begin together.
    for run in runs:
        assert run.stdin is not None
        run.stdin.close()
    for run in runs:
        with run:
            assert run.stdout is not None
            numbers += run.stdout.read().split()
    assert sorted(numbers) == [f"{ITEM}20220623{serial:04d}" for serial in range(1, PROCESSES * EACH + 1)]


def test_threads_that_issue_at_once_give_no_number_twice(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "serials.db")
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.extend(serials("a") for _ in range(10))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 41))


def test_a_process_that_is_killed_gives_no_number_twice(tmp_path: Path) -> None:
    path = tmp_path / "serials.db"
    program = (
        "import sys; from pathlib import Path; from yiwang.standard.serials import SerialFile\n"
        "count = SerialFile(Path(sys.argv[1]))\n"
        "while True: print(count('a'), flush=True)"
    )
    given_out: list[int] = []
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            given_out += [int(process.stdout.readline()) for _ in range(3)]
            os.kill(process.pid, signal.SIGKILL)
            # What it said before it died counts too; a line that the kill cut is not one.
            given_out += [int(line) for line in process.stdout if line.endswith("\n")]
    following = SerialFile(path)("a")
    assert len(set(given_out)) == len(given_out)
    assert following > max(given_out)


def test_a_file_that_is_no_count_of_serials_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as the head of one\n" * 20)
    (tmp_path / "directory").mkdir()
    with sqlite3.connect(tmp_path / "other") as database:
        database.execute("CREATE TABLE serial (x)")
    database.close()
    for name in ("text", "directory", "other", "text/below", "a\0b", "/dev/null"):
        with pytest.raises(CodeError, match="cannot be used") as refused:
            SerialFile(tmp_path / name)("a")
        assert refused.value.kind == "serials"


def test_a_database_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE person (name)")
    before = path.read_bytes()
    with pytest.raises(CodeError, match=r"cannot be used \(it is a database of something else\)") as refused:
        SerialFile(path)("a")
    assert refused.value.finding.problem is Problem.SERIALS_UNUSABLE
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE serial (key TEXT PRIMARY KEY, last INTEGER NOT NULL)")
    with pytest.raises(CodeError, match="something else"):
        SerialFile(path)("a")
    database.close()
    assert before[:16] == path.read_bytes()[:16]


@pytest.mark.parametrize("last", ["many", -5, 1.5, b"\0"])
def test_a_count_that_is_no_number_is_refused(tmp_path: Path, last: object) -> None:
    serials = SerialFile(tmp_path / "serials.db")
    assert serials("a") == 1
    with sqlite3.connect(serials.path) as database:
        database.execute("UPDATE serial SET last = ?", (last,))
    database.close()
    with pytest.raises(CodeError, match=r"cannot be used \(a count is no number, a: ") as refused:
        serials("a")
    assert refused.value.finding.problem is Problem.SERIALS_UNUSABLE
    assert serials("b") == 1


def test_a_path_that_does_not_print_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\n\x1b[31mb"
    path.mkdir()
    with pytest.raises(CodeError) as refused:
        SerialFile(path)("a")
    assert r"a\n\x1b[31mb" in refused.value.text("en")
    assert refused.value.text("en").isprintable()


def test_others_that_count_for_too_long_are_named_as_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serials, "_PATIENCE", 0.2)
    file = SerialFile(tmp_path / "serials.db")
    assert file("a") == 1
    busy = sqlite3.connect(file.path, isolation_level=None)
    for lock in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
        busy.execute(lock)
        with pytest.raises(CodeError) as refused:
            file("a")
        busy.execute("ROLLBACK")
        assert refused.value.finding.problem is Problem.SERIALS_LOCKED
    busy.execute("BEGIN")
    busy.execute("SELECT * FROM serial").fetchall()
    with pytest.raises(CodeError, match="others are using the file of serials"):
        file("a")
    busy.close()
    assert file("a") == 2


def test_a_power_cut_brings_no_count_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit is that the journal is gone: so its directory is to be on the disk (EXTRA), and all that leads there when it is new."""
    levels: list[int] = []
    synced: list[Path] = []
    count, sync = serials._count, os.fsync

    def counted(database: sqlite3.Connection, *rest: Any) -> int:
        levels.append(database.execute("PRAGMA synchronous").fetchone()[0])
        return count(database, *rest)

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        sync(handle)

    monkeypatch.setattr(serials, "_count", counted)
    monkeypatch.setattr(os, "fsync", noted)
    path = tmp_path / "new" / "below" / "serials.db"
    assert SerialFile(path)("a") == 1
    assert synced[:3] == [path.parent, path.parent.parent, tmp_path]
    synced.clear()
    assert SerialFile(path)("a") == 2
    assert synced == []
    assert levels == [3, 3]


def test_a_name_that_means_something_to_the_database_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    serials = SerialFile(Path(":memory:"))
    assert [serials("a"), serials("a")] == [1, 2]
    assert (tmp_path / ":memory:").is_file()


def test_one_that_counts_for_long_is_waited_for(tmp_path: Path) -> None:
    serials = SerialFile(tmp_path / "serials.db")
    assert serials("a") == 1
    busy = sqlite3.connect(serials.path, isolation_level=None, check_same_thread=False)
    busy.execute("BEGIN IMMEDIATE")
    released = threading.Timer(0.3, lambda: busy.execute("COMMIT"))
    released.start()
    started = time.monotonic()
    assert serials("a") == 2
    assert time.monotonic() > started
    released.join()
    busy.close()
