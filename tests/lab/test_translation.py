"""An inventory as a lab, and what the commands do with state that is or is not the lab's."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest

from yiwang import inventory
from yiwang.commands import _lab, _lab_state
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province
from yiwang.lab import Operator, firewall
from yiwang.lab.spec import check
from yiwang.paths import data

ROOT = Path(__file__).parents[2]


@pytest.fixture
def province(tmp_path: Path) -> Province:
    directory = tmp_path / "lab"
    shutil.copytree(data("inventories") / "lab", directory, ignore=shutil.ignore_patterns(".state"))
    return inventory.load(directory)


def test_the_labs_inventory_becomes_a_lab_that_passes(province: Province) -> None:
    spec = _lab.spec_of(province)
    check(spec)
    assert {host.name: host.ipv4 for host in spec.hosts} == {host.name: host.ipv4 for host in province.hosts.values()}
    assert spec.operator == Operator("management", IPv4Address("10.77.30.2"), IPv6Address("fd77:0:0:30::2"))
    assert spec.directory == province.directory


def test_every_range_of_a_zone_reaches_the_lab(province: Province) -> None:
    block = IPv4Network("10.78.0.0/16")
    extranet = province.zones["extranet"]
    zones = {**province.zones, "extranet": replace(extranet, ipv4=(*extranet.ipv4, block))}
    spec = _lab.spec_of(replace(province, zones=zones))
    check(spec)
    assert spec.zone("extranet").ipv4 == (*extranet.ipv4, block)
    assert all(block in path.sources for path in spec.paths if path.to_world)


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
    access = replace(province.access, operators=((IPv4Network("10.77.30.0/24"),), (IPv6Network("fd77:0:0:30::/64"),)))
    operator = _lab.spec_of(replace(province, access=access)).operator
    taken = {host.ipv4 for host in province.hosts.values()} | {IPv4Address("10.77.30.1")}
    assert operator.ipv4 in IPv4Network("10.77.30.0/24")
    assert operator.ipv4 not in taken


def test_operators_outside_every_zone_are_refused(province: Province) -> None:
    access = replace(province.access, operators=((IPv4Network("192.0.2.0/24"),), (IPv6Network("2001:db8::/64"),)))
    with pytest.raises(UserError) as caught:
        _lab.spec_of(replace(province, access=access))
    assert caught.value.code == ExitCode.INPUT
    assert "access.operators" in caught.value.report()


def test_a_login_key_that_cannot_be_made_is_one_line(province: Province, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    access = replace(province.access, key_file=tmp_path / "file" / "id")
    with pytest.raises(UserError) as caught:
        _lab.spec_of(replace(province, access=access))
    assert caught.value.code == ExitCode.INPUT
    assert str(access.key_file) in caught.value.report()
    assert len(caught.value.report().splitlines()) == 1


def test_ssh_keygen_that_fails_is_one_line(province: Province, tmp_path: Path) -> None:
    (tmp_path / "id").mkdir()
    with pytest.raises(UserError) as caught:
        _lab.spec_of(replace(province, access=replace(province.access, key_file=tmp_path / "id")))
    assert caught.value.code == ExitCode.INPUT
    assert len(caught.value.report().splitlines()) == 1


# --- the state in an inventory, which is or is not the lab's ----------------------------------------------------------

NAME = "lab-abcdef"


def record(province: Province) -> Path:
    """Something a run recorded."""
    checkpoint = province.state_dir / ".pulumi/stacks/province/province.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("{}")
    return checkpoint


def claim(province: Province) -> None:
    """What `lab up` does before it makes anything."""
    _lab_state.require(province.state_dir, NAME)
    spec = replace(_lab.spec_of(province), name=NAME)
    _lab_state.claim(province.state_dir, NAME)
    _lab.lead_into(province, spec)


def test_state_that_began_with_the_lab_goes_with_it(province: Province) -> None:
    claim(province)
    record(province)
    claim(province)
    assert _lab_state.forget(province.state_dir, NAME)
    assert [path.name for path in province.directory.glob(".*")] == []


def test_a_lab_that_did_not_get_far_leaves_no_state(province: Province) -> None:
    _lab_state.claim(province.state_dir, NAME)
    assert _lab_state.forget(province.state_dir, NAME)
    assert not province.state_dir.exists()


def test_state_recorded_of_other_servers_under_a_labs_mark_stays(province: Province) -> None:
    """The way into the lab was gone: whoever ran on this state since reached the real servers."""
    claim(province)
    _lab_state.configuration(province.state_dir).unlink()
    checkpoint = record(province)
    assert not _lab_state.forget(province.state_dir, NAME)
    assert checkpoint.exists()
    with pytest.raises(UserError):
        _lab_state.require(province.state_dir, NAME)


def test_state_of_another_lab_stays(province: Province) -> None:
    claim(province)
    checkpoint = record(province)
    assert not _lab_state.forget(province.state_dir, "copy-123456")
    assert checkpoint.exists()
    assert _lab_state.configuration(province.state_dir).exists(), "it leads into the other lab"


def test_without_a_mark_only_the_way_into_the_lab_goes(province: Province) -> None:
    checkpoint = record(province)
    configuration = _lab_state.configuration(province.state_dir)
    configuration.parent.mkdir()
    configuration.write_text("Host p-core\n")
    assert not _lab_state.forget(province.state_dir, NAME)
    assert checkpoint.exists()
    assert not configuration.exists()


def test_what_a_killed_removal_left_goes_with_the_next_command(province: Province) -> None:
    claim(province)
    province.state_dir.rename(_lab_state._going(province.state_dir))
    assert not _lab_state.forget(province.state_dir, NAME)
    assert [path.name for path in province.directory.glob(".*")] == []
    claim(province)
    province.state_dir.rename(_lab_state._going(province.state_dir))
    claim(province)
    assert [path.name for path in province.directory.glob(".*")] == [".state"]


def test_what_is_being_removed_is_in_no_commit_and_no_wheel(province: Province) -> None:
    left = _lab_state._going(ROOT / "inventories/lab" / province.state_dir.name) / "passphrase"
    assert subprocess.run(["git", "check-ignore", "-q", str(left)], cwd=ROOT, check=False).returncode == 0
    excluded = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    assert any(left.parent.relative_to(ROOT).match(pattern.rstrip("/")) for pattern in excluded)


def test_without_state_nothing_is_forgotten(province: Province) -> None:
    assert not _lab_state.forget(province.state_dir, NAME)
    assert not _lab_state.forget(None, NAME)


def test_a_preview_before_the_lab_is_no_state(province: Province) -> None:
    (province.state_dir / ".pulumi/locks/organization/province/province").mkdir(parents=True)
    (province.state_dir / ".pulumi/meta.yaml").write_text("version: 1\n")
    claim(province)


@pytest.mark.parametrize("there", [".pulumi/stacks/province/province.json", ".pulumi/journals/province/province.jsonl", "ssh/known_hosts"])
def test_state_of_other_servers_is_not_touched(province: Province, there: str) -> None:
    path = province.state_dir / there
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(UserError) as caught:
        _lab_state.require(province.state_dir, NAME)
    assert caught.value.code == ExitCode.INPUT
    assert "state_dir" in caught.value.report()
    assert len(caught.value.report().splitlines()) == 1
