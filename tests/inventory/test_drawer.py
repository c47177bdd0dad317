"""A new component brings its own drawer: where it may be placed, what it needs, which paths it requires, what its variables may hold."""

from __future__ import annotations

import shutil
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path

import pytest
import yaml

from yiwang import paths
from yiwang.commands import _lab
from yiwang.components import firewall
from yiwang.inventory import InventoryError, drawer, load, model, rolevars
from yiwang.preflight import needs
from yiwang.preflight.model import Port

EXAMPLE = paths.data("inventories") / "example"
COMPONENT = """
placements: [servers]
groups: [data]
needs:
  - ports: [{number: 5432, protocol: tcp, owners: [postgres]}, {number: 2379, protocol: tcp, owners: [etcd]}]
    disk: {/var: 20G, /srv: 5G}
    memory: 4G
  - when: {storage_objects: true}
    ports: [{number: 8333, protocol: tcp}]
paths:
  - {from: data, to: data, protocol: tcp, ports: [2379, 2380, 8008], purpose: {zh: 数据库集群, en: peers of the database}}
  - {from: core, to: data, protocol: tcp, ports: [5432], purpose: {zh: 数据库, en: database}}
values:
  storage_connections: [10, 1000]
"""
SPECS = """
argument_specs:
  main:
    options:
      storage_connections: {type: int, default: 100}
      storage_objects: {type: bool, default: false}
"""


@pytest.fixture
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The roles of this release and, beside them, nothing but the drawer of another one."""
    trees = tmp_path / "trees"
    shutil.copytree(paths.data("roles") / "base", trees / "roles" / "base")
    meta = trees / "roles" / "storage" / "meta"
    meta.mkdir(parents=True)
    (meta / "component.yml").write_text(COMPONENT, encoding="utf-8")
    (meta / "argument_specs.yml").write_text(SPECS, encoding="utf-8")
    data = paths.data
    monkeypatch.setattr(paths, "data", lambda tree: trees / tree if tree == "roles" else data(tree))
    return trees / "roles"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example, with nothing placed but what is everywhere."""
    directory = Path(shutil.copytree(EXAMPLE, tmp_path / "example"))
    facts = yaml.safe_load((directory / "province.yml").read_text(encoding="utf-8"))
    for site in facts["sites"].values():
        site.pop("placement", None)
    (directory / "province.yml").write_text(yaml.safe_dump(facts, allow_unicode=True), encoding="utf-8")
    return directory


def place(directory: Path, *sites: str) -> None:
    """Put storage on the servers of ``sites``."""
    file = directory / "province.yml"
    facts = yaml.safe_load(file.read_text(encoding="utf-8"))
    for site in sites:
        facts["sites"][site]["placement"] = {"storage": "servers"}
    file.write_text(yaml.safe_dump(facts, allow_unicode=True), encoding="utf-8")


@pytest.fixture
def placed(roles: Path, example: Path) -> model.Province:
    """Storage on the servers of the province and of Jinan, and of no other city."""
    assert roles.is_dir()
    place(example, "province", "jinan")
    return load(example)


def opened(province: model.Province, host: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What the components open on a host, in and out, over IPv4, by purpose."""
    sides = firewall.rules(province, province.hosts[host])
    purposes = {path.purpose.en for required in province.component_paths.values() for path in required}
    incoming, outgoing = (
        {rule["purpose"]: rule["addresses"] for rule in rules if rule["family"] == "ip" and rule["purpose"] in purposes} for rules in sides
    )
    return incoming, outgoing


def test_the_firewall_opens_what_a_component_requires_within_each_site_where_it_is_placed(placed: model.Province) -> None:
    data, core = ["198.51.100.21", "198.51.100.22/31"], ["198.51.100.11", "198.51.100.12"]
    assert opened(placed, "p-data-2") == ({"peers of the database": data, "database": core}, {"peers of the database": data})
    assert opened(placed, "p-core-1") == ({}, {"database": data})
    own = ["198.51.100.130"]
    assert opened(placed, "c-jinan") == ({"peers of the database": own, "database": own},) * 2
    for nothing in ("p-edge-1", "c-heze"):
        assert opened(placed, nothing) == ({}, {})


def test_a_new_city_changes_nothing_in_the_sites_beside_it(placed: model.Province, example: Path) -> None:
    before = {name: firewall.rules(placed, host) for name, host in placed.hosts.items()}
    place(example, "heze")
    after = load(example)
    assert [name for name, host in after.hosts.items() if firewall.rules(after, host) != before[name]] == ["c-heze"]


def test_the_labs_router_lets_it_through(placed: model.Province, tmp_path: Path) -> None:
    operators = ((IPv4Network("203.0.113.8/29"),), (IPv6Network("2001:db8:0:30::8/125"),))
    access = replace(placed.access, key_file=tmp_path / "key", operators=operators)
    ways = [path for path in _lab.spec_of(replace(placed, access=access)).paths if path.ports == (5432,)]
    assert len(ways) == 2
    assert {IPv4Address("198.51.100.11"), IPv4Address("198.51.100.12")} < {network.network_address for network in ways[0].sources}
    assert not any(IPv4Address("198.51.100.130") in network for network in ways[0].targets if network.version == 4)


def test_preflight_asks_for_what_it_needs_where_it_is(placed: model.Province) -> None:
    province, jinan, heze = (placed.sites[name] for name in ("province", "jinan", "heze"))
    found = needs.of(placed, province, placed.hosts["p-data-1"])
    assert Port(5432, "tcp", frozenset({"postgres"})) in found.ports
    assert not any(port.number == 8333 for port in found.ports)
    assert found.disk == {"/": 512 << 20, "/var": (3 << 29) + (20 << 30), "/srv": 5 << 30}
    assert found.memory == 5 << 30
    assert needs.of(placed, jinan, jinan.hosts[0]).memory == 5 << 30
    for site, host in ((province, placed.hosts["p-core-1"]), (heze, heze.hosts[0])):
        assert needs.of(placed, site, host).memory == 1 << 30
    with_objects = replace(placed.hosts["p-data-1"], variables={"storage_objects": True})
    assert any(port.number == 8333 for port in needs.of(placed, province, with_objects).ports)


def test_what_its_variables_hold_is_checked(roles: Path, example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert roles.is_dir()
    monkeypatch.setenv("YIWANG_LANG", "en")
    with (example / "group_vars" / "all.yml").open("a", encoding="utf-8") as file:
        file.write("storage_connections: 5\n")
    with pytest.raises(InventoryError) as raised:
        load(example)
    assert "storage_connections: 5: expected a number from 10 to 1000" in raised.value.report()


@pytest.mark.parametrize(("section", "new"), [("zones", {"ipv4": "192.0.2.0/24", "ipv6": "2001:db8:9::/64"}), ("sites", {"stack": "city"})])
def test_a_group_that_a_component_opens_cannot_mean_something_else(roles: Path, example: Path, section: str, new: dict[str, str]) -> None:
    assert roles.is_dir()
    facts = yaml.safe_load((example / "province.yml").read_text(encoding="utf-8"))
    facts[section]["data"] = new
    (example / "province.yml").write_text(yaml.safe_dump(facts, allow_unicode=True), encoding="utf-8")
    with pytest.raises(InventoryError) as raised:
        load(example)
    assert any(finding.key == (section, "data") and "means nothing else" in finding.expected for finding in raised.value.findings)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("20G", "20 gigabytes"),
        ("[10, 1000]", "often"),
        ("from: core", "from: any@cities"),
        ("groups: [data]", "group: [data]"),
        ("[servers]", "[clouds]"),
    ],
)
def test_a_drawer_that_is_wrong_is_refused(roles: Path, old: str, new: str) -> None:
    file = roles / "storage" / "meta" / "component.yml"
    file.write_text(COMPONENT.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=r"Drawer"):
        drawer.drawers()


# --- The drawers of this release -------------------------------------------------------------------------------------


def test_every_role_has_a_drawer_and_every_drawer_is_a_component() -> None:
    roles = sorted(path.name for path in paths.data("roles").iterdir() if path.is_dir())
    assert sorted(drawer.drawers()) == roles
    assert set(roles) <= set(model.COMPONENTS)


def test_a_drawer_speaks_of_its_own_variables_alone() -> None:
    known = rolevars.options()
    for noun, each in drawer.drawers().items():
        named = {*each.values, *each.names, *(variable for need in each.needs for variable in need.when)}
        assert all(name.startswith(f"{noun}_") and name in known for name in named), noun
