"""Private directories are private from the first one that is made."""

from __future__ import annotations

from pathlib import Path

from yiwang.files import make_private


def test_every_directory_that_is_made_on_the_way_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = make_private(tmp_path / "state" / "ssh" / "keys")
    assert [path.stat().st_mode & 0o777 for path in (made, made.parent, made.parent.parent)] == [0o700] * 3
    assert tmp_path.stat().st_mode & 0o777 == 0o755, "what was there stays as it is"


def test_a_directory_that_is_there_becomes_private(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    assert make_private(tmp_path / "open").stat().st_mode & 0o777 == 0o700
