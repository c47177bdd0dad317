"""`.ci/setup` on machines that lack something: one line, an exit code of the table, and nothing done before all is checked."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from yiwang.lab.tools import wait_until

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
DEBIAN = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
# The machine's own tools stay; what would change it is played, and told in the file `calls`.
STUBS = {
    "dpkg-query": 'for package; do :; done; case " $MISSING " in *" $package "*) exit 1 ;; esac; printf installed',
    "apt-get": 'echo "apt-get $*" >>calls; [ -z "$APT_FAILS" ] || { seq 50; echo "E: Unable to fetch $1"; exit 100; }',
    "python3": """
case "$1" in
  -c) [ -z "$OLD_PYTHON" ] ;;
  --version) echo Python 3.11.2 ;;
  -m) echo venv >>calls; mkdir -p "$3/bin"; cp "$(dirname "$0")/pip" "$3/bin/pip" ;;
esac
""",
    "pip": """
echo pip >>calls
[ -z "$PIP_WAITS" ] || read -r _ <"$PIP_WAITS"
[ -z "$PIP_FAILS" ] || { seq 50; echo "ERROR: No matching distribution found for x" >&2; exit 1; }
""",
    "df": "echo Filesystem; echo /dev/vda 1 1 ${FREE:-99999999} 1% /",
}
IN_A_MOUNT_NAMESPACE = """
mount --make-rprivate / && mount --bind "$1" /etc/os-release && shift || exit 99
if [ -n "$OLD_PYTHON" ]; then mount --bind stubs/python3 "$(readlink -f /usr/bin/python3)" || exit 99; fi
PATH="$PWD/stubs:$PATH" exec "$@"
"""


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit code and the errors of a run; its progress is left out."""
    lines = process.communicate(timeout=60)[1].splitlines()
    return process.returncode, [line for line in lines if not line.startswith(("installing ", "making "))]


@dataclass
class Machine:
    """A checkout on a machine where everything is there; ``lacks`` takes things away."""

    path: Path
    lacks: dict[str, str] = field(default_factory=dict)
    release: str = DEBIAN

    def start(self, kind: str = "full") -> subprocess.Popen[str]:
        (self.path / "os-release").write_text(self.release)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", IN_A_MOUNT_NAMESPACE, "sh", "os-release", ".ci/setup", kind],
            cwd=self.path,
            env={**kept, "XDG_CACHE_HOME": str(self.path / "cache"), "YIWANG_LANG": "en", **self.lacks},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def succeeds(self, kind: str = "full") -> bool:
        return ended(self.start(kind)) == (0, [])

    def refused(self, kind: str = "full") -> tuple[int, str]:
        """Exit code and the one line of an error."""
        code, errors = ended(self.start(kind))
        assert len(errors) == 1, errors
        return code, errors[0]

    def calls(self) -> list[str]:
        file = self.path / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def stub(self, name: str, text: str) -> None:
        (self.path / "stubs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.path / "stubs" / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in (".ci", "requirements", "stubs"):
        (tmp_path / name).mkdir()
    shutil.copy(REPOSITORY / ".ci/setup", tmp_path / ".ci/setup")
    (tmp_path / "requirements/dev.txt").write_text("x==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    made = Machine(tmp_path)
    for name, text in STUBS.items():
        made.stub(name, text)
    return made


def test_a_machine_with_everything_is_made_ready_once(machine: Machine) -> None:
    assert machine.succeeds()
    assert machine.calls() == ["venv", "pip", "pip"]
    assert machine.succeeds()
    assert machine.calls() == ["venv", "pip", "pip"]
    assert not (machine.path / ".setup.log").exists()


def test_missing_packages_are_installed(machine: Machine) -> None:
    machine.lacks = {"MISSING": "mmdebstrap nftables"}
    assert machine.succeeds()
    assert [call for call in machine.calls() if call.endswith("mmdebstrap nftables")]


@pytest.mark.parametrize(
    "release", ['ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04"\n', DEBIAN.replace("12", "13"), "ID=debian\n"]
)
def test_a_lab_wants_debian_12_before_anything_is_installed(machine: Machine, release: str) -> None:
    machine.release, machine.lacks = release, {"MISSING": "mmdebstrap"}
    code, error = machine.refused()
    assert code == 4
    assert error.endswith("; use Debian 12")
    assert machine.calls() == []
    assert machine.succeeds("python")


def test_other_systems_are_refused_for_everything(machine: Machine) -> None:
    machine.release = 'ID=fedora\nPRETTY_NAME="Fedora 43"\n'
    assert machine.refused("python") == (4, "error: this system is not supported: Fedora 43; use Debian or Ubuntu")
    assert machine.calls() == []


def test_an_old_python_is_found_before_packages_are_installed(machine: Machine) -> None:
    for name in ("python3.11", "python3.12", "python3.13"):
        machine.stub(name, "exit 1")
    machine.lacks = {"MISSING": "mmdebstrap", "OLD_PYTHON": "yes"}
    assert machine.refused() == (4, "error: Python 3.11 to 3.13 is needed; install it first")
    assert machine.calls() == []


@pytest.mark.parametrize(
    ("tool", "text", "expected"),
    [
        ("unshare", "exit 1", "cannot make namespaces"),
        ("unshare", 'case "$*" in *overlay*) exit 1 ;; esac', "overlay file systems do not work"),
        ("id", "echo 1000", "root is needed"),
        ("uname", "echo riscv64", "architecture riscv64 is not supported"),
    ],
)
def test_what_a_lab_cannot_do_without_is_found_before_packages_are_installed(machine: Machine, tool: str, text: str, expected: str) -> None:
    machine.stub(tool, text)
    machine.lacks = {"MISSING": "mmdebstrap"}
    code, error = machine.refused()
    assert code == 4
    assert expected in error
    assert machine.calls() == []
    assert not list(Path("/var/lib").rglob(".yiwang-setup-*"))


def test_room_is_asked_for_only_while_nothing_is_made(machine: Machine) -> None:
    machine.lacks = {"FREE": "1048576"}
    assert machine.refused() == (4, "error: 1 GiB of disk are free; at least 8 GiB are needed")
    assert machine.calls() == []
    (machine.path / "cache/yiwang/layers").mkdir(parents=True)
    assert machine.succeeds()
    shutil.rmtree(machine.path / "cache")
    (machine.path / "pyproject.toml").write_text("# changed\n")
    assert machine.succeeds()


@pytest.mark.parametrize(
    ("lacks", "step", "reason"),
    [
        ({"MISSING": "nftables", "APT_FAILS": "yes"}, "apt-get update", "E: Unable to fetch update"),
        ({"PIP_FAILS": "yes"}, "pip install", "ERROR: No matching distribution found for x"),
    ],
)
def test_a_failed_installation_is_one_line_that_names_the_log(machine: Machine, lacks: dict[str, str], step: str, reason: str) -> None:
    machine.lacks = lacks
    log = machine.path / ".setup.log"
    assert machine.refused() == (1, f"error: {step} failed: {reason}; see {log}, then run it again")
    assert len(log.read_text().splitlines()) == 51
    assert log.stat().st_mode & 0o777 == 0o600
    machine.lacks = {}
    assert machine.succeeds(), "running it again goes on"


def test_two_at_once_make_one_environment(machine: Machine) -> None:
    wait = machine.path / "wait"
    os.mkfifo(wait)
    machine.lacks = {"PIP_WAITS": str(wait)}
    first = machine.start()
    assert wait_until(lambda: "pip" in machine.calls(), 30)
    machine.lacks = {}
    second = machine.start()
    # It waits at the lock; without one it would make an environment in place of the first one's.
    assert wait_until(lambda: Path(f"/proc/{second.pid}/fd/9").exists() or machine.calls().count("venv") > 1, 30)
    for number in (1, 2):
        assert wait_until(lambda: machine.calls().count("pip") == number, 30)  # noqa: B023 - used in this turn only
        with wait.open("w") as file:
            file.write("go\n")
    assert [ended(first), ended(second)] == [(0, []), (0, [])]
    assert machine.calls() == ["venv", "pip", "pip"]


def test_what_needs_no_lab_does_not_ask_for_one() -> None:
    for target, kind in {"lint": "python", "check": "python", "lock": "python", "wheel": "python", "test": "full", "lab": "full"}.items():
        done = subprocess.run(["make", "-n", target], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert [line for line in done.stdout.splitlines() if ".ci/setup" in line] == [f".ci/setup {kind}"], target
