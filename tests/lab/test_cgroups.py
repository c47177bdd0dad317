from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from yiwang.errors import ExitCode, UserError
from yiwang.lab import cgroups

HYBRID = """\
30 22 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
UNIFIED = "30 22 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_hybrid_machines_use_directories_in_each_hierarchy() -> None:
    found = cgroups.detect(HYBRID, "init")
    assert found.kind == "v1"
    assert found.groups("abcdef", "web")[0] == Path("/sys/fs/cgroup/systemd/yiwang-lab/abcdef/web")
    assert Path("/sys/fs/cgroup/memory/yiwang-lab/abcdef/web") in found.groups("abcdef", "web")


def test_hybrid_does_not_depend_on_what_pid_1_is() -> None:
    assert cgroups.detect(HYBRID, "systemd") == cgroups.detect(HYBRID, "init")


def test_unified_machines_under_systemd_ask_it_for_a_scope() -> None:
    found = cgroups.detect(UNIFIED, "systemd")
    assert found.kind == "v2-systemd"
    command = found.entering("abcdef", "web-1", ["nspawn", "--boot"])
    assert command[0] == "systemd-run"
    assert command[-2:] == ["nspawn", "--boot"]
    # systemd must leave the tree below the scope to the host's own systemd.
    assert {"--scope", "--property=Delegate=yes", "--unit=yiwang-lab-abcdef-web-1", "--slice=yiwang-lab.slice"} <= set(command)
    expected = "/sys/fs/cgroup/yiwang.slice/yiwang-lab.slice/yiwang-lab-abcdef-web-1.scope"
    assert found.groups("abcdef", "web-1") == (Path(expected),)


def test_unified_machines_without_systemd_use_a_directory() -> None:
    found = cgroups.detect(UNIFIED, "tini")
    assert (found.kind, found.groups("abcdef", "web")) == ("v2", (Path("/sys/fs/cgroup/yiwang-lab/abcdef/web"),))


def test_scopes_are_found_without_records(tmp_path: Path) -> None:
    for name in ("yiwang-lab-abcdef-web-1.scope", "yiwang-lab-abcdef-db.scope", "session-1.scope"):
        (tmp_path / name).mkdir()
    assert {tag: sorted(hosts) for tag, hosts in cgroups.Cgroups("v2-systemd", (tmp_path,)).found().items()} == {"abcdef": ["db", "web-1"]}


def test_directories_are_found_without_records(tmp_path: Path) -> None:
    for name in ("abcdef/web", "abcdef/db", "123456"):
        (tmp_path / name).mkdir(parents=True)
    assert {tag: sorted(hosts) for tag, hosts in cgroups.Cgroups("v2", (tmp_path,)).found().items()} == {
        "abcdef": ["db", "web"],
        "123456": [],
    }


def test_memory_leaves_out_file_cache(tmp_path: Path) -> None:
    group = tmp_path / "abcdef" / "web"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("5000\n")
    (group / "memory.stat").write_text("anon 1000\ninactive_file 4000\n")
    assert cgroups.Cgroups("v2", (tmp_path,)).memory("abcdef", "web") == 1000
    assert cgroups.Cgroups("v2", (tmp_path,)).memory("abcdef", "db") is None


def test_machines_without_any_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        cgroups.detect("22 1 0:21 / /proc rw - proc proc rw\n", "init")
    assert caught.value.code == ExitCode.MACHINE


@pytest.mark.parametrize(
    "mounts",
    [
        UNIFIED.replace("rw,nosuid", "ro,nosuid"),
        UNIFIED.replace("cgroup2 cgroup2 rw", "cgroup2 cgroup2 ro"),
        UNIFIED + UNIFIED.replace("rw,nosuid", "ro,nosuid"),
        HYBRID.replace("rw,relatime - cgroup cgroup rw,name=systemd", "ro,relatime - cgroup cgroup rw,name=systemd"),
    ],
)
def test_groups_that_can_only_be_read_are_none(mounts: str) -> None:
    with pytest.raises(UserError) as caught:
        cgroups.detect(mounts, "init")
    assert caught.value.code == ExitCode.MACHINE
    assert len(caught.value.report().splitlines()) == 1


def test_a_hierarchy_for_accounting_that_can_only_be_read_is_done_without() -> None:
    found = cgroups.detect(HYBRID.replace("rw,relatime - cgroup cgroup rw,memory", "ro,relatime - cgroup cgroup rw,memory"), "init")
    assert [root.parent.name for root in found.roots] == ["systemd", "cpu", "unified"]


def test_a_group_that_cannot_be_made_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        cgroups.Cgroups("v1", (tmp_path / "file",)).entering("abcdef", "web", ["true"])
    assert caught.value.code == ExitCode.MACHINE


def test_a_process_that_moves_into_a_new_group_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "abcdef/web"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("")
    below = cgroups._below

    def moving(place: Path) -> Iterator[Path]:
        yield from list(below(place))
        (group / "payload").mkdir(exist_ok=True)
        (group / "payload/cgroup.procs").write_text("4711\n")

    monkeypatch.setattr(cgroups, "_below", moving)
    assert cgroups.Cgroups("v2", (tmp_path,)).processes("abcdef", "web") == [4711]
