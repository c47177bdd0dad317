"""The model: what the inventories of the repository say, how Ansible's rules reach it, what a second load costs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path

import pytest

from yiwang.inventory import InventoryError, Province, load, model
from yiwang.paths import data
from yiwang.standard import divisions

INVENTORIES = data("inventories")


@pytest.fixture(scope="module")
def lab() -> Province:
    return load(INVENTORIES / "lab")


@pytest.fixture(scope="module")
def example() -> Province:
    return load(INVENTORIES / "example")


def test_lab(lab: Province) -> None:
    assert list(lab.sites) == ["national", "province", "jinan", "qingdao"]
    assert [(site.stack, site.code, site.parent) for site in lab.sites.values()] == [
        ("national", "000000", None),
        ("province", "370000", None),
        ("city", "370100", "province"),
        ("city", "370200", "province"),
    ]
    assert [(host.name, host.site, host.zone) for host in lab.hosts.values()] == [
        ("n-core", "national", "extranet"),
        ("p-edge", "province", "internet"),
        ("p-core", "province", "extranet"),
        ("p-data", "province", "extranet"),
        ("p-ops", "province", "management"),
        ("c-jinan", "jinan", "extranet"),
        ("c-qingdao", "qingdao", "extranet"),
    ]
    assert lab.state_dir == INVENTORIES / "lab" / ".state"
    assert lab.access.key_file == lab.state_dir / "ssh" / "id_ed25519"
    assert lab.passphrase_source.kind == "generate"
    assert [site.domain for site in lab.sites.values()] == [
        "gjzwfw.example",
        "sd.zwfw.example",
        "jinan.sd.zwfw.example",
        "qingdao.sd.zwfw.example",
    ]


def test_example_has_ha_and_every_prefecture_by_code_and_name(example: Province) -> None:
    cities = [(site.code, site.title.zh) for site in example.sites.values() if site.stack == "city"]
    assert cities == [(division.code, division.name) for division in divisions.children("370000")]
    assert len(cities) == 16
    province = next(site for site in example.sites.values() if site.stack == "province")
    servers = {group: sum(group in host.groups for host in province.hosts) for group in ("edge", "core", "data", "ops")}
    assert servers == {"edge": 2, "core": 2, "data": 3, "ops": 1}
    assert all(len(site.hosts) == 1 for site in example.sites.values() if site.stack == "city")


def test_example_uses_addresses_and_names_reserved_for_documentation(example: Province) -> None:
    documentation = [IPv4Network(network) for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    for zone in example.zones.values():
        assert all(any(network.subnet_of(known) for known in documentation) for network in zone.ipv4)
        assert all(network.subnet_of(IPv6Network("2001:db8::/32")) for network in zone.ipv6)
    assert all(site.domain.endswith(".example") for site in example.sites.values())


def test_each_prefecture_of_the_example_has_a_block_of_its_own(example: Province) -> None:
    blocks = [
        next(network for network in ranges if address in network)
        for site in example.sites.values()
        if site.stack == "city"
        for address, ranges in ((site.hosts[0].ipv4, example.zones["extranet"].ipv4), (site.hosts[0].ipv6, example.zones["extranet"].ipv6))
    ]
    assert len(set(blocks)) == 32


def test_addresses_of_endpoints(lab: Province) -> None:
    assert lab.addresses("operators") == ((IPv4Network("10.77.30.2/32"),), (IPv6Network("fd77:0:0:30::2/128"),))
    assert lab.addresses("internet") == ((IPv4Network("10.77.10.0/24"),), (IPv6Network("fd77:0:0:10::/64"),))
    assert lab.addresses("ops") == ((IPv4Network("10.77.30.11/32"),), (IPv6Network("fd77:0:0:30::11/128"),))
    assert lab.addresses("any")[0] == tuple(IPv4Network(f"10.77.{zone}.0/24") for zone in (10, 20, 30))
    with pytest.raises(KeyError):
        lab.addresses("nowhere")


def test_a_zone_has_one_range_or_several(inventory: Path) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    text = text.replace("ipv4: 198.51.100.0/24", "ipv4: [198.51.100.128/25, 198.51.100.0/26]")
    (inventory / "province.yml").write_text(text, encoding="utf-8")
    province = load(inventory)
    extranet = tuple(map(IPv4Network, ("198.51.100.0/26", "198.51.100.128/25")))
    assert province.zones["extranet"].ipv4 == extranet
    assert province.addresses("extranet") == (extranet, (IPv6Network("2001:db8:0:20::/64"),))
    assert set(extranet) < set(province.addresses("any")[0])
    assert any(ip_address("198.51.100.64") in network for network in province.addresses("world")[0])
    assert not any(ip_address("198.51.100.200") in network for network in province.addresses("world")[0])


@pytest.mark.parametrize(
    ("endpoint", "hosts"),
    [
        ("core", ["n-core", "p-core", "c-jinan", "c-qingdao"]),
        ("core@any", ["n-core", "p-core", "c-jinan", "c-qingdao"]),
        ("core@cities", ["c-jinan", "c-qingdao"]),
        ("core@province", ["p-core"]),
        ("data@jinan", ["c-jinan"]),
        ("qingdao", ["c-qingdao"]),
    ],
)
def test_a_scope_says_whose_hosts_of_a_group(lab: Province, endpoint: str, hosts: list[str]) -> None:
    expected = sorted(IPv4Network(lab.hosts[name].ipv4) for name in hosts)
    assert list(lab.addresses(endpoint)[0]) == expected
    assert [host.name for host in lab.hosts.values() if lab.names(endpoint, host)] == hosts


def test_a_group_alone_is_open_within_each_site(lab: Province) -> None:
    def way(source: str, target: str) -> list[str | None]:
        path = model.Path((source,), (target,), "tcp", (5432,), lab.title)
        return [within for _, within in replace(lab, paths=(path,), component_paths={}).ways()]

    assert way("core", "data") == list(lab.sites)
    assert way("core@cities", "core@province") == way("operators", "core") == way("ops", "world") == [None]
    assert lab.addresses("data", "province")[0] == (IPv4Network("10.77.20.12/32"),)
    assert lab.addresses("ops", "jinan") == ((), ())


def test_the_world_is_everything_but_the_zones(lab: Province) -> None:
    ipv4, ipv6 = lab.addresses("world")
    world: list[IPv4Network | IPv6Network] = [*ipv4, *ipv6]
    for zone in lab.zones.values():
        assert not any(network.overlaps(inner) for network in ipv4 for inner in zone.ipv4)
        assert not any(network.overlaps(inner) for network in ipv6 for inner in zone.ipv6)
    for outside in ("10.77.9.255", "10.77.11.0", "8.8.8.8", "2400:3200::1", "fd77:0:0:11::"):
        assert any(ip_address(outside) in network for network in world)
    zones4 = sum(network.num_addresses for zone in lab.zones.values() for network in zone.ipv4)
    assert sum(network.num_addresses for network in ipv4) == 2**32 - zones4


def test_variables_are_resolved_by_ansibles_rules(inventory: Path) -> None:
    (inventory / "group_vars" / "all.yml").write_text("base_journal_days: 200\nbase_packages: [acl]\n")
    (inventory / "group_vars" / "core").mkdir()
    (inventory / "group_vars" / "core" / "logs.yml").write_text("base_journal_days: 300\n")
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars" / "c-370100").write_text("base_journal_days: 400\nansible_port: 2222\n")
    hosts = load(inventory).hosts
    assert {name: host.variables["base_journal_days"] for name, host in hosts.items()} == {
        "p-edge": 200,
        "p-core": 300,
        "p-data": 200,
        "p-ops": 200,
        "c-370100": 400,
        "c-370200": 300,
    }
    assert hosts["c-370100"].port == 2222
    assert hosts["p-core"].port == 22
    assert hosts["p-edge"].variables["base_packages"] == ["acl"]
    assert not any(name.startswith(("ansible_", "yiwang_")) for host in hosts.values() for name in host.variables)


def test_host_ranges(inventory: Path) -> None:
    text = (inventory / "hosts.yml").read_text(encoding="utf-8")
    entry = "        web-[01:03]:\n          yiwang_zone: internet\n"
    (inventory / "hosts.yml").write_text(
        text.replace("    province:\n      hosts:\n", f"    province:\n      hosts:\n{entry}"), encoding="utf-8"
    )
    (inventory / "host_vars").mkdir()
    for number in (1, 2, 3):
        (inventory / "host_vars" / f"web-0{number}.yml").write_text(f"ansible_host: 192.0.2.{100 + number}\n")
    hosts = load(inventory).hosts
    assert list(hosts)[:4] == ["web-01", "web-02", "web-03", "p-edge"]
    assert hosts["web-02"].ipv4 == IPv4Address("192.0.2.102")
    assert hosts["web-02"].ipv6 is None


def test_groups_are_inherited(inventory: Path) -> None:
    with (inventory / "hosts.yml").open("a", encoding="utf-8") as file:
        file.write("    backend:\n      children:\n        core:\n        data:\n")
    province = load(inventory)
    assert {host.name for host in province.group("backend")} == {"p-core", "p-data", "c-370100", "c-370200"}
    assert province.hosts["p-data"].groups == ("backend", "data", "province")
    assert province.group("nothing") == ()


def test_addresses_are_typed(lab: Province) -> None:
    host = lab.hosts["p-core"]
    assert host.ipv4 == IPv4Address("10.77.20.11")
    assert host.ipv6 == IPv6Address("fd77:0:0:20::11")


def test_a_second_load_starts_no_process_and_is_fast(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(inventory)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        assert load(inventory) == first
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05


def test_a_changed_file_is_seen(inventory: Path) -> None:
    load(inventory)
    text = (inventory / "hosts.yml").read_text(encoding="utf-8")
    (inventory / "hosts.yml").write_text(text.replace("198.51.100.12", "198.51.100.13"), encoding="utf-8")
    assert load(inventory).hosts["p-data"].ipv4 == IPv4Address("198.51.100.13")


def test_a_spoilt_cache_is_made_again(inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = load(inventory)
    (cached,) = (tmp_path / "cache" / "yiwang" / "inventory").glob("*.json")
    assert cached.stat().st_mode & 0o777 == 0o600
    for content in ("{", '{"_meta": {}, "all": 7}', '{"_meta": {"hostvars": {}}, "all": {"hosts": 5}}'):
        cached.write_text(content)
        assert load(inventory) == first


def test_settings_of_the_machine_do_not_matter(inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(inventory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ANSIBLE_INVENTORY_ENABLED", "ini")
    monkeypatch.setenv("ANSIBLE_INVENTORY_EXPORT", "true")
    (inventory / "ansible.cfg").write_text("[defaults]\ninventory = /nowhere\n[inventory]\nenable_plugins = ini\n")
    assert load(inventory) == first


def test_the_inventory_is_an_ordinary_one_and_is_not_run(inventory: Path, tmp_path: Path) -> None:
    """An executable hosts.yml is read, never run."""
    text = (inventory / "hosts.yml").read_text(encoding="utf-8")
    (inventory / "hosts.yml").write_text(f"#!/usr/bin/touch {tmp_path}/ran\n{text}", encoding="utf-8")
    (inventory / "hosts.yml").chmod(0o755)
    load(inventory)
    assert not (tmp_path / "ran").exists()


def test_anchors_and_merges(inventory: Path) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    text = text.replace("ports: [22] ", "ports: &ssh [22] ").replace("ports: [123]", "ports: *ssh")
    (inventory / "province.yml").write_text(text, encoding="utf-8")
    assert load(inventory).paths[1].ports == (22,)
    (inventory / "group_vars" / "all.yml").write_text(
        "base_capabilities: {clock: true, kernel_modules: &no false, audit: *no, sysctl: *no}\n"
    )
    assert load(inventory).hosts["p-ops"].variables["base_capabilities"]["sysctl"] is False


def test_state_and_keys_elsewhere(inventory: Path, tmp_path: Path) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    text = text.replace("# state_dir: .state", f"state_dir: {tmp_path}/state").replace(
        "# key_file: ~/.ssh/yiwang", "key_file: ~/.ssh/yiwang"
    )
    text = text.replace("generate: true", "command: [/bin/echo, from the key system]")
    (inventory / "province.yml").write_text(text, encoding="utf-8")
    province = load(inventory)
    assert province.state_dir == tmp_path / "state"
    assert province.access.key_file == Path.home() / ".ssh" / "yiwang"
    assert province.passphrase() == "from the key system"


def test_a_directory_that_is_not_there_is_named_itself(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as raised:
        load(tmp_path / "none")
    assert raised.value.report().startswith(f"{tmp_path}/none: ")
