"""Finished results on the operator's machine: whole or absent, made once, and gone when nobody wants them any more."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from yiwang.delivery import store


def text(content: str = "text") -> Callable[[Path], None]:
    def make(fresh: Path) -> None:
        (fresh / "file").write_text(content)

    return make


def results(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.is_dir())


def asked_for(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * 24 * 3600,) * 2)


def several(cache: Path, count: int) -> None:
    """``yiwang-0`` and so on, last asked for 100, 99 … days ago."""
    for number in range(count):
        store.ensure("yiwang", str(number), text())
    for number in range(count):
        asked_for(cache / f"yiwang-{number}", days=100 - number)


def test_what_is_there_is_not_made_again(cache: Path) -> None:
    made: list[int] = []

    def make(fresh: Path) -> None:
        made.append(1)
        (fresh / "file").write_text("text")

    hashes = {"file": hashlib.sha256(b"text").hexdigest()}
    assert store.ensure("kind", "key", make) == store.Result(cache / "kind-key", hashes, built=True)
    assert store.ensure("kind", "key", make) == store.Result(cache / "kind-key", hashes, built=False)
    assert made == [1]


def test_a_failure_leaves_nothing_and_the_next_try_succeeds(cache: Path) -> None:
    def fail(fresh: Path) -> None:
        (fresh / "half").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.ensure("kind", "key", fail)
    assert results(cache) == []
    assert store.ensure("kind", "key", text()).built
    assert results(cache) == ["kind-key"]


def test_what_a_killed_maker_left_is_cleared_away(cache: Path) -> None:
    (cache / ".kind-key.abcdef").mkdir(parents=True)
    store.ensure("kind", "key", text())
    assert results(cache) == ["kind-key"]


def test_two_at_once_make_it_once(cache: Path) -> None:
    made: list[int] = []
    ready = threading.Barrier(4)

    def make(_: Path) -> None:
        made.append(1)

    def ask() -> None:
        ready.wait(10)
        store.ensure("kind", "key", make)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


# --- After a power cut ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", ["truncated", "changed", "missing", "without hashes", "half a list"])
def test_what_a_power_cut_spoilt_is_made_again(cache: Path, spoil: str) -> None:
    good = store.ensure("kind", "key", text())
    file, sums = good.directory / "file", good.directory / store.SUMS
    match spoil:
        case "truncated":
            os.truncate(file, 0)
        case "changed":
            file.write_text("test")
        case "missing":
            file.unlink()
        case "without hashes":
            sums.unlink()
        case _:
            os.truncate(sums, 10)
    again = store.ensure("kind", "key", text())
    assert again == store.Result(good.directory, good.hashes, built=True)
    assert file.read_text() == "text"
    assert results(cache) == ["kind-key"]


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was synced and renamed, in their order."""
    seen: list[str] = []
    fsync, rename = os.fsync, os.rename

    def seen_fsync(descriptor: int) -> None:
        seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def seen_rename(source: Path, target: Path) -> None:
        seen.append(f"rename {target.name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "rename", seen_rename)
    return seen


def test_all_of_it_is_on_the_disk_before_it_appears(cache: Path, order: list[str]) -> None:
    store.ensure("kind", "key", text())
    appears = order.index("rename kind-key")
    assert {"sync file", f"sync {store.SUMS}"} < set(order[:appears])
    assert next(name for name in order[:appears] if name.startswith("sync .kind-key."))
    assert order[appears + 1] == f"sync {cache.name}"


# --- What goes ------------------------------------------------------------------------------------------------------


def test_the_newest_of_a_kind_and_what_was_asked_for_lately_stay(cache: Path) -> None:
    store.ensure("other", "1", text())
    asked_for(cache / "other-1", days=300)
    several(cache, 6)
    (cache / "0123456789abcdef").mkdir()  # as earlier releases named them
    asked_for(cache / "0123456789abcdef", days=300)
    assert not store.ensure("yiwang", "0", text()).built  # asked for again: the newest now
    store.prune()
    assert results(cache) == ["0123456789abcdef", "other-1", "yiwang-0", "yiwang-4", "yiwang-5"]
    assert sorted(path.name for path in cache.glob(".*")) == [f".{name}.lock" for name in ("other-1", "yiwang-0", "yiwang-4", "yiwang-5")]


def test_it_is_done_when_something_new_is_made(cache: Path) -> None:
    several(cache, 4)
    store.ensure("yiwang", "new", text())
    assert results(cache) == ["yiwang-2", "yiwang-3", "yiwang-new"]


def test_what_was_asked_for_lately_stays_however_many_there_are(cache: Path) -> None:
    for number in range(6):
        store.ensure("yiwang", str(number), text())
    assert store.prune() == []
    assert len(results(cache)) == 6


def test_what_another_process_holds_stays(cache: Path) -> None:
    several(cache, 4)
    with (cache / ".yiwang-0.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert store.prune() == []
        assert "yiwang-0" in results(cache)
    assert store.prune() == ["yiwang-0"]


def test_what_is_asked_for_while_it_is_taken_away_is_made_again(cache: Path) -> None:
    """One thread takes it away over and over, another asks for it: each time it is there, whole."""
    for number in range(store.KEPT):
        store.ensure("yiwang", f"newer{number}", text())
    done = threading.Event()

    def take_away() -> None:
        while not done.is_set():
            with contextlib.suppress(FileNotFoundError):
                asked_for(cache / "yiwang-old", days=100)
            store.prune()

    thread = threading.Thread(target=take_away)
    thread.start()
    try:
        made = [store.ensure("yiwang", "old", text()).built for _ in range(200)]
    finally:
        done.set()
        thread.join()
    assert made.count(True) > 1
