"""Puts objects with personal data into a locked bucket, sealed, and opens them as long as they are not erased."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import IO, Any

from yiwang.sealing import rows, stream, values
from yiwang.sealing.errors import DamagedError, ErasedError, NotFoundError, TooLargeError, UnderWayError, ValueInvalidError
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.rows import Sealed
from yiwang.sealing.store import IN_MEMORY, PIECE, Store

LARGEST = 5 << 30
"""What S3 takes in one request, sealed."""
NAME_BYTES = 16


class SealedBucket:
    """A bucket of a database's owner. Names, purposes and subjects are the caller's; in the bucket nothing tells of them.

    ``put`` may be part of a transaction of the caller's: what is not committed was never put, since nobody has its key.
    """

    def __init__(self, connection: Any, store: Store, keys: KeyRing) -> None:
        self._connection = connection
        self._store = store
        self._keys = keys

    def put(
        self,
        name: str,
        data: bytes | IO[bytes],
        *,
        purpose: str,
        subject: str,
        metadata: Mapping[str, str] | None = None,
        erase_after: datetime | None = None,
    ) -> Sealed:
        """Seal ``data`` with a key of its own and put it. The same name again is another version.

        ``subject`` stands for the person and does not name him (a pseudonym): it stays in the proof. ``erase_after``: when its purpose
        ends at the latest.
        """
        given = {
            "name": values.name(name),
            "purpose": values.word("purpose", purpose),
            "subject": values.word("subject", subject),
            "metadata": values.metadata(metadata),
            "erase_after": values.moment("erase_after", erase_after),
        }
        bucket, made, key = self._store.bucket, os.urandom(NAME_BYTES).hex(), os.urandom(stream.KEY)
        bound = rows.label(bucket, made)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as copy:
            hashed, size = sha256(), 0
            for piece in stream.seal(_pieces(data), key, bound):
                hashed.update(piece)
                size += copy.write(piece)
                if size > LARGEST:
                    raise TooLargeError(limit=LARGEST)
            copy.seek(0)
            version = self._store.put(made, copy)
        kept = {"bucket": bucket, "object": made, "version": version, "size": size, "sha256": hashed.digest()}
        locked = {"wrapped_key": self._keys.wrap(key, bound), "kek": self._keys.current, "name_digest": rows.digest(bucket, name)}
        return _recorded(self._connection, {**given, **kept, **locked})

    def about(self, name: str, version: str | None = None) -> Sealed:
        """What is recorded of the newest version, or of the one whose ``object`` is ``version``. NotFoundError."""
        condition = "bucket = %(bucket)s and name_digest = %(digest)s and (%(version)s::text is null or object = %(version)s)"
        bucket = self._store.bucket
        found = rows.select(self._connection, condition, {"bucket": bucket, "digest": rows.digest(bucket, name), "version": version})
        if not found:
            raise NotFoundError(name=name)
        return found[-1]

    def read(self, name: str, version: str | None = None) -> Iterator[bytes]:
        """The object piece by piece. The first piece comes after all of it was found to be what was put."""
        return opened(self._store, self._keys, self.about(name, version))

    def get(self, name: str, version: str | None = None) -> bytes:
        """All of it at once."""
        return b"".join(self.read(name, version))


def opened(store: Store, keys: KeyRing, sealed: Sealed) -> Iterator[bytes]:
    """The content of an object. ErasedError, UnderWayError, KeyUnknownError, DamagedError, StoreError."""
    if sealed.erased_at is not None:
        raise ErasedError(object=sealed.object, at=sealed.erased_at)
    if sealed.asked_at is not None:
        raise UnderWayError(object=sealed.object)
    with store.fetched(sealed.object, sealed.version) as found:
        if found is None or found[1:] != (sealed.size, sealed.sha256):
            raise DamagedError(object=f"{sealed.bucket}/{sealed.object}")
        yield from unsealed(found[0], keys, sealed)


def unsealed(copy: IO[bytes], keys: KeyRing, sealed: Sealed) -> Iterator[bytes]:
    """What a copy of an object holds. KeyUnknownError, DamagedError."""
    key = keys.unwrap(sealed.kek or "", sealed.wrapped_key or b"", sealed.label)
    return stream.unseal(iter(lambda: copy.read(PIECE), b""), key, sealed.label)


def _recorded(connection: Any, row: Mapping[str, Any]) -> Sealed:
    statement = (
        "insert into sealing.objects (bucket, object, version, name, name_digest, purpose, subject, metadata, size, sha256, wrapped_key,"
        " kek, erase_after) values (%(bucket)s, %(object)s, %(version)s, %(name)s, %(name_digest)s, %(purpose)s, %(subject)s,"
        " %(metadata)s::jsonb, %(size)s, %(sha256)s, %(wrapped_key)s, %(kek)s, %(erase_after)s)"
    )
    rows.fetch(connection, statement, row)
    (made,) = rows.select(connection, "object = %(object)s", {"object": row["object"]})
    return made


def _pieces(data: Any) -> Iterable[bytes]:
    if isinstance(data, bytes):
        return (data,)
    if not hasattr(data, "read") or isinstance(data, io.TextIOBase):
        raise ValueInvalidError(part="data", expected="bytes | file (rb)")
    return iter(lambda: data.read(PIECE), b"")
