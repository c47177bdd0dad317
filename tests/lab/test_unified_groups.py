"""The other ways of control groups than this machine's own, each tried for real where that is possible.

A machine with cgroup v1 (hybrid) can show v2 to a mount namespace: there hosts start the ``v2`` way, and inside such a
host systemd rules a unified tree, which is where the ``v2-systemd`` way is tried.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from lab.lab_support import NAMES, Key, nothing, silent, traces

from yiwang import lab
from yiwang.lab import cgroups

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
UNIFIED = """
set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$@"
"""
WHOLE_LIFE = """
import subprocess, sys
from pathlib import Path
from lab_support import Key, nothing, silent, spec_of, traces
from yiwang import lab
from yiwang.errors import UserError
from yiwang.lab import cgroups

assert cgroups.detect().kind == "v2"
key = Key(Path(sys.argv[1]))
spec = spec_of(sys.argv[2], key.public)
try:
    assert lab.up(spec, silent).started == ("one", "two")
    assert lab.up(spec, silent).started == ()
    assert key.ssh(spec, "one", "systemctl is-system-running --wait") == "running"
    archive = Path(sys.argv[3]).read_bytes()
    subprocess.run(key.argv(spec, "one", "mkdir /opt/kit && tar x -C /opt/kit"), input=archive, check=True)
    print(key.ssh(spec, "one", "cd /opt/kit && python3 under_systemd.py"))
except UserError as error:
    sys.exit(error.report())
finally:
    lab.down(spec.name, silent)
assert traces(spec.name) == nothing()
"""
UNDER_SYSTEMD = """
import subprocess, time
from pathlib import Path
from yiwang.lab.cgroups import detect
from yiwang.lab.tools import wait_until

groups = detect()
assert groups.kind == "v2-systemd", groups
for turn in range(3):
    # At once after the end of the one before: the name of the scope must be free again.
    command = groups.entering("abcdef", "web-1", ["setsid", "--fork", "sleep", "1000"])
    subprocess.run(["setsid", "--fork", *command], check=True)
    assert wait_until(lambda: groups.processes("abcdef", "web-1"), 5), turn
    assert groups.found() == {"abcdef": ["web-1"]}
    assert groups.groups("abcdef", "web-1")[0].is_dir()
    groups.kill("abcdef", "web-1")
    assert not groups.processes("abcdef", "web-1")
    assert groups.found() == {}
groups.remove_lab("abcdef")
assert not Path("/sys/fs/cgroup/yiwang.slice").exists()
print("well")
"""


def kit_for_a_host(path: Path) -> None:
    """The modules under test, for a host that has nothing but Python."""
    files = {
        "yiwang/__init__.py": b"",
        "yiwang/lab/__init__.py": b"",
        "yaml.py": b"class SafeLoader: pass\n",
        "under_systemd.py": UNDER_SYSTEMD.encode(),
    }
    for name in ("yiwang/errors.py", "yiwang/messages.py", "yiwang/lab/cgroups.py", "yiwang/lab/tools.py"):
        files[name] = (REPOSITORY / name).read_bytes()
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def test_the_ways_of_unified_groups(machine: None, key: Key, tmp_path: Path) -> None:
    if cgroups.detect().kind != "v1":
        pytest.skip("this machine's own way is one of them: every other test here goes it")
    lab.down(NAMES[1], silent)
    kit_for_a_host(tmp_path / "kit.tar")
    child = [sys.executable, "-c", WHOLE_LIFE, str(key.path), NAMES[1], str(tmp_path / "kit.tar")]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", UNIFIED, "sh", "env", f"PYTHONPATH={Path(__file__).parent}", *child],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "well"), done.stderr
    assert traces(NAMES[1]) == nothing()
