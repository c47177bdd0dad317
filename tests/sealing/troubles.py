"""What goes wrong: deaths, restores, another key, damage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from unittest import mock

from sealing.place import TEXT, Place, die, killed, refused, scenario

from yiwang.sealing import erasure, evidence
from yiwang.sealing.bucket import SealedBucket
from yiwang.sealing.erasure import Erasure
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.proof import folder
from yiwang.sealing.restore import Replayed, replay
from yiwang.sealing.rotation import rewrap
from yiwang.sealing.rows import fetch


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
