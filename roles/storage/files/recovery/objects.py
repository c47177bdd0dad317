"""The objects' backups, by rclone: what is there is copied, encrypted on this host, into a bucket that keeps earlier versions."""

from __future__ import annotations

import hashlib
import json
import secrets as random
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.common import IDENTITIES, RECORDS, RecoveryError, alone, now, run, say, secrets, write

RECORD = RECORDS / "objects.json"
AUTHORITY = "/etc/yiwang/tls/ca.crt"
PORT = 8333
SAMPLE = 50
FEW = 20
# Several times an hour by the store's own times: nothing has to be asked for each object. Once a day by size and exact time, which
# finds an object too that was replaced while it was copied.
QUICK = ("--use-server-modtime", "--update")
OPTIONS = (
    "--fast-list",
    "--transfers=4",
    "--checkers=8",
    "--retries=3",
    "--stats=0",
    f"--ca-cert={AUTHORITY}",
)


def path_of(passphrase: str) -> str:
    """The directory for what one passphrase opens: another one finds no foreign files in its way."""
    return hashlib.sha256(f"path {passphrase}".encode()).hexdigest()[:12]


class Remotes:
    """rclone's places: ``live:BUCKET``, this site's store, and ``saved:BUCKET``, the backups."""

    def __init__(self, given: dict[str, Any], *, at: str | None = None) -> None:
        place, key = given["place"], secrets()
        own = next(each for each in json.loads(IDENTITIES.read_text(encoding="utf-8"))["identities"] if each["name"] == "_administrator")
        password = run("rclone", "obscure", "-", text=hashlib.sha256(f"objects {key['passphrase']}".encode()).hexdigest()).strip()
        live = {"endpoint": f"https://{given['host']}:{PORT}", "access_key_id": own["credentials"][0]["accessKey"]}
        live["secret_access_key"] = own["credentials"][0]["secretKey"]
        saved = {
            "endpoint": f"https://{place['host']}:{PORT}",
            "access_key_id": place["access_key"],
            "secret_access_key": key["secret_key"],
        }
        common = {"type": "s3", "provider": "Other", "region": place["region"], "force_path_style": "true", "no_check_bucket": "true"}
        crypt = {"type": "crypt", "remote": f"STORE:{place['objects']}/{path_of(key['passphrase'])}", "password": password}
        remotes = {"LIVE": {**common, **live}, "STORE": {**common, **saved}, "SAVED": crypt}
        if at is not None:
            remotes["STORE"]["version_at"] = at
        self._settings = "\n".join(
            f"[{name}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items()) for name, options in remotes.items()
        )

    def rclone(self, *arguments: str) -> str:
        """What the command says. Its settings are in memory alone, readable to root, for as long as it runs."""
        with tempfile.NamedTemporaryFile("w", dir="/run", prefix="yiwang-rclone-", encoding="utf-8") as file:
            file.write(self._settings)
            file.flush()
            return run("rclone", f"--config={file.name}", *arguments, environment={"HOME": "/root"})

    def count(self, place: str) -> int:
        """The objects there."""
        return int(json.loads(self.rclone("size", "--json", *OPTIONS, place))["count"])

    def saved(self, bucket: str) -> list[str]:
        """The names of the objects of a bucket in the backups."""
        return [name for name in self.rclone("lsf", "--recursive", "--files-only", *OPTIONS, f"SAVED:{bucket}").splitlines() if name]


def backup(given: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    """Copy what is new or changed. What was deleted goes from the newest state, and stays as an earlier version for a while.

    Where most of a bucket is gone nothing goes: that is no tidying, but a store that was lost, and `status` tells of it.
    """
    remotes, began, lost = Remotes(given), now(), []
    with alone("objects"):
        for bucket in given["buckets"]:
            say("bucket", bucket=bucket)
            if emptied(remotes.count(f"LIVE:{bucket}"), remotes.count(f"SAVED:{bucket}")):
                lost.append(bucket)
            verb = "copy" if bucket in lost else "sync"
            remotes.rclone(verb, *OPTIONS, *(() if exact else QUICK), f"LIVE:{bucket}", f"SAVED:{bucket}")
    record = {"time": began.isoformat(), "seconds": round((now() - began).total_seconds(), 1), "buckets": given["buckets"], "lost": lost}
    write(RECORD, record)
    return record


def emptied(live: int, saved: int) -> bool:
    """Whether so much is gone that it was hardly meant."""
    return (saved > 0 and live == 0) or (saved > FEW and live < saved / 2)


def last() -> dict[str, Any]:
    """The record of the newest backup; empty where there is none."""
    try:
        return dict(json.loads(RECORD.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def restore(given: dict[str, Any], moment: datetime | None, into: Path | None) -> dict[str, int]:
    """Bring back what was there at a time (None: the newest): into a directory, or, of what is missing, into the buckets.

    Bucket -> objects.
    """
    remotes = Remotes(given, at=moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None)
    found = {}
    for bucket in given["buckets"]:
        say("bucket", bucket=bucket)
        where = str(into / bucket) if into is not None else f"LIVE:{bucket}"
        remotes.rclone("copy", "--ignore-existing", *OPTIONS, f"SAVED:{bucket}", where)
        found[bucket] = len(remotes.saved(bucket))
    return found


def check(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Fetch some objects of each bucket from the backups and compare them with those that are there, byte by byte."""
    remotes = Remotes(given)
    found: dict[str, Any] = {}
    for bucket in given["buckets"]:
        names = remotes.saved(bucket)
        chosen = names if len(names) <= SAMPLE else random.SystemRandom().sample(names, SAMPLE)
        found[bucket] = {"objects": len(names), "compared": len(chosen)}
        if not chosen:
            continue
        listed = directory / f"{bucket}.list"
        listed.write_text("".join(f"{name}\n" for name in chosen), encoding="utf-8")
        remotes.rclone("copy", *OPTIONS, f"--files-from-raw={listed}", f"SAVED:{bucket}", str(directory / bucket))
        lost = [name for name in chosen if not (directory / bucket / name).is_file()]
        if lost:
            raise RecoveryError("objects_lost", bucket=bucket, lost=len(lost), chosen=len(chosen), name=lost[0])
        # What was changed or deleted meanwhile is no damage.
        report = directory / f"{bucket}.differ"
        try:
            remotes.rclone(
                "check",
                "--one-way",
                "--download",
                f"--ca-cert={AUTHORITY}",
                f"--differ={report}",
                str(directory / bucket),
                f"LIVE:{bucket}",
            )
        except RecoveryError:
            differing = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
            if not differing or len(differing) > max(FEW, len(chosen)) / 2:
                raise
            found[bucket]["changed_since"] = len(differing)
    return found
