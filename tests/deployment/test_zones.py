"""From a host in each zone only listed ports answer, in both directions, over IPv4 and IPv6."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests_support import Yiwang

pytestmark = pytest.mark.lab

ROLES = Path(__file__).parent.parent.parent / "roles"
# Ports on which every host really listens during the test: only a firewall can refuse them.
TCP = (80, 443, 2222, 5432, 8333, 8443)
UDP = (53, 123, 514, 5353)
SECONDS = 1.0

LISTEN = """
import selectors, socket
s = selectors.DefaultSelector()
kinds = ((socket.SOCK_STREAM, {tcp}), (socket.SOCK_DGRAM, {udp}))
for address, kind, port in [(address, kind, port) for address in {addresses} for kind, ports in kinds for port in ports]:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address == "::":
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        sock.bind((address, port))
    except OSError:
        continue  # a service of the host's own answers there
    if kind == socket.SOCK_STREAM:
        sock.listen(64)
    s.register(sock, selectors.EVENT_READ, kind)
print("listening", flush=True)
while True:
    for key, _ in s.select():
        if key.data == socket.SOCK_STREAM:
            key.fileobj.accept()[0].close()
        else:
            data, peer = key.fileobj.recvfrom(512)
            key.fileobj.sendto(data, peer)
"""

PROBE = """
import concurrent.futures, json, socket, sys
def tcp(address, port):
    try:
        socket.create_connection((address, port), {seconds}).close()
        return True
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return False
def udp(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout({seconds})
        for _ in range(2):
            try:
                # An NTP client request: the clock service answers it, our own listener echoes it.
                sock.sendto(b"\\x23" + bytes(47), (address, port))
                sock.recvfrom(512)
                return True
            except OSError:
                pass
    return False
todo = {todo}
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    done = list(pool.map(lambda one: dict(tcp=tcp, udp=udp)[one[0]](one[1], one[2]), todo))
print(json.dumps(done))
"""


def python(code: str) -> str:
    return f"echo {base64.b64encode(code.encode()).decode()} | base64 -d | sudo python3 -"


@pytest.fixture(scope="module")
def listening(lab: Yiwang) -> Iterator[Yiwang]:
    code = base64.b64encode(LISTEN.format(addresses=("::",), tcp=TCP, udp=UDP).encode()).decode()
    unit = "yiwang-test-listen"
    start = f"sudo systemd-run --unit={unit} --collect --quiet python3 -c 'import base64; exec(base64.b64decode(\"{code}\"))'"
    ready = f"timeout 20 sh -c 'until ss -Htln | grep -q :{TCP[-1]}; do sleep 0.1; done'"
    for host in lab.hosts():
        lab.ssh(host, f"{start} && {ready} || {{ sudo journalctl -u {unit} -n 20; exit 1; }}")
    yield lab
    for host in lab.hosts():
        lab.ssh(host, f"sudo systemctl stop {unit}", check=False)


def ranges(zone: dict[str, str | list[str]]) -> list[str]:
    """The ranges of a zone, written as one or as a list."""
    return [item for written in zone.values() for item in (written if isinstance(written, list) else [written])]


def networks(facts: dict, hosts: dict, groups: dict, endpoint: str) -> list:  # type: ignore[type-arg]
    """What an endpoint of a path means, worked out here from the inventory's own words."""
    if endpoint == "operators":
        found = facts["access"]["operators"]
    elif endpoint == "any":
        found = [item for zone in facts["zones"].values() for item in ranges(zone)]
    elif endpoint in facts["zones"]:
        found = ranges(facts["zones"][endpoint])
    elif endpoint == "world":
        found = []
    else:
        found = [hosts[name][family] for name in groups[endpoint] for family in ("ipv4", "ipv6")]
    return [ipaddress.ip_network(item) for item in found]


def inventory_of(yiwang: Yiwang) -> tuple[dict, dict, dict]:  # type: ignore[type-arg]
    facts = yaml.safe_load((yiwang.inventory / "province.yml").read_text())
    children = yaml.safe_load((yiwang.inventory / "hosts.yml").read_text())["all"]["children"]
    hosts = {
        name: {"ipv4": values["ansible_host"], "ipv6": values["yiwang_ipv6"], "zone": values["yiwang_zone"]}
        for group in children.values()
        for name, values in group["hosts"].items()
        if values and "ansible_host" in values
    }
    return facts, hosts, {name: list(group["hosts"]) for name, group in children.items()}


def allowed(yiwang: Yiwang, source: str, target: str, protocol: str, port: int) -> bool:
    facts, hosts, groups = inventory_of(yiwang)
    for path in facts["paths"]:
        ends = []
        for key, address in (("from", source), ("to", target)):
            endpoints = path[key] if isinstance(path[key], list) else [path[key]]
            known = [network for endpoint in endpoints for network in networks(facts, hosts, groups, endpoint)]
            ends.append(any(ipaddress.ip_address(address) in network for network in known))
        if all(ends) and path["protocol"] == protocol and port in path["ports"]:
            return True
    return (protocol, port) in components(facts, hosts, groups, source, target)


def components(facts: dict, hosts: dict, groups: dict, source: str, target: str) -> set[tuple[str, int]]:  # type: ignore[type-arg]
    """What components open from one address to another: between the groups they name, of a site where they are placed or its parent."""
    found = set()
    names = {address: name for name, values in hosts.items() for address in (values["ipv4"], values["ipv6"])}

    def within(address: str, site: str, endpoints: str | list[str]) -> bool:
        above = "province" if facts["sites"][site]["stack"] == "city" else ""
        for endpoint in [endpoints] if isinstance(endpoints, str) else endpoints:
            group, _, scope = endpoint.partition("@")
            if names.get(address) in {*groups[group]} & {*groups.get(above if scope == "parent" else site, ())}:
                return True
        return False

    for site, values in facts["sites"].items():
        for noun, place in values.get("placement", {}).items():
            drawer = yaml.safe_load((ROLES / noun / "meta" / "component.yml").read_text())
            for path in drawer["paths"] if place == "servers" else ():
                if within(source, site, path["from"]) and within(target, site, path["to"]):
                    found |= {(path["protocol"], port) for port in path["ports"]}
    return found


def test_only_listed_ports_answer_between_all_hosts(listening: Yiwang) -> None:
    _, hosts, _ = inventory_of(listening)
    wrong, answered = [], 0
    for source, values in hosts.items():
        todo = [
            (protocol, other[family], port)
            for name, other in hosts.items()
            if name != source
            for family in ("ipv4", "ipv6")
            for protocol, port in itertools.chain((("tcp", p) for p in (22, *TCP)), (("udp", p) for p in UDP))
        ]
        found = json.loads(listening.ssh(source, python(PROBE.format(todo=todo, seconds=SECONDS))))
        for (protocol, address, port), answer in zip(todo, found, strict=True):
            family = "ipv6" if ":" in address else "ipv4"
            expected = allowed(listening, values[family], address, protocol, port)
            answered += answer is True
            if (answer is True) != expected:
                wrong.append(f"{source} -> {protocol} {address} {port}: expected {expected}, got {answer}")
    assert wrong == []
    assert answered > 0, "nothing answered at all: the probe itself does not work"


def test_the_operator_reaches_ssh_and_nothing_else(listening: Yiwang) -> None:
    _, hosts, _ = inventory_of(listening)
    todo = [
        (kind, values[family], port)
        for values in hosts.values()
        for family in ("ipv4", "ipv6")
        for kind, port in (("tcp", 22), *(("tcp", p) for p in TCP), *(("udp", p) for p in UDP))
    ]
    namespace = Path(listening.json("lab", "status")["operator_namespace"])
    done = subprocess.run(
        ["nsenter", f"--net={namespace}", "python3", "-"],
        input=PROBE.format(todo=todo, seconds=SECONDS),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = dict(zip(todo, json.loads(done.stdout), strict=True))
    source = {"ipv4": "10.77.30.2", "ipv6": "fd77:0:0:30::2"}
    wrong = [
        (probe, answer)
        for probe, answer in answers.items()
        if (answer is True) != allowed(listening, source["ipv6" if ":" in probe[1] else "ipv4"], probe[1], probe[0], probe[2])
    ]
    assert wrong == []


class Outside(NamedTuple):
    """A place outside all zones where every port of the test answers whoever is let out to it."""

    addresses: tuple[str, ...]
    operator: Path


@pytest.fixture
def outside(lab: Yiwang) -> Iterator[Outside]:
    """The far end of the lab's router, its own firewall opened meanwhile: only the hosts' firewalls can keep traffic back."""
    operator = Path(lab.json("lab", "status")["operator_namespace"])
    inside = ["nsenter", f"--net={operator.with_name(operator.name.replace('operator', 'router'))}"]

    def run(*command: str) -> str:
        return subprocess.run([*inside, *command], capture_output=True, text=True, check=True).stdout

    shown = json.loads(run("ip", "-json", "address", "show", "dev", "uplink", "scope", "global"))
    addresses = tuple(each["local"] for each in shown[0]["addr_info"] if each)
    table = next(line.split()[2] for line in run("nft", "list", "tables").splitlines() if "yiwang_lab" in line)
    added = run("nft", "--echo", "--handle", "insert", "rule", "inet", table, "input", "accept")
    code = LISTEN.format(addresses=addresses, tcp=(22, 53, 8080, *TCP), udp=UDP)
    listener = subprocess.Popen([*inside, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout is not None
        assert listener.stdout.readline() == "listening\n"
        yield Outside(addresses, operator)
    finally:
        listener.kill()
        listener.communicate()
        run("nft", "delete", "rule", "inet", table, "input", "handle", added.rsplit("# handle ", 1)[1].split()[0])


@pytest.mark.parametrize("host", ["c-jinan", "p-ops"])
def test_hosts_send_outside_only_to_the_listed_ports(lab: Yiwang, outside: Outside, host: str) -> None:
    facts, _, _ = inventory_of(lab)
    listed = {(path["protocol"], port) for path in facts["paths"] if path["to"] == "world" for port in path["ports"]}
    ports = [*(("tcp", port) for port in (22, 53, 8080, *TCP)), *(("udp", port) for port in UDP)]
    probes = [(protocol, address, port) for address in outside.addresses for protocol, port in ports]
    code = PROBE.format(todo=probes, seconds=SECONDS)
    free = ["nsenter", f"--net={outside.operator}", sys.executable, "-"]
    everything = json.loads(subprocess.run(free, input=code, capture_output=True, text=True, check=True).stdout)
    assert everything == [True] * len(probes), "where no firewall of a host is in the way, all of these answer"
    answers = json.loads(lab.ssh(host, python(code)))
    assert {probe for probe, answer in zip(probes, answers, strict=True) if answer is not False} == {
        (protocol, address, port) for protocol, address, port in probes if (protocol, port) in listed
    }
