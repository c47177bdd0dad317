"""What goes as it shall: put, get, erase, and the verbs of an operator."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sealing.place import LARGE, SEVERAL, TEXT, Counting, Place, refused, scenario

from yiwang.sealing import stream
from yiwang.sealing.bucket import SealedBucket
from yiwang.sealing.erasure import Selection
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import Reason
from yiwang.sealing.rows import fetch
from yiwang.sealing.schema import migrate


@scenario
def tables(place: Place) -> Any:
    before = refused(lambda: place.bucket.get("x"))
    first = migrate(place.connection)
    said = []

    def again() -> None:
        with psycopg.connect(place.given["database"], password=place.given["password"]) as connection:
            said.append(migrate(connection))

    several = [threading.Thread(target=again) for _ in range(3)]
    for each in several:
        each.start()
    for each in several:
        each.join()
    with place.connection.transaction():
        inside = refused(lambda: migrate(place.connection))
    place.connection.execute("insert into sealing.migrations (name, sha256) values ('9999.sql', '')")
    newer = refused(lambda: migrate(place.connection))
    place.connection.execute("delete from sealing.migrations where name = '9999.sql'")
    public = fetch(place.connection, "select has_schema_privilege('public', 'sealing', 'usage') as may")
    return {"before": before, "first": first, "again": said, "inside": inside, "newer": newer, "public": public[0]["may"]}


@scenario
def put_and_get(place: Place) -> Any:
    first, second = place.put("licences/张三.pdf"), place.put("licences/张三.pdf", TEXT + b"2")
    several = os.urandom(SEVERAL)
    big = place.bucket.put("several", io.BytesIO(several), subject="s-2", purpose="licence")
    empty = place.put("empty", b"")
    body = place.papers.read(first.object, first.version) or b""
    told = place.raw("head_object", place.papers, first.object, VersionId=first.version)
    place.connection.execute("begin")
    undone = place.put("undone")
    place.connection.execute("rollback")
    return {
        "opened": place.bucket.get("licences/张三.pdf", first.object) == TEXT and place.bucket.get("licences/张三.pdf") == TEXT + b"2",
        "metadata": place.bucket.about("licences/张三.pdf").metadata,
        "several": place.bucket.get("several") == several and big.size == stream.sealed_size(SEVERAL),
        "empty": place.bucket.get("empty") == b"" and empty.size > 0,
        "plain": [word in body + repr(told).encode() for word in (TEXT[:12], "张三".encode(), b"licences", b"s-1")],
        "header": body[:8].decode("latin-1") == stream.HEADER.decode("latin-1"),
        "locked": told["ObjectLockMode"],
        "versions": first.object != second.object,
        "undone": refused(lambda: place.bucket.get("undone")) and place.papers.read(undone.object, undone.version) is not None,
        "unknown": refused(lambda: place.bucket.get("nothing")),
        "other_key": refused(lambda: SealedBucket(place.connection, place.papers, KeyRing("ab" * 31 + "cd")).get("empty")),
        "refused": [
            refused(lambda: place.put("x", subject="13812345678")),
            refused(lambda: place.put("x", io.StringIO("text"))),  # type: ignore[arg-type]
            refused(lambda: place.erasure.erase(Selection(subject="s-1"), reason="why", by="test")),  # type: ignore[arg-type]
        ],
    }


@scenario
def large(place: Place) -> Any:
    """One that is never in memory as a whole."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = place.bucket.put("large", Counting(LARGE), subject="s-large", purpose="licence")  # type: ignore[arg-type]
    held_putting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    found = [each for each in place.found() if made.object in each]
    read = 0
    why = refused(lambda: place.bucket.get("large")) if found else ""
    if not found:
        read = sum(len(piece) for piece in place.bucket.read("large") if piece.strip(b"x") == b"")
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    return {"held": [held_putting * 1024 < LARGE // 2, held * 1024 < LARGE // 2], "read": read == LARGE, "found": found, "why": why}


@scenario
def erase(place: Place) -> Any:
    made, name = place.put("to-erase", subject="s-erase"), "to-erase"
    with place.connection.transaction():
        inside = refused(lambda: place.erase(name=name))
    first, second = place.erase(name=name), place.erase(name=name, by="another")
    (proof,) = first.now
    row = place.row(made.object)
    (version,) = next(each for each in place.evidence.lying(proof.place)).versions
    document = place.evidence.read(proof.place, version) or b""
    change = "update sealing.objects set wrapped_key = '\\x00', kek = 'x', name = 'x', metadata = '{}', erased_at = null, proof = null"
    return {
        "inside": inside,
        "proof": json.loads(document),
        "again": [len(second.now), [each.number for each in second.before] == [proof.number]],
        "row": {column: row[column] for column in ("wrapped_key", "kek", "name", "metadata")},
        "erased": row["erased_at"] is not None and row["proof"] == proof.number,
        "get": refused(lambda: place.bucket.get(name)),
        "object": place.papers.read(made.object, made.version) is not None,
        "delete": [
            place.raw("delete_object", place.papers, made.object, VersionId=made.version),
            place.raw("delete_object", place.evidence, proof.place, VersionId=version),
        ],
        "told": [word in document for word in (b"to-erase", "张三".encode())],
        "back": refused(lambda: place.connection.execute(change + " where id = %s", (row["id"],))),
        "tampering": [
            refused(lambda text=text: place.connection.execute(text))  # type: ignore[misc]
            for text in (
                "update sealing.proofs set document = document", "delete from sealing.proofs", "truncate sealing.proofs cascade",
                "delete from sealing.objects", "update sealing.objects set wrapped_key = null where wrapped_key is not null",
                "insert into sealing.proofs (number, hash, document) values (900, sha256('x'), 'x')",
            )
        ],
        "nothing": refused(lambda: place.erase(name="never put")),
        "everything": refused(lambda: place.erasure.erase(Selection(), reason=Reason.UNLAWFUL, by="test")),
    }  # fmt: skip


@scenario
def erase_many(place: Place) -> Any:
    for number in range(3):
        place.put(f"many-{number}", subject="s-many", purpose="licence" if number else "archive")
    late = place.put("late", subject="s-late", erase_after=datetime.now(UTC) - timedelta(days=1))
    later = place.put("later", subject="s-late", erase_after=datetime.now(UTC) + timedelta(days=1))
    overdue = place.found()
    due = place.erasure.due(by="timer")
    one, rest = place.erase(subject="s-many", purpose="archive"), place.erase(subject="s-many")
    return {
        "overdue": overdue == [f"overdue papers/{late.object}"],
        "due": [proof.object == late.object and proof.reason for proof in due.now],
        "later": place.bucket.get("later") == TEXT and later.erased_at is None,
        "counts": [len(one.now), len(rest.now), len(rest.before)],
        "none_due": len(place.erasure.due(by="timer").now),
        "found": place.found(),
    }


@scenario
def erase_at_once(place: Place) -> Any:
    """Several processes erase different objects, and the same ones, at the same time."""
    for number in range(8):
        place.put(f"at-once-{number}", subject=f"s-at-once-{number % 2}")
    made: list[int] = []

    def work(number: int) -> None:
        mine = Place(place.given)
        made.append(len(mine.erase(subject=f"s-at-once-{number % 2}").now))
        mine.connection.close()

    several = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in several:
        each.start()
    for each in several:
        each.join()
    return {"made": sum(made), "answers": len(made), "found": place.found()}


@scenario
def commands(place: Place) -> Any:
    """Each verb as an operator runs it, and with settings that are wrong: exit code and last line."""
    good = place.given

    def says(*arguments: str, **changes: Any) -> list[Any]:
        command = [sys.executable, "-m", "yiwang.sealing", *arguments]
        environment = {**os.environ, "YIWANG_LANG": "en"}
        given = json.dumps({**good, **changes})
        done = subprocess.run(command, input=given, text=True, capture_output=True, check=False, env=environment)
        text = done.stdout + done.stderr
        secrets = [good["keys"][0], good["evidence"]["secret_key"], *filter(None, [good["password"]])]
        return [done.returncode, "a secret is told" if any(each in text for each in secrets) else text.splitlines()[-1]]

    return {
        "migrate": says("migrate"),
        "sample": says("verify", "--sample", "2"),
        "verify": says("verify"),
        "finish": says("finish"),
        "due": says("due", "--by", "timer"),
        "rewrap": says("rewrap"),
        "no_key": says("rewrap", keys=["xyz"]),
        "no_keys": says("rewrap", keys=None),
        "no_evidence": says("replay", evidence={}),
        "person": says("due", "--by", "13812345678"),
        "no_database": says("finish", database=good["database"].replace("vault", "nowhere"))[0],
        "no_rights": says("finish", evidence={**good["evidence"], "access_key": "nobody"}),
    }
