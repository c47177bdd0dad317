"""Backups on the lab's servers: the way back in place and beside, the drill, and a backup that is damaged."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

import pytest
from storage.live_case import databases, on_server, psql, wait_for
from storage.objects_case import buckets, s3, saved
from tests_support import Yiwang

pytestmark = pytest.mark.lab

VARIABLES = "storage_databases: [archive]\nstorage_buckets: [drafts]\nstorage_backup_seconds: 5\n"
ROWS = 1000
# In the place of what unpacks the files.
NO_RESTORE = """#!/bin/sh
case "$*" in *" restore "*) echo "ERROR: the disk is read only" >&2; exit 1;; esac
exec /usr/bin/pgbackrest.away "$@"
"""


# A component lays this in its own database, in the way of whoever counts there as the keeper of all databases.
TRAP = """
create function public.pg_total_relation_size(oid) returns bigint language plpgsql as
$$ begin execute format('alter role %I superuser', 'archive'); return 0; end $$
"""


@pytest.fixture(scope="module")
def backed(lab: Yiwang) -> Iterator[Yiwang]:
    """The province with a database and a bucket, and a backup of both."""
    file = lab.inventory / "group_vars/data.yml"
    file.write_text(VARIABLES)
    lab("up", "--site", "province", "--yes")
    draft = ("put_object", {"Bucket": "drafts", "Key": "草稿/一.txt", "Body": ["第一稿", 1_000_000]})
    assert "error" not in s3(lab, buckets(lab)["drafts"], draft)[0]
    lab("backup", "--site", "province")
    yield lab
    file.unlink()
    lab("up", "--site", "province", "--yes")


def archive(yiwang: Yiwang, statement: str) -> str:
    found = databases(yiwang)["archive"]
    ok, said = psql(yiwang, "p-core", found["url"], found["password"], statement)
    assert ok, said
    return said


def moment_of(yiwang: Yiwang) -> str:
    """This moment, by the databases' clock."""
    return on_server(yiwang, "select to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USTZH:TZM')")


def before_the_mistake(yiwang: Yiwang) -> str:
    """A table is filled, and dropped by mistake; the moment in between."""
    archive(yiwang, f"drop table if exists item; create table item as select generate_series(1, {ROWS}) as n")
    moment = moment_of(yiwang)
    on_server(yiwang, "select pg_sleep(1)")
    archive(yiwang, "drop table item")
    return moment


def test_what_is_backed_up_is_listed(backed: Yiwang) -> None:
    (part,) = backed.json("backup", "list", "--site", "province")["parts"]
    assert part["databases"][0]["type"] == "full"
    assert part["objects"]["buckets"] == ["drafts", "evidence"]
    backed("backup", "--site", "province", "--full")
    (part,) = backed.json("backup", "list", "--site", "province")["parts"]
    assert part["databases"][-1]["type"] == "full"


def test_beside_the_live_data_the_past_can_be_looked_at(backed: Yiwang) -> None:
    moment = before_the_mistake(backed)
    backed("restore", "--site", "province", "--to", moment, "--into", "scratch")
    try:
        there = backed.ssh(
            "p-data", "sudo runuser -u postgres -- psql -XAtq -h /run/yiwang-scratch -d archive -c 'select count(*) from item'"
        )
        assert int(there) == ROWS
        draft = backed.ssh("p-data", "sudo cat /var/lib/yiwang/storage/scratch/objects/drafts/草稿/一.txt | head -c 9")
        assert draft == "第一稿"
        assert archive(backed, "select to_regclass('item') is null") == "t"
        archived = "sudo runuser -u postgres -- psql -XAtq -h /run/yiwang-scratch -c 'show archive_mode'"
        assert backed.ssh("p-data", archived).strip() == "off"
    finally:
        backed("restore", "--site", "province", "--remove-scratch")
    assert "scratch" not in backed.ssh("p-data", "sudo ls /var/lib/yiwang/storage /run")


def test_to_the_moment_before_a_table_was_dropped(backed: Yiwang) -> None:
    moment = before_the_mistake(backed)
    later = ("put_object", {"Bucket": "drafts", "Key": "later", "Body": "后"})
    # Whom the object store signs in as since then, the databases of that moment do not know.
    backed("rotate", "yiwang-objects-database", "--site", "province", "--yes")
    assert "error" not in s3(backed, buckets(backed)["drafts"], later)[0]
    backed("restore", "--site", "province", "--to", moment, "--yes")
    assert archive(backed, "select count(*) from item") == str(ROWS)
    # What was put into the object store since is there: the databases went back, not the objects.
    got, draft = s3(
        backed,
        buckets(backed)["drafts"],
        ("get_object", {"Bucket": "drafts", "Key": "later"}),
        ("get_object", {"Bucket": "drafts", "Key": "草稿/一.txt"}),
    )
    assert (got["Body"], draft["Body"][:3]) == ("后", "第一稿")
    assert "before-" in backed.ssh("p-data", "sudo ls /var/lib/yiwang/storage")
    assert backed("status", "--site", "province").returncode == 0
    found = backed.json("up", "--site", "province", "--yes")
    assert found["sites"][0]["counts"] == {}, found
    backed.ssh("p-data", "sudo sh -c 'rm -rf /var/lib/yiwang/storage/before-*'")


def test_a_restore_that_was_killed_is_finished_by_the_next_one(backed: Yiwang) -> None:
    moment = before_the_mistake(backed)
    run = backed.start("restore", "--site", "province", "--to", moment, "--yes")
    halted = lambda: "inactive" in backed.ssh("p-data", "systemctl is-active yiwang-patroni", check=False)  # noqa: E731 - a condition
    wait_for(halted, 60, lambda: "it never stopped")
    run.kill()
    run.communicate()
    shown = backed("status", "--site", "province", check=False)
    assert shown.returncode == 7
    assert f"a restore to {moment} has not come to its end" in shown.stdout
    backed.ssh("p-data", "sudo systemctl stop yiwang-scratch; sudo pkill -KILL -f 'python -m recovery'; true", check=False)
    # As far as one can get without the services: restored, and on a way of its own, which a second one must not take.
    backed.ssh("p-data", f"sudo yiwang-recovery halt && sudo yiwang-recovery restore {moment}")
    backed("restore", "--site", "province", "--to", moment, "--yes")
    assert archive(backed, "select count(*) from item") == str(ROWS)
    backed.ssh("p-data", "sudo sh -c 'rm -rf /var/lib/yiwang/storage/before-*'")


def test_where_nothing_can_be_restored_the_services_go_on_as_before(backed: Yiwang) -> None:
    archive(backed, "drop table if exists kept; create table kept as select 7 as n")
    broken = "sudo sh -c 'cd /usr/bin && mv pgbackrest pgbackrest.away && printf %s \"$0\" > pgbackrest && chmod 755 pgbackrest' "
    backed.ssh("p-data", broken + shlex.quote(NO_RESTORE))
    try:
        done = backed("restore", "--site", "province", "--to", moment_of(backed), "--yes", check=False)
        assert done.returncode == 1
        assert "in their place again" in done.stderr
    finally:
        backed.ssh("p-data", "sudo mv /usr/bin/pgbackrest.away /usr/bin/pgbackrest")
    assert archive(backed, "select n from kept") == "7"
    wait_for(lambda: backed("status", "--site", "province", check=False).returncode == 0, 60, lambda: backed("status", check=False).stdout)
    assert "before-" not in backed.ssh("p-data", "sudo ls /var/lib/yiwang/storage")


def test_bad_targets_are_refused_and_nothing_stops(backed: Yiwang) -> None:
    for to, said in (
        ("yesterday", "expected a time"),
        ("2020-01-01T00:00:00+08:00", "the oldest backup ended later"),
        ("2999-01-01T00:00:00+08:00", "this time is yet to come"),
        ("20200101-000000F", "there is no backup 20200101-000000F"),
    ):
        done = backed("restore", "--site", "province", "--to", to, "--yes", check=False)
        assert done.returncode == 3
        assert said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert backed("restore", "--site", "national", "--to", "latest", "--yes", check=False).returncode == 3
    assert archive(backed, "select 1") == "1"


def test_a_drill_measures_what_a_disaster_costs(backed: Yiwang) -> None:
    archive(backed, f"drop table if exists counted; create table counted as select generate_series(1, {ROWS}) as n")
    archive(backed, TRAP)
    (part,) = backed.json("drill", "--site", "province")["parts"]
    archive(backed, "drop function public.pg_total_relation_size(oid)")
    assert on_server(backed, "select count(*) from pg_roles where rolsuper and rolname <> 'postgres'") == "0"
    found = part["drill"]
    print(f"RPO {found['rpo_seconds']} s, RTO {found['rto_seconds']} s")
    assert (found["ok"], found["kept"]) == (True, True)
    shared = "select record ->> 'ok' from yiwang.record where name = 'drill' order by time desc limit 1"
    assert on_server(backed, shared) == "true"
    assert 0 <= found["rpo_seconds"] <= 60
    assert found["databases"]["archive"]["rows"] >= ROWS
    assert found["objects"]["drafts"]["compared"] >= 1
    evidence = buckets(backed)["evidence"]
    listed, *_ = s3(backed, evidence, ("list_object_versions", {"Bucket": "evidence", "Prefix": "drill/"}))
    newest = max(listed["Versions"], key=lambda each: each["LastModified"])
    (refused,) = s3(backed, evidence, ("delete_object", {"Bucket": "evidence", "Key": newest["Key"], "VersionId": newest["VersionId"]}))
    assert "error" in refused
    assert f"RPO {found['rpo_seconds']} s" in backed("status", "--site", "province").stdout


def test_a_damaged_backup_makes_the_drill_fail_and_status_says_so(backed: Yiwang) -> None:
    backed("backup", "--site", "province", "--full")
    place = saved(backed)
    label = backed.json("backup", "list", "--site", "province")["parts"][0]["databases"][-1]["backup"]
    (listed,) = s3(backed, place, ("list_objects_v2", {"Bucket": place["bucket"], "MaxKeys": 1000}))
    bundle = max((each for each in listed["Contents"] if f"/{label}/bundle/" in each["Key"]), key=lambda each: each["Size"])["Key"]
    good = {"Bucket": place["bucket"], "Key": bundle}
    s3(backed, place, ("flip", good))
    done = backed("drill", "--site", "province", check=False)
    assert done.returncode == 1
    assert "the drill failed" in done.stderr
    shown = backed("status", "--site", "province", check=False)
    assert shown.returncode == 7
    assert "the drill of " in shown.stdout
    backed("backup", "--site", "province", "--full")
    assert backed("drill", "--site", "province").returncode == 0
    assert backed("status", "--site", "province").returncode == 0


def test_backups_go_by_the_clock_and_old_ones_too(backed: Yiwang) -> None:
    timers = backed.ssh("p-data", "systemctl list-timers --no-legend 'yiwang-*' | awk '{print $(NF-1)}'").split()
    assert {"yiwang-backup.timer", "yiwang-backup-objects.timer", "yiwang-drill.timer"} <= set(timers)
    assert "repo1-retention-full=30" in backed.ssh("p-data", "sudo cat /etc/yiwang/storage/pgbackrest.conf")
    started = time.monotonic()
    backed.ssh("p-data", "sudo systemctl start yiwang-backup-objects.service")
    print(f"objects copied in {time.monotonic() - started:.1f} s")
