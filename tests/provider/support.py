"""The provider as a process, for tests that speak its protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from yiwang.files import private_tmpfs
from yiwang.provider.values import from_struct, to_struct

HERE = Path(__file__).parent
ROLE = "yiwang:index:Role"


@dataclass
class Client:
    """One provider process and its protocol; property maps are Python values."""

    process: subprocess.Popen[str]
    stub: Any
    run_dir: Path
    type: str = ROLE

    def _urn(self) -> dict[str, Any]:
        return {"urn": f"urn:pulumi:s::p::{self.type}::probe", "type": self.type, "name": "probe"}

    def check(self, news: dict[str, Any]) -> list[tuple[str, str]]:
        answer = self.stub.Check(pb.CheckRequest(news=to_struct(news), **self._urn()))
        return [(each.property, each.reason) for each in answer.failures]

    def diff(self, old: dict[str, Any], state: dict[str, Any], news: dict[str, Any]) -> list[str]:
        request = pb.DiffRequest(id="x", old_inputs=to_struct(old), olds=to_struct(state), news=to_struct(news), **self._urn())
        answer = self.stub.Diff(request)
        assert (answer.changes == pb.DiffResponse.DIFF_SOME) == bool(answer.diffs)
        return list(answer.diffs)

    def create(self, news: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
        return from_struct(self.stub.Create(self.request_create(news, preview=preview)).properties)

    def request_create(self, news: dict[str, Any], *, preview: bool = False) -> Any:
        return pb.CreateRequest(properties=to_struct(news), preview=preview, **self._urn())

    def update(self, old: dict[str, Any], state: dict[str, Any], news: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
        request = pb.UpdateRequest(
            id="x", old_inputs=to_struct(old), olds=to_struct(state), news=to_struct(news), preview=preview, **self._urn()
        )
        return from_struct(self.stub.Update(request).properties)

    def read(self, inputs: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        request = pb.ReadRequest(id="x", inputs=to_struct(inputs), properties=to_struct(state), **self._urn())
        return from_struct(self.stub.Read(request).properties)

    def delete(self, inputs: dict[str, Any], state: dict[str, Any]) -> None:
        self.stub.Delete(pb.DeleteRequest(id="x", old_inputs=to_struct(inputs), properties=to_struct(state), **self._urn()))

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """All events so far, or those of one kind."""
        every = [json.loads(line) for line in (self.run_dir / "events.jsonl").read_text().splitlines()]
        return [event for event in every if not kind or event["event"] == kind]


def partial(error: grpc.RpcError) -> tuple[dict[str, Any], list[str]]:
    """The outputs and reasons of a partial failure."""
    from google.protobuf import any_pb2  # noqa: F401, PLC0415 - registers the type
    from google.rpc import status_pb2  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with grpc, without types

    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    detail = pb.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    return from_struct(detail.properties), list(detail.reasons)


@contextmanager
def provider(**environment: str) -> Iterator[Client]:
    """A provider process with a run directory of its own; both are gone at the end."""
    run_dir = Path(tempfile.mkdtemp(prefix="test-", dir=private_tmpfs()))
    socket = run_dir / "provider.sock"
    (run_dir / "events.jsonl").touch()
    process = subprocess.Popen(
        [sys.executable, str(HERE / "process.py")],
        env={**os.environ, "YIWANG_LANG": "en", "YIWANG_RUN_DIR": str(run_dir), "PULUMI_PROVIDER_SOCKET": str(socket), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip()
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            yield Client(process, ResourceProviderStub(channel), run_dir)
    finally:
        process.terminate()
        process.communicate()
        shutil.rmtree(run_dir)
