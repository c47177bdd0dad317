"""The object stores on the lab's servers: who gets in, what stays whoever asks, what is encrypted."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
from storage.live_case import wait_for
from storage.objects_case import administrator, buckets, s3
from tests_support import Yiwang

pytestmark = pytest.mark.lab

NAME = "材料/营业执照.pdf"
LATER = 30
VERSION_DAYS = 45
VARIABLES = f"""
storage_buckets: [drafts]
storage_locked_buckets: [contracts]
storage_former_login_seconds: 30
storage_version_days: {VERSION_DAYS}
"""


@pytest.fixture(scope="module")
def objects(lab: Yiwang) -> Iterator[Yiwang]:
    """The lab with a bucket and a locked one at each site, besides its own."""
    file = lab.inventory / "group_vars/data.yml"
    file.write_text(VARIABLES)
    lab("up", "--site", "province", "--yes")
    yield lab
    file.unlink()
    lab("up", "--site", "province", "--yes")


def test_a_consumer_uses_its_bucket_and_changes_nothing_of_it(objects: Yiwang) -> None:
    drafts = {**buckets(objects)["drafts"]}
    mine = {"Bucket": "drafts"}
    put, got, listed, *refused = s3(
        objects,
        drafts,
        ("put_object", {**mine, "Key": NAME, "Body": "第一版"}),
        ("get_object", {**mine, "Key": NAME}),
        ("list_objects_v2", mine),
        ("put_bucket_versioning", {**mine, "VersioningConfiguration": {"Status": "Suspended"}}),
        ("delete_bucket_lifecycle", mine),
        ("delete_bucket_encryption", mine),
        ("put_bucket_policy", {**mine, "Policy": "{}"}),
        ("delete_bucket", mine),
        ("create_bucket", {"Bucket": "another"}),
        ("list_objects_v2", {"Bucket": "contracts"}),
        ("put_object", {"Bucket": "contracts", "Key": "a", "Body": "a"}),
    )
    assert put["ServerSideEncryption"] == "AES256"
    assert put["VersionId"]
    assert (got["Body"], got["ServerSideEncryption"]) == ("第一版", "AES256")
    assert NAME in [each["Key"] for each in listed["Contents"]]
    assert [each.get("error") for each in refused] == ["AccessDenied"] * len(refused)
    (rules,) = s3(objects, administrator(objects, drafts), ("get_bucket_lifecycle_configuration", mine))
    assert VERSION_DAYS in [each.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays") for each in rules["Rules"]], rules


def test_nobody_else_gets_in(objects: Yiwang) -> None:
    drafts = buckets(objects)["drafts"]
    call = ("list_objects_v2", {"Bucket": "drafts"})
    assert s3(objects, {**drafts, "secret_key": "wrong"}, call) == [{"error": "SignatureDoesNotMatch"}]
    assert s3(objects, {**drafts, "access_key": "nobody"}, call) == [{"error": "InvalidAccessKeyId"}]
    assert s3(objects, {**drafts, "endpoint": drafts["endpoint"].replace("objects.sd.zwfw.example", "p-data")}, call) == [
        {"error": "SSLError"}
    ]
    plain = "curl -s --max-time 5 http://objects.sd.zwfw.example:8333/drafts; echo exit $?"
    assert "Client sent an HTTP request to an HTTPS server" in objects.ssh("p-core", plain, check=False)
    for host, reached in (("p-core", True), ("p-edge", False), ("p-ops", False)):
        asked = f"curl -s --max-time 5 {drafts['endpoint']}/drafts; echo exit $?"
        said = objects.ssh(host, asked, check=False)
        assert ("AccessDenied" in said) == reached, (host, said)


def test_what_the_parts_tell_one_another_is_for_nobody_else(objects: Yiwang) -> None:
    drafts, mine = buckets(objects)["drafts"], {"Bucket": "drafts", "Key": "留着.txt"}
    assert "error" not in s3(objects, drafts, ("put_object", {**mine, "Body": "在"}))[0]
    paths = {"8080/1,01637037d6": 401, "8080/ui/index.html": 401, "8888/buckets/drafts/": 404, "9333/col/delete?collection=drafts": 404}
    paths |= {"9333/dir/assign": 404, "9333/dir/lookup?volumeId=1": 404, "9333/vol/vacuum": 404, "9333/vol/grow?count=1": 404}
    for path, code in paths.items():
        asked = f"curl -s --max-time 5 -o /dev/null -w '%{{http_code}}' 'http://p-data.sd.zwfw.example:{path}'"
        assert objects.ssh("p-data", asked, check=False) == str(code), path
    for port in (18080, 18333, 18888, 19333):
        # Held open until the answer is there: in TLS 1.3 it comes after the client's own greeting.
        asked = f"sleep 2 | openssl s_client -connect p-data.sd.zwfw.example:{port} -alpn h2 2>&1"
        assert "alert certificate required" in objects.ssh("p-data", asked, check=False), f"{port} answers without a certificate"
    assert s3(objects, drafts, ("get_object", mine))[0]["Body"] == "在"


def test_a_locked_object_stays_until_its_date_whoever_asks(objects: Yiwang) -> None:
    contracts = buckets(objects)["contracts"]
    mine = {"Bucket": "contracts", "Key": f"{datetime.datetime.now(datetime.UTC).timestamp()}"}
    (put,) = s3(objects, contracts, ("put_object", {**mine, "Body": "合同"}))
    version = {**mine, "VersionId": put["VersionId"]}
    (kept,) = s3(objects, contracts, ("get_object_retention", version))
    assert kept["Retention"]["Mode"] == "COMPLIANCE"
    until = datetime.datetime.fromisoformat(kept["Retention"]["RetainUntilDate"])
    assert 1094 <= (until - datetime.datetime.now(datetime.UTC)).days <= 1095
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    tries = (
        ("delete_object", version),
        ("delete_object", {**version, "BypassGovernanceRetention": True}),
        ("put_object_retention", {**version, "Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": soon}}),
        (
            "put_object_retention",
            {**version, "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": soon}, "BypassGovernanceRetention": True},
        ),
        ("delete_bucket", {"Bucket": "contracts"}),
        ("put_bucket_versioning", {"Bucket": "contracts", "VersioningConfiguration": {"Status": "Suspended"}}),
    )
    for who in (contracts, administrator(objects, contracts)):
        said = s3(objects, who, *tries)
        assert all("error" in each for each in said), said
    # What replaces it, or hides it, leaves it where it is.
    assert all("error" not in each for each in s3(objects, contracts, ("put_object", {**mine, "Body": "假"}), ("delete_object", mine)))
    (still,) = s3(objects, contracts, ("get_object", version))
    assert still["Body"] == "合同"


def test_what_lies_on_the_disk_is_encrypted(objects: Yiwang) -> None:
    drafts = buckets(objects)["drafts"]
    word = "cleartextneedle" * 200
    assert "error" not in s3(objects, drafts, ("put_object", {"Bucket": "drafts", "Key": "needle", "Body": word}))[0]
    found = objects.ssh("p-data", "sync; sudo grep -rlaF cleartextneedle /var/lib/yiwang/storage; echo exit $?", check=False)
    assert found.strip() == "exit 1"


def test_a_rotated_key_opens_and_the_former_one_does_for_a_while(objects: Yiwang) -> None:
    before = buckets(objects)["drafts"]
    call = ("list_objects_v2", {"Bucket": "drafts"})
    objects("rotate", "drafts-bucket", "--site", "province", "--yes")
    after = buckets(objects)["drafts"]
    assert before["access_key"] != after["access_key"]
    for each in (before, after):
        assert "error" not in s3(objects, each, call)[0]

    def over() -> bool:
        objects.ssh("p-data", "sudo systemctl start yiwang-objects-care.service")
        return s3(objects, before, call) == [{"error": "InvalidAccessKeyId"}]

    wait_for(over, 90, lambda: objects.ssh("p-data", "sudo journalctl -u yiwang-objects-care -o cat -n 40 --no-pager", check=False))
    assert "error" not in s3(objects, after, call)[0]


def test_a_killed_store_comes_back_with_what_was_put(objects: Yiwang) -> None:
    drafts = buckets(objects)["drafts"]
    key = {"Bucket": "drafts", "Key": "kept"}
    assert "error" not in s3(objects, drafts, ("put_object", {**key, "Body": "留"}))[0]
    objects.ssh("p-data", "sudo systemctl kill --signal=KILL yiwang-objects")
    took = wait_for(
        lambda: s3(objects, drafts, ("get_object", key))[0].get("Body") == "留",
        60,
        lambda: objects.ssh("p-data", "sudo journalctl -u yiwang-objects -o cat -n 40 --no-pager", check=False),
    )
    print(f"back after {took:.1f} s")


def test_a_second_up_changes_nothing_and_keys_are_in_no_log(objects: Yiwang) -> None:
    found = objects.json("up", "--site", "province", "--yes", "--reapply")
    assert {
        host: (part["tasks"], part["files"]) for host, part in found["sites"][0]["hosts"].items() if part["tasks"] or part["files"]
    } == {}
    log = objects.ssh("p-data", "sudo journalctl --no-pager -o cat; ps -ef ww")
    for each in buckets(objects).values():
        assert each["secret_key"] not in log
