"""What is done for the object store every hour: by whom, and how it is known that it failed. Without servers."""

from __future__ import annotations

import http.server
import json
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest

ROLE = Path(__file__).parent.parent.parent / "roles" / "storage"


class Master(http.server.BaseHTTPRequestHandler):
    """One of the store's masters."""

    status: bytes = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.status if self.path == "/cluster/status" else b"")

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the name that the class has
        pass


@pytest.fixture
def care() -> Iterator[dict[str, Any]]:
    """The program, beside a master of its own."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Master)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = runpy.run_path(str(ROLE / "files/care.py"))
    found["main"].__globals__.update({"PORT": server.server_port, "LEADER_SECONDS": 0.0})
    yield found["main"].__globals__
    server.shutdown()
    server.server_close()


def cared(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch, status: object, hosts: int = 3, **said: str) -> tuple[int, list[str]]:
    """The exit code, and which commands were run, where the shell says this of each."""
    done: list[str] = []

    def shell(_words: list[str], **given: Any) -> Any:
        command = given["input"].splitlines()[1].split()[0]
        done.append(command)
        return subprocess.CompletedProcess([], 0, said.get(command.replace(".", "_"), ""), "")

    monkeypatch.setattr(Master, "status", json.dumps(status).encode() if status else b"Bad Gateway")
    monkeypatch.setattr(care["subprocess"], "run", shell)
    monkeypatch.setattr(sys, "argv", ["care", "127.0.0.1", str(hosts)])
    return care["main"](), done


# As SeaweedFS 4.48 answers.
LEADER = {"IsLeader": True, "Leader": "127.0.0.1:9333.19333"}
OTHER = {"Leader": "192.0.2.7:9333.19333", "Peers": ["192.0.2.7:9333.19333"]}
ALL = ["volume.configure.replication", "volume.fix.replication", "s3.clean.uploads", "s3.lifecycle.run-shard"]


def test_one_host_cares_and_the_others_skip(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cared(care, monkeypatch, LEADER) == (0, ALL)
    assert cared(care, monkeypatch, LEADER, hosts=1) == (0, ALL[2:])
    assert cared(care, monkeypatch, OTHER) == (0, [])


@pytest.mark.parametrize("status", [{}, {"Peers": ["a"]}, {"Leader": ""}])
def test_that_nobody_leads_is_a_failure(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch, status: dict[str, Any]) -> None:
    assert cared(care, monkeypatch, status) == (1, [])


def test_a_store_that_has_just_begun_is_waited_for(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    care["LEADER_SECONDS"] = 60.0
    monkeypatch.setattr(care["time"], "sleep", lambda _: monkeypatch.setattr(Master, "status", json.dumps(LEADER).encode()))
    assert cared(care, monkeypatch, {}) == (0, ALL)


def test_no_answer_is_a_failure(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    care["PORT"] = 1
    assert cared(care, monkeypatch, LEADER) == (1, [])


def test_one_that_fails_stops_no_other_and_is_told(care: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cared(care, monkeypatch, LEADER, volume_fix_replication='error: need to run "lock" first') == (1, ALL)


@pytest.mark.parametrize(
    ("said", "code", "found"),
    [
        ("", 0, ""),
        ("lock acquired\nrunning shards 0-15 (event budget=0, runtime=5s, refresh=0s)…\nshards 0-15 complete; cursors checkpointed", 0, ""),
        ("no under replicated volumes\n0 errors", 0, ""),
        ("3 replicated, 0 failed\nfailed: 0, failed=0", 0, ""),
        ("failed to place volume 7", 0, "failed to place volume 7"),
        ("3 replicated, 10 failed", 0, "3 replicated, 10 failed"),
        ("W1126 18:22:29.002234 retry.go:185 retry: rpc error: code = Unavailable", 0, ""),
        ("", 124, "exit 124"),
        ("error: failed to lock: already locked by p-data-2", 0, "error: failed to lock: already locked by p-data-2"),
        ("unknown command: volume.fix", 0, "unknown command: volume.fix"),
        ('invalid value "xx" for flag -timeAgo: parse error', 0, 'invalid value "xx" for flag -timeAgo: parse error'),
        ("> rpc error: code = Unavailable", 1, "> rpc error: code = Unavailable"),
    ],
)
def test_what_the_shell_says_is_judged(care: dict[str, Any], said: str, code: int, found: str) -> None:
    assert care["wrong"](said, code) == found


def test_the_clock_starts_it_with_the_hosts_name() -> None:
    template = (ROLE / "templates/usr/local/lib/yiwang/storage/objects-care.j2").read_text()
    hosts = [{"name": name, "host": f"{name}.example"} for name in ("a", "b", "c")]
    given = {"_storage_managed": "", "_storage_identities": "x", "_storage_reads": {"yiwang-objects-identities": ["y"]}}
    text = jinja2.Template(template, undefined=jinja2.StrictUndefined).render(
        **given, _storage_store_self=hosts[1], storage_store_hosts=hosts
    )
    assert text.splitlines()[-1] == "exec /usr/bin/python3 /usr/local/lib/yiwang/storage/care.py b.example 3"
