"""The databases on the lab's servers: who gets in, what they can do, what survives."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from storage.live_case import OLDER, databases, journal, on_server, psql, wait_for
from tests_support import Yiwang

pytestmark = pytest.mark.lab

NAMES = ("archive", "minutes")
VARIABLES = "group_vars/data.yml"


@pytest.fixture(scope="module")
def storage(lab: Yiwang) -> Iterator[Yiwang]:
    """The lab with two databases at each site."""
    file = lab.inventory / VARIABLES
    file.write_text(f"storage_databases: [{', '.join(NAMES)}]\nstorage_former_login_seconds: 30\n")
    lab("up", "--site", "province", "--yes")
    yield lab
    file.unlink()
    lab("up", "--site", "province", "--yes")


def test_a_component_signs_in_to_its_own_database_from_the_core(storage: Yiwang) -> None:
    for found in databases(storage).values():
        ok, said = psql(storage, "p-core", found["url"], found["password"], "select current_user;\n\\conninfo")
        assert ok, said + journal(storage)
        assert said.splitlines()[0] == urlsplit(found["url"]).path[1:]
        assert "SSL connection (protocol: TLSv1.3" in said


def test_nobody_else_gets_in(storage: Yiwang) -> None:
    found = databases(storage)
    archive, password = found["archive"], found["archive"]["password"]
    for host, url, word, expected in [
        ("p-core", archive["url"].replace("sslmode=verify-full", "sslmode=disable"), password, "no pg_hba.conf entry"),
        ("p-core", archive["url"], "wrong", "password authentication failed"),
        ("p-core", archive["url"].replace("/archive?", "/minutes?"), password, "no pg_hba.conf entry"),
        ("p-core", archive["url"].replace("/archive?", "/postgres?"), password, "no pg_hba.conf entry"),
        ("p-core", archive["url"].replace(archive["login"], "postgres"), password, "no pg_hba.conf entry"),
        ("p-core", archive["url"].replace(archive["login"], "archive"), password, "password authentication failed"),
        ("p-core", archive["url"].replace("p-data.sd.zwfw.example", "p-data"), password, "does not match host name"),
        ("p-edge", archive["url"], password, "timeout"),
        ("p-ops", archive["url"], password, "timeout"),
    ]:
        ok, said = psql(storage, host, url, word, "select 1")
        assert not ok, (host, url)
        assert expected in said, (host, url, said)


def test_a_login_owns_its_database_and_nothing_more(storage: Yiwang) -> None:
    found = databases(storage)["archive"]

    def says(statement: str) -> tuple[bool, str]:
        return psql(storage, "p-core", found["url"], found["password"], statement)

    assert says("create table mine (name text); select tableowner from pg_tables where tablename = 'mine'; drop table mine") == (
        True,
        "archive",
    )
    for statement in (
        "create role another",
        "create database another",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'id'",
    ):
        ok, said = says(statement)
        assert not ok, statement
        assert "permission denied" in said or "must be superuser" in said, said
    names = ", ".join(f"'{each['login']}'" for each in databases(storage).values())
    limits = on_server(storage, f"select rolconnlimit, rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname in ({names})")  # noqa: S608 - names that the kit has made
    assert limits.splitlines() == ["50|f|f|f"] * len(NAMES)


def test_chinese_sorts_and_is_found(storage: Yiwang) -> None:
    found = databases(storage)["archive"]
    statement = """
    create temporary table item (name text);
    insert into item values ('青岛市'), ('济南市'), ('博兴县'), ('淄博市');
    select string_agg(name, ' ' order by name) from item;
    select count(*) from item where name like '%岛%';
    select to_tsvector('simple', '不动产 登记') @@ to_tsquery('simple', '登记');
    select '济南' ~ '^\\w+$';
    """
    assert psql(storage, "p-core", found["url"], found["password"], statement) == (True, "博兴县 济南市 青岛市 淄博市\n1\nt\nt")


def test_what_is_on_and_who_looks(storage: Yiwang) -> None:
    settings = "select string_agg(name || '=' || setting, ' ' order by name) from pg_settings where name in ('data_checksums', 'ssl',"
    settings += " 'password_encryption', 'shared_buffers', 'shared_preload_libraries', 'hba_file')"
    assert on_server(storage, settings) == (
        "data_checksums=on hba_file=/etc/yiwang/storage/pg_hba.conf password_encryption=scram-sha-256 shared_buffers=16384"
        " shared_preload_libraries=pgaudit ssl=on"
    )
    rights = "select has_database_privilege(who, 'postgres', 'connect') from unnest(array['public', 'yiwang_rewind']) who"
    assert on_server(storage, rights) == "f\nt", "the members rewind by that role, and nobody else has business there"
    on_server(storage, "create role seen_by_the_audit; drop role seen_by_the_audit")
    assert "AUDIT: SESSION" in journal(storage)
    for port in (2379, 2380, 8008):
        command = f"curl -sk --max-time 5 https://p-data.sd.zwfw.example:{port}/health; echo exit $?"
        assert "exit 0" not in storage.ssh("p-data", command, check=False), f"{port} answers without a certificate"


def test_a_second_up_changes_nothing_and_passwords_are_in_no_log(storage: Yiwang) -> None:
    found = storage.json("up", "--site", "province", "--yes", "--reapply")
    assert {
        host: (part["tasks"], part["files"]) for host, part in found["sites"][0]["hosts"].items() if part["tasks"] or part["files"]
    } == {}
    log = storage.ssh("p-data", "sudo journalctl --no-pager -o cat")
    state = "".join(path.read_text() for path in Path(storage.inventory, ".state").rglob("*.json"))
    for each in databases(storage).values():
        assert each["password"] not in log
        assert each["password"] not in state


def test_a_killed_server_comes_back_with_what_was_written(storage: Yiwang) -> None:
    found = databases(storage)["archive"]
    assert psql(
        storage,
        "p-core",
        found["url"],
        found["password"],
        "drop table if exists kept; create table kept (n int); insert into kept values (7)",
    )[0]
    storage.ssh("p-data", "sudo pkill -KILL -o -x postgres")
    took = wait_for(
        lambda: psql(storage, "p-core", found["url"], found["password"], "select n from kept") == (True, "7"), 60, lambda: journal(storage)
    )
    print(f"back after {took:.1f} s")
    storage.ssh("p-data", "sudo systemctl kill --signal=KILL yiwang-patroni yiwang-etcd")
    wait_for(lambda: psql(storage, "p-core", found["url"], found["password"], "drop table kept")[0], 90, lambda: "did not come back")


def test_a_rotated_password_opens_and_the_former_one_does_for_a_while(storage: Yiwang) -> None:
    before = databases(storage)["minutes"]
    storage("rotate", "minutes-database", "--site", "province", "--yes")
    after = databases(storage)["minutes"]
    assert (before["login"], before["password"]) != (after["login"], after["password"])
    for each in (after, before):
        assert psql(storage, "p-core", each["url"], each["password"], "select current_user") == (True, "minutes")
    wait_for(
        lambda: not psql(storage, "p-core", before["url"], before["password"], "select 1")[0], 90, lambda: "the former login has no end"
    )
    storage("up", "--site", "province", "--yes", "--reapply")
    logins = on_server(storage, "select count(*) from pg_roles where rolname like 'minutes\\_\\_%'")
    assert logins == "1"
    assert psql(storage, "p-core", after["url"], after["password"], "select 1") == (True, "1")


def test_status_and_outputs_show_it(storage: Yiwang) -> None:
    parts = [part for part in storage.json("status", "--site", "province")["components"] if part["component"] == "storage"]
    hosts = {host["host"]: host for part in parts for host in part["hosts"]}
    assert {name: host["health"] for name, host in hosts.items()} == {"p-data": "ok", "p-ops": "ok"}
    assert {"yiwang-etcd.service", "yiwang-patroni.service", "yiwang-objects.service", "yiwang-drill.timer"} <= set(
        hosts["p-data"]["units"]
    )
    assert set(hosts["p-ops"]["units"]) == {"yiwang-objects.service", "yiwang-objects-care.timer", "yiwang-metrics.service"}
    assert {part["desired"] for part in parts} == {"applied"}
    shown = storage.json("outputs", "--site", "province")["province"]
    assert shown["storage"]["p-data"]["postgresql"].startswith("15.")
    assert shown["databases"]["archive"]["password"] == "[secret]"


def test_a_disk_that_is_nearly_full_raises_an_alarm(storage: Yiwang) -> None:
    file = storage.inventory / VARIABLES
    before = file.read_text()
    try:
        file.write_text(f"{before}storage_alarm_free_percent: 99\n")
        storage("up", "--site", "province", "--yes")
        done = storage("status", "--site", "province", check=False)
        assert done.returncode == 7
        assert "p-data: " in done.stdout
        assert "of the file system of /var/lib/yiwang/storage is free" in done.stdout
    finally:
        file.write_text(before)
        storage("up", "--site", "province", "--yes")
    assert storage("status", "--site", "province").returncode == 0


def placed(yiwang: Yiwang, *, on: bool) -> None:
    file = yiwang.inventory / "province.yml"
    line = "    placement: {storage: servers}\n"
    text = file.read_text()
    whole = (
        text
        if line in text.split("  province:\n")[1].split("  jinan:")[0]
        else text.replace("    stack: province\n", f"    stack: province\n{line}")
    )
    file.write_text(whole if on else whole.replace(f"    stack: province\n{line}", "    stack: province\n"))


def test_a_foreign_cluster_is_refused_and_left_alone(storage: Yiwang) -> None:
    mark = "/var/lib/yiwang/storage/postgresql-15.mark"
    storage.ssh("p-data", f"sudo mv {mark} /root/mark")
    try:
        refused = storage("up", "--site", "province", "--host", "p-data", "--yes", "--reapply", check=False)
        assert refused.returncode == 1
        assert "that this kit has not made" in refused.stderr + refused.stdout
    finally:
        storage.ssh("p-data", f"sudo mv /root/mark {mark}")
    storage("up", "--site", "province", "--yes")
    found = databases(storage)["archive"]
    assert psql(storage, "p-core", found["url"], found["password"], "select 1") == (True, "1")


ENGLISH = "update pg_database set daticulocale = 'en' where datname = 'template1'"
CHINESE = "update pg_database set daticulocale = 'zh' where datname = 'template1'"


def test_a_cluster_with_another_locale_is_refused_and_left_alone(storage: Yiwang) -> None:
    on_server(storage, ENGLISH)
    try:
        refused = storage("up", "--site", "province", "--host", "p-data", "--yes", "--reapply", check=False)
        assert refused.returncode == 1
        assert "the existing cluster has the locale UTF8, icu, en, expected UTF8, icu, zh" in refused.stderr + refused.stdout
    finally:
        on_server(storage, CHINESE)
    storage("up", "--site", "province", "--yes")


@pytest.mark.soak
def test_removed_it_keeps_the_data_and_finds_it_again(storage: Yiwang) -> None:
    found = databases(storage)["archive"]
    fill = "drop table if exists kept; create table kept (n int); insert into kept values (8)"
    assert psql(storage, "p-core", found["url"], found["password"], fill)[0]
    placed(storage, on=False)
    try:
        storage("up", "--site", "province", "--yes")
        left = storage.ssh(
            "p-data",
            "systemctl is-active yiwang-patroni yiwang-etcd; sudo ls /etc/yiwang /var/lib/yiwang/storage; pgrep -c postgres",
            check=False,
        )
        assert "active" not in left.replace("inactive", "")
        assert "postgresql-15.mark" in left
    finally:
        placed(storage, on=True)
        storage("up", "--site", "province", "--yes")
    now = databases(storage)["archive"]
    assert psql(storage, "p-core", now["url"], now["password"], "select n from kept; drop table kept") == (True, "8"), journal(storage)


def test_an_upgrade_brings_what_the_distribution_has_and_restarts_what_is_older(storage: Yiwang) -> None:
    storage.ssh("p-data", f"sudo sh -c {shlex.quote(OLDER)}")
    began = on_server(storage, "select pg_postmaster_start_time()")
    found = storage.json("upgrade", "--site", "province", "--yes")
    assert found["versions"]["p-data"]["postgresql-15"].startswith("15.0-1 → 15.")
    assert on_server(storage, "select pg_postmaster_start_time()") > began
    again = storage.json("upgrade", "--site", "province", "--yes")
    assert again["versions"] == {}


def test_plan_shows_the_files_that_would_change(storage: Yiwang) -> None:
    file = storage.inventory / VARIABLES
    before = file.read_text()
    try:
        file.write_text(f"{before}storage_memory: 1G\n")
        done = storage("plan", "--site", "province", "--json", check=False)
        files = json.loads(done.stdout)["sites"][0]["hosts"]["p-data"]["files"]
        assert any("256MB" in part["diff"] for part in files), files
        storage("up", "--site", "province", "--yes")
        assert on_server(storage, "show shared_buffers") == "256MB"
    finally:
        file.write_text(before)
        storage("up", "--site", "province", "--yes")
    assert on_server(storage, "show shared_buffers") == "128MB"
