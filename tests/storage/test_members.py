"""Three members on the lab's servers: what is acknowledged stays, whoever fails, and who failed comes back by itself."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator

import pytest
import yaml
from storage.live_case import OLDER, journal, on_server, psql, wait_for
from storage.members_case import MEMBERS, Writer, leader, reached, three, until_whole
from storage.objects_case import buckets, s3
from tests_support import Yiwang

pytestmark = pytest.mark.lab

VARIABLES = "storage_databases: [ledger]\nstorage_buckets: [scans]\nstorage_backup_seconds: 5\n"
NEW_LEADER_SECONDS = 30


@pytest.fixture(scope="module")
def members(lab: Yiwang) -> Iterator[Yiwang]:
    """The province with three hosts for data, which had one before."""
    with three(lab, VARIABLES, before=filled) as grown:
        yield grown


def filled(yiwang: Yiwang) -> None:
    """What the one member holds."""
    url, password = reached(yiwang)
    assert psql(yiwang, "p-core", url, password, "create table from_before (n int); insert into from_before values (1)")[0]


def test_a_single_member_grows_to_three_with_what_it_held(members: Yiwang) -> None:
    until_whole(members)
    url, password = reached(members)
    assert psql(members, "p-core", url, password, "select n from from_before") == (True, "1")
    assert all(f"{host}.sd.zwfw.example:5432" in url for host in MEMBERS)
    found = members.json("up", "--site", "province", "--yes", "--reapply")
    assert {host: part for host, part in found["sites"][0]["hosts"].items() if part["tasks"] or part["files"]} == {}


@pytest.mark.soak
def test_three_do_not_become_one(members: Yiwang) -> None:
    until_whole(members)
    file = members.inventory / "hosts.yml"
    three_of_them = file.read_text()
    written = yaml.safe_load(three_of_them)
    for group in written["all"]["children"].values():
        group["hosts"] = {name: values for name, values in group["hosts"].items() if name not in MEMBERS[1:]}
    file.write_text(yaml.safe_dump(written))
    writer = Writer(members)
    try:
        refused = members("up", "--site", "province", "--yes", check=False)
    finally:
        file.write_text(three_of_them)
    assert refused.returncode == 1
    assert "three do not become one" in refused.stderr
    # Nothing was done: not by this role, nor by the one before it.
    until_whole(members)
    writer.more()
    found = writer.end()
    assert found.acknowledged - found.there == set()
    assert members.json("up", "--site", "province", "--yes")["sites"][0]["counts"] == {}


def kill(yiwang: Yiwang, host: str) -> None:
    """All of a member at once; systemd starts it again."""
    yiwang.ssh(host, "sudo systemctl kill --signal=KILL yiwang-patroni yiwang-etcd")


def power_off(yiwang: Yiwang, host: str) -> None:
    """Nothing of the host ends in order, and it stays off."""
    yiwang.ssh(host, "sudo systemctl poweroff --force --force", check=False)


def objects_go_on(yiwang: Yiwang, host: str, scan: dict[str, str]) -> bool:
    """Whether an object of before is there, and another one can be written and read, as seen from a host."""
    more = {**scan, "Key": "更多.txt"}
    calls = (("get_object", scan), ("put_object", {**more, "Body": "此后"}), ("get_object", more))
    first, _, last = s3(yiwang, {**buckets(yiwang)["scans"], "attempts": 3}, *calls, host=host)
    return (first.get("Body"), last.get("Body")) == ("此前", "此后")


@pytest.mark.parametrize("fail", [pytest.param(kill, marks=pytest.mark.soak), power_off])
def test_a_leader_that_fails_costs_no_acknowledged_write(fail: Callable[[Yiwang, str], None], members: Yiwang) -> None:
    until_whole(members)
    failing = leader(members)
    other = next(host for host in MEMBERS if host != failing)
    scan = {"Bucket": "scans", "Key": "在线.txt"}
    assert "error" not in s3(members, buckets(members)["scans"], ("put_object", {**scan, "Body": "此前"}), host=other)[0]
    writer = Writer(members)
    began = time.monotonic()
    fail(members, failing)
    if fail is power_off:
        wait_for(lambda: leader(members, other) not in {"", failing}, 45, lambda: journal(members, other))
    writer.more(seconds=60)
    again = time.monotonic() - began
    # The object store goes on with the hosts that are left: what was there is read, and more is written.
    wait_for(
        lambda: objects_go_on(members, other, scan), 60, lambda: members.ssh(other, "sudo journalctl -u yiwang-objects -n 40", check=False)
    )
    objects = time.monotonic() - began
    members("lab", "up")
    until_whole(members, other)
    found = writer.end()
    times = {"writes": again, "objects": objects, "whole": time.monotonic() - began, "no write for": found.gap}
    print(f"{fail.__name__}, seconds: { ({name: round(seconds, 1) for name, seconds in times.items()}) }")
    assert found.acknowledged - found.there == set()
    assert found.gap <= NEW_LEADER_SECONDS


@pytest.mark.soak
def test_a_planned_change_of_leader_costs_moments(members: Yiwang) -> None:
    until_whole(members)
    before = leader(members)
    writer = Writer(members)
    members.ssh(before, "sudo yiwang-patronictl switchover --force")
    wait_for(lambda: leader(members) not in {"", before}, 30, lambda: journal(members, before))
    writer.more()
    until_whole(members)
    found = writer.end()
    assert found.acknowledged - found.there == set()


def certificates(yiwang: Yiwang, host: str) -> set[str]:
    """The serial numbers of what the doors of a member show."""
    show = "openssl x509 -noout -serial"
    doors = (f"-starttls postgres -connect {host}.sd.zwfw.example:5432", f"-connect {host}.sd.zwfw.example:8333")
    found = {yiwang.ssh("p-core", f"openssl s_client {door} < /dev/null 2> /dev/null | {show}", check=False).strip() for door in doors}
    assert all(each.startswith("serial=") for each in found), found
    return found


def test_certificates_are_made_anew_while_clients_write(members: Yiwang) -> None:
    until_whole(members)
    before = {host: certificates(members, host) for host in MEMBERS}
    began = {host: on_server(members, "select pg_postmaster_start_time()", host) for host in MEMBERS}
    writer = Writer(members)
    changed = leader(members)
    members("rotate", f"{changed}-certificate", "--site", "province", "--yes")
    wait_for(lambda: not certificates(members, changed) & before[changed], 30, lambda: str(certificates(members, changed)))
    writer.more()
    found = writer.end()
    assert found.acknowledged - found.there == set()
    assert {host: on_server(members, "select pg_postmaster_start_time()", host) for host in MEMBERS} == began


@pytest.mark.soak
def test_an_upgrade_goes_a_member_at_a_time_and_the_leader_comes_last(members: Yiwang) -> None:
    until_whole(members)
    for host in MEMBERS:
        members.ssh(host, f"sudo sh -c {shlex.quote(OLDER)}")
    led = leader(members)
    writer = Writer(members)
    found = members.json("upgrade", "--site", "province", "--yes")
    until_whole(members)
    written = writer.end()
    assert {host: step["postgresql-15"].partition(" → ")[0] for host, step in found["versions"].items()} == dict.fromkeys(MEMBERS, "15.0-1")
    started = {host: on_server(members, "select pg_postmaster_start_time() at time zone 'utc'", host) for host in MEMBERS}
    assert max(started, key=lambda host: started[host]) == led
    assert written.acknowledged - written.there == set()
    assert written.gap <= NEW_LEADER_SECONDS
    again = members.json("upgrade", "--site", "province", "--yes")
    assert again["versions"] == {}
    assert all(not host["tasks"] for part in again["sites"] for host in part["hosts"].values())


@pytest.mark.soak
def test_three_members_go_back_to_the_moment_before_a_table_was_dropped(members: Yiwang) -> None:
    until_whole(members)
    members("backup", "--site", "province")
    url, password = reached(members)
    draft = ("put_object", {"Bucket": "scans", "Key": "证/一.txt", "Body": "扫描"})
    assert "error" not in s3(members, buckets(members)["scans"], draft)[0]
    assert psql(members, "p-core", url, password, "create table item as select generate_series(1, 500) as n")[0]
    moment = on_server(members, "select to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USTZH:TZM')", leader(members))
    on_server(members, "select pg_sleep(1)", leader(members))
    assert psql(members, "p-core", url, password, "drop table item")[0]
    began = time.monotonic()
    members("restore", "--site", "province", "--to", moment, "--yes")
    print(f"restored after {time.monotonic() - began:.1f} s")
    until_whole(members)
    assert psql(members, "p-core", url, password, "select count(*) from item") == (True, "500")
    assert s3(members, buckets(members)["scans"], ("get_object", {"Bucket": "scans", "Key": "证/一.txt"}))[0]["Body"] == "扫描"
    assert members.json("up", "--site", "province", "--yes")["sites"][0]["counts"] == {}


@pytest.mark.soak
def test_a_host_made_anew_joins_again(members: Yiwang) -> None:
    until_whole(members)
    lost = next(host for host in MEMBERS if host not in {"p-data", leader(members)})
    writer = Writer(members)
    members("lab", "down", "--host", lost)
    members("lab", "up")
    members("host", "trust", lost, "--yes")
    members("up", "--site", "province", "--host", lost, "--yes")
    until_whole(members)
    found = writer.end()
    assert found.acknowledged - found.there == set()
