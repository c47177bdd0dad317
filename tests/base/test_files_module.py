"""The module that writes the files of a topic: what lands, what does not, and what it says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parent.parent.parent / "roles" / "base" / "library" / "yiwang_files.py"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the module as Ansible does, as the user of this test."""
    owner = {"owner": str(os.getuid()), "group": str(os.getgid())}

    def runner(*files: dict[str, Any], check: bool = False, only: tuple[str, ...] = (), fails: bool = False) -> dict[str, Any]:
        arguments = {
            "files": [{**owner, **file} for file in files],
            "only": list(only),
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        arguments |= {"_ansible_remote_tmp": str(tmp_path / "remote"), "_ansible_keep_remote_files": False}
        request = tmp_path / "request.json"
        request.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        done = subprocess.run([sys.executable, MODULE, request], capture_output=True, text=True, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert bool(answer.get("failed")) == fails, answer
        return answer

    return runner


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o7777:04o}"


def test_a_file_is_written_once_with_its_mode(run: Run, tmp_path: Path) -> None:
    wanted = {"path": str(tmp_path / "new" / "file"), "content": "text", "mode": "0640"}
    first = run(wanted)
    assert first["paths"] == [wanted["path"]]
    assert (tmp_path / "new/file").read_text() == "text\n"
    assert mode(tmp_path / "new/file") == "0640"
    assert run(wanted)["changed"] is False


def test_a_dry_run_shows_the_difference_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    answer = run({"path": str(path), "content": "new\n"}, check=True)
    assert answer["changed"] is True
    assert [(diff["before"], diff["after"], diff["after_header"]) for diff in answer["diff"]] == [("old\n", "new\n", str(path))]
    assert path.read_text() == "old\n"


def test_a_changed_mode_alone_is_a_change(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text\n")
    path.chmod(0o666)
    assert run({"path": str(path), "content": "text\n"})["paths"] == [str(path)]
    assert mode(path) == "0644"


def test_nothing_lands_when_one_of_the_files_is_refused(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    answer = run(
        {"path": str(good), "content": "fine"},
        {"path": str(bad), "content": "wrong", "validate": "grep -q right %s"},
        fails=True,
    )
    assert str(bad) in answer["msg"]
    assert not good.exists()
    assert not bad.exists()


def test_a_link_is_replaced_and_a_directory_made(run: Run, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("elsewhere")
    wanted = ({"path": str(link), "state": "link", "target": "/usr"}, {"path": str(tmp_path / "d"), "state": "directory"})
    assert run(*wanted)["paths"] == [str(link), str(tmp_path / "d")]
    assert str(link.readlink()) == "/usr"
    assert mode(tmp_path / "d") == "0755"
    assert run(*wanted)["changed"] is False


def test_a_link_into_nothing_is_refused_before_anything_lands(run: Run, tmp_path: Path) -> None:
    link = {"path": str(tmp_path / "localtime"), "state": "link", "target": str(tmp_path / "Asia" / "Shanghi")}
    answer = run({"path": str(tmp_path / "file"), "content": "text"}, link, fails=True)
    assert link["target"] in answer["msg"]
    assert list(tmp_path.glob("[lf]*")) == []


def test_what_a_pattern_matches_and_nothing_names_is_removed(run: Run, tmp_path: Path) -> None:
    for name in ("ours-a.crt", "ours-b.crt", "other.crt"):
        (tmp_path / name).write_text("text\n")
    answer = run({"path": str(tmp_path / "ours-a.crt"), "content": "text"}, only=(f"{tmp_path}/ours-*.crt",))
    assert answer["paths"] == [str(tmp_path / "ours-b.crt")]
    assert sorted(path.name for path in tmp_path.glob("*.crt")) == ["other.crt", "ours-a.crt"]


def test_absent_takes_a_directory_with_all_in_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "gone" / "deep").mkdir(parents=True)
    wanted = {"path": str(tmp_path / "gone"), "state": "absent"}
    assert run(wanted)["changed"] is True
    assert not (tmp_path / "gone").exists()
    assert run(wanted)["changed"] is False
