"""What tests of the object store use: a client on one of the lab's servers, which does several things and says how each went."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests_support import Yiwang

CLIENT = """
import base64, datetime, json, sys
import boto3
from botocore.config import Config
given = json.load(sys.stdin)
def value(name, each):
    if name == "Body":
        # A text, or a text and how many times it stands there.
        return (each if isinstance(each, str) else each[0] * each[1]).encode()
    return datetime.datetime.fromisoformat(each) if name == "RetainUntilDate" else each
s3 = boto3.client("s3", endpoint_url=given["endpoint"], region_name=given["region"], aws_access_key_id=given["access_key"],
    aws_secret_access_key=given["secret_key"], verify=given.get("authority", "/etc/yiwang/tls/ca.crt"),
    config=Config(s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=20, retries={"max_attempts": given.get("attempts", 1)}))
def flip(Bucket, Key):
    # One byte of an object is turned around.
    whole = bytearray(s3.get_object(Bucket=Bucket, Key=Key)["Body"].read())
    whole[len(whole) // 2] ^= 0xFF
    return s3.put_object(Bucket=Bucket, Key=Key, Body=bytes(whole))
said = []
for call, arguments in given["calls"]:
    try:
        answer = (flip if call == "flip" else getattr(s3, call))(**{name: value(name, each) for name, each in arguments.items()})
        if "Body" in answer:
            answer["Body"] = answer["Body"].read().decode()
        answer.pop("ResponseMetadata", None)
        said.append(answer)
    except Exception as error:
        said.append({"error": getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__})
print(json.dumps(said, default=str))
"""


def buckets(yiwang: Yiwang, site: str = "province") -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yiwang.json("outputs", "--site", site, "--show-secrets")[site]["buckets"]
    return found


def s3(yiwang: Yiwang, bucket: dict[str, Any], *calls: tuple[str, dict[str, Any]], host: str = "p-data") -> list[dict[str, Any]]:
    """What each call answers; ``error`` with a code where it fails. The key is in no argument of the host's."""
    given = base64.b64encode(json.dumps({**bucket, "calls": calls}).encode()).decode()
    script = base64.b64encode(CLIENT.encode()).decode()
    command = f'echo {given} | base64 -d | /opt/yiwang/storage/bin/python -c "$(echo {script} | base64 -d)" 2>&1'
    said = yiwang.ssh(host, command, check=False)
    assert said.startswith("["), said
    found: list[dict[str, Any]] = json.loads(said)
    return found


def administrator(yiwang: Yiwang, bucket: dict[str, Any], host: str = "p-data") -> dict[str, Any]:
    """The same bucket with the key of the store's administrator."""
    file = json.loads(yiwang.ssh(host, "sudo cat /etc/yiwang/storage/objects/identities.json"))
    (key,) = next(each["credentials"] for each in file["identities"] if each["name"] == "_administrator")
    return {**bucket, "access_key": key["accessKey"], "secret_key": key["secretKey"]}


def saved(yiwang: Yiwang, host: str = "p-data") -> dict[str, str]:
    """The place of the databases' backups, as a bucket with the key that the host has to it."""
    place = json.loads(yiwang.ssh(host, "sudo cat /etc/yiwang/storage/recovery.json"))["place"]
    key = json.loads(yiwang.ssh(host, "sudo cat /etc/yiwang/storage/recovery.secret.json"))
    return {
        "endpoint": f"https://{place['host']}:8333",
        "region": place["region"],
        "bucket": place["databases"],
        "access_key": place["access_key"],
        **key,
    }
