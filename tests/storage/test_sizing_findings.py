"""What the inventory says of the data that is expected, what preflight makes of it, and what the probe measures."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from storage.sizing_case import DIRECTORY, GIB, GIVEN, MIB, README, SITE, asked, expecting, seen, sized, sizes

from yiwang import inventory, paths
from yiwang.commands import preflight as command
from yiwang.components import storage
from yiwang.inventory.model import Province
from yiwang.output import plain
from yiwang.preflight import probe


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")


@pytest.fixture(scope="module")
def lab() -> Province:
    return inventory.load(paths.data("inventories") / "lab")


@pytest.fixture
def full(lab: Province) -> Province:
    return expecting(lab, {"province": GIVEN})


def test_a_host_without_storage_is_not_asked(lab: Province) -> None:
    assert asked(lab, "p-edge").storage is None


def test_a_data_host_knows_its_own_site_and_the_backup_host_all_that_go_there(lab: Province) -> None:
    province = expecting(lab, {"province": GIVEN, "jinan": {"storage_expected_objects": "2T", "storage_backup_days": 10}})
    data, backup = asked(province, "p-data").storage, asked(province, "p-ops").storage
    assert data is not None
    assert backup is not None
    assert (data.data, data.base, data.programs, data.store_memory) == (True, 3 * GIB, {"/": 512 * MIB, "/opt": 512 * MIB}, 512 * MIB)
    assert data.sites == (SITE,)
    assert (backup.data, backup.base, backup.programs) == (False, GIB, {"/opt": 512 * MIB})
    assert {site.site: (site.databases, site.objects, site.backup_days) for site in backup.sites} == {
        "province": (20 * GIB, 200 * GIB, 30),
        "jinan": (0, 2048 * GIB, 10),
        "qingdao": (0, 0, 30),
    }


def test_hosts_that_say_different_things_hold_the_most() -> None:
    province = inventory.load(paths.data("inventories") / "lab-ha")
    site = province.sites["province"]
    hosts = (
        dataclasses.replace(host, variables={**host.variables, "storage_expected_databases": f"{len(host.name)}G"}) for host in site.hosts
    )
    province = dataclasses.replace(province, sites={**province.sites, "province": dataclasses.replace(site, hosts=tuple(hosts))})
    found = asked(province, "p-data").storage
    assert found is not None
    assert (found.hosts, found.sites[0].databases) == (3, len("p-data-2") * GIB)


def test_what_is_expected_changes_nothing_on_the_hosts(full: Province) -> None:
    host = next(host for host in full.sites["province"].hosts if host.name == "p-data")
    assert "storage_expected_databases" in host.variables
    base = SimpleNamespace(certificates={"p-data": SimpleNamespace(fingerprint="f")})
    told = storage._host(host, cast("Any", base))["variables"]
    assert [name for name in told if "expected" in name] == []
    assert "storage_memory" in told


def test_nothing_expected_is_said_and_no_failure(lab: Province) -> None:
    for host in ("p-data", "p-ops"):
        (found,) = sized(seen(asked(lab, host)))
        assert (found.verdict, found.sizing) == ("skip", None)
        assert "only the base need was checked" in found.text


def test_what_suffices_shows_its_numbers_too(full: Province) -> None:
    disk, memory = sized(seen(asked(full, "p-data")))
    assert (disk.verdict, memory.verdict) == ("ok", "ok")
    assert disk.sizing is not None
    assert disk.sizing.needed == -(-(round(319.5 * GIB) + 20 * GIB) * 100 // 85)
    assert disk.sizing.needed == -(-sum(term.bytes for term in disk.sizing.terms) * 100 // 85)
    assert disk.text in command._text([disk], Counter({"ok": 1}), 1)


@pytest.mark.parametrize(("more", "verdict"), [(0, "ok"), (-1, "fail")])
def test_a_byte_too_little_fails(full: Province, more: int, verdict: str) -> None:
    need = -(-round(319.5 * GIB) * 100 // 85) + more
    found = sized(seen(asked(full, "p-data"), **{f"file_system {DIRECTORY}": f"{need} {need} /var"}))[0]
    assert (found.verdict, bool(found.fix)) == (verdict, verdict == "fail")


def test_what_is_stored_already_is_counted_once(full: Province) -> None:
    empty, running = (
        sized(
            seen(
                asked(full, "p-data"),
                **{f"file_system {DIRECTORY}": f"{400 * GIB} {free * GIB} /var", f"stored {DIRECTORY}": f"{used * GIB}"},
            )
        )[0]
        for free, used in ((399, 0), (99, 300))
    )
    assert empty.sizing is not None
    assert running.sizing is not None
    assert empty.verdict == running.verdict == "ok"
    assert empty.sizing.needed == running.sizing.needed


def test_what_could_not_be_measured_is_a_warning_where_it_decides(full: Province) -> None:
    facts = {f"file_system {DIRECTORY}": f"{400 * GIB} {99 * GIB} /var", f"stored {DIRECTORY}": ""}
    found = sized(seen(asked(full, "p-data"), **facts))[0]
    assert (found.verdict, "du -sh" in found.fix) == ("warn", True)
    small = {f"file_system {DIRECTORY}": f"{300 * GIB} {99 * GIB} /var", f"stored {DIRECTORY}": ""}
    assert sized(seen(asked(full, "p-data"), **small))[0].verdict == "fail"


def test_programs_count_where_they_will_lie_on_the_same_file_system(full: Province) -> None:
    one = {f"file_system {DIRECTORY}": f"{500 * GIB} {500 * GIB} /", "room /": f"{500 * GIB} /", "room /opt": f"{500 * GIB} /"}
    names = [sizes(found.sizing.terms) for found in sized(seen(asked(full, "p-data"), **one)) if found.sizing]
    assert names[0]["programs"] == GIB
    there = [
        sizes(found.sizing.terms) for found in sized(seen(asked(full, "p-data"), **one, **{"environment storage": "there"})) if found.sizing
    ]
    assert "programs" not in there[0]


def test_too_little_memory_fails_and_says_what_helps(full: Province) -> None:
    found = sized(seen(asked(full, "p-data"), memory_total=str(4 * GIB)))[1]
    assert found.verdict == "fail"
    assert "storage_connections" in found.fix
    backup = sized(seen(asked(full, "p-ops"), memory_total=str(GIB)))[1]
    assert (backup.verdict, "storage_connections" in backup.fix) == ("fail", False)


def test_several_sites_have_a_line_each_and_who_says_nothing_is_named(lab: Province) -> None:
    province = expecting(lab, {"province": GIVEN, "jinan": GIVEN})
    disk = sized(seen(asked(province, "p-ops"), "p-ops"))[0]
    assert disk.sizing is not None
    assert disk.verdict == "fail"
    assert "province 409.5 GiB + jinan 409.5 GiB" in disk.sizing.formula
    assert [line.partition(" ")[0] for line in disk.sizing.details[:2]] == ["province", "jinan"]
    assert disk.sizing.details[2].endswith(": qingdao")
    shown = command._text([disk], Counter({"fail": 1}), 1)
    assert all(line in shown for line in disk.sizing.details)


def test_as_json_the_terms_are_numbers(full: Province) -> None:
    found = json.loads(json.dumps(plain(sized(seen(asked(full, "p-data")))[0])))["sizing"]
    assert {"name": "beside", "bytes": 24 * GIB, "formula": "20 GiB × 1.2", "site": ""} in found["terms"]
    assert (found["resource"], found["place"], found["has"], found["free_percent"]) == ("disk", "/var", 500 * GIB, 15)


def test_in_chinese(full: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    for found in sized(seen(asked(full, "p-data"))):
        assert "需要" in found.text
        assert "preflight." not in found.text


def test_the_readmes_example_is_what_preflight_says(full: Province) -> None:
    example = README[README.index("### For the data that is expected") :]
    for host in ("p-data", "p-ops"):
        facts = {f"file_system {DIRECTORY}": f"{600 * GIB} {600 * GIB} /var"}
        for finding in sized(seen(asked(full, host), host, **facts)):
            line = f"{finding.verdict} province {host} sizing: {finding.text}"
            assert line in " ".join(example.split()), line


@pytest.fixture
def looked(tmp_path: Path, full: Province) -> Callable[[Path], dict[str, str]]:
    """The probe's lines about a directory of this machine, which it asks neither for packages nor for a password."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in (("sudo", 'shift; exec "$@"'), ("apt-get", "exit 1"), ("ss", "exit 0")):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / name).chmod(0o755)

    def look(directory: Path) -> dict[str, str]:
        wanted = asked(full, "p-data")
        assert wanted.storage is not None
        wanted = dataclasses.replace(wanted, storage=dataclasses.replace(wanted.storage, directory=str(directory)), environments={})
        script = probe._variables(wanted) + probe._SCRIPT.read_text(encoding="utf-8")
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=True, env=environment)
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    return look


def test_the_probe_measures_the_file_system_and_what_is_stored(looked: Callable[[Path], dict[str, str]], tmp_path: Path) -> None:
    directory = tmp_path / "data"
    absent = looked(directory)
    size, free, mounted = absent[f"file_system {directory}"].split(" ", 2)
    assert int(size) >= int(free) > 0
    assert tmp_path.is_relative_to(mounted)
    assert absent[f"stored {directory}"] == "0"
    directory.mkdir()
    (directory / "objects").write_bytes(os.urandom(3 * MIB))
    assert 3 * MIB <= int(looked(directory)[f"stored {directory}"]) < 4 * MIB
