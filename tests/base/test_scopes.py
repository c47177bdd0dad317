"""Whose hosts a path concerns: a city is open to itself and to whom a path names, and a new one is nobody else's business."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path

import pytest
import yaml

from yiwang import inventory
from yiwang.components import firewall
from yiwang.inventory import model

EXAMPLE = Path(__file__).parent.parent.parent / "inventories" / "example"


@pytest.fixture(scope="module")
def example() -> model.Province:
    """What the inventory itself says, without what its components require."""
    return dataclasses.replace(inventory.load(EXAMPLE), component_paths={})


def with_new_city(province: model.Province) -> model.Province:
    """A city more, with a host that is in every group, at addresses of the extranet that nobody has."""
    host = model.Host(
        "c-new", "new", "extranet", ("core", "data", "edge", "new"), IPv4Address("198.51.100.99"), IPv6Address("2001:db8:0:20::99"), 22, {}
    )
    city = dataclasses.replace(province.sites["heze"], name="new", code="371800", hosts=(host,), domain="new.sd.zwfw.example")
    return dataclasses.replace(province, sites={**province.sites, "new": city})


def changed(province: model.Province) -> set[str]:
    """The hosts whose rules another city changes."""
    after = with_new_city(province)
    return {name for name, host in province.hosts.items() if firewall.rules(province, host) != firewall.rules(after, host)}


def way(source: str, target: str, *ports: int) -> model.Path:
    return model.Path(tuple(source.split()), tuple(target.split()), "tcp", ports or (5432,), model.Name("用途", "purpose"))


def admitted(province: model.Province, host: str) -> set[str]:
    """The hosts from which ``host`` lets TCP to port 5432 in and that let it out, over IPv4."""
    found = set()
    rules = {name: firewall.rules(province, each) for name, each in province.hosts.items()}
    for name, other in province.hosts.items():
        ends = ((rules[host][0], other.ipv4), (rules[name][1], province.hosts[host].ipv4))
        opened = [
            any(
                rule["ports"] == ["5432"] and any(address in IPv4Network(network) for network in rule["addresses"])
                for rule in listed
                if rule["family"] == "ip"
            )
            for listed, address in ends
        ]
        assert opened[0] == opened[1] or name == host, f"{name} and {host} differ"
        if all(opened) and name != host:
            found.add(name)
    return found


CORE, DATA = {"p-core-1", "p-core-2"}, {"p-data-1", "p-data-2", "p-data-3"}


def test_groups_alone_open_each_site_to_itself(example: model.Province) -> None:
    province = dataclasses.replace(example, paths=(way("core", "data"),))
    assert admitted(province, "c-jinan") == set()
    assert admitted(province, "p-data-2") == CORE
    assert changed(province) == set()


def test_peers_of_a_group_reach_one_another_within_their_site(example: model.Province) -> None:
    province = dataclasses.replace(example, paths=(way("data", "data"),))
    assert admitted(province, "p-data-1") == DATA - {"p-data-1"}
    assert admitted(province, "c-heze") == set()


def test_the_cities_reach_the_hub_and_not_one_another(example: model.Province) -> None:
    province = dataclasses.replace(example, paths=(way("core@cities", "core@province"),))
    cities = {host.name for site in province.sites.values() if site.stack == "city" for host in site.hosts}
    assert admitted(province, "p-core-1") == cities
    assert admitted(province, "c-jinan") == set()
    assert changed(province) == CORE


def test_one_city_may_be_named(example: model.Province) -> None:
    province = dataclasses.replace(example, paths=(way("core@jinan", "data@province"),))
    assert admitted(province, "p-data-3") == {"c-jinan"}
    assert changed(province) == set()


def test_a_new_city_of_the_example_changes_only_the_hub() -> None:
    # Where its backups go as well.
    assert changed(inventory.load(EXAMPLE)) == {*CORE, "p-ops"}


ENDS = ["core", "data", "edge", "core@province", "data@cities", "core@jinan", "edge@any", "ops@province", "zibo", "operators", "world"]
ENDS += ["internet", "management", "core@cities data@province", "core edge"]


@pytest.fixture
def loading(tmp_path: Path) -> Callable[[str, str], model.Province]:
    """Loads the example with one path alone, whatever it may say."""
    facts = yaml.safe_load((EXAMPLE / "province.yml").read_text(encoding="utf-8"))
    for name in ("hosts.yml", "group_vars"):
        (tmp_path / name).symlink_to(EXAMPLE / name)

    def load(source: str, target: str) -> model.Province:
        purpose = {"zh": "用途", "en": "purpose"}
        path = {"from": source.split(), "to": target.split(), "protocol": "tcp", "ports": [5432], "purpose": purpose}
        (tmp_path / "province.yml").write_text(yaml.safe_dump({**facts, "paths": [path]}, allow_unicode=True), encoding="utf-8")
        return inventory.load(tmp_path)

    return load


def test_no_path_that_is_accepted_makes_a_new_city_the_business_of_another(loading: Callable[[str, str], model.Province]) -> None:
    """But for one that names a zone with cities in it: that is open to whoever is in there, and says so."""
    accepted = 0
    for source, target in itertools.product(ENDS, ENDS):
        try:
            province = loading(source, target)
        except inventory.InventoryError:
            continue
        accepted += 1
        others = {host for host in changed(province) if province.sites[province.hosts[host].site].stack == "city"}
        named = {host.name for site in ("jinan", "zibo") for host in province.sites[site].hosts}
        assert others <= (named if {source, target} & {"core@jinan", "zibo"} else set()), f"{source} to {target}"
    assert accepted > 50
