"""The provider as a process: its two ways to listen, its end, and the supervisor below it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from provider.support import provider
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from yiwang.provider import supervisor
from yiwang.provider.values import Secret, from_struct, to_struct


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_a_socket_it_prints_its_port() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PULUMI_PROVIDER_SOCKET"}
    with subprocess.Popen([sys.executable, "-m", "yiwang.provider"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert re.fullmatch(r"\d+", port)
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                shake = ResourceProviderStub(channel).Handshake(pb.ProviderHandshakeRequest(engine_address=""))
                assert (shake.accept_secrets, shake.accept_outputs) == (True, False)
        finally:
            process.terminate()
        assert process.wait() == 0


@pytest.mark.parametrize("environment", [{}, {"PULUMI_PROVIDER_SOCKET": "{directory}/s"}])
def test_it_ends_with_its_parent(environment: dict[str, str], tmp_path: Path) -> None:
    given = {name: value.format(directory=tmp_path) for name, value in environment.items()}
    script = (
        "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-m', 'yiwang.provider'], stdout=subprocess.PIPE);"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **given}, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait()
        until(lambda: not alive(pid))


def test_secrets_over_the_protocol() -> None:
    with provider() as client:
        client.type = "yiwang:index:Secret"
        assert client.check({"length": 32}) == []
        assert [key for key, _ in client.check({"length": 1})] == ["length"]
        state = client.create({"length": 32})
        assert isinstance(state["value"], Secret)
        assert client.diff({"length": 32}, state, {"length": 32}) == []
        assert client.read({"length": 32}, state) == state
        client.delete({"length": 32}, state)


def test_an_unknown_type_is_named() -> None:
    with provider() as client:
        client.type = "yiwang:index:Nothing"
        with pytest.raises(grpc.RpcError) as caught:
            client.check({})
        assert "yiwang:index:Nothing" in caught.value.details()


def test_a_bug_leaves_no_secret(tmp_path: Path) -> None:
    with provider(XDG_CACHE_HOME=str(tmp_path)) as client:
        client.type = "yiwang:index:Certificate"
        bad = {"kind": "server", "names": ["a"], "days": 1, "renewBefore": 0, "commonName": "a", "issuerCertificate": "none"}
        with pytest.raises(grpc.RpcError) as caught:
            client.create({**bad, "issuerKey": Secret("the-issuers-key")})
        assert "bug" in caught.value.details()
        (log,) = tmp_path.rglob("*-provider.log")
        assert "Traceback" in log.read_text()
        assert "the-issuers-key" not in log.read_text() + caught.value.details()


def test_properties_pass_unchanged() -> None:
    inputs = to_struct({"length": 32})
    with provider() as client:
        request = pb.CheckRequest(news=inputs, urn="urn:pulumi:s::p::yiwang:components:X$yiwang:index:Secret::n")
        assert from_struct(client.stub.Check(request).inputs) == {"length": 32}


# A program that hides: its child makes a session of its own and loses its parent.
HIDING = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
time.sleep(60)
"""


@contextmanager
def supervising() -> Iterator[tuple[subprocess.Popen[str], Callable[..., object], Callable[[], dict[str, Any]]]]:
    """A supervisor, how to order it, and the next thing it says."""
    command = [sys.executable, "-S", "-E", str(supervisor.__file__)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        write, read = process.stdin.write, process.stdout.readline
        yield process, lambda **order: write(json.dumps(order) + "\n"), lambda: json.loads(read())


@pytest.mark.parametrize("how", ["stdin ends", "the job is killed and then stdin ends"])
def test_nothing_below_the_supervisor_outlives_it(tmp_path: Path, how: str) -> None:
    note = tmp_path / "pid"
    with supervising() as (process, order, said):
        order(id="1", argv=[sys.executable, "-c", HIDING, str(note)], env={}, cwd="/", log=str(tmp_path / "log"))
        assert said().keys() == {"id", "pid"}
        until(lambda: note.is_file() and bool(note.read_text()))
        hidden = int(note.read_text())
        assert alive(hidden)
        if how.startswith("the job"):
            order(id="1", kill=True)
            assert said() == {"id": "1", "code": -signal.SIGKILL}
        process.communicate(timeout=20)
        assert process.returncode == 0
        assert not alive(hidden)


def test_a_program_that_is_not_there_is_an_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with supervising() as (_, order, said):
        order(id="7", argv=["/no/such/program"], env={}, cwd="/", log=str(log))
        assert said().keys() == {"id", "pid"}
        assert said() == {"id": "7", "code": 127}
        assert "/no/such/program" in log.read_text()
