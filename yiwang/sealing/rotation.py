"""Another key-encryption key: the keys of all objects are wrapped anew, and the objects stay as they are."""

from __future__ import annotations

from typing import Any

from yiwang.sealing import rows
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.rows import fetch

BATCH = 500


def rewrap(connection: Any, keys: KeyRing) -> int:
    """Wrap every key that is under a former one under the current one; returns how many. Cut short, it goes on with the next call.

    Whoever puts objects has the new key by then. KeyUnknownError where a key is under one that ``keys`` has not: nothing is lost by that.
    """
    rows.idle(connection)
    count = 0
    while done := _batch(connection, keys):
        count += done
    return count


def _batch(connection: Any, keys: KeyRing) -> int:
    with connection.transaction():
        former = "id in (select id from sealing.objects where kek <> %(kek)s order by id limit %(batch)s for update)"
        found = rows.select(connection, former, {"kek": keys.current, "batch": BATCH})
        for sealed in found:
            if sealed.wrapped_key is None or sealed.kek is None:
                continue
            fresh = keys.wrap(keys.unwrap(sealed.kek, sealed.wrapped_key, sealed.label), sealed.label)
            statement = "update sealing.objects set wrapped_key = %(key)s, kek = %(kek)s where id = %(id)s"
            fetch(connection, statement, {"id": sealed.id, "key": fresh, "kek": keys.current})
    return len(found)
