"""What is tried of a database that a site brings along, on Debian's PostgreSQL: a cluster of its own for a while, beside the kit's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests_support import Yiwang

from yiwang.preflight import databases

pytestmark = pytest.mark.lab

HOST, NAME, PORT = "p-data", "p-data.sd.zwfw.example", "55432"
BEGIN = """
set -eu
D=/var/tmp/yiwang-external B=/usr/lib/postgresql/15/bin
if [ -d $D ]; then runuser -u postgres -- $B/pg_ctl -D $D/data -m immediate stop || true; rm -r $D; fi
install -d -o postgres $D
install -o postgres -m 0600 /etc/yiwang/tls/host.crt /etc/yiwang/tls/host.key $D
echo keeper > $D/word
chown postgres $D/word
cd $D
runuser -u postgres -- $B/initdb -D $D/data -A scram-sha-256 --pwfile=$D/word -E UTF8 --locale=C.UTF-8 \
  --locale-provider=icu --icu-locale=zh > /dev/null
echo "host all all all scram-sha-256" >> $D/data/pg_hba.conf
printf "%s\\n" "port=55432" "listen_addresses='*'" "unix_socket_directories='$D'" "fsync=off" "ssl=on" "ssl_cert_file='$D/host.crt'" \
  "ssl_key_file='$D/host.key'" >> $D/data/postgresql.conf
runuser -u postgres -- $B/pg_ctl -D $D/data -l $D/log -w start > /dev/null
PGPASSWORD=keeper psql -q -h $D -p 55432 -U postgres -d postgres -v ON_ERROR_STOP=1 <<SQL
create role portal login password 'a word';
create role poor login password 'a word';
create database portal owner portal;
create database simple owner portal template template0 locale_provider libc locale 'C';
SQL
"""
END = """
runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /var/tmp/yiwang-external/data -m immediate stop
rm -r /var/tmp/yiwang-external
"""
LEFT = """
PGPASSWORD=keeper psql -XAtq -h /var/tmp/yiwang-external -p 55432 -U postgres -d portal \
  -c "select count(*) from pg_namespace where nspname like 'yiwang%'" -c "select count(*) from pg_class where relname like 'yiwang%'"
"""
# The module as it is, told of a database by the last line of the standard input.
DRIVER = """
import asyncio, dataclasses, json, sys, types
module = types.ModuleType("databases")
sys.modules["databases"] = module
source, parameters = json.load(sys.stdin)
exec(source, module.__dict__)
print(json.dumps([dataclasses.asdict(each) for each in asyncio.run(module.attempt(parameters))]))
"""

Tried = Callable[..., dict[str, dict[str, str]]]


def sudo(yiwang: Yiwang, script: str) -> str:
    packed = base64.b64encode(script.encode()).decode()
    return yiwang.ssh(HOST, f"echo {packed} | base64 -d | sudo bash").strip()


@pytest.fixture(scope="module")
def cluster(lab: Yiwang) -> Iterator[Yiwang]:
    """A cluster with certificate and key of its host."""
    sudo(lab, BEGIN)
    yield lab
    sudo(lab, END)


@pytest.fixture
def tried(cluster: Yiwang) -> Tried:
    """What becomes of an attempt, with the parameters of libpq that are another."""
    source = Path(databases.__file__).read_text(encoding="utf-8")
    common = {"host": NAME, "port": PORT, "user": "portal", "password": "a word", "dbname": "portal"}
    trust = {"sslmode": "verify-full", "sslrootcert": "/etc/yiwang/tls/ca.crt"}

    def run(**changed: str) -> dict[str, dict[str, str]]:
        told, program = (base64.b64encode(text.encode()).decode() for text in (json.dumps([source, common | trust | changed]), DRIVER))
        said = cluster.ssh(HOST, f'echo {told} | base64 -d | /opt/yiwang/storage/bin/python -c "$(echo {program} | base64 -d)"')
        return {each["capability"]: each for each in json.loads(said)}

    return run


def failed(found: dict[str, dict[str, str]]) -> dict[str, str]:
    return {name: each["kind"] for name, each in found.items() if each["kind"] not in {"", "skipped"}}


def test_postgresql_of_debian_can_do_all_of_it_and_nothing_is_left(cluster: Yiwang, tried: Tried) -> None:
    found = tried()
    assert failed(found) == {}
    assert set(found) == {"connect", *databases.CAPABILITIES, "cleanup"}
    assert sudo(cluster, LEFT).split() == ["0", "0"]


def test_a_database_with_locale_c_is_refused_by_the_statement(tried: Tried) -> None:
    found = tried(dbname="simple")
    assert failed(found) == {"letters": "answer", "pinyin": "answer"}
    assert found["letters"]["statement"] == r"select '济南' ~ '^\w+$'"
    assert found["letters"]["said"] == "False ≠ True"


def test_a_role_that_may_create_nothing_is_refused_by_the_statement(cluster: Yiwang, tried: Tried) -> None:
    found = tried(user="poor")
    assert failed(found) == {"default_schema": "denied", "schema": "denied"}
    assert found["schema"]["statement"].startswith('create schema "yiwang-preflight-')
    assert found["schema"]["said"] == "permission denied for database portal"
    assert found["table"]["kind"] == "skipped"
    assert sudo(cluster, LEFT).split() == ["0", "0"]


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"password": "wrong"}, "refused", "password authentication failed"),
        ({"dbname": "none"}, "refused", 'database "none" does not exist'),
        ({"host": "localhost"}, "certificate", "does not match host name"),
        ({"sslrootcert": "/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt"}, "certificate", "certificate verify failed"),
        ({"port": "55433"}, "unreachable", "Connection refused"),
    ],
)
def test_who_does_not_get_in_is_told_why_once(tried: Tried, changed: dict[str, str], kind: str, said: str) -> None:
    (found,) = tried(**changed).values()
    assert (found["capability"], found["kind"]) == ("connect", kind)
    assert said in found["said"]
