"""What storage needs for the data that is expected: exact sums, and factors that hold for the role and stand in its README."""

from __future__ import annotations

import ast
import dataclasses
import re

import pytest
from storage.sizing_case import GIB, MIB, README, ROLE, SITE, sizes

from yiwang.preflight import expected, formula


def value(text: str) -> float:
    """What a formula comes to, in bytes."""
    numbers = re.sub(r"\d+ %", lambda found: f"{found[0][:-2]} / 100", text).replace("×", "*")
    for unit, size in (("GiB", GIB), ("MiB", MIB), ("KiB", 1 << 10)):
        numbers = re.sub(rf"([\d.]+) {unit}", rf"(\1 * {size})", numbers)
    assert re.fullmatch(r"[\d.+*/() ]+", numbers)
    return float(eval(numbers))  # noqa: S307 - digits and signs alone


def test_a_host_with_all_the_data() -> None:
    found = formula.data_disk(SITE, 1, 4 * GIB, 2)
    assert sizes(found) == {
        "databases": 20 * GIB,
        "beside": 24 * GIB,
        "log": 8 * GIB,
        "objects": 200 * GIB,
        "versions": 30 * GIB,
        "garbage": round(34.5 * GIB),
    }
    assert formula.needed(found, 0) == round(316.5 * GIB)
    assert formula.needed(found, 15) == -(-round(316.5 * GIB) * 100 // 85)


def test_of_three_hosts_two_can_hold_all_copies() -> None:
    """Two copies, and the hosts that are left take over those of one that is away."""
    several, alone = (sizes(formula.data_disk(SITE, hosts, 4 * GIB, 2)) for hosts in (3, 1))
    assert several == alone
    assert "200 GiB × 2 / 2" in [term.formula for term in formula.data_disk(SITE, 3, GIB, 2)]


def test_the_host_of_the_backups() -> None:
    found = formula.backup_disk([SITE])
    kept = {
        "full_backups": 70 * GIB,  # 30 days, 7 that nothing is deleted, 7 until the next one: 44 days, each seventh
        "increments": round(20 * GIB / 6 * 0.5 * 37),
        "log": round(20 * GIB / 30 * 3 * 0.5 * 44),
        "early_log": 2880 * (32 << 10) * 44,
        "objects": 200 * GIB,
        "versions": 30 * GIB,
    }
    assert sizes(found) == {**kept, "garbage": round(sum(kept.values()) * 0.15)}
    assert {term.site for term in found} == {"province", ""}


def test_a_full_backup_each_day_leaves_no_increments_and_a_change_of_everything_is_no_more_than_everything() -> None:
    daily = sizes(formula.backup_disk([dataclasses.replace(SITE, full_days=1)]))
    assert "increments" not in daily
    assert daily["full_backups"] == 38 * 10 * GIB
    much = sizes(formula.backup_disk([dataclasses.replace(SITE, databases_change=3000)]))
    assert much["increments"] == 10 * GIB * 37


def test_objects_alone_and_databases_alone() -> None:
    objects, databases = dataclasses.replace(SITE, databases=0), dataclasses.replace(SITE, objects=0)
    assert set(sizes(formula.backup_disk([objects]))) == {"objects", "versions", "garbage"}
    assert set(sizes(formula.data_disk(databases, 1, GIB, 2))) == {"databases", "beside", "log"}


def test_memory_of_a_busy_hour() -> None:
    found = formula.data_memory(expected.settings(16 * GIB, 200), 200)
    assert sizes(found) == {"etcd": 256 * MIB, "shared_buffers": 4 * GIB, "connections": 4800 * MIB, "maintenance": 2 * GIB}


def test_every_formula_comes_to_its_size() -> None:
    sums = (formula.data_disk(SITE, 3, 4 * GIB, 2), formula.backup_disk([SITE]), formula.data_memory(expected.settings(16 * GIB, 200), 200))
    for term in (term for terms in sums for term in terms):
        assert value(term.formula) == pytest.approx(term.bytes, rel=0.001), term


def test_the_settings_are_those_of_the_roles_formula() -> None:
    found = expected.settings(8 * GIB, 100)
    assert (found["shared_buffers"], found["max_wal_size"]) == (2 * GIB, 2 * GIB)
    assert "max_parallel_workers" not in found


def test_factors_that_the_role_has_too_are_the_same() -> None:
    module = ast.parse((ROLE / "files/recovery/databases.py").read_text(encoding="utf-8"))
    assigned = {
        node.targets[0].id: node.value for node in module.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["ROOM"]) == formula.COPY_BESIDE
    unit = (ROLE / "templates/etc/systemd/system/yiwang-objects.service.j2").read_text(encoding="utf-8")
    among, alone = re.findall(r"defaultReplication=\{\{ '(\d+)' if .* > 1 else '(\d+)' \}\}", unit)[0]
    assert (1 + sum(map(int, among)), 1 + sum(map(int, alone))) == (formula.COPIES, 1)
    assert "garbageThreshold" not in unit
    settings = (ROLE / "templates/etc/yiwang/storage/pgbackrest.conf.j2").read_text(encoding="utf-8")
    assert "repo1-retention-full-type=time" in settings
    assert "repo1-block" not in settings, "increments hold blocks then, not whole files"


def test_the_readme_has_every_factor() -> None:
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", README, re.MULTILINE))
    factors = {name: getattr(formula, name) for name in told}
    assert {name: text for name, text in told.items() if text != str(factors[name]) and text != formula.text(factors[name])} == {}
    assert set(told) == {name for name in vars(formula) if name.isupper()} - {
        "MONTH",
        "DAY_SECONDS",
        "DATABASES_KEPT_DAYS",
        "OBJECTS_KEPT_DAYS",
    }
