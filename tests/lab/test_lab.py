"""Real hosts on this machine: what `up` and `down` promise, and what survives what."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from lab.lab_support import HOSTS, NAMES, PATHS, Key, nothing, output, processes, silent, spec_of, traces

from yiwang import lab
from yiwang.errors import ExitCode, UserError
from yiwang.lab import LabHost, LabSpec, carry, cgroups, namespaces, records, uplink
from yiwang.lab.spec import tag
from yiwang.lab.tools import wait_until

pytestmark = pytest.mark.lab

SWITCHES = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


def switches() -> list[str]:
    return [output("sysctl", "-n", switch).strip() for switch in SWITCHES]


def boot_ids(spec: LabSpec) -> dict[str, float]:
    """When each host was started, in seconds before now; a host not started again keeps its place."""
    return {host.name: time.monotonic() - (host.uptime or 0) for host in lab.status(spec.name).hosts}


def same_boot(one: float, two: float) -> bool:
    return abs(one - two) < 0.5


def supervisor(spec: LabSpec, host: str) -> int:
    return next(pid for pid in cgroups.detect().processes(tag(spec.name), host) if is_supervisor(pid))


def test_hosts_answer_in_both_families_under_their_names(spec: LabSpec, key: Key) -> None:
    for host in spec.hosts:
        assert key.ssh(spec, host.name, "hostname") == host.name
        assert key.ssh(spec, host.name, "hostname", ipv6=True) == host.name
        assert key.ssh(spec, host.name, "systemctl is-system-running --wait") == "running"


def test_a_second_up_changes_nothing_and_is_fast(spec: LabSpec) -> None:
    before = boot_ids(spec)
    links = [output("ip", "-n", name, "link") for name in traces()["namespaces"]]
    started = time.monotonic()
    found = lab.up(spec, silent)
    assert time.monotonic() - started < 2
    assert found.started == ()
    assert found.state == "running"
    after = boot_ids(spec)
    assert all(same_boot(before[name], after[name]) for name in before)
    assert [output("ip", "-n", name, "link") for name in traces()["namespaces"]] == links


def test_hosts_reach_package_sources_through_the_machine(spec: LabSpec, key: Key) -> None:
    endpoint = lab_endpoint()
    assert uplink.reaches(tag(spec.name), *endpoint), "the machine does not translate"
    assert "Reading package lists" in key.ssh(spec, "two", "apt-get update -o APT::Update::Error-Mode=any", timeout=120)


def lab_endpoint() -> tuple[str, int]:
    return carry.collect().endpoints()[0]


def test_a_host_cannot_set_the_clock_but_has_a_firewall_of_its_own(spec: LabSpec, key: Key) -> None:
    bounding = int(key.ssh(spec, "one", "grep CapBnd /proc/1/status").split()[1], 16)
    cap_net_admin, cap_sys_module, cap_sys_time = 12, 16, 25
    assert bounding >> cap_net_admin & 1
    assert not bounding >> cap_sys_time & 1
    assert not bounding >> cap_sys_module & 1
    key.ssh(spec, "one", "systemctl restart nftables && nft add table inet probe && nft delete table inet probe")


def test_status_tells_addresses_states_and_memory(spec: LabSpec) -> None:
    found = lab.status(spec.name)
    assert [host.name for host in found.hosts] == ["one", "two"]
    for host in found.hosts:
        assert host.state == "running"
        assert host.memory is None or 1 << 20 < host.memory < 1 << 30
        assert host.host_key is not None
        assert host.host_key.startswith("ssh-ed25519 ")
    assert lab.names() == sorted({*lab.names(), spec.name})


# --- the router ----------------------------------------------------------------------------------------------------

LISTEN = """
import socket, sys
sockets = []
for port in {ports}:
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    sockets.append(listener)
print("ready", flush=True)
sys.stdin.read()
"""
PROBE = """
import json, socket
from concurrent.futures import ThreadPoolExecutor
def ask(target):
    try:
        socket.create_connection(tuple(target), timeout=1).close()
        return True
    except OSError:
        return False
targets = {targets}
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(list(pool.map(ask, targets))))
"""
PORTS = (22, 80, 2222, 7999, 8000, 8001, 8002)


@pytest.fixture
def listeners(spec: LabSpec) -> Iterator[LabSpec]:
    """Something listens on every port in question in every host's network."""
    running = []
    for host in spec.hosts:
        ports = [port for port in PORTS if port != host.port]
        process = subprocess.Popen(
            [*inside(spec, host.name), sys.executable, "-c", LISTEN.format(ports=ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        running.append(process)
    yield spec
    for process in running:
        process.communicate()


def inside(spec: LabSpec, host: str) -> list[str]:
    return ["nsenter", f"--net={namespaces.path(namespaces.of_host(tag(spec.name), host))}"]


def open_ports(argv: list[str], target: LabHost) -> dict[str, list[int]]:
    """The ports of ``target`` that answer, by address."""
    found: dict[str, list[int]] = {}
    for address in (str(target.ipv4), str(target.ipv6)):
        targets = [[address, port] for port in PORTS]
        answers = json.loads(output(*argv, sys.executable, "-c", PROBE.format(targets=targets)))
        found[address] = [port for port, answer in zip(PORTS, answers, strict=True) if answer]
    return found


def test_only_listed_paths_cross_zones_in_both_families_and_one_direction(listeners: LabSpec) -> None:
    one, two = listeners.hosts
    operator = ["nsenter", f"--net={lab.status(listeners.name).operator_namespace}"]
    assert open_ports(inside(listeners, "one"), two) == {str(two.ipv4): [8000, 8001], str(two.ipv6): [8000, 8001]}
    assert open_ports(inside(listeners, "two"), one) == {str(one.ipv4): [], str(one.ipv6): []}
    # The operator's own path to the outer zone, and the inner zone's, which holds the operator too.
    assert open_ports(operator, two) == {str(two.ipv4): [2222, 8000, 8001], str(two.ipv6): [2222, 8000, 8001]}


def test_inside_a_zone_the_router_is_not_in_the_way(listeners: LabSpec) -> None:
    one = listeners.hosts[0]
    operator = ["nsenter", f"--net={lab.status(listeners.name).operator_namespace}"]
    assert open_ports(operator, one) == {str(one.ipv4): list(PORTS), str(one.ipv6): list(PORTS)}


def test_paths_follow_the_specification_while_hosts_run(listeners: LabSpec) -> None:
    before = boot_ids(listeners)
    lab.up(replace(listeners, paths=(*PATHS, replace(PATHS[1], ports=(7999,)))), silent)
    two = listeners.hosts[1]
    assert open_ports(inside(listeners, "one"), two)[str(two.ipv4)] == [7999, 8000, 8001]
    after = boot_ids(listeners)
    assert all(same_boot(before[name], after[name]) for name in before)


# --- repairs -------------------------------------------------------------------------------------------------------


def test_a_stopped_host_is_started_again_and_the_other_left_alone(spec: LabSpec, key: Key) -> None:
    key.ssh(spec, "one", "echo kept > /var/lib/kept")
    before = boot_ids(spec)
    os.kill(supervisor(spec, "one"), signal.SIGTERM)
    assert wait_until(lambda: not cgroups.detect().processes(tag(spec.name), "one"), 15)
    assert [host.state for host in lab.status(spec.name).hosts] == ["stopped", "running"]
    assert "Stopped" in console(spec, "one"), "it did not shut down in order"
    assert lab.up(spec, silent).started == ("one",)
    assert key.ssh(spec, "one", "cat /var/lib/kept") == "kept"
    assert same_boot(before["two"], boot_ids(spec)["two"])


def console(spec: LabSpec, host: str) -> str:
    return (records.directory(spec.name) / "hosts" / host / "console.log").read_text(errors="replace")


def test_a_host_that_does_not_answer_is_named_with_its_console(spec: LabSpec, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setattr("yiwang.lab.api._BOOT_SECONDS", 4.0)
    key.ssh(spec, "one", "systemctl mask ssh; systemctl disable ssh; poweroff || true")
    try:
        assert wait_until(lambda: not cgroups.detect().processes(tag(spec.name), "one"), 15)
        with pytest.raises(UserError) as caught:
            lab.up(spec, silent)
        report = caught.value.report()
        assert caught.value.code == ExitCode.HOST
        assert report.startswith("hosts that do not answer SSH: one; their console is in ")
        assert "one: " in report.splitlines()[1]
        assert [host.state for host in lab.status(spec.name).hosts] == ["unreachable", "running"]
    finally:
        lab.remove_host(spec.name, "one", silent)


def test_a_host_that_ends_at_once_is_named_without_waiting(spec: LabSpec) -> None:
    lab.remove_host(spec.name, "one", silent)
    lab.up(spec, silent)
    os.kill(supervisor(spec, "one"), signal.SIGTERM)
    assert wait_until(lambda: not cgroups.detect().processes(tag(spec.name), "one"), 15)
    init = records.directory(spec.name) / "hosts/one/upper/usr/lib/systemd/systemd"
    init.parent.mkdir(parents=True, exist_ok=True)
    init.write_text("#!/bin/false\n")
    init.chmod(0o755)
    started = time.monotonic()
    try:
        with pytest.raises(UserError):
            lab.up(spec, silent)
        assert time.monotonic() - started < 15
    finally:
        lab.remove_host(spec.name, "one", silent)


def test_orphans_of_a_killed_supervisor_are_ended_before_a_new_start(spec: LabSpec, key: Key) -> None:
    os.kill(supervisor(spec, "one"), signal.SIGKILL)
    orphans = set(cgroups.detect().processes(tag(spec.name), "one"))
    assert lab.up(spec, silent).started == ("one",)
    assert orphans.isdisjoint(cgroups.detect().processes(tag(spec.name), "one"))
    assert key.ssh(spec, "one", "hostname") == "one"


def test_hosts_outlive_a_machine_restart(spec: LabSpec, key: Key) -> None:
    identity = key.ssh(spec, "one", "cat /etc/machine-id")
    host_key = lab.status(spec.name).hosts[0].host_key
    lose_everything_in_memory(spec)
    found = lab.up(spec, silent)
    assert found.started == ("one", "two")
    assert found.hosts[0].host_key == host_key
    assert key.ssh(spec, "one", "cat /etc/machine-id") == identity


def lose_everything_in_memory(spec: LabSpec) -> None:
    """What a restart of the machine takes: processes, interfaces, rules; the files of dead namespaces can stay."""
    mark = tag(spec.name)
    groups = cgroups.detect()
    for host in spec.hosts:
        groups.kill(mark, host.name)
    groups.remove_lab(mark)
    output("ip", "link", "delete", uplink.interface(mark))
    output("nft", "delete", "table", "inet", f"yiwang_lab_{mark}")
    output("sysctl", "-w", *(f"{switch}=0" for switch in SWITCHES))
    for name in traces()["namespaces"]:
        output("umount", f"/run/netns/{name}")


@pytest.mark.parametrize("lost", ["router", "operator", "host-two"])
def test_a_lost_network_is_made_again_under_running_hosts(spec: LabSpec, key: Key, lost: str) -> None:
    before = boot_ids(spec)
    if lost.startswith("host"):
        output("ip", "-n", namespaces.of_host(tag(spec.name), "two"), "link", "delete", "eth0")
    else:
        output("ip", "netns", "delete", f"yw-{tag(spec.name)}-{lost}")
    found = lab.up(spec, silent)
    assert found.started == ()
    assert key.ssh(spec, "two", "hostname") == "two"
    after = boot_ids(spec)
    assert all(same_boot(before[name], after[name]) for name in before)


def test_a_router_made_anew_for_one_host_serves_the_others_too(spec: LabSpec, key: Key) -> None:
    output("ip", "netns", "delete", namespaces.router(tag(spec.name)))
    lab.up(spec, silent, only=["one"])
    assert key.ssh(spec, "two", "hostname") == "two"


def test_status_does_not_need_the_operators_network(spec: LabSpec) -> None:
    output("ip", "netns", "delete", f"yw-{tag(spec.name)}-operator")
    assert [host.state for host in lab.status(spec.name).hosts] == ["unreachable", "unreachable"]


def test_a_flushed_firewall_of_the_machine_is_repaired(spec: LabSpec) -> None:
    output("nft", "delete", "table", "inet", f"yiwang_lab_{tag(spec.name)}")
    assert not uplink.reaches(tag(spec.name), *lab_endpoint(), seconds=1)
    lab.up(spec, silent)
    assert uplink.reaches(tag(spec.name), *lab_endpoint())


def test_a_wiped_host_comes_back_as_another(spec: LabSpec, key: Key) -> None:
    before = {host.name: host.host_key for host in lab.status(spec.name).hosts}
    times = boot_ids(spec)
    assert lab.remove_host(spec.name, "one", silent)
    assert [host.state for host in lab.status(spec.name).hosts] == ["absent", "running"]
    assert lab.up(spec, silent, only=["one"]).started == ("one",)
    after = {host.name: host.host_key for host in lab.status(spec.name).hosts}
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]
    assert same_boot(times["two"], boot_ids(spec)["two"])
    assert not lab.remove_host(spec.name, "three", silent)


def test_a_host_dropped_from_the_specification_is_wiped(spec: LabSpec) -> None:
    found = lab.up(replace(spec, hosts=spec.hosts[:1]), silent)
    assert [host.name for host in found.hosts] == ["one"]
    assert not [name for name in traces()["namespaces"] if name.endswith("host-two")]
    assert cgroups.detect().processes(tag(spec.name), "two") == []


def test_another_login_key_is_refused_before_it_locks_anyone_out(spec: LabSpec) -> None:
    before = boot_ids(spec)
    with pytest.raises(UserError) as caught:
        lab.up(replace(spec, authorized_key="ssh-ed25519 AAAAsomethingelse"), silent)
    assert caught.value.code == ExitCode.HOST
    assert records.load(spec.name) == spec
    assert all(same_boot(time_, boot_ids(spec)[name]) for name, time_ in before.items())


# --- nothing stays -------------------------------------------------------------------------------------------------


def test_two_labs_with_equal_addresses_live_side_by_side(spec: LabSpec, key: Key) -> None:
    other = replace(spec, name=NAMES[1])
    try:
        lab.up(other, silent)
        one, two = (key.ssh(each, "one", "cat /etc/machine-id") for each in (spec, other))
        assert one != two
        assert "Reading" in key.ssh(other, "one", "apt-get update -o APT::Update::Error-Mode=any", timeout=120)
    finally:
        lab.down(other.name, silent)
    assert switches() == ["1", switches()[1]], "the first lab still needs the switch"
    assert key.ssh(spec, "one", "cat /etc/machine-id") == one


def test_down_leaves_nothing_behind(machine: None, key: Key) -> None:
    for name in NAMES:
        lab.down(name, silent)
    others = [name for name in lab.names() if name not in NAMES]
    before = switches()
    spec = spec_of(NAMES[0], key.public)
    lab.up(spec, silent)
    pids = processes(spec.name)
    assert len(pids) > 4
    assert lab.down(spec.name, silent)
    assert traces() == nothing()
    assert wait_until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], 10)
    if others == [name for name in lab.names() if name not in NAMES]:
        assert switches() == before
    assert not lab.down(spec.name, silent)


def test_down_finds_everything_when_records_are_lost(spec: LabSpec) -> None:
    pids = processes(spec.name)
    output("rm", "-rf", "--one-file-system", str(records.directory(spec.name)))
    name = f"lost-{tag(spec.name)}"
    assert name in lab.names()
    assert lab.down(name, silent)
    assert traces() == nothing()
    assert wait_until(lambda: not [pid for pid in pids if Path(f"/proc/{pid}").exists()], 10)


def test_down_after_a_machine_restart_leaves_nothing(spec: LabSpec) -> None:
    lose_everything_in_memory(spec)
    assert lab.down(spec.name, silent)
    assert traces() == nothing()


CHILD = """
import sys
from lab_support import spec_of
from yiwang import lab
print("begun", flush=True)
lab.up(spec_of(sys.argv[1], sys.argv[2]), lambda _: None)
"""


def start_up(name: str, key: Key) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, name, key.public],
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def kill_up(key: Key, seconds: float) -> None:
    """Kill an ``up`` and all it started in its session, ``seconds`` after it began its work; one that ended before does not count."""
    while True:
        process = start_up(NAMES[0], key)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        errors = process.communicate()[1].decode()
        if process.returncode == -signal.SIGKILL:
            return
        assert process.returncode == 0, errors
        # Faster than that: it gets something to do again, and less time.
        lab.remove_host(NAMES[0], "one", silent)
        seconds /= 2
        assert seconds > 0.01, "no kill landed"


MOMENTS = (0.05, 0.2, 0.4, 0.6, 0.8, 1.2)


@pytest.mark.parametrize("seconds", MOMENTS)
def test_up_killed_half_way_is_wiped_whole(machine: None, key: Key, seconds: float) -> None:
    lab.down(NAMES[0], silent)
    kill_up(key, seconds)
    lab.down(NAMES[0], silent)
    assert traces() == nothing()


def test_a_record_killed_half_way_does_not_stay(spec: LabSpec) -> None:
    (records.directory(spec.name) / ".lab.json.x").write_text("half")
    lab.down(spec.name, silent)
    assert traces() == nothing()


def test_up_killed_again_and_again_ends_up_whole(machine: None, key: Key) -> None:
    lab.down(NAMES[0], silent)
    for seconds in MOMENTS:
        kill_up(key, seconds)
    spec = spec_of(NAMES[0], key.public)
    assert lab.up(spec, silent).state == "running"
    for host in spec.hosts:
        assert key.ssh(spec, host.name, "systemctl is-system-running --wait") == "running"
        inits = [pid for pid in cgroups.detect().processes(tag(spec.name), host.name) if is_supervisor(pid)]
        assert len(inits) == 1, "two inits on one root"


def is_supervisor(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "systemd-nspawn"
    except OSError:
        return False


def test_hosts_outlive_the_session_that_started_them(machine: None, key: Key) -> None:
    lab.down(NAMES[0], silent)
    process = start_up(NAMES[0], key)
    assert process.wait(60) == 0, process.communicate()[1].decode()
    process.communicate()
    assert lab.status(NAMES[0]).state == "running"
    supervisors = [pid for pid in processes(NAMES[0]) if is_supervisor(pid)]
    assert len(supervisors) == len(HOSTS)
    for pid in supervisors:
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/fd/0").resolve() == Path("/dev/null")


def test_two_ups_at_once_make_one_lab(machine: None, key: Key) -> None:
    lab.down(NAMES[0], silent)
    both = [start_up(NAMES[0], key) for _ in range(2)]
    assert [process.wait(90) for process in both] == [0, 0], [process.communicate()[1].decode() for process in both]
    for process in both:
        process.communicate()
    for host in HOSTS:
        assert len([pid for pid in cgroups.detect().processes(tag(NAMES[0]), host.name) if is_supervisor(pid)]) == 1


def test_a_package_source_on_a_port_without_a_path_is_told(machine: None, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.down(NAMES[0], silent)
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    found = lab.up(spec_of(NAMES[0], key.public), silent)
    assert any("no path lets hosts reach 127.0.0.1:3128" in warning for warning in found.warnings)
    assert any("do not reach the package source 127.0.0.1:3128" in warning for warning in found.warnings)


def test_a_machine_that_cannot_leaves_nothing(machine: None, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.down(NAMES[0], silent)
    monkeypatch.setattr("yiwang.lab.machine.missing_packages", lambda: ["mmdebstrap"])
    with pytest.raises(UserError) as caught:
        lab.up(spec_of(NAMES[0], key.public), silent)
    assert caught.value.code == ExitCode.MACHINE
    assert traces() == nothing()


def test_a_host_whose_address_moves_is_connected_anew(spec: LabSpec, key: Key) -> None:
    moved = replace(spec, hosts=(replace(HOSTS[0], ipv4=IPv4Address("10.91.1.77")), HOSTS[1]))
    started = time.monotonic()
    assert lab.up(moved, silent).started == ()
    assert key.ssh(moved, "one", "hostname") == "one"
    # The neighbours of a router that changed its hardware address would look for it for most of a minute.
    assert key.ssh(moved, "two", "hostname") == "two"
    assert time.monotonic() - started < 15
    assert "10.91.1.11/" not in key.ssh(moved, "one", "ip address")
    assert (ip_network("10.91.1.0/24"),) == moved.zones[0].ipv4
