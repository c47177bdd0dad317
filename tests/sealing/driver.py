"""Runs on a server, where the package, a database and a locked bucket are: does one thing with them and says how it went, as JSON.

python driver.py SCENARIO < settings        settings: those of ``python -m yiwang.sealing``, with one bucket, ``papers``
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import psycopg

from yiwang.sealing import erasure, evidence, stream
from yiwang.sealing.bucket import SealedBucket
from yiwang.sealing.check import verify
from yiwang.sealing.erasure import Erased, Erasure, Selection
from yiwang.sealing.errors import SealingError
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import Reason, folder
from yiwang.sealing.restore import Replayed, replay
from yiwang.sealing.rotation import rewrap
from yiwang.sealing.rows import fetch
from yiwang.sealing.schema import migrate
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
    command = [sys.executable, __file__, where]
    return subprocess.run(command, input=json.dumps(given), text=True, capture_output=True, check=False).returncode


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


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
def die_deciding(place: Place) -> None:
    with mock.patch.object(Erasure, "destroy", die):
        place.erase(name="killed")


@scenario
def die_destroying(place: Place) -> None:
    with mock.patch.object(erasure, "destroy_key", die):
        place.erase(name="killed")


@scenario
def die_publishing(place: Place) -> None:
    with mock.patch.object(evidence, "_put", die):
        place.erase(name="killed")


@scenario
def die_after_publishing(place: Place) -> None:
    put = place.evidence.put

    def once(*given: Any, **more: Any) -> None:
        put(*given, **more)
        die()

    with mock.patch.object(place.evidence, "put", once):
        place.erase(name="killed")


@scenario
def kills(place: Place) -> Any:
    """After each death: what can be read, what is proved, what is found; then the same call again, or ``finish``."""
    said = {}
    for where in ("die_deciding", "die_destroying", "die_publishing", "die_after_publishing"):
        made = place.put("killed", subject="s-killed")
        before = place.proofs()
        code = killed(place.given, where)
        state = {
            "key": place.row(made.object)["wrapped_key"] is not None,
            "get": refused(lambda made=made: place.bucket.get("killed", made.object)),  # type: ignore[misc]
            "found": [each.split()[0] for each in place.found()],
            "put": place.proofs() - before,
        }
        if where in {"die_deciding", "die_publishing"}:
            place.erase(name="killed")
        else:
            place.erasure.finish()
        after = {"key": place.row(made.object)["wrapped_key"] is not None, "found": place.found(), "put": place.proofs() - before}
        said[where] = {"code": code, "state": state, "after": after}
    return said


@scenario
def restores(place: Place) -> Any:
    """The database as it was before an erasure."""
    made, other = place.put("restored", subject="s-restored"), place.put("stays", subject="s-stays")
    place.put("decided", subject="s-decided")
    with place.restored():
        place.erase(name="restored")
        place.erase(name="decided")
    alive = place.bucket.get("restored") == TEXT
    found = [each.split()[0] for each in place.found()]
    blocked = [refused(lambda: place.erase(name="stays")), refused(place.erasure.finish)]
    dry = replay(place.connection, place.evidence, dry=True)
    still = place.bucket.get("restored") == TEXT
    command = [sys.executable, "-m", "yiwang.sealing", "replay"]
    environment = {**os.environ, "YIWANG_LANG": "en"}
    done = subprocess.run(command, input=json.dumps(place.given), text=True, capture_output=True, check=False, env=environment)
    again = replay(place.connection, place.evidence)
    return {
        "alive": [alive, still],
        "found": found,
        "blocked": blocked,
        "dry": counted(dry),
        "said": [done.returncode, done.stdout.splitlines()[-1:], f"papers/{made.object}" in done.stdout, done.stderr],
        "again": counted(again),
        "get": [refused(lambda: place.bucket.get("restored")), refused(lambda: place.bucket.get("decided"))],
        "other": place.bucket.get("stays") == TEXT and place.row(other.object)["asked_at"] is None,
        "after": place.found(),
        "next": len(place.erase(name="stays").now),
    }


def counted(said: Replayed) -> list[int]:
    return [len(said.recorded), len(said.erased), len(said.finished), len(said.findings)]


@scenario
def die_rewrapping(place: Place) -> None:
    wrap, count = KeyRing.wrap, 0

    def some(keys: KeyRing, *given: bytes) -> bytes:
        nonlocal count
        count += 1
        if count > 3:
            die()
        return wrap(keys, *given)

    with mock.patch("yiwang.sealing.rotation.BATCH", 2), mock.patch.object(KeyRing, "wrap", some):
        rewrap(place.connection, KeyRing("77" * 31 + "78", *place.given["keys"]))


@scenario
def rotate(place: Place) -> Any:
    """Another key-encryption key, cut short once; at the end the first one is in force again."""
    for number in range(5):
        place.put(f"rotate-{number}", subject="s-rotate")
    counting = "select count(*) filter (where kek <> %(kek)s) as former, count(kek) as alive from sealing.objects"
    new = KeyRing("77" * 31 + "78", *place.given["keys"])
    before = fetch(place.connection, counting, {"kek": new.current})[0]
    code = killed(place.given, "die_rewrapping")
    half = fetch(place.connection, counting, {"kek": new.current})[0]
    unknown = refused(lambda: rewrap(place.connection, KeyRing("99" * 31 + "9a")))
    count = rewrap(place.connection, new)
    alone = SealedBucket(place.connection, place.papers, KeyRing("77" * 31 + "78"))
    opened = [alone.get(f"rotate-{number}") == TEXT for number in range(5)]
    former = refused(lambda: place.bucket.get("rotate-0"))
    back = rewrap(place.connection, KeyRing(place.given["keys"][0], "77" * 31 + "78"))
    return {
        "code": code,
        "half": [before["former"] - half["former"], half["former"] == count],
        "unknown": unknown,
        "opened": opened,
        "former": former,
        "back": back == before["alive"],
        "found": place.found(),
    }


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


@scenario
def damage(place: Place) -> dict[str, Any]:
    """What was done behind the package's back is found, and put right again."""
    made, erased = place.put("damaged", subject="s-damaged"), place.put("damaged too", subject="s-damaged")
    (proof,) = place.erase(name="damaged too").now
    said: dict[str, Any] = {
        "before": place.found(),
        "object": f"papers/{made.object}",
        "proof": proof.place,
        "erased": f"papers/{erased.object}",
    }

    def changed(column: str, expression: str, condition: str) -> list[str]:
        keep = f"select {column} as value from sealing.objects where {condition}"  # noqa: S608 - words of this file
        value = fetch(place.connection, keep)[0]["value"]
        try:
            with place.unguarded():
                place.connection.execute(f"update sealing.objects set {column} = {expression} where {condition}")  # noqa: S608 - the same
            return place.found()
        finally:
            with place.unguarded():
                place.connection.execute(f"update sealing.objects set {column} = %s where {condition}", (value,))  # noqa: S608 - the same

    mine = f"object = '{made.object}'"
    said["sha256"] = changed("sha256", "sha256('x')", mine)
    said["size"] = changed("size", "size + 1", mine)
    said["version"] = changed("version", "'0123'", mine)
    said["wrapped_key"] = changed("wrapped_key", "set_byte(wrapped_key, 20, 255 - get_byte(wrapped_key, 20))", mine)
    said["kek"] = changed("kek", "'0123'", mine)
    said["proof_number"] = changed("proof", "1", f"object = '{erased.object}'")
    # Over a proof something else is put, and a deletion hides it: what was put first is still read.
    place.raw("put_object", place.evidence, proof.place, Body=b"{}")
    said["covered"] = place.found()
    place.raw("delete_object", place.evidence, proof.place)
    said["hidden"] = place.found()
    said["replay"] = [finding.trouble.value for finding in replay(place.connection, place.evidence).findings]
    # What nobody of the package has put where the next proof comes, and beside it.
    following = f"{folder(proof.chain)}{proof.number + 1:012d}.json"
    for name in (following, f"{proof.place}.old"):
        place.raw("put_object", place.evidence, name, Body=b"{}")
    said["foreign"] = place.found()
    said["stopped"] = [finding.trouble.value for finding in replay(place.connection, place.evidence).findings]
    said["next"] = [each.number - proof.number for each in place.erase(name="damaged").now]
    said["after"] = place.found()
    # A proof that was changed in the database, with its hash.
    with place.unguarded():
        forged = f"convert_to(replace(convert_from(document, 'utf8'), '{proof.by}', 'nobody'), 'utf8')"
        text = f"update sealing.proofs set document = {forged}, hash = sha256({forged}) where number = {proof.number}"  # noqa: S608 - the same
        place.connection.execute(text)
    said["forged"] = place.found()
    with place.unguarded():
        values = (proof.document(), bytes.fromhex(proof.hash), proof.number)
        place.connection.execute("update sealing.proofs set document = %s, hash = %s where number = %s", values)
    said["following"] = f"evidence/{following}"
    return said


def main() -> None:
    given = json.load(sys.stdin)
    print(json.dumps(SCENARIOS[sys.argv[1]](Place(given)), default=str))


if __name__ == "__main__":
    main()
