"""The servers as the driver sees them, and what its scenarios do with them again and again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from yiwang.sealing import evidence
from yiwang.sealing.bucket import SealedBucket
from yiwang.sealing.check import verify
from yiwang.sealing.erasure import Erased, Erasure, Selection
from yiwang.sealing.errors import SealingError
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import Reason
from yiwang.sealing.rows import fetch
from yiwang.sealing.store import connect

TEXT = "电子营业执照：张三".encode() * 100
BUCKET = "papers"
# Of several chunks of ours, and of one of the store's.
SEVERAL = 1_000_000
LARGE = 64 << 20
SCENARIOS: dict[str, Callable[[Any], Any]] = {}


def scenario(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    SCENARIOS[work.__name__] = work
    return work


class Place:
    """The servers, and what is done with them again and again."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.connection = psycopg.connect(given["database"], password=given["password"], autocommit=True)
        self.papers, self.evidence = connect(given["buckets"][BUCKET]), connect(given["evidence"])
        self.keys = KeyRing(*given["keys"])
        self.bucket = SealedBucket(self.connection, self.papers, self.keys)
        self.erasure = Erasure(self.connection, self.evidence)

    def put(self, name: str, data: bytes = TEXT, subject: str = "s-1", purpose: str = "licence", **more: Any) -> Any:
        return self.bucket.put(name, data, subject=subject, purpose=purpose, metadata={"title": "张三"}, **more)

    def erase(self, by: str = "test", **selection: Any) -> Erased:
        chosen = {"bucket": BUCKET, **selection}
        return self.erasure.erase(Selection(**chosen), reason=Reason.PURPOSE_ENDED, by=by)

    def row(self, made: str) -> dict[str, Any]:
        (row,) = fetch(self.connection, "select * from sealing.objects where object = %(object)s", {"object": made})
        return row

    def proofs(self) -> int:
        return sum(1 for _ in evidence.kept(self.evidence, evidence.name_of(self.connection)))

    def found(self) -> list[str]:
        said = verify(self.connection, {BUCKET: self.papers}, self.evidence, self.keys)
        return sorted(f"{finding.trouble.value} {finding.place}" for finding in said.findings)

    def raw(self, call: str, store: Any, name: str, **more: Any) -> Any:
        """One call of S3's own; the code where it is refused."""
        try:
            return getattr(store._client, call)(Bucket=store.bucket, Key=name, **more)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """As a restore does it: past the triggers."""
        for table in ("objects", "proofs"):
            self.connection.execute(f"alter table sealing.{table} disable trigger user")
        try:
            yield
        finally:
            for table in ("objects", "proofs"):
                self.connection.execute(f"alter table sealing.{table} enable trigger user")

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Everything that is done inside is undone in the database, as by a restore; what was put stays put."""
        tables = ("proofs", "objects", "chain")
        for table in tables:
            self.connection.execute(f"create table sealing.copy_{table} as table sealing.{table}")
        yield
        with self.unguarded(), self.connection.transaction():
            self.connection.execute("truncate sealing.objects, sealing.proofs, sealing.chain")
            for table in tables:
                extra = " overriding system value" if table == "objects" else ""
                self.connection.execute(f"insert into sealing.{table}{extra} select * from sealing.copy_{table}")  # noqa: S608 - words of this file
                self.connection.execute(f"drop table sealing.copy_{table}")


class Counting:
    """A file of so many bytes that is never in memory as a whole."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int) -> bytes:
        piece = b"x" * min(size, self.left)
        self.left -= len(piece)
        return piece


def refused(work: Callable[[], Any]) -> str:
    """The error that a call ends with."""
    try:
        work()
    except (SealingError, psycopg.Error) as error:
        return type(error).__name__
    return ""


def killed(given: dict[str, Any], where: str) -> int:
    """Another process that does the scenario ``where`` and dies in it; its exit code."""
    command = [sys.executable, "-m", "sealing.driver", where]
    return subprocess.run(command, input=json.dumps(given), text=True, capture_output=True, check=False).returncode


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
