"""The object store as this package uses it: what is put stays, and is read by the version that was put, whatever came after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from yiwang.sealing.errors import StoreError

MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
BROKEN = "InternalError"
PIECE = 1 << 20
IN_MEMORY = 8 << 20
"""What is read or put lies in memory up to this size, and on the disk, sealed, beyond it."""


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies under a name: its versions, the one that was put first first, and whether a deletion hides them."""

    name: str
    versions: tuple[str, ...]
    hidden: bool


class Store:
    """One bucket. ``client``: boto3's, signed in as whoever may use it."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put(self, name: str, body: IO[bytes] | bytes) -> str:
        """Put an object; returns its version."""
        with _told(self.bucket, name):
            version: str = self._client.put_object(Bucket=self.bucket, Key=name, Body=body)["VersionId"]
        return version

    @contextmanager
    def fetched(self, name: str, version: str) -> Iterator[tuple[IO[bytes], int, bytes] | None]:
        """A copy with its size and SHA-256; None where there is none."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
            hashed, size = sha256(), 0
            try:
                with _told(self.bucket, name):
                    body = self._client.get_object(Bucket=self.bucket, Key=name, VersionId=version)["Body"]
                    while piece := body.read(PIECE):
                        hashed.update(piece)
                        size += copy.write(piece)
            except StoreError as error:
                if error.values["code"] not in MISSING:
                    raise
                yield None
                return
            copy.seek(0)
            yield copy, size, hashed.digest()

    def read(self, name: str, version: str) -> bytes | None:
        """A small object; None where there is none."""
        with self.fetched(name, version) as found:
            return None if found is None else found[0].read()

    def locked(self, name: str, version: str) -> bool:
        """Whether nobody can delete it today."""
        with _told(self.bucket, name):
            said = self._client.head_object(Bucket=self.bucket, Key=name, VersionId=version)
        mode: str | None = said.get("ObjectLockMode")
        return mode == "COMPLIANCE"

    def lying(self, prefix: str, after: str = "") -> Iterator[Lying]:
        """Everything below ``prefix`` by name, behind ``after``, with what a later version or a deletion has covered."""
        start = {"KeyMarker": after} if after else {}
        name, hidden = "", set()
        versions: list[str] = []
        with _told(self.bucket, prefix):
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix, **start):
                hidden |= {marker["Key"] for marker in page.get("DeleteMarkers", ())}
                for each in page.get("Versions", ()):
                    if each["Key"] != name:
                        if versions:
                            yield Lying(name, tuple(versions), name in hidden)
                        name, versions = each["Key"], []
                    # The newest of a name comes first.
                    versions.insert(0, each["VersionId"])
        if versions:
            yield Lying(name, tuple(versions), name in hidden)


def connect(place: Mapping[str, str]) -> Store:
    """A bucket by its place as the kit's outputs have it (``endpoint``, ``region``, ``bucket``, ``access_key``, ``secret_key``).

    ``authority``: the file of the root that the store's certificate is from.
    """
    client = boto3.client(
        "s3",
        endpoint_url=place["endpoint"],
        region_name=place["region"],
        aws_access_key_id=place["access_key"],
        aws_secret_access_key=place["secret_key"],
        verify=place.get("authority", "/etc/yiwang/tls/ca.crt"),
        config=Config(s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=60, retries={"max_attempts": 4}),
    )
    return Store(client, place["bucket"])


@contextmanager
def _told(bucket: str, name: str) -> Iterator[None]:
    """What the store or the way to it says, as one error of ours."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise StoreError(place=f"{bucket}/{name}", code=code) from error
    except BotoCoreError as error:
        raise StoreError(place=f"{bucket}/{name}", code=type(error).__name__) from error
