"""The component in the programs of the sites: which hosts, which databases, who may sign in from where."""

from __future__ import annotations

import dataclasses
import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml

from yiwang import delivery, inventory, paths
from yiwang.components import databases, storage
from yiwang.inventory import InventoryError
from yiwang.inventory.model import Province, Site

LAB = paths.data("inventories") / "lab"


@pytest.fixture(scope="module")
def lab_province() -> Province:
    return inventory.load(LAB)


def with_variables(site: Site, **variables: object) -> Site:
    """The site with role variables on all its hosts."""
    return dataclasses.replace(
        site, hosts=tuple(dataclasses.replace(host, variables={**host.variables, **variables}) for host in site.hosts)
    )


def test_members_are_the_hosts_that_the_drawer_names(lab_province: Province) -> None:
    assert [host.name for host in databases.members(lab_province.sites["province"])] == ["p-data"]
    assert [host.name for host in databases.members(lab_province.sites["jinan"])] == ["c-jinan"]
    example = inventory.load(paths.data("inventories") / "example")
    assert [host.name for host in databases.members(example.sites["province"])] == ["p-data-1", "p-data-2", "p-data-3"]


def test_the_lab_that_fails_over_is_the_lab_with_more_hosts(lab_province: Province) -> None:
    more = inventory.load(paths.data("inventories") / "lab-ha")
    assert [host.name for host in databases.members(more.sites["province"])] == ["p-data", "p-data-2", "p-data-3"]
    added = {"p-edge-2", "p-core-2", "p-data-2", "p-data-3"}
    assert set(more.hosts) == set(lab_province.hosts) | added
    assert {name: host for name, host in more.hosts.items() if name not in added} == dict(lab_province.hosts)
    assert (more.zones, more.paths, more.domain) == (lab_province.zones, lab_province.paths, lab_province.domain)


def test_variables_name_the_members_and_those_who_may_sign_in(lab_province: Province) -> None:
    assert storage.common_variables(lab_province, lab_province.sites["province"]) == {
        "storage_members": [
            {"name": "p-data", "host": "p-data.sd.zwfw.example", "addresses": ["10.77.20.12/32", "fd77:0:0:20::12/128"]},
        ],
        "storage_clients": ["10.77.20.11/32", "fd77:0:0:20::11/128"],
        "storage_digest": delivery.digest("storage", own=False),
    }


def test_a_host_without_ipv6_has_one_address(lab_province: Province) -> None:
    site = lab_province.sites["jinan"]
    bare = dataclasses.replace(site, hosts=(dataclasses.replace(site.hosts[0], ipv4=IPv4Address("10.77.20.29"), ipv6=None),))
    (member,) = storage.common_variables(lab_province, bare)["storage_members"]
    assert member["addresses"] == ["10.77.20.29/32"]


def test_databases_are_those_of_the_placed_components_and_of_the_inventory(lab_province: Province) -> None:
    site = lab_province.sites["province"]
    assert databases.databases(site) == {}
    listed = with_variables(site, storage_databases=["minutes", "archive"], storage_database_connections=7)
    assert list(databases.databases(listed).items()) == [("archive", 7), ("minutes", 7)]
    placed = dataclasses.replace(listed, placement={**site.placement, "identity": "servers", "portal": "tenant", "exchange": "external"})
    assert databases.databases(placed) == {"archive": 7, "identity": 7, "minutes": 7}


def test_every_component_of_the_table_is_one() -> None:
    names = [each.database for several in databases.CONSUMERS.values() for each in several]
    assert len(names) == len(set(names))
    assert set(databases.CONSUMERS) <= set(inventory.model.COMPONENTS) - {"base", "storage"}


def test_a_release_of_the_kit_alone_does_not_touch_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = delivery.digest("storage", own=False)
    monkeypatch.setattr("yiwang.delivery.wheel.source_digest", lambda: "another")
    assert delivery.digest("storage", own=False) == before
    assert delivery.digest("storage") != before


@pytest.mark.parametrize(
    ("hosts", "refused"), [(["p-data"], False), (["p-data", "p-core"], True), ([], True), (["p-data", "p-core", "p-edge"], False)]
)
def test_one_member_or_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: list[str], *, refused: bool) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    for file in LAB.rglob("*.yml"):
        if ".state" not in file.parts:
            target = tmp_path / file.relative_to(LAB)
            target.parent.mkdir(exist_ok=True)
            target.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    written = yaml.safe_load((tmp_path / "hosts.yml").read_text(encoding="utf-8"))
    others = [name for name in written["all"]["children"]["data"]["hosts"] if not name.startswith("p-")]
    written["all"]["children"]["data"]["hosts"] = dict.fromkeys([*hosts, *others])
    (tmp_path / "hosts.yml").write_text(json.dumps(written), encoding="utf-8")
    if not refused:
        assert len(databases.members(inventory.load(tmp_path).sites["province"])) == len(hosts)
        return
    with pytest.raises(InventoryError) as raised:
        inventory.load(tmp_path)
    (finding,) = raised.value.findings
    assert finding.key == ("sites", "province", "placement", "storage")
    assert "as one of 1, 3" in finding.expected
    assert "province" in finding.fix


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("storage_databases: [Archive]", "expected the name of a database"),
        ("storage_databases: [postgres]", "expected the name of a database"),
        ("storage_databases: [a__b]", "expected the name of a database"),
        ("storage_memory: lots", "expected a size of memory"),
        ("storage_directory: data", "expected the absolute path of a directory"),
        ("storage_directory: /srv", "expected the absolute path of a directory"),
        ("storage_connections: 5", "expected a number from 20 to 5000"),
        ("storage_passwords: {archive: word}", "expected no secret in an inventory"),
        ("storage_logins: []", "yiwang sets this variable itself"),
    ],
)
def test_what_the_variables_hold_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    for name in ("province.yml", "hosts.yml"):
        (tmp_path / name).write_text((LAB / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "data.yml").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(InventoryError) as raised:
        inventory.load(tmp_path)
    assert said in raised.value.report()
