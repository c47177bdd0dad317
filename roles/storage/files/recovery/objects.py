"""The objects' backups, by rclone: what is there is copied, encrypted on this host, into a bucket that keeps earlier versions."""

from __future__ import annotations

import hashlib
import json
import secrets as random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from recovery import records
from recovery.common import IDENTITIES, RecoveryError, alone, now, run, say, secrets

RECORD = "objects"
AUTHORITY = "/etc/yiwang/tls/ca.crt"
PORT = 8333
SAMPLE = 50
# Of a file, in bytes.
LONGEST_NAME = 255
FEW = 20
# A backup that is older than some intervals, and than this, is too old; clocks of two hosts may differ by so much.
LATE_SECONDS, LATE_INTERVALS = 3600, 4
CLOCKS_SECONDS = 60
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
    record = {
        "time": began.isoformat(),
        "exact": began.isoformat() if exact else last().get("exact"),
        "seconds": round((now() - began).total_seconds(), 1),
        "buckets": given["buckets"],
        "lost": lost,
    }
    records.keep(RECORD, record, alone=True)
    return record


def emptied(live: int, saved: int) -> bool:
    """Whether so much is gone that it was hardly meant."""
    return (saved > 0 and live == 0) or (saved > FEW and live < saved / 2)


def last() -> dict[str, Any]:
    """The record of the newest backup, whichever member made it; empty where there is none."""
    return records.newest(RECORD)


def restore(given: dict[str, Any], moment: datetime | None, into: Path | None) -> dict[str, int]:
    """Bring back what was there at a time (None: the newest): into a directory, or, of what is missing, into the buckets.

    Bucket -> objects.
    """
    remotes = Remotes(given, at=moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None)
    found = {}
    for bucket in given["buckets"]:
        say("bucket", bucket=bucket)
        where = str(into / bucket) if into is not None else f"LIVE:{bucket}"
        names = remotes.saved(bucket)
        fits = [name for name in names if into is None or fits_a_file(name)]
        words = []
        if len(fits) < len(names) and into is not None:
            say("too_long", bucket=bucket, left=len(names) - len(fits), name=next(name for name in names if not fits_a_file(name)))
            (into / f"{bucket}.list").write_text("".join(f"{name}\n" for name in fits), encoding="utf-8")
            words = [f"--files-from-raw={into / f'{bucket}.list'}"]
        remotes.rclone("copy", "--ignore-existing", *words, *OPTIONS, f"SAVED:{bucket}", where)
        found[bucket] = len(fits)
    return found


def fits_a_file(name: str) -> bool:
    """Whether an object may lie in a directory under its own name: an object's may be longer than a file's."""
    return all(len(part.encode()) <= LONGEST_NAME for part in name.split("/"))


def check(given: dict[str, Any], directory: Path) -> dict[str, Any]:
    """What is older than the newest backup is in it; some objects of each bucket are fetched and compared, byte by byte.

    No copy is made meanwhile. Raises RecoveryError for what is lost or damaged, and where there is no backup of late.
    """
    with alone("objects"):
        record = last()
        fresh(given, record)
        remotes = Remotes(given)
        found = {}
        for bucket in given["buckets"]:
            found[bucket] = Bucket(remotes, bucket, record, directory).check()
    return found


def fresh(given: dict[str, Any], record: dict[str, Any]) -> None:
    """Objects are backed up, and were not long ago. Raises RecoveryError."""
    if not given["buckets"]:
        return
    if not record:
        raise RecoveryError("objects_never")
    age = (now() - datetime.fromisoformat(record["time"])).total_seconds()
    if age > max(LATE_SECONDS, LATE_INTERVALS * 60 * given["objects_minutes"]):
        raise RecoveryError("objects_old", time=record["time"])


class Bucket:
    """One bucket and its backup, compared."""

    def __init__(self, remotes: Remotes, name: str, record: dict[str, Any], directory: Path) -> None:
        self._remotes, self._name, self._directory = remotes, name, directory
        self._copied = datetime.fromisoformat(record["time"])
        # What was replaced while it was copied is found by the exact copy alone, once a day.
        self._exact = datetime.fromisoformat(record.get("exact") or record["time"])
        self._reports = {kind: directory / f"{name}.{kind}" for kind in ("match", "differ", "missing-on-dst", "error")}

    def check(self) -> dict[str, int]:
        """How many objects there are, how many were compared, and what was changed or deleted since, which is no damage."""
        names, old = self._remotes.saved(self._name), self._older(self._copied)
        missing = sorted(old.difference(names))
        if missing:
            raise RecoveryError("objects_missing", bucket=self._name, lost=len(missing), old=len(old), name=missing[0])
        chosen = names if len(names) <= SAMPLE else random.SystemRandom().sample(names, SAMPLE)
        found = {"objects": len(names), "compared": len(chosen)}
        return found | self._compare(chosen) if chosen else found

    def _older(self, moment: datetime) -> set[str]:
        """The objects here that have been as they are since before a moment, by the store's own clock."""
        before = (moment - timedelta(seconds=CLOCKS_SECONDS)).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = ("--recursive", "--files-only", "--use-server-modtime", f"--min-age={before}")
        return {name for name in self._remotes.rclone("lsf", *words, *OPTIONS, f"LIVE:{self._name}").splitlines() if name}

    def _compare(self, chosen: list[str]) -> dict[str, int]:
        """What is in the backup with what is here, byte by byte, and kept nowhere: a name may be too long for a file.

        It ends in an error where anything is not the same: its reports say what.
        """
        words = ("--one-way", "--download", self._listed(chosen), *OPTIONS)
        reports = tuple(f"--{kind}={path}" for kind, path in self._reports.items())
        try:
            self._remotes.rclone("check", *words, *reports, f"SAVED:{self._name}", f"LIVE:{self._name}")
        except RecoveryError:
            _, differ, deleted, unread = self._told()
            if unread or not (differ or deleted):
                raise
            damaged = sorted(self._older(self._exact).intersection(differ)) if differ else []
            if damaged:
                raise RecoveryError("objects_differ", bucket=self._name, lost=len(damaged), name=damaged[0]) from None
            self._all_told(chosen)
            # There was nothing to compare them with: they are read all the same, for a backup of them that is damaged is none.
            self._remotes.rclone("cat", "--discard", self._listed([*differ, *deleted]), *OPTIONS, f"SAVED:{self._name}")
            return {"changed_since": len(differ), "deleted_since": len(deleted)}
        self._all_told(chosen)
        return {}

    def _listed(self, names: list[str]) -> str:
        """The option that names objects."""
        file = self._directory / f"{self._name}.list"
        file.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        return f"--files-from-raw={file}"

    def _all_told(self, chosen: list[str]) -> None:
        """Each is in one of the reports: of what is not there none says a word."""
        lost = sorted(set(chosen).difference(*self._told()))
        if lost:
            raise RecoveryError("objects_lost", bucket=self._name, lost=len(lost), chosen=len(chosen), name=lost[0])

    def _told(self) -> list[list[str]]:
        """What the reports say: what is the same, what differs, what is here no more, what could not be read."""
        texts = (path.read_text(encoding="utf-8") if path.exists() else "" for path in self._reports.values())
        return [[name for name in text.splitlines() if name] for text in texts]
