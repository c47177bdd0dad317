"""Two servers of a lab of these tests' own."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from types import SimpleNamespace

import pytest

from yiwang import lab as laboratory
from yiwang import ssh
from yiwang.files import private_tmpfs

HOME = Path("/var/tmp/yiwang-provider-tests")
ADDRESSES = {"one": "10.79.1.11", "two": "10.79.1.12"}


@dataclass
class Servers:
    """Two servers, and how the provider and the tests reach them."""

    directory: Path
    name: str
    access: ssh.Access
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, host: str, command: str) -> str:
        done = asyncio.run(self.access.run(host, command, user="root"))
        assert done.code == 0, (host, command, done)
        return done.out


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    if os.geteuid() != 0:
        pytest.fail("tests marked lab need root")
    HOME.mkdir(exist_ok=True, mode=0o700)
    run_dir = Path(tempfile.mkdtemp(prefix="test-", dir=private_tmpfs()))
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = laboratory.lab_name(HOME)
        laboratory.down(name, lambda _: None)
        try:
            yield _make(name, run_dir)
        finally:
            laboratory.down(name, lambda _: None)
            shutil.rmtree(HOME / "ssh", ignore_errors=True)
            shutil.rmtree(run_dir)


def _make(name: str, run_dir: Path) -> Servers:
    keys = HOME / "ssh"
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / "id")], check=True)
    zone = laboratory.LabZone("test", (IPv4Network("10.79.1.0/24"),), (IPv6Network("fd79:0:0:1::/64"),))
    hosts = tuple(
        laboratory.LabHost(host, "test", IPv4Address(address), IPv6Address(f"fd79:0:0:1::{address.rpartition('.')[2]}"))
        for host, address in ADDRESSES.items()
    )
    operator = laboratory.Operator("test", IPv4Address("10.79.1.2"), IPv6Address("fd79:0:0:1::2"))
    spec = laboratory.LabSpec(name, HOME, (zone,), hosts, (), operator, (keys / "id.pub").read_text().strip())
    made = laboratory.up(spec, lambda _: None)
    (keys / "lab.conf").write_text(f"Host {' '.join(ADDRESSES)}\n  ProxyCommand nsenter --net={made.operator_namespace} nc %h %p\n")
    (keys / "known_hosts").write_text("".join(f"{host.name} {host.host_key}\n" for host in made.hosts))
    province = HOME / "province.json"
    province.write_text(json.dumps({"state_dir": str(HOME), "key_file": str(keys / "id")}))
    reach = SimpleNamespace(state_dir=HOME, access=SimpleNamespace(user="yiwang", bootstrap_user="root", key_file=keys / "id"), hosts={})
    access = ssh.Access(reach, run_dir, {host: ssh.Endpoint(address) for host, address in ADDRESSES.items()})
    return Servers(HOME, name, access, {"PROBE_PROVINCE": str(province)})
