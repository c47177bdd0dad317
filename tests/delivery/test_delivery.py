"""What the operator's machine makes for hosts without a package index: keys, wholeness, and the same bytes every time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from yiwang import delivery
from yiwang.delivery import dependencies, store, wheel
from yiwang.errors import ExitCode, UserError

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = ROOT / "roles" / "base" / "files" / "environment.py"
HERE = delivery.Target("{}.{}".format(*sys.version_info[:2]), os.uname().machine, "2.36")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "yiwang" / "wheelhouse"


# --- Dependencies ---------------------------------------------------------------------------------------------------


def test_markers_are_decided_for_the_host_and_not_for_this_machine() -> None:
    locked = (
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:aa\n"
        "tomli==2.0.1 ; python_version < '3.11' \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
        "alpha==1 ; platform_machine == 'aarch64' \\\n    --hash=sha256:dd\nbeta[x]==2 \\\n    --hash=sha256:ee\n"
    )
    assert dependencies.requirements(locked, delivery.Target("3.10", "x86_64", "2.36")).splitlines() == [
        "beta[x]==2 --hash=sha256:ee",
        "tomli==2.0.1 --hash=sha256:bb --hash=sha256:cc",
    ]
    assert "alpha==1 --hash=sha256:dd\n" in dependencies.requirements(locked, delivery.Target("3.12", "aarch64", "2.36"))


def test_wheels_for_older_c_libraries_run_on_a_host_and_newer_ones_do_not() -> None:
    tags = delivery.Target("3.11", "x86_64", "2.31").platforms
    assert tags[0] == "manylinux_2_31_x86_64"
    assert "manylinux_2_17_x86_64" in tags
    assert "manylinux_2_34_x86_64" not in tags


def test_every_extra_has_a_digest_of_its_own_and_an_unknown_one_is_refused() -> None:
    digests = {delivery.digest(extra) for extra in ("kit", "portal", "exchange")}
    assert len(digests) == 3
    with pytest.raises(UserError) as refused:
        delivery.digest("kit2")
    assert refused.value.code == ExitCode.INPUT
    assert "portal" in refused.value.fix


def test_what_the_index_does_not_have_is_one_line_and_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError) as refused:
        dependencies.ensure("exchange", HERE)
    assert refused.value.code == ExitCode.MACHINE
    assert "\n" not in refused.value.report()
    assert [path for path in cache.iterdir() if path.is_dir()] == []


# --- The store ------------------------------------------------------------------------------------------------------


def test_what_is_there_is_not_made_again(cache: Path) -> None:
    made: list[int] = []

    def make(fresh: Path) -> None:
        made.append(1)
        (fresh / "file").write_text("text")

    assert store.ensure("key", make) == (cache / "key", True)
    assert store.ensure("key", make) == (cache / "key", False)
    assert made == [1]


def test_a_failure_leaves_nothing_and_the_next_try_succeeds(cache: Path) -> None:
    def fail(fresh: Path) -> None:
        (fresh / "half").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.ensure("key", fail)
    assert not (cache / "key").exists()
    assert store.ensure("key", lambda _: None)[1] is True
    assert [path.name for path in cache.iterdir() if path.is_dir()] == ["key"]


def test_what_a_killed_maker_left_is_cleared_away(cache: Path) -> None:
    (cache / ".key.abcdef").mkdir(parents=True)
    store.ensure("key", lambda _: None)
    assert sorted(path.name for path in cache.iterdir() if path.is_dir()) == ["key"]


def test_two_at_once_make_it_once(cache: Path) -> None:
    made: list[int] = []

    def make(_: Path) -> None:
        made.append(1)
        time.sleep(0.2)  # long enough for the other to arrive; nothing waits for it

    threads = [threading.Thread(target=store.ensure, args=("key", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


# --- Our wheel ------------------------------------------------------------------------------------------------------


def test_a_wheel_is_the_same_bytes_twice_and_carries_no_inventory(cache: Path, tmp_path: Path) -> None:
    first, digest, built = wheel.ensure()
    assert built
    assert hashlib.sha256(first.read_bytes()).hexdigest() == digest
    kept = first.rename(tmp_path / first.name)
    first.parent.rmdir()
    assert wheel.ensure()[1] == digest
    with zipfile.ZipFile(kept) as archive:
        names = archive.namelist()
    assert "yiwang/_data/roles/base/tasks/main.yml" in names
    assert "yiwang/_data/stacks/city/__main__.py" in names
    assert "yiwang/_data/requirements/kit.txt" in names
    assert not [name for name in names if "inventories" in name or ".state" in name or "__pycache__" in name]


def test_an_installed_wheel_has_the_digest_of_its_checkout_and_can_deliver_itself(cache: Path, tmp_path: Path) -> None:
    """The operations host goes on where the operator's checkout stopped, and changes nothing."""
    ours, _, _ = wheel.ensure()
    site = tmp_path / "site"
    with zipfile.ZipFile(ours) as archive:
        archive.extractall(site)  # noqa: S202 - made by this test
    program = "import yiwang; from yiwang.delivery import wheel; print(yiwang.__file__, wheel.source_digest(), wheel.ensure()[0])"
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "other")}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    location, digest, repacked = done.stdout.split()
    assert location.startswith(str(site))
    assert digest == wheel.source_digest()
    with zipfile.ZipFile(ours) as one, zipfile.ZipFile(repacked) as other:
        assert set(other.namelist()) >= {name for name in one.namelist() if not name.endswith(("RECORD", "licenses/LICENSE"))}


# --- On the host ----------------------------------------------------------------------------------------------------


def tiny(name: str, version: str, directory: Path) -> tuple[Path, str]:
    """A wheel with one module."""
    info = f"{name}-{version}.dist-info"
    path = directory / f"{name}-{version}-py3-none-any.whl"
    contents = {
        f"{name}.py": f"VERSION = {version!r}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel.write_wheel(path, contents, f"{info}/RECORD")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the host's part with an archive of one dependency, as version ``version``."""

    def run(version: str, *, spoilt: bool = False) -> subprocess.CompletedProcess[str]:
        store_directory = tmp_path / "var/lib/yiwang/wheelhouse/kit"
        store_directory.mkdir(parents=True, exist_ok=True)
        dependency, dependency_digest = tiny("dependency", version, tmp_path)
        own, own_digest = tiny("yiwang", version, store_directory)
        requirements = tmp_path / "requirements.txt"
        requirements.write_text(f"dependency=={version} --hash=sha256:{dependency_digest}\n")
        if spoilt:
            tiny("dependency", version, tmp_path)[0].write_bytes(dependency.read_bytes() + b"x")
        archive = store_directory / f"dependencies-{version}.tar"
        with tarfile.open(archive, "w") as tar:
            for file in (requirements, dependency):
                tar.add(file, file.name)
        command = [sys.executable, ENVIRONMENT, "kit", f"digest-{version}", archive.name, own.name, own_digest]
        environment = {**os.environ, "YIWANG_PREFIX": str(tmp_path)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_an_environment_is_switched_to_when_complete_and_the_old_one_goes(
    tmp_path: Path, install: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    python = tmp_path / "opt/yiwang/kit/bin/python"
    for version in ("1.0", "2.0"):
        done = install(version)
        assert done.returncode == 0, done.stderr
        code = "import dependency, yiwang; print(dependency.VERSION, yiwang.VERSION)"
        assert subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout.split() == [version, version]
        assert (tmp_path / f"opt/yiwang/kit/complete-digest-{version}").is_file()
    assert [path.name for path in (tmp_path / "opt/yiwang/versions/kit").iterdir()] == ["digest-2.0"]
    assert [path.name for path in (tmp_path / "var/lib/yiwang/wheelhouse/kit").glob("*.tar")] == ["dependencies-2.0.tar"]
    failed = install("3.0", spoilt=True)
    assert failed.returncode != 0
    assert "dependency" in failed.stderr
    still = subprocess.run([python, "-I", "-c", "import yiwang; print(yiwang.VERSION)"], capture_output=True, text=True, check=True)
    assert still.stdout == "2.0\n"
