"""Assets: their hashes are those of the CLI (made once with Go's tar writer), and are what providers and the state know them by."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from engine.box_case import Box, errors, ops

from yiwang.engine import assets
from yiwang.engine.values import ARCHIVE, ASSET, SIGNATURE

pytestmark = pytest.mark.system

D60, E60 = "d" * 60, "e" * 60


def text(content: str) -> dict[str, Any]:
    return {SIGNATURE: ASSET, "text": content}


def archive(**members: Any) -> dict[str, Any]:
    return {SIGNATURE: ARCHIVE, "assets": members}


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
        ({"a.txt": "x"}, "38940a17260c491f33c5c2cc099d1466544402e23931b8d56475dc8721def239"),
        ({"a/b": "hello" * 200, "c": ""}, "301336957675f4bdb4aa4f3be6fc1d1bbc4d86c656b8e88c32b0e1a4afec8b9a"),
        ({f"{D60}/{E60}/f": "y"}, "a65bc6c608f938425cbae88a44faf607be51fabbba319a31d671d8fa3e6f6f9b"),
        ({"中文.txt": "x"}, "a7c5fee14b626e97b34bef468456e0c1e165df1b015a649ebcd8e5bad74f4109"),
        ({"n" * 150: "z"}, "5f44b12ebfe38faa6d1e086d684ab5fd1a602d31f13fbe48828410ac8ffff491"),
        ({f"dir/{'中' * 40}/x": "q"}, "a332ab8144b9d9028e56ed7a79e9178e0778f6fd9d785e0aa49896c71d0c01b8"),
        ({"d/" * 10 + "n" * 120: "q"}, "8d319edc0a48f73a1085bc9e18729129b7665ac1df725a0e415ba0adf1b46841"),
    ],
)
def test_hashes_of_archives(members: dict[str, str], found: str, tmp_path: Path) -> None:
    value = archive(**{name: text(content) for name, content in members.items()})
    assert assets.hashed(value, tmp_path)["hash"] == found


def test_a_directory_has_the_hash_of_its_members(tmp_path: Path) -> None:
    for name, content in (("b/x.txt", "2"), ("a.txt", "1"), (".pulumi/none", "3"), ("b/c/y", "4")):
        (tmp_path / "dir" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dir" / name).write_text(content)
    (tmp_path / "dir" / "link").symlink_to(tmp_path / "dir" / "b")
    one = assets.hashed({SIGNATURE: ARCHIVE, "path": "dir"}, tmp_path)
    same = archive(**{"a.txt": text("1"), "b/c/y": text("4"), "b/x.txt": {SIGNATURE: ASSET, "path": "dir/b/x.txt"}})
    assert one["hash"] == assets.hashed(same, tmp_path)["hash"]
    nested = assets.hashed(archive(top={SIGNATURE: ARCHIVE, "path": "dir"}), tmp_path)
    assert nested["hash"] == assets.hashed(archive(top=archive(**same["assets"])), tmp_path)["hash"] != one["hash"]
    (tmp_path / "file.tar.gz").write_bytes(b"anything")
    assert assets.hashed({SIGNATURE: ARCHIVE, "path": "file.tar.gz"}, tmp_path)["hash"] == hashlib.sha256(b"anything").hexdigest()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({SIGNATURE: ASSET, "uri": "https://example.org/x"}, "remote assets are not available"),
        ({SIGNATURE: ASSET, "path": "nowhere"}, "nowhere cannot be read: No such file"),
        ({SIGNATURE: ARCHIVE, "path": "plain"}, "neither a recognized archive type nor a directory"),
        ({SIGNATURE: ARCHIVE, "assets": {"x": {SIGNATURE: ARCHIVE, "path": "x.zip"}}}, "an archive file inside an archive"),
    ],
)
def test_what_is_refused(value: dict[str, Any], problem: str, tmp_path: Path) -> None:
    for name in ("plain", "x.zip"):
        (tmp_path / name).write_text("x")
    with pytest.raises(assets.AssetError, match=problem):
        assets.hashed({"deep": [value]}, tmp_path)


PROGRAM = """
open("file.txt", "w").write(f"file {step}")
file = pulumi.FileAsset("file.txt")
Box("a", file=file, text=pulumi.StringAsset("text"), deep=[pulumi.AssetArchive({"x": file})])
"""


def test_assets_of_a_resource(tmp_path: Path) -> None:
    box = Box(tmp_path, program=PROGRAM)
    assert box.run("up", 1).ok
    inputs = box.states()["a"].inputs
    assert inputs["file"] == {SIGNATURE: ASSET, "path": "file.txt", "hash": hashlib.sha256(b"file 1").hexdigest()}
    assert inputs["text"]["hash"] == hashlib.sha256(b"text").hexdigest()
    assert inputs["text"]["text"] == "text"
    assert set(inputs["deep"][0]) == {SIGNATURE, "assets", "hash"}
    assert box.run("up", 1).changes == {}
    refreshed = box.run("refresh", 1)
    assert refreshed.ok, errors(refreshed)
    assert box.states()["a"].inputs["text"]["text"] == "text"
    changed = box.run("up", 2)
    assert ops(changed) == {"update": ["a"]}
    assert [step.diffs for step in changed.steps if step.op == "update"] == [("deep", "file")]
    remote = Box(tmp_path / "remote", program='Box("a", file=pulumi.RemoteAsset("https://example.org/x"))')
    assert any("remote assets are not available" in message for message in errors(remote.run("preview", 1)))
