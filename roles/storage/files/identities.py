#!/usr/bin/python3
"""Writes who may do what in which bucket, for the object store to read; prints what has changed, never a key.

    identities.py write         standard input: JSON with ``administrator`` ({access_key, secret_key}), ``identities`` (each with ``name``,
                                ``access_key``, ``secret_key``, ``buckets``, and ``kept``, those whose versions it cannot delete),
                                ``former_seconds``
    identities.py prune         ends the former keys whose time is over

A key before a rotation stays valid for a while: whoever still has it goes on until he has the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

DIRECTORY = Path("/etc/yiwang/storage/objects")
IDENTITIES = DIRECTORY / "identities.json"
FORMER = DIRECTORY / "former.json"
LOCK = Path("/run/yiwang-objects-identities.lock")
GROUP = "yiwang-objects"
IN_BUCKET = (
    "s3:GetBucketLocation",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
)
ON_OBJECTS = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:GetObject",
    "s3:GetObjectLegalHold",
    "s3:GetObjectRetention",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
    "s3:PutObjectTagging",
)
DELETE_VERSION = "s3:DeleteObjectVersion"
# No bucket and no site can be called so.
ADMINISTRATOR = "_administrator"


def read(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty when there is none, or a run was cut short before there was."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all; the store's account may read it."""
    import grp  # noqa: PLC0415 - not where only the policies are asked for

    fresh = path.with_name(f".{path.name}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        os.fchown(file.fileno(), 0, grp.getgrnam(GROUP).gr_gid)
        os.fchmod(file.fileno(), 0o640)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def policy(name: str, buckets: list[str], kept: list[str]) -> dict[str, str]:
    """What an identity may do: use its buckets, never change what holds in them; and delete versions, but for the ``kept`` ones."""
    free = [bucket for bucket in buckets if bucket not in kept]
    statements = [
        {"Effect": "Allow", "Action": list(IN_BUCKET), "Resource": [f"arn:aws:s3:::{bucket}" for bucket in buckets]},
        {"Effect": "Allow", "Action": list(ON_OBJECTS), "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in buckets]},
    ]
    if free:
        statements.append({"Effect": "Allow", "Action": [DELETE_VERSION], "Resource": [f"arn:aws:s3:::{bucket}/*" for bucket in free]})
    return {"name": name, "content": json.dumps({"Version": "2012-10-17", "Statement": statements})}


def credentials(there: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The keys that are in force, by access key, each with the identity's name."""
    return {key["accessKey"]: {**key, "name": each["name"]} for each in there.get("identities", ()) for key in each.get("credentials", ())}


def wished(given: dict[str, Any], there: dict[str, Any], ends: dict[str, float], now: float) -> tuple[dict[str, Any], dict[str, float]]:
    """The identities as they shall be, and when each former key ends."""
    listed = [{"name": ADMINISTRATOR, "buckets": [], **given["administrator"]}, *given["identities"]]
    current = {each["access_key"] for each in listed}
    known = {each["name"] for each in listed}
    former = {access: key for access, key in credentials(there).items() if access not in current and key["name"] in known}
    # The administrator's is used on this host alone: nobody has to go on with it.
    until = {access: ends.get(access, now + given["former_seconds"]) for access, key in former.items() if key["name"] != ADMINISTRATOR}
    until = {access: end for access, end in until.items() if end > now}
    identities = []
    for each in listed:
        keys = [{"accessKey": each["access_key"], "secretKey": each["secret_key"]}]
        keys += [
            {"accessKey": access, "secretKey": former[access]["secretKey"]}
            for access in sorted(until)
            if former[access]["name"] == each["name"]
        ]
        rights = {"actions": ["Admin"]} if each["name"] == ADMINISTRATOR else {"policyNames": [each["name"]]}
        identities.append({"name": each["name"], "credentials": keys, **rights})
    policies = [policy(each["name"], each["buckets"], each["kept"]) for each in given["identities"]]
    return {"identities": identities, "policies": policies}, until


def pruned(there: dict[str, Any], ends: dict[str, float], now: float) -> tuple[dict[str, Any], dict[str, float]]:
    """The same without the former keys whose time is over."""
    over = {access for access, end in ends.items() if end <= now}
    identities = [
        {**each, "credentials": [key for key in each["credentials"] if key["accessKey"] not in over]}
        for each in there.get("identities", ())
    ]
    return {**there, "identities": identities}, {access: end for access, end in ends.items() if access not in over}


def main() -> None:
    """Write what is not so yet. The end of a former key is on record before the file that still has it: it never stays for good."""
    with LOCK.open("w") as lock:
        # The role and the clock may do it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        settle()


def settle() -> None:
    """The same, alone."""
    there, ends = read(IDENTITIES), read(FORMER)
    if sys.argv[1] == "prune":
        new, until = pruned(there, ends, time.time())
    else:
        new, until = wished(json.load(sys.stdin), there, ends, time.time())
    if until != ends:
        write(FORMER, {**until})
    if new != there:
        write(IDENTITIES, new)
        before, after = set(credentials(there)), set(credentials(new))
        print("; ".join([*(f"+ {key}" for key in sorted(after - before)), *(f"- {key}" for key in sorted(before - after))]) or "rights")


if __name__ == "__main__":
    main()
