"""Metrics: what a host shows at its one port, what is told of backups, and where the site's outputs say that it all is."""

from __future__ import annotations

import datetime
import http.server
import json
import runpy
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from yiwang import inventory, paths
from yiwang.components import metrics
from yiwang.components.context import Context
from yiwang.inventory.model import Province

ROLE = Path(__file__).parent.parent.parent / "roles" / "storage"
VARIABLES = yaml.safe_load((ROLE / "vars/main.yml").read_text())
TLS = VARIABLES["_storage_tls"]


@pytest.fixture(scope="module")
def lab_province() -> Province:
    return inventory.load(paths.data("inventories") / "lab")


def rendered(name: str, *, databases: bool = True, backups: bool = True) -> str:
    loader = jinja2.FileSystemLoader(ROLE / "templates")
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - no HTML
    host = {"host": "a.example"}
    return environment.get_template(name).render(
        **{key: value for key, value in VARIABLES.items() if key.startswith("_storage_metrics_")},
        _storage_managed="managed",
        _storage_tls=TLS,
        _storage_store_self=host,
        **({"_storage_self": host} if databases else {}),
        _storage_has_databases=databases,
        _storage_has_backups=backups,
    )


def modules(**kind: bool) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(rendered("etc/yiwang/storage/metrics.yml.j2", **kind))["modules"]
    return found


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ({"databases": True, "backups": True}, ("OBJECTS", "DATABASES", "BACKUPS")),
        ({"databases": True, "backups": False}, ("OBJECTS", "DATABASES")),
        ({"databases": False, "backups": False}, ("OBJECTS",)),
    ],
)
def test_the_host_shows_what_the_outputs_say_and_the_role_asks_for(kind: dict[str, bool], groups: tuple[str, ...]) -> None:
    assert set(modules(**kind)) == {name for group in groups for name in getattr(metrics, group)}
    asked = (VARIABLES[f"_storage_metrics_{group.lower()}"] for group in groups)
    assert set(modules(**kind)) == {name for group in asked for name in group}


def test_what_has_no_tls_is_asked_on_the_host_itself_and_nothing_waits_for_ever() -> None:
    for name, module in modules().items():
        asked = module.get("http", {})
        assert module["timeout"] == "9s"
        assert asked.get("scheme") == "https" or asked.get("address", "127.0.0.1") == "127.0.0.1", name
        if asked.get("scheme") == "https":
            assert asked["address"] == "a.example"
            assert (asked["tls_cert_file"], asked["tls_key_file"]) == (TLS["certificate"], TLS["key"])


def test_the_one_port_has_tls_and_asks_for_a_certificate_and_no_other_is_open() -> None:
    unit = rendered("etc/systemd/system/yiwang-metrics.service.j2")
    flags = set(unit.replace("\\\n", " ").split("ExecStart=")[1].split("\n")[0].split())
    assert {"-web.listen-address=", f"-web.tls.listen-address=:{metrics.PORT}", "-web.tls.verify"} <= flags
    assert {f"-web.tls.cert={TLS['certificate']}", f"-web.tls.key={TLS['key']}", f"-web.tls.ca={TLS['authority']}"} <= flags
    # The release takes no authority for what it asks: it trusts those of the environment, this one alone.
    assert f"Environment=SSL_CERT_FILE={TLS['authority']} SSL_CERT_DIR=/nonexistent\n" in unit
    other = rendered("etc/systemd/system/yiwang-metrics-postgresql.service.j2")
    assert "--web.listen-address=127.0.0.1:9187 " in other
    assert "password" not in other.split("DATA_SOURCE_NAME=")[1].splitlines()[0]
    for each in (unit, other):
        assert "\nMemoryMax=" in each
        for line in ("User=yiwang-metrics", "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "PrivateDevices=true"):
            assert f"\n{line}\n" in each


def test_units_of_the_packages_never_start() -> None:
    files = [
        file
        for task in yaml.safe_load((ROLE / "tasks/install.yml").read_text())
        for file in task.get("yiwang_files", {}).get("files", ())
        if file.get("target") == "/dev/null"
    ]
    packages = {"prometheus-exporter-exporter", "prometheus-postgres-exporter"}
    assert {f"/etc/systemd/system/{name}.service" for name in packages} <= {file["path"] for file in files}
    assert packages <= set(VARIABLES["_storage_database_packages"]) | {"prometheus-exporter-exporter"}


def told(tmp_path: Path, members: dict[str, Any] | None = None, **records: dict[str, Any]) -> dict[str, float]:
    """What is told of backups where these are the records here, and those in the databases."""
    for name, content in records.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    found = runpy.run_path(str(ROLE / "files/backups.py"))["metrics"]
    found.__globals__.update({"RECORDS": tmp_path, "shared": lambda: members or {}})
    return {name: value for name, _, value in found()}


def test_backups_that_were_never_made_have_no_age(tmp_path: Path) -> None:
    assert told(tmp_path) == {"yiwang_backups_wanted": 1}
    (tmp_path / "drill.json").write_text("{")
    assert told(tmp_path) == {"yiwang_backups_wanted": 1}


def test_backups_and_drills_have_their_times(tmp_path: Path) -> None:
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    at = {"time": moment.isoformat()}
    drill = {**at, "ok": True, "rpo_seconds": 25.1, "rto_seconds": 3.0}
    found = told(tmp_path, databases={**at, "bytes": 7}, objects={**at, "lost": ["documents"]}, drill=drill)
    assert {value for name, value in found.items() if name.endswith("_timestamp_seconds")} == {moment.timestamp()}
    assert found["yiwang_backup_objects_lost_buckets"] == 1
    assert (found["yiwang_drill_success"], found["yiwang_drill_rpo_seconds"], found["yiwang_drill_rto_seconds"]) == (1, 25.1, 3.0)
    failed = told(tmp_path, drill={**at, "ok": False, "error": "a page is damaged"})
    assert failed["yiwang_drill_success"] == 0
    assert "yiwang_drill_rpo_seconds" not in failed


def test_the_newest_record_counts_whichever_member_made_it(tmp_path: Path) -> None:
    old, new = ({"time": f"2026-01-0{day}T00:00:00+00:00"} for day in (1, 2))
    good, bad = {"ok": True, "rpo_seconds": 1.0, "rto_seconds": 2.0}, {"ok": False, "error": "a page is damaged"}
    assert told(tmp_path, {"drill": {**new, **good}}, drill={**old, **bad})["yiwang_drill_success"] == 1
    assert told(tmp_path, {"drill": {**old, **good}}, drill={**new, **bad})["yiwang_drill_success"] == 0
    assert told(tmp_path, {"objects": {**new, "lost": []}}, objects={**old, "lost": ["a"]})["yiwang_backup_objects_lost_buckets"] == 0
    assert told(tmp_path, drill={**new, **good})["yiwang_drill_kept"] == 1
    assert told(tmp_path, drill={**new, **good, "kept": False})["yiwang_drill_kept"] == 0


def test_databases_that_do_not_answer_leave_what_is_here(tmp_path: Path) -> None:
    found = runpy.run_path(str(ROLE / "files/backups.py"))["shared"]
    assert found() == {}


class Shown(http.server.BaseHTTPRequestHandler):
    """Metrics of a module, and another that is away."""

    def do_GET(self) -> None:
        good = self.path == "/proxy?module=postgresql"
        self.send_response(200 if good else 502)
        self.end_headers()
        self.wfile.write(b"# TYPE pg_up gauge\npg_up 1\n" if good else b"Bad Gateway")

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name that the class has
        pass


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What the role finds wrong with a module, asked without TLS."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Shown)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    class Plain(http.client.HTTPConnection):
        def __init__(self, host: str, port: int, **options: Any) -> None:
            super().__init__(host, port, timeout=options["timeout"])

    monkeypatch.setattr(http.client, "HTTPSConnection", Plain)
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda *_: None)
    function = runpy.run_path(str(ROLE / "files/metrics.py"))["ask"]
    beginnings = {**VARIABLES["_storage_metrics_databases"], **VARIABLES["_storage_metrics_objects"]}
    yield lambda name, **other: function({"host": "127.0.0.1", "port": server.server_port, "modules": {**beginnings, **other}}, name)
    server.shutdown()
    server.server_close()


def test_a_module_without_its_metric_is_told_of(ask: Any) -> None:
    assert ask("postgresql") == ""
    assert ask("postgresql", postgresql="pg_up 0") == "no pg_up 0"
    assert ask("patroni") == "502 Bad Gateway"


def test_the_outputs_name_each_module_of_each_host(lab_province: Province) -> None:
    found = metrics.endpoints(Context(lab_province, lab_province.sites["province"]))
    assert [(each["host"], each["module"]) for each in found] == [
        *(("p-data", name) for name in ("backups", "etcd", "objects", "patroni", "postgresql")),
        ("p-ops", "objects"),
    ]
    assert found[0]["url"] == "https://p-data.sd.zwfw.example:9998/proxy?module=backups"
    assert VARIABLES["_storage_metrics_port"] == metrics.PORT
    alone = metrics.endpoints(Context(lab_province, lab_province.sites["national"]))
    assert [each["module"] for each in alone] == ["etcd", "objects", "patroni", "postgresql"], "nothing of it is backed up"
