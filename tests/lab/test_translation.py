"""An inventory as a lab, and what the commands do with state that is or is not the lab's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from yiwang import inventory
from yiwang.commands import _lab
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province
from yiwang.lab import Operator, firewall
from yiwang.lab.spec import check
from yiwang.paths import data


@pytest.fixture
def province(tmp_path: Path) -> Province:
    directory = tmp_path / "lab"
    shutil.copytree(data("inventories") / "lab", directory, ignore=shutil.ignore_patterns(".state"))
    return inventory.load(directory)


def test_the_labs_inventory_becomes_a_lab_that_passes(province: Province) -> None:
    spec = _lab.spec_of(province)
    check(spec)
    assert {host.name: host.ipv4 for host in spec.hosts} == {host.name: host.ipv4 for host in province.hosts.values()}
    assert spec.operator == Operator("management", ip_address("10.77.30.2"), ip_address("fd77:0:0:30::2"))
    assert spec.directory == province.directory


def test_the_login_key_is_made_once_and_stays_private(province: Province) -> None:
    first = _lab.spec_of(province).authorized_key
    assert first.startswith("ssh-ed25519 ")
    assert _lab.spec_of(province).authorized_key == first
    assert province.access.key_file.stat().st_mode & 0o777 == 0o600


def test_a_way_to_the_world_opens_no_zone(province: Province) -> None:
    spec = _lab.spec_of(province)
    text = firewall.router("abcdef", [], [path for path in spec.paths if path.to_world])
    assert "dport { 80, 443 } accept" in text
    assert "daddr" not in text


def test_operators_with_a_range_sit_at_a_free_address(province: Province) -> None:
    access = replace(province.access, operators=((ip_network("10.77.30.0/24"),), (ip_network("fd77:0:0:30::/64"),)))
    operator = _lab.spec_of(replace(province, access=access)).operator
    taken = {host.ipv4 for host in province.hosts.values()} | {ip_address("10.77.30.1")}
    assert operator.ipv4 in ip_network("10.77.30.0/24")
    assert operator.ipv4 not in taken


def test_operators_outside_every_zone_are_refused(province: Province) -> None:
    access = replace(province.access, operators=((ip_network("192.0.2.0/24"),), (ip_network("2001:db8::/64"),)))
    with pytest.raises(UserError) as caught:
        _lab.spec_of(replace(province, access=access))
    assert caught.value.code == ExitCode.INPUT
    assert "access.operators" in caught.value.report()


def test_state_that_began_with_the_lab_goes_with_it(province: Province) -> None:
    _lab.mark_state(province)
    (province.state_dir / ".pulumi").mkdir()
    _lab.mark_state(province)
    assert _lab.forget_state(province.state_dir) is False
    assert not province.state_dir.exists()
    assert [path.name for path in province.directory.glob(".state*")] == []


def test_state_that_is_older_than_the_lab_stays(province: Province) -> None:
    (province.state_dir / ".pulumi").mkdir(parents=True)
    (province.state_dir / ".pulumi" / "precious").write_text("x")
    (province.state_dir / "ssh").mkdir()
    (province.state_dir / "ssh" / "lab.conf").write_text("Host p-core\n")
    _lab.mark_state(province)
    assert _lab.forget_state(province.state_dir) is True
    assert (province.state_dir / ".pulumi" / "precious").exists()
    assert not (province.state_dir / "ssh" / "lab.conf").exists()


def test_without_state_nothing_is_forgotten(province: Province) -> None:
    assert _lab.forget_state(province.state_dir) is False
