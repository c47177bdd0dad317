"""Makes buckets, and sets what holds in each: versions, encryption, the lock, how long old versions stay. Prints what it has done.

Standard input: JSON with ``endpoint``, ``region``, ``authority``, ``access_key``, ``secret_key`` (the administrator's), ``buckets`` (each
with ``name``, ``locked``, ``kept_days``), ``locked_days``, ``version_days``. A bucket that is not listed any more stays as it is.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READY_SECONDS = 90.0
ABORT_DAYS = 7
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
MISSING = {
    "NoSuchBucket",
    "404",
    "ServerSideEncryptionConfigurationNotFoundError",
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
}


def asked(call: Callable[..., Any], **arguments: Any) -> dict[str, Any] | None:
    """The answer; None where there is nothing yet."""
    try:
        return dict(call(**arguments))
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return None
        raise


def ready(s3: Any) -> list[str]:
    """The buckets that are there, as soon as the store answers."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"the object store does not answer: {error}")
        time.sleep(1)


def lock(days: int) -> dict[str, Any]:
    """COMPLIANCE: nobody shortens it, no administrator either."""
    return {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": days}}}


def lifecycle(bucket: dict[str, Any], version_days: int) -> dict[str, Any]:
    """What goes by itself: uploads that nobody has finished, and versions that were replaced or deleted long ago."""
    rule: dict[str, Any] = {"ID": "yiwang", "Status": "Enabled", "Filter": {"Prefix": ""}}
    rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": ABORT_DAYS}
    rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": bucket["kept_days"] or version_days}
    return {"Rules": [rule]}


def settle(s3: Any, bucket: dict[str, Any], there: list[str], given: dict[str, Any]) -> None:
    """One bucket."""
    name = bucket["name"]
    if name not in there:
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=bucket["locked"])
        print(f"{name}: made")
    if (asked(s3.get_bucket_versioning, Bucket=name) or {}).get("Status") != "Enabled":
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        print(f"{name}: versions")
    if asked(s3.get_bucket_encryption, Bucket=name) is None:
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=ENCRYPTION)
        print(f"{name}: encryption")
    if bucket["locked"]:
        wanted = lock(given["locked_days"])
        if (asked(s3.get_object_lock_configuration, Bucket=name) or {}).get("ObjectLockConfiguration") != wanted:
            s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=wanted)
            print(f"{name}: locked for {given['locked_days']} days")
    wanted = lifecycle(bucket, given["version_days"])
    now = (asked(s3.get_bucket_lifecycle_configuration, Bucket=name) or {}).get("Rules")
    if not now or any(now[0].get(key) != value for key, value in wanted["Rules"][0].items()):
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=wanted)
        print(f"{name}: lifecycle")


def main() -> None:
    """All of them."""
    given = json.load(sys.stdin)
    settings = Config(s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=30, retries={"max_attempts": 8})
    s3 = boto3.client(
        "s3",
        endpoint_url=given["endpoint"],
        region_name=given["region"],
        aws_access_key_id=given["access_key"],
        aws_secret_access_key=given["secret_key"],
        verify=given["authority"],
        config=settings,
    )
    there = ready(s3)
    for bucket in given["buckets"]:
        try:
            settle(s3, bucket, there, given)
        except (BotoCoreError, ClientError) as error:
            sys.exit(f"{bucket['name']}: {error}")


if __name__ == "__main__":
    main()
