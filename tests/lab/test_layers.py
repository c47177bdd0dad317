"""Layers on this machine: killed builders, builders at once. The lowest layer is borrowed from the machine's own cache."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from lab.lab_support import silent, spec_of

from yiwang import lab
from yiwang.errors import UserError
from yiwang.lab import LabSpec, carry, layers, records
from yiwang.lab.tools import wait_until

CHILD = """
import sys
from yiwang.lab import carry, layers
layers.packages = lambda: ("less",)
for path in layers.ensure(carry.collect(), lambda text: print(text, flush=True)):
    print("made", path, flush=True)
"""


def test_the_packages_are_read_without_comments() -> None:
    assert "openssh-server" in layers.packages()
    assert all(package == package.strip() and "#" not in package for package in layers.packages())


def test_a_layer_is_named_by_what_it_is_made_from(monkeypatch: pytest.MonkeyPatch) -> None:
    here = carry.collect()
    before = layers._keys(here)
    assert before == layers._keys(here)
    monkeypatch.setattr(layers, "packages", lambda: ("less",))
    after = layers._keys(here)
    assert {kind for kind in before if before[kind] != after[kind]} == {"packages"}
    changed = carry.Carried(here.sources, {**here.public, Path("/etc/apt/apt.conf.d/99x"): b"x"}, here.private)
    assert {kind for kind in after if layers._keys(changed)[kind] != after[kind]} == {"sources", "packages"}
    secret = carry.Carried(here.sources, here.public, {Path("/etc/apt/auth.conf"): b"x"})
    assert layers._keys(secret) == after


def test_layers_nobody_uses_go_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("yiwang.lab.records.ROOT", tmp_path / "labs")
    for name in ("wanted", "used", "young", "idle"):
        layer = layers.directory() / name
        (layer / "rootfs").mkdir(parents=True)
        (layer / "layer.json").write_text(json.dumps({"kind": "packages", "size": 1, "made": 1}))
        if name != "young":
            os.utime(layer / "layer.json", (1, 1))
    host = tmp_path / "labs" / "lab-abcdef" / "hosts" / "one"
    host.mkdir(parents=True)
    (host / "host.json").write_text(json.dumps({"layers": [str(layers.directory() / "used" / "rootfs")]}))
    layers._prune({"wanted"})
    assert sorted(path.name for path in layers.directory().iterdir()) == ["used", "wanted", "young"]


def test_a_build_keeps_credentials_apart_from_what_stays(tmp_path: Path) -> None:
    listed = Path("/etc/apt/sources.list.d/mirror.list")
    settings = {Path("/etc/apt/apt.conf.d/90proxy"): b'Acquire::http::Proxy "http://robot:hunter2@proxy.example";\n'}
    carried = carry.Carried({}, {}, {listed: b"deb http://robot:hunter2@mirror.example/debian bookworm main\n", **settings})
    stage = tmp_path / "stage"
    stage.mkdir()
    layers._stage(stage, carried)
    kept = [path for path in stage.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert {path.relative_to(stage).parts[0] for path in kept} == {"private", "bootstrap"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)
    assert not (stage / "bootstrap" / listed.relative_to("/")).exists(), "apt would read the source twice"
    command = layers._bootstrap(tmp_path, carried)
    assert command[-1] == str(stage / "private" / listed.relative_to("/"))
    hook = next(word for word in command if word.startswith("--customize-hook="))
    for path in ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*", "/etc/apt/apt.conf.d/90proxy"):
        assert f'"$1"{path}' in hook


def test_a_build_that_fails_tells_no_password(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("E: Failed to fetch http://robot:hunter2@mirror.example/x\n")
    with pytest.raises(UserError) as caught:
        layers._run_build(["sh", "-c", 'cat "$0"; exit 1', str(tmp_path / "output")], print)
    assert "http://mirror.example/x" in caught.value.report()
    assert "hunter2" not in caught.value.report()


def test_what_another_lab_removes_meanwhile_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are listed with nothing behind them: what a reader sees when somebody else has just removed it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(records, "ROOT", tmp_path / "labs")
    for name in ("one", "two"):
        (layers.directory() / name).mkdir(parents=True)
    (layers.directory() / "two/layer.json").symlink_to("gone")
    host = tmp_path / "labs/lab-abcdef/hosts/one"
    host.mkdir(parents=True)
    (host / "host.json").symlink_to("gone")
    layers._prune(set())
    assert layers.found() == []
    assert not layers._touch("two")


def test_a_lock_whose_directory_goes_again_and_again_is_held_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "ROOT", tmp_path / "yiwang/lab")
    ended = threading.Event()

    def remove() -> None:
        while not ended.is_set():
            for path in (records.ROOT, records.ROOT.parent):
                with contextlib.suppress(OSError):
                    path.rmdir()

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(200):
            with records.machine_locked():
                pass
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def cache(spec: LabSpec, tmp_path: Path) -> Path:
    """A cache that holds the lowest layer only."""
    place = tmp_path / "yiwang" / "layers"
    place.mkdir(parents=True)
    base = layers._keys(carry.collect())["base"]
    (place / base).symlink_to(layers.directory() / base)
    return place


def start(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "XDG_CACHE_HOME": str(cache.parents[1]), "YIWANG_LANG": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def at_work(cache: Path) -> list[str]:
    """The processes that see a mount of the cache."""
    found = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        try:
            if str(cache) in path.read_text():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.lab
def test_a_killed_builder_leaves_no_process_and_its_garbage_goes(cache: Path) -> None:
    process = start(cache)
    assert process.stdout is not None
    assert any("installing the packages" in line for line in process.stdout)
    assert wait_until(lambda: bool(at_work(cache)), 10)
    process.kill()
    process.communicate()
    assert wait_until(lambda: not at_work(cache), 5)
    assert list(cache.glob(".new-*"))
    both = [start(cache), start(cache)]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    made = [[line for line in text.splitlines() if line.startswith("made ")] for text in outputs]
    assert made[0] == made[1]
    assert len(made[0]) == 3
    assert sum("layer packages is ready" in text for text in outputs) == 1, "both built it"
    assert not list(cache.glob(".new-*"))
    check_clean(Path(made[0][0].removeprefix("made ")))


def check_clean(top: Path) -> None:
    """Nothing of the machine or of the build itself is in a layer that all hosts share."""
    assert (top / "etc/machine-id").read_text() == ""
    assert not list((top / "etc/ssh").glob("ssh_host_*"))
    for left in ("usr/sbin/policy-rc.d", "etc/resolv.conf", "etc/environment", "etc/apt/auth.conf", "root/.m2"):
        assert not (top / left).is_file()


@pytest.mark.lab
def test_the_machines_own_layers_are_clean(spec: LabSpec) -> None:
    lab.up(spec_of(spec.name, spec.authorized_key), silent)
    for key in layers._keys(carry.collect()).values():
        top = layers.directory() / key / "rootfs"
        assert not list((top / "etc/ssh").glob("ssh_host_*"))
        assert not (top / "usr/sbin/policy-rc.d").exists()
        assert not (top / "etc/environment").is_file()
