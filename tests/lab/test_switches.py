"""The kernel's switches come back as they were, tried in a network namespace that stands for a whole machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from yiwang.errors import ExitCode, UserError
from yiwang.lab import switches

# A machine that does not forward, accepts no redirects, and has one interface that forwards all the same.
MACHINE = """
set -e
mount --make-rprivate /
mkdir -p /run/netns
mount -t tmpfs none /run/netns
ip link add lan0.7 type veth peer name lan1
cd /proc/sys/net
echo 0 >ipv4/ip_forward
echo 0 >ipv6/conf/all/forwarding
echo 0 >ipv4/conf/all/accept_redirects
echo 1 >ipv4/conf/lan0.7/forwarding
echo 1 >ipv6/conf/lan1/forwarding
cd /
exec "$@"
"""
WHOLE_LIFE = """
from ipaddress import ip_network
from pathlib import Path
from yiwang import lab
from yiwang.lab import namespaces, uplink

def everything():
    found = {}
    for family in (4, 6):
        for path in sorted(Path(f"/proc/sys/net/ipv{family}/conf").glob("*/*")):
            if path.parts[-2] in ("all", "default", "lo", "lan0.7", "lan1"):
                try:
                    found[str(path)] = path.read_text()
                except OSError:
                    pass
    return found

def make(tag, ipv4, ipv6):
    namespaces.make(namespaces.router(tag))
    way = uplink.Uplink(ip_network(ipv4), ip_network(ipv6), 1500)
    uplink.make(tag, way)
    uplink.translate(tag, way)
    assert uplink.current(tag) == way

before = everything()
make("aaaaaa", "10.254.0.0/30", "fdfe::/126")
assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\\n"
assert Path("/proc/sys/net/ipv4/conf/lo/forwarding").read_text() == "1\\n"
on = everything()
make("bbbbbb", "10.254.0.4/30", "fdfe::4/126")
uplink.remove("aaaaaa")
assert everything() == on, "the other lab still needs the switches"
# A router that just went takes its uplink along, at a moment of the kernel's choice.
for turn in range(20):
    make("cccccc", "10.254.0.8/30", "fdfe::8/126")
    namespaces.remove(namespaces.router("cccccc"))
    if turn % 2:
        while uplink.current("cccccc"):
            pass
    uplink.remove("cccccc")
uplink.remove("bbbbbb")
assert everything() == before
for turn in range(10):
    make("dddddd", "10.254.0.8/30", "fdfe::8/126")
    lab.down("switches-dddddd", lambda _: None)
after = everything()
assert after == before, {path: (value, after[path]) for path, value in before.items() if after[path] != value}
assert uplink.found() == []
"""


@pytest.mark.lab
def test_everything_a_switch_changes_is_put_back() -> None:
    argv = ["unshare", "--net", "--mount", "sh", "-c", MACHINE, "sh", sys.executable, "-c", WHOLE_LIFE]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's files of a machine that forwards nothing."""
    for name in ("ipv4/ip_forward", *(f"ipv{family}/conf/{name}/forwarding" for family in (4, 6) for name in ("all", "default", "eth0"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0\n")
    (tmp_path / "ipv4/conf/all/accept_redirects").write_text("1\n")
    monkeypatch.setattr(switches, "_SYSCTL", tmp_path)
    return tmp_path


def test_only_what_would_not_come_back_by_itself_is_recorded(machine: Path) -> None:
    assert switches.recorded() == "4=0 6=0"
    (machine / "ipv4/conf/eth0/forwarding").write_text("1\n")
    (machine / "ipv4/conf/all/accept_redirects").write_text("0\n")
    (machine / "ipv6/conf/all/forwarding").write_text("1\n")
    assert switches.recorded() == "4=0 4:eth0=1 4!=0 6=1"


def test_an_interface_that_is_gone_is_left_out(machine: Path) -> None:
    switches.turn_on(ipv6=True)
    switches.restore("4=0 4:wlan0=1 6=0")
    assert (machine / "ipv4/ip_forward").read_text() == "0"


def test_a_line_of_something_else_is_none() -> None:
    assert switches.read("the uplink of rack 4=a") == {}
    assert switches.read("") == {}


def test_more_than_an_alias_can_hold_is_refused(machine: Path) -> None:
    for number in range(40):
        (machine / f"ipv4/conf/vlan{number:04}").mkdir()
        (machine / f"ipv4/conf/vlan{number:04}/forwarding").write_text("1\n")
    with pytest.raises(UserError) as caught:
        switches.recorded()
    assert caught.value.code == ExitCode.MACHINE
