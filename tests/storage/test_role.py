"""The role as files: its variables, its verbs, its templates, the formula of its settings, and what its scripts decide."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import json
import re
import runpy
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from yiwang.deployment.health import TIMEOUT_SECONDS

ROOT = Path(__file__).parent.parent.parent
ROLE = ROOT / "roles" / "storage"
VERBS = {"main", "preflight", "install", "configure", "run", "verify", "upgrade", "remove"}
LONGEST = 80
SECRETS = {"storage_passwords", "storage_store_secrets", "storage_store_keys", "storage_backup_secrets"}


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


def tasks() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in [*sorted((ROLE / "tasks").glob("*.yml")), ROLE / "handlers" / "main.yml"]:
        for task in yaml.safe_load(path.read_text()):
            yield path, task


def test_defaults_and_specifications_agree_in_keys_and_values() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert load("defaults/main.yml") == {name: option["default"] for name, option in options.items()}


def test_what_the_kit_sets_says_so_and_secrets_are_among_it() -> None:
    text = (ROLE / "defaults/main.yml").read_text()
    computed = set(re.findall(r"^(storage_\w+):", text[text.index("--- Set by the kit") :], re.MULTILINE))
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name for name, option in options.items() if option["description"].startswith("Set by the kit")} == computed
    assert {name for name, option in options.items() if option.get("no_log")} == SECRETS


def test_the_verbs_are_there_and_the_entry_is_a_table_of_contents() -> None:
    files = {path.stem: path for path in (ROLE / "tasks").glob("*.yml")}
    assert set(files) >= VERBS
    assert all("ansible.builtin.import_tasks" in task for task in load("tasks/main.yml"))
    assert {name for name, path in files.items() if len(path.read_text().splitlines()) > LONGEST} == set()


def words(value: object) -> set[str]:
    """The names in it."""
    return set(re.findall(r"\w+", json.dumps(value)))


def test_only_tasks_that_hand_over_secrets_know_them_and_they_are_never_logged() -> None:
    told = load("vars/main.yml")
    secret = set(SECRETS)
    while added := {name for name, value in told.items() if not secret.isdisjoint(words(value))} - secret - {"_storage_refusals"}:
        secret |= added
    templates = {path.name for path in (ROLE / "templates").rglob("*.j2") if not secret.isdisjoint(words(path.read_text()))}
    assert templates == {"security.toml.j2", "filer.toml.j2", "pgbackrest.conf.j2"}
    handling = [task for _, task in tasks() if not secret.isdisjoint(words(task)) or any(each in json.dumps(task) for each in templates)]
    assert len(handling) >= 5
    for task in handling:
        assert task["no_log"] is True, task["name"]
        assert secret.isdisjoint(words(task.get("ansible.builtin.command", {}).get("argv"))), task["name"]


def test_names_of_variables_say_who_may_set_them() -> None:
    assert all(name.startswith("_storage_") for name in load("vars/main.yml"))
    assert all(task["register"].startswith("__storage_") for _, task in tasks() if "register" in task)


def test_what_the_role_says_to_people_is_there_in_both_languages() -> None:
    told = load("vars/main.yml")["_storage_refusals"]
    for text in told.values():
        assert set(text) == {"zh", "en"}
        assert re.search("[\u4e00-\u9fff]", text["zh"])
        assert text["en"].isascii()
        values = [sorted(set(re.findall(r"{{ ([\w.]+)", text[language]))) for language in ("zh", "en")]
        assert values[0] == values[1]
    spoken = [task[module]["fail_msg"] for _, task in tasks() for module in task if module.endswith(".assert")]
    assert sorted(set(spoken)) == sorted(f"{{{{ _storage_refusals.{name}[_storage_language] }}}}" for name in told)


def test_files_that_services_read_are_the_same_for_those_who_write_and_who_look() -> None:
    look = runpy.run_path(str(ROLE / "files/look.py"))
    assert {name: list(files) for name, files in look["READS"].items()} == load("vars/main.yml")["_storage_reads"]
    # A leader's service restarts after the others', by a handler of its own that hears the same.
    assert set(look["HANDLERS"].values()) | {"Forget the units", "Restart timers of backups"} == {
        task.get("listen", task["name"]) for path, task in tasks() if path.parent.name == "handlers"
    }


def test_no_template_opens_a_door_without_tls() -> None:
    etcd = (ROLE / "templates/etc/yiwang/storage/etcd.env.j2").read_text()
    assert "http://" not in etcd
    assert "ETCD_CLIENT_CERT_AUTH=true" in etcd
    assert "ETCD_PEER_CLIENT_CERT_AUTH=true" in etcd
    patroni = (ROLE / "templates/etc/yiwang/storage/patroni.yml.j2").read_text()
    assert "verify_client: required" in patroni
    assert "password" not in patroni
    assert load("vars/main.yml")["_storage_fixed"]["ssl"] == "on"


def hba(**given: Any) -> list[list[str]]:
    """The lines of the shared template, as words."""
    loader = jinja2.FileSystemLoader(ROOT / "templates" / "storage")
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - no HTML
    roles = {"storage_replication": "copier", "storage_rewind": "rewinder", "storage_metrics_login": "watcher"}
    text = environment.get_template("pg_hba.conf.j2").render(storage_managed="managed", **roles, **given)
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


LOGINS = [{"database": name, "own": name == "own"} for name in ("a", "b", "own")]


def test_each_login_reaches_its_own_database_alone_by_tls_and_from_the_listed_hosts() -> None:
    lines = hba(storage_member_addresses=["10.0.0.2/32"], storage_clients=["10.0.0.1/32", "fd00::1/128"], storage_logins=LOGINS)
    assert lines == [
        ["local", "all", "postgres", "peer", "map=yiwang"],
        ["local", "replication", "copier", "peer", "map=yiwang"],
        ["local", "postgres", "watcher", "peer", "map=yiwang"],
        ["hostssl", "replication", "copier", "10.0.0.2/32", "cert", "map=yiwang"],
        ["hostssl", "postgres", "rewinder", "10.0.0.2/32", "cert", "map=yiwang"],
        *(["hostssl", name, f"+{name}", client, "scram-sha-256"] for name in "ab" for client in ("10.0.0.1/32", "fd00::1/128")),
        ["hostssl", "own", "+own", "10.0.0.2/32", "scram-sha-256"],
    ]


def test_without_databases_or_clients_nobody_gets_in_but_the_members() -> None:
    lines = hba(storage_member_addresses=["10.0.0.2/32"], storage_clients=[], storage_logins=LOGINS[:2])
    assert {line[0] for line in lines} == {"local", "hostssl"}
    assert all(line[-2:] == ["cert", "map=yiwang"] for line in lines if line[0] == "hostssl")


@pytest.fixture(scope="module")
def formula() -> dict[str, Any]:
    found: dict[str, Any] = runpy.run_path(str(ROLE / "filter_plugins/yiwang_postgresql.py"))["FilterModule"]().filters()
    return found


@pytest.mark.parametrize(
    ("memory", "cores", "connections", "expected"),
    [
        ("512M", 2, 200, ("128MB", "384MB", "4MB", "64MB", "1024MB", 2, 1)),
        ("16G", 8, 200, ("4096MB", "12288MB", "20MB", "1024MB", "4096MB", 8, 4)),
        ("256G", 64, 500, ("32768MB", "196608MB", "152MB", "2048MB", "16384MB", 32, 4)),
        ("64M", 1, 20, ("128MB", "128MB", "4MB", "64MB", "1024MB", 1, 1)),
    ],
)
def test_settings_follow_from_memory_and_cores(
    formula: dict[str, Any], memory: str, cores: int, connections: int, expected: tuple[Any, ...]
) -> None:
    found = formula["yiwang_postgresql"](formula["yiwang_bytes"](memory), cores, connections)
    sizes = ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size")
    assert tuple(found[name] for name in (*sizes, "max_parallel_workers", "max_parallel_workers_per_gather")) == expected
    table = (ROLE / "README.md").read_text().split("| setting |")[1].split("\n\n")[0]
    assert set(found) == set(re.findall(r"`((?:[a-z]+_)+[a-z]+)`", table))


def test_data_beside_no_mark_is_somebody_elses(tmp_path: Path) -> None:
    clusters = runpy.run_path(str(ROLE / "files/look.py"))["clusters"]
    assert clusters(tmp_path) == {"versions": [], "foreign": []}
    data = tmp_path / "postgresql-15"
    data.mkdir()
    assert clusters(tmp_path) == {"versions": [], "foreign": []}
    (data / "PG_VERSION").write_text("15\n")
    assert clusters(tmp_path) == {"versions": [15], "foreign": [str(data)]}
    (tmp_path / "postgresql-15.mark").write_text("province\n")
    assert clusters(tmp_path) == {"versions": [15], "foreign": []}


def verifier(password: str, salt: bytes = b"salt", iterations: int = 4096) -> str:
    """What PostgreSQL keeps of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    keys = [hmac.digest(salted, text, "sha256") for text in (b"Client Key", b"Server Key")]
    stored = base64.b64encode(hashlib.sha256(keys[0]).digest()).decode()
    return f"SCRAM-SHA-256${iterations}:{base64.b64encode(salt).decode()}${stored}:{base64.b64encode(keys[1]).decode()}"


def health(records: Path) -> Any:
    """What tells of alarms of ``wish`` and what PostgreSQL says, without an object store, and with the records in a directory."""
    found = runpy.run_path(str(ROLE / "files/health.py"))
    newest = records / "newest"
    given = {"objects": lambda _host: iter(()), "failed": lambda _names: iter(()), "RECORDS": records, "SETTINGS": records}
    given["backup_times"] = lambda: newest.read_text().split() if newest.exists() else []
    names = found["alarms"].__globals__

    def alarms(wish: dict[str, Any], seen: dict[str, Any]) -> Any:
        names.update({**given, "query": lambda: seen})
        return found["alarms"]({"objects_minutes": 15, "units": [], **wish})

    return alarms


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('[{"status": {"code": 99, "message": "the key is another one"}, "backup": []}]', "the key is another one"),
        ("Bad Gateway", "Bad Gateway"),
    ],
)
def test_a_place_of_the_backups_that_cannot_be_read_is_not_an_empty_one(monkeypatch: pytest.MonkeyPatch, answer: str, said: str) -> None:
    found = runpy.run_path(str(ROLE / "files/health.py"))
    monkeypatch.setattr(found["subprocess"], "run", lambda *_args, **_named: types.SimpleNamespace(stdout=answer))
    with pytest.raises(OSError, match=said):
        found["backup_times"]()


def test_a_restore_that_has_not_come_to_its_end_is_an_alarm(tmp_path: Path) -> None:
    restoring = runpy.run_path(str(ROLE / "files/health.py"))["restoring"]
    assert list(restoring(str(tmp_path))) == []
    (tmp_path / "restore").mkdir()
    (tmp_path / "restore" / "quiet").write_text("2026-01-31T08:30:00+08:00\n")
    (found,) = restoring(str(tmp_path))
    assert "a restore to 2026-01-31T08:30:00+08:00 has not come to its end" in found["en"]


def test_the_members_are_those_that_the_last_run_has_written(tmp_path: Path) -> None:
    look = runpy.run_path(str(ROLE / "files/look.py"))
    names = look["members"].__globals__
    names["PATRONI"] = str(tmp_path / "patroni.yml")
    assert look["members"]() == []
    (tmp_path / "patroni.yml").write_text(
        'ctl:\n  hosts: x\netcd3:\n  protocol: https\n  hosts: ["a.example:2379", "b.example:2379"]\n  cert: c\n'
    )
    assert look["members"]() == ["a.example", "b.example"]


GOOD = {
    "replica": False,
    "wal": 1 << 30,
    "most": 1 << 30,
    "receiver": None,
    "synchronous": 1,
    "following": 2,
    "kept_for": None,
    "unsent": None,
}


@pytest.mark.parametrize(
    ("seen", "members", "said"),
    [
        (GOOD, 3, []),
        ({**GOOD, "synchronous": 0, "following": 0}, 1, []),
        ({**GOOD, "wal": 3 << 30}, 3, ["the WAL has 3072 MiB, max_wal_size is 1024 MiB"]),
        ({**GOOD, "wal": 3 << 30, "kept_for": "p_data_3"}, 3, ["kept for p_data_3, which does not come for it"]),
        ({**GOOD, "synchronous": 0}, 3, ["no member follows at once"]),
        ({**GOOD, "following": 1}, 3, ["1 of the members do not follow"]),
        ({**GOOD, "replica": True, "receiver": "streaming"}, 3, []),
        ({**GOOD, "replica": True}, 3, ["does not receive from the leader"]),
        ({}, 3, ["the database does not answer"]),
    ],
)
def test_what_raises_an_alarm(seen: dict[str, Any], members: int, said: list[str], tmp_path: Path) -> None:
    alarms = health(tmp_path)
    wish = {"directory": str(tmp_path), "free_percent": 0, "wal_times": 2, "members": members, "objects": "", "backups": "unwanted"}
    found = list(alarms(wish, seen))
    assert len(found) == len(said)
    for each, text in zip(found, said, strict=True):
        assert text in each["en"]
        assert each["zh"] != each["en"]
    full = list(alarms({**wish, "free_percent": 101}, seen))
    assert len(full) == len(said) + 1
    assert f"of the file system of {tmp_path} is free" in full[0]["en"]


DRILLED = {"ok": True, "rpo_seconds": 25.1, "rto_seconds": 3.0}


@pytest.mark.parametrize(
    ("kind", "unsent", "hours", "drill", "said"),
    [
        ("unwanted", None, 1, {}, []),
        ("no", None, 1, {}, ["nothing is backed up"]),
        ("yes", None, 1, {}, ["note: no restore has been drilled"]),
        ("yes", None, 1, {**DRILLED, "days": 1}, ["note: the last drill"]),
        ("yes", None, 1, {**DRILLED, "days": 9}, ["the last drill"]),
        ("yes", None, 1, {"ok": False, "error": "a page is damaged", "days": 1}, ["failed: a page is damaged"]),
        ("yes", None, 30, {**DRILLED, "days": 1}, ["the last backup was made", "note: the last drill"]),
        ("yes", None, 1, {**DRILLED, "days": 1, "kept": True}, ["note: the last drill"]),
        (
            "yes",
            None,
            1,
            {**DRILLED, "days": 1, "kept": False, "unkept": "no key"},
            ["note: the last drill", "not put into evidence: no key"],
        ),
        ("yes", "0000000100000007", 1, {**DRILLED, "days": 1}, ["the log 0000000100000007 cannot be sent", "note: the last drill"]),
    ],
)
def test_what_is_told_of_backups(kind: str, unsent: str | None, hours: int, drill: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    (tmp_path / "newest").write_text((now - datetime.timedelta(hours=hours)).isoformat())
    if drill:
        (tmp_path / "drill.json").write_text(json.dumps({**drill, "time": (now - datetime.timedelta(days=drill["days"])).isoformat()}))
    wish = {"directory": str(tmp_path), "free_percent": 0, "wal_times": 2, "members": 1, "objects": "", "backups": kind}
    (tmp_path / "objects.json").write_text(json.dumps({"time": now.isoformat(), "lost": []}))
    seen = {**GOOD, "unsent": unsent}
    found = [("note: " if each.get("note") else "") + each["en"] for each in health(tmp_path)(wish, seen)]
    assert len(found) == len(said), found
    assert all(text in each for text, each in zip(said, found, strict=True)), found


def since(**ago: float) -> str:
    """A time that is so long ago."""
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**ago)).isoformat()


def told(tmp_path: Path, backups: list[str], interval: int = 15, replica: bool = False, **records: dict[str, Any]) -> list[str]:
    """What is told where these are the times of backups, and these records are in the databases."""
    (tmp_path / "newest").write_text("\n".join(backups))
    wish = {"directory": str(tmp_path), "free_percent": 0, "wal_times": 2, "members": 1, "objects": "", "backups": "yes"}
    found = health(tmp_path)(
        {**wish, "objects_minutes": interval}, {**GOOD, "replica": replica, "receiver": "streaming", "records": records}
    )
    return [("note: " if each.get("note") else "") + each["en"] for each in found]


@pytest.mark.parametrize(
    ("backup", "copy", "interval", "said"),
    [
        (30, None, 15, ""),
        (90, None, 15, "the objects never were"),
        (90, None, 60, ""),
        (600, 59, 15, ""),
        (600, 61, 15, "more than 60 minutes ago"),
        (600, 61, 30, ""),
        (600, 121, 30, "more than 120 minutes ago"),
    ],
)
def test_copies_of_objects_do_not_stop_unnoticed(tmp_path: Path, backup: float, copy: float | None, interval: int, said: str) -> None:
    objects: dict[str, Any] = {} if copy is None else {"objects": {"time": since(minutes=copy), "lost": []}}
    drill = {"time": since(days=1), **DRILLED}
    found = [each for each in told(tmp_path, [since(minutes=backup)], interval, drill=drill, **objects) if not each.startswith("note")]
    assert len(found) == bool(said), found
    assert all(said in each for each in found)
    assert told(tmp_path, [since(minutes=backup)], interval, replica=True, drill=drill, **objects) == []


@pytest.mark.parametrize(("days", "alarm"), [(1, False), (7, False), (9, True)])
def test_that_nothing_is_ever_drilled_becomes_an_alarm(tmp_path: Path, days: float, alarm: bool) -> None:
    (found,) = told(tmp_path, [since(days=days), since(hours=1)], objects={"time": since(minutes=1), "lost": []})
    assert found.startswith("no restore has been drilled yet" if alarm else "note: no restore has been drilled yet")


def test_the_newest_drill_counts_whichever_member_did_it(tmp_path: Path) -> None:
    objects, failed = {"time": since(minutes=1), "lost": []}, {"ok": False, "error": "a page is damaged"}
    (tmp_path / "drill.json").write_text(json.dumps({**failed, "time": since(days=3)}))
    assert told(tmp_path, [since(hours=1)], objects=objects, drill={**DRILLED, "time": since(days=1)})[0].startswith("note: the last drill")
    (found,) = told(tmp_path, [since(hours=1)], objects=objects, drill={**DRILLED, "time": since(days=4)})
    assert "failed: a page is damaged" in found


@pytest.mark.parametrize(("said", "names"), [("inactive\nactive\n", []), ("inactive\nfailed\n", ["b.service"]), ("", [])])
def test_what_the_clock_started_and_failed_is_told(monkeypatch: pytest.MonkeyPatch, said: str, names: list[str]) -> None:
    failed = runpy.run_path(str(ROLE / "files/health.py"))["failed"]
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, said, ""))
    assert [each["en"].split()[0] for each in failed(["a.service", "b.service"])] == names


def test_everything_is_asked_at_once_and_within_the_time_of_whoever_asks(tmp_path: Path) -> None:
    found = runpy.run_path(str(ROLE / "files/health.py"))
    names = found["alarms"].__globals__

    # Each waits for the two others, which one after the other would never end; one never answers at all.
    together, over, ended = threading.Barrier(3, timeout=30), threading.Event(), threading.Event()

    def with_the_others(answer: Any) -> Any:
        together.wait()
        return answer

    def never(_host: str) -> Iterator[Any]:
        over.wait(30)
        ended.set()
        yield from ()

    slow = {"query": lambda: with_the_others({**GOOD, "receiver": None}), "backup_times": lambda: with_the_others([since(hours=1)])}
    names.update({**slow, "objects": never, "failed": lambda _: with_the_others([]), "RECORDS": tmp_path, "SECONDS": 2})
    wish = {"directory": str(tmp_path), "free_percent": 0, "wal_times": 2, "members": 1, "objects": "", "backups": "yes"}
    try:
        said = [each["en"] for each in found["alarms"]({**wish, "objects_minutes": 15, "units": []})]
        assert not ended.is_set(), "it was waited for"
    finally:
        over.set()
    assert "the object store does not answer (2 s)" in said
    assert not together.broken
    assert health_seconds() < TIMEOUT_SECONDS - 2


def health_seconds() -> float:
    return float(runpy.run_path(str(ROLE / "files/health.py"))["SECONDS"])


def test_a_password_that_is_in_force_is_recognised_and_not_set_again() -> None:
    # The script itself needs a driver that is on the servers alone.
    text = (ROLE / "files/databases.py").read_text()
    function = text[text.index("def is_verifier_of") : text.index("def composed")]
    names: dict[str, Any] = {"hashlib": hashlib, "hmac": hmac, "base64": base64}
    exec("from __future__ import annotations\n" + function, names)  # noqa: S102 - our own function
    check = names["is_verifier_of"]
    assert check(verifier("right"), "right")
    assert not check(verifier("right"), "wrong")
    assert not check(None, "right")
    assert not check("md5abc", "right")


MEMBERS = [{"name": name, "host": f"{name}.example"} for name in ("a", "b", "c")]
FRESH = "ETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER=" + ",".join(f"{m['name']}=https://{m['host']}:2380" for m in MEMBERS) + "\n"


def listed(name: str, *, named: bool = True, seen: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {"ID": ord(name), "peerURLs": [f"https://{name}.example:2380"]}
    return found | ({"name": name} if named else {}) | ({"clientURLs": [f"https://{name}.example:2379"]} if seen else {})


def join(
    tmp_path: Path, answers: list[dict[str, Any]] | None, members: list[dict[str, Any]] | None = None
) -> tuple[str, list[list[str]], int]:
    """How member c starts: the settings, the commands of etcdctl that change something, the exit code."""
    directory = tmp_path / "data"
    directory.mkdir(exist_ok=True)
    log = tmp_path / "log"
    etcdctl = tmp_path / "etcdctl"
    answer = json.dumps({"members": answers}) if answers is not None else ""
    etcdctl.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(log)!r}, 'a').write(repr(sys.argv[1:]) + chr(10))\n"
        f"answer = {answer!r}\nsys.exit(1) if not answer else print(answer)\n"
    )
    etcdctl.chmod(0o755)
    text = (ROLE / "files/join.py").read_text().replace("/usr/bin/etcdctl", str(etcdctl)).replace("SECONDS = 60.0", "SECONDS = 0.1")
    known = members if members is not None else [{**member, "joined": False, "first": ""} for member in MEMBERS]
    given = {"directory": str(directory), "name": "c", "members": known, "start": ["true"]}
    done = subprocess.run([sys.executable, "-c", text], input=json.dumps(given), capture_output=True, text=True, check=False)
    target = directory / "etcd.first"
    calls = [eval(line) for line in log.read_text().splitlines()] if log.exists() else []  # noqa: S307 - written above
    changing = [call[call.index("member") :] for call in calls if "list" not in call]
    return target.read_text() if target.exists() else done.stderr, changing, done.returncode


def test_a_cluster_begins_where_all_members_are_seen_and_none_knows_another(tmp_path: Path) -> None:
    assert join(tmp_path, None) == (FRESH, [], 0)


def test_one_that_others_have_begun_with_us_in_it_is_begun_here_too(tmp_path: Path) -> None:
    assert join(tmp_path, [listed("a"), listed("b"), listed("c", seen=False)]) == (FRESH, [], 0)
    waiting = [{**MEMBERS[0], "joined": True, "first": FRESH}, *({**member, "joined": False, "first": ""} for member in MEMBERS[1:])]
    (tmp_path / "second").mkdir()
    assert join(tmp_path / "second", None, waiting) == (FRESH, [], 0)


def test_one_that_is_there_is_joined(tmp_path: Path) -> None:
    text, calls, code = join(tmp_path, [listed("a")])
    assert code == 0
    assert "STATE=existing\nETCD_INITIAL_CLUSTER=a=https://a.example:2380,c=https://c.example:2380\n" in text
    assert calls == [["member", "add", "c", "--peer-urls=https://c.example:2380"]]


def test_added_by_a_run_that_was_killed_it_is_not_added_again(tmp_path: Path) -> None:
    text, calls, code = join(tmp_path, [listed("a"), listed("c", named=False, seen=False)])
    assert (code, calls) == (0, [])
    assert "STATE=existing" in text


def test_a_host_made_anew_does_not_come_back_under_its_old_number(tmp_path: Path) -> None:
    text, calls, code = join(tmp_path, [listed("a"), listed("b"), listed("c")])
    assert code == 0
    assert calls == [["member", "remove", f"{ord('c'):x}"], ["member", "add", "c", "--peer-urls=https://c.example:2380"]]
    assert text.endswith("a=https://a.example:2380,b=https://b.example:2380,c=https://c.example:2380\n")


def test_who_was_replaced_by_another_host_is_taken_out_first(tmp_path: Path) -> None:
    text, calls, code = join(tmp_path, [listed("a"), listed("b"), listed("z")])
    assert code == 0
    assert calls == [["member", "remove", f"{ord('z'):x}"], ["member", "add", "c", "--peer-urls=https://c.example:2380"]]
    assert text.endswith("a=https://a.example:2380,b=https://b.example:2380,c=https://c.example:2380\n")


@pytest.mark.parametrize(
    "first",
    [
        {**MEMBERS[0]},
        {**MEMBERS[0], "joined": True, "first": "ETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER=a=https://a.example:2380\n"},
    ],
)
def test_no_second_cluster_begins_while_one_that_may_exist_does_not_answer(tmp_path: Path, first: dict[str, Any]) -> None:
    """A member that is not among the hosts of the run, or that has data of another cluster."""
    others = [{**member, "joined": False, "first": ""} for member in MEMBERS[1:]]
    text, calls, code = join(tmp_path, None, [first, *others])
    assert code != 0
    assert "no cluster can be joined" in text
    assert calls == []
