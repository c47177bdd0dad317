"""How many pgbench transactions a second one member does, and three, against a plain PostgreSQL on the same host, tuned by hand.

Both have checksums, fsync and synchronous_commit on and the same memory; ours has TLS, pgaudit, WAL for replicas and Patroni besides.
"""

from __future__ import annotations

import base64
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from storage.members_case import leader, three, until_whole
from tests_support import Yiwang

pytestmark = [pytest.mark.bench, pytest.mark.lab]

HOST = "p-data"
BIN = "/usr/lib/postgresql/15/bin"
PLAIN = "/var/tmp/plain"
SCALE, CLIENTS, SECONDS, ROUNDS = 10, 8, 15, 3
OURS = "-h /run/postgresql -p 5432"
THEIRS = f"-h {PLAIN} -p 5499"
TUNED = """
listen_addresses = ''
port = 5499
unix_socket_directories = '{place}'
shared_buffers = {shared_buffers}
effective_cache_size = {effective_cache_size}
maintenance_work_mem = {maintenance_work_mem}
max_wal_size = {max_wal_size}
checkpoint_completion_target = 0.9
random_page_cost = 1.1
effective_io_concurrency = 200
wal_level = minimal
max_wal_senders = 0
"""


def on_host(yiwang: Yiwang, script: str, host: str = HOST) -> str:
    """What a script says that the databases' account runs; its exit code has to be 0."""
    packed = base64.b64encode(f"set -e; cd /; {script}".encode()).decode()
    return yiwang.ssh(host, f"echo {packed} | base64 -d | sudo runuser -u postgres -- bash")


@contextmanager
def plain(yiwang: Yiwang, host: str) -> Iterator[None]:
    """A plain cluster beside ours on a host, both filled."""
    names = ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "max_wal_size")
    given = {name: on_host(yiwang, f"psql -XAtqc 'show {name}'", host).strip() for name in names}
    settings = base64.b64encode(TUNED.format(place=PLAIN, **given).encode()).decode()
    begin = f"rm -rf {PLAIN}; {BIN}/initdb -k -D {PLAIN} >/dev/null; echo {settings} | base64 -d >> {PLAIN}/postgresql.conf"
    end = f"dropdb --if-exists --force {OURS} pgbench; {BIN}/pg_ctl -w -m immediate -D {PLAIN} stop >/dev/null; rm -rf {PLAIN}"
    try:
        on_host(yiwang, f"{begin}; {BIN}/pg_ctl -w -D {PLAIN} -l {PLAIN}/log start >/dev/null", host)
        for where in (OURS, THEIRS):
            on_host(yiwang, f"createdb {where} pgbench; pgbench {where} -iq -s {SCALE} pgbench 2>/dev/null", host)
        yield
    finally:
        on_host(yiwang, end, host)


def rate(yiwang: Yiwang, host: str, where: str) -> float:
    """Read-write transactions a second, connections not counted."""
    script = f"psql {where} -Xqc checkpoint pgbench; pgbench {where} -n -c {CLIENTS} -j 2 -T {SECONDS} pgbench 2>/dev/null"
    said = on_host(yiwang, script, host)
    found = re.search(r"tps = ([0-9.]+) \(without", said)
    assert found, said
    return float(found[1])


def compare(yiwang: Yiwang, host: str, what: str) -> None:
    """Both in turn, and what came of it."""
    with plain(yiwang, host):
        pairs = [(rate(yiwang, host, OURS), rate(yiwang, host, THEIRS)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(
        f"\n{what}, {CLIENTS} clients, scale {SCALE}: {ours:.0f} transactions a second; plain PostgreSQL: {theirs:.0f}; ratio {ratio:.2f}"
    )


def test_one_member_beside_a_plain_database(lab: Yiwang) -> None:
    compare(lab, HOST, "one member")


def test_three_members_beside_a_plain_database(lab: Yiwang) -> None:
    with three(lab, "storage_databases: [ledger]\n"):
        until_whole(lab)
        compare(lab, leader(lab), "three members, each commit on two")
