from __future__ import annotations

from pathlib import Path

import pytest

from yiwang import inventory
from yiwang.deployment.selection import select
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province, Site
from yiwang.paths import data


@pytest.fixture(scope="module")
def province() -> Province:
    return inventory.load(data("inventories") / "lab")


def names(waves: list[list[Site]]) -> list[list[str]]:
    return [[site.name for site in wave] for wave in waves]


def test_cities_wait_for_the_province_and_run_side_by_side(province: Province) -> None:
    assert names(select(province).waves()) == [["national", "province"], ["jinan", "qingdao"]]


def test_a_city_alone_is_one_wave(province: Province) -> None:
    assert names(select(province, ["qingdao"]).waves()) == [["qingdao"]]


def test_a_host_selects_its_site_and_limits_the_run(province: Province) -> None:
    selection = select(province, hosts=["p-core"])
    assert [site.name for site in selection.sites] == ["province"]
    assert selection.hosts == ("p-core",)


@pytest.mark.parametrize(
    ("sites", "hosts", "expected"),
    [
        (["jinang"], [], "did you mean jinan?"),
        (["xyz"], [], "known: national, province, jinan, qingdao"),
        ([], ["p-cor"], "did you mean p-core?"),
        (["jinan"], ["p-core"], "use --site province"),
    ],
)
def test_a_wrong_name_is_refused_with_the_fix(
    province: Province, sites: list[str], hosts: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    with pytest.raises(UserError) as refusal:
        select(province, sites, hosts)
    assert refusal.value.code is ExitCode.INPUT
    assert expected in refusal.value.report()
    assert "\n" not in refusal.value.report()


def test_no_selection_is_every_site(province: Province) -> None:
    assert [site.name for site in select(province).sites] == list(province.sites)


def test_the_lab_inventory_lies_in_the_repository() -> None:
    assert (Path(data("inventories")) / "lab" / "hosts.yml").is_file()
