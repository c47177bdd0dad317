"""How a drill judges the backup of objects: a store here and a backup of it, without servers."""

from __future__ import annotations

import datetime
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

GIVEN = {"buckets": ["drafts"], "objects_minutes": 15}


def ago(minutes: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes)


class Stores:
    """What rclone answers: objects here, each with its content and when it was put, and those in the backup."""

    def __init__(self, error: Any, live: dict[str, tuple[str, float]], saved: dict[str, str]) -> None:
        self.error, self.live, self.copies, self.unread = error, live, saved, set[str]()
        self.gone, self.damaged = set[str](), set[str]()

    def saved(self, _bucket: str) -> list[str]:
        return list(self.copies)

    def rclone(self, verb: str, *words: str) -> str:
        options = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
        if verb == "lsf":
            before = datetime.datetime.fromisoformat(options["min-age"])
            return "".join(f"{name}\n" for name, (_, minutes) in self.live.items() if ago(minutes) < before)
        chosen = Path(options["files-from-raw"]).read_text().splitlines()
        if verb == "cat":
            assert ("--discard" in words, words[-1]) == (True, "SAVED:drafts")
            if self.damaged.intersection(chosen):
                raise self.error("command_said", name="rclone", said="unexpected EOF")
            return ""
        assert (verb, words[-2:]) == ("check", ("SAVED:drafts", "LIVE:drafts"))
        return self.check(options, {name: self.copies[name] for name in chosen if name not in self.gone})

    def check(self, options: dict[str, str], names: dict[str, str]) -> str:
        reports = {
            "match": [name for name in names if name not in self.unread and self.live.get(name, ("",))[0] == names[name]],
            "missing-on-dst": [name for name in names if name not in self.live],
            "differ": [name for name in names if name in self.live and self.live[name][0] != names[name]],
            "error": [name for name in names if name in self.unread],
        }
        for kind, lines in reports.items():
            Path(options[kind]).write_text("".join(f"{line}\n" for line in lines))
        if any(lines for kind, lines in reports.items() if kind != "match"):
            raise self.error("command_said", name="rclone", said="differences found")
        return ""


@pytest.fixture
def check(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The judgement, of what is here, in the backup, and on record."""
    objects, error = program("objects"), program("common").RecoveryError
    monkeypatch.setattr(objects, "alone", lambda _: nullcontext())

    def judged(
        live: dict[str, tuple[str, float]],
        saved: dict[str, str],
        *,
        unread: tuple[str, ...] = (),
        gone: tuple[str, ...] = (),
        damaged: tuple[str, ...] = (),
        **record: Any,
    ) -> Any:
        stores = Stores(error, live, saved)
        stores.unread.update(unread)
        stores.gone.update(gone)
        stores.damaged.update(damaged)
        monkeypatch.setattr(objects, "Remotes", lambda _: stores)
        monkeypatch.setattr(objects, "last", lambda: {"time": ago(10).isoformat(), "exact": ago(300).isoformat(), **record})
        return objects.check(GIVEN, tmp_path)["drafts"]

    return judged


SAME = {"a": ("1", 500), "b/二": ("2", 400)}
COPIES = {"a": "1", "b/二": "2"}


def test_a_good_backup_is_good(check: Any) -> None:
    assert check(SAME, COPIES) == {"objects": 2, "compared": 2}
    assert check({}, {}) == {"objects": 0, "compared": 0}


@pytest.mark.parametrize(
    ("live", "saved", "found"),
    [
        # Deleted since the copy, all of them too.
        ({"a": SAME["a"]}, COPIES, {"changed_since": 0, "deleted_since": 1}),
        ({}, COPIES, {"changed_since": 0, "deleted_since": 2}),
        # Replaced since the copy, or while it was made: the exact one of the next night finds it.
        ({**SAME, "a": ("new", 5)}, COPIES, {"changed_since": 1, "deleted_since": 0}),
        ({**SAME, "a": ("new", 200)}, COPIES, {"changed_since": 1, "deleted_since": 0}),
        # Put since the copy.
        ({**SAME, "c": ("3", 5)}, COPIES, {}),
        ({"c": ("3", 5)}, {}, {}),
    ],
)
def test_what_was_done_since_the_copy_is_no_damage(
    check: Any, live: dict[str, tuple[str, float]], saved: dict[str, str], found: dict[str, int]
) -> None:
    assert check(live, saved) == {"objects": len(saved), "compared": len(saved), **found}


@pytest.mark.parametrize(
    ("live", "saved", "said"),
    [
        (SAME, {}, "2 of 2 objects that are older than the last backup are not in it, a among them"),
        (SAME, {"a": "1"}, "1 of 2 objects that are older than the last backup are not in it, b/二 among them"),
        ({**SAME, "c": ("3", 12)}, COPIES, "1 of 3 objects"),
        (SAME, {**COPIES, "a": "damaged"}, "1 objects differ from their backup and were not changed since, a among them"),
        # One that was changed excuses none that was not, and none that is missing.
        ({**SAME, "b/二": ("new", 5)}, {**COPIES, "a": "damaged"}, "1 objects differ"),
        ({**SAME, "b/二": ("new", 5)}, {"b/二": "2"}, "1 of 1 objects"),
    ],
)
def test_what_is_lost_or_damaged_is_told(
    check: Any, program: Any, live: dict[str, tuple[str, float]], saved: dict[str, str], said: str
) -> None:
    with pytest.raises(program("common").RecoveryError, match=said):
        check(live, saved)


def test_what_cannot_be_read_is_no_success(check: Any, program: Any) -> None:
    with pytest.raises(program("common").RecoveryError, match="differences found"):
        check(SAME, COPIES, unread=("a",))


@pytest.mark.parametrize("live", [{"b/二": SAME["b/二"]}, {**SAME, "a": ("new", 5)}])
def test_a_damaged_backup_of_what_is_here_no_more_is_told(check: Any, program: Any, live: dict[str, tuple[str, float]]) -> None:
    with pytest.raises(program("common").RecoveryError, match="unexpected EOF"):
        check(live, COPIES, damaged=("a",))


def test_what_is_listed_and_does_not_come_is_lost(check: Any, program: Any) -> None:
    with pytest.raises(program("common").RecoveryError, match="1 of 2 objects did not come back, a among them"):
        check(SAME, COPIES, gone=("a",))
    with pytest.raises(program("common").RecoveryError, match="1 of 2 objects did not come back, a among them"):
        check({**SAME, "b/二": ("new", 5)}, COPIES, gone=("a",))


LONG = "关" * 86


@pytest.mark.parametrize(("names", "listed"), [(["a", "b/二"], None), (["a", f"c/{LONG}", LONG], "a\n"), ([f"{'关' * 85}/二"], None)])
def test_what_has_too_long_a_name_for_a_file_is_left_beside_and_told(
    program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str], listed: str | None
) -> None:
    objects = program("objects")
    given: list[str] = []

    class Saved:
        def saved(self, _bucket: str) -> list[str]:
            return names

        def rclone(self, *words: str) -> str:
            given.extend(word.partition("=")[2] for word in words if word.startswith("--files-from-raw="))
            return ""

    monkeypatch.setattr(objects, "Remotes", lambda *_, **__: Saved())
    left = len(names) - len(listed.splitlines()) if listed is not None else 0
    assert objects.restore(GIVEN, None, tmp_path) == {"drafts": len(names) - left}
    assert [Path(file).read_text() for file in given] == ([listed] if listed is not None else [])
    assert (f"the names of {left} objects are too long" in capsys.readouterr().err) == (left > 0)
    # Into the buckets all of them come.
    assert objects.restore(GIVEN, None, None) == {"drafts": len(names)}


@pytest.mark.parametrize(("minutes", "interval", "late"), [(59, 15, False), (61, 15, True), (239, 60, False), (241, 60, True)])
def test_an_old_backup_is_none(program: Any, minutes: int, interval: int, late: bool) -> None:
    fresh, error = program("objects").fresh, program("common").RecoveryError
    given = {**GIVEN, "objects_minutes": interval}
    record = {"time": ago(minutes).isoformat()}
    if not late:
        fresh(given, record)
        return
    with pytest.raises(error, match="too long ago"):
        fresh(given, record)


def test_objects_that_were_never_backed_up_are_told(program: Any) -> None:
    fresh = program("objects").fresh
    fresh({**GIVEN, "buckets": []}, {})
    with pytest.raises(program("common").RecoveryError, match="never backed up"):
        fresh(GIVEN, {})


class Members:
    """Databases that never keep anything."""

    def execute(self, *_: object) -> Any:
        return self

    def fetchone(self) -> None: ...


def test_the_record_keeps_when_everything_was_compared(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    objects = program("objects")

    class Copied:
        def __init__(self, _: object) -> None: ...

        def count(self, _: str) -> int:
            return 1

        def rclone(self, *_: str) -> str:
            return ""

    monkeypatch.setattr(objects, "Remotes", Copied)
    monkeypatch.setattr(objects, "alone", lambda _: nullcontext())
    monkeypatch.setattr(objects.records, "RECORDS", tmp_path)
    monkeypatch.setattr(objects.records, "connect", lambda: nullcontext(Members()))
    assert objects.backup(GIVEN, exact=False)["exact"] is None
    exact = objects.backup(GIVEN, exact=True)
    assert exact["exact"] == exact["time"]
    quick = objects.backup(GIVEN, exact=False)
    assert quick["exact"] == exact["time"] < quick["time"]
