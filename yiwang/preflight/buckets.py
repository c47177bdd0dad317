"""What the platform needs of a bucket, tried by the S3 operations that need it: never a maker's name.

Everything is named with a prefix of its own and removed at the end. On its own: nothing but boto3.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

SECONDS = 10.0
RETAINED = timedelta(seconds=10)
PART = 5 << 20
"""S3's smallest part that is not the last one."""

Kind = Literal["", "answer", "certificate", "denied", "failed", "missing", "refused", "unreachable", "skipped"]
_UNREACHABLE = frozenset(
    {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ProxyConnectionError"}
)
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401", "403"})
_MISSING = frozenset({"NoSuchBucket", "404"})


@dataclass(frozen=True)
class Place:
    """One bucket and how to sign in to it; ``authority``: a file (PEM)."""

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: str
    authority: str
    lock: bool = False


@dataclass(frozen=True)
class Attempt:
    """How one capability fared: ``kind`` is empty when it is there, else ``operation`` failed and the service ``said`` that."""

    capability: str
    kind: Kind = ""
    operation: str = ""
    said: str = ""


class _AnswerError(Exception):
    """The service did what it was asked, and the outcome is another one."""


def attempt(place: Place, seconds: float = SECONDS) -> list[Attempt]:
    """Try everything with one bucket. No request takes longer than ``seconds``."""
    trial = _Trial(place, seconds, f"yiwang-preflight-{secrets.token_hex(4)}")
    found = [trial.attempt("connect", trial.connect)]
    if found[0].kind:
        return found
    try:
        found += [trial.attempt(name, capability) for name, capability in trial.capabilities.items()]
    finally:
        found.append(trial.attempt("cleanup", trial.clean))
    return found


class _Trial:
    def __init__(self, place: Place, seconds: float, prefix: str) -> None:
        import boto3  # noqa: PLC0415 - only where somebody has a bucket of his own
        from botocore.config import Config  # noqa: PLC0415 - as above

        self.place = place
        self.seconds = seconds
        self.prefix = prefix
        self.operation = ""
        self.keeps = False
        self.until: datetime | None = None
        self.client: Any = boto3.session.Session(place.access_key, place.secret_key, region_name=place.region).client(
            "s3",
            endpoint_url=place.endpoint,
            verify=place.authority,
            config=Config(
                connect_timeout=seconds,
                read_timeout=seconds,
                retries={"total_max_attempts": 1},
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                # What is newer than S3 itself is not needed.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    @property
    def capabilities(self) -> Mapping[str, Callable[[], None]]:
        """What is tried, in its order."""
        common = {"object": self.objects, "multipart": self.multipart, "presigned": self.presigned, "versioning": self.versioning}
        return {**common, "lock": self.lock} if self.place.lock else common

    def attempt(self, name: str, capability: Callable[[], None]) -> Attempt:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            capability()
        except _AnswerError as error:
            return Attempt(name, "answer", self.operation, str(error))
        except ClientError as error:
            code = _code(error)
            kind: Kind = "refused" if code in _REFUSED else "missing" if code in _MISSING else "failed"
            return Attempt(name, kind, self.operation, f"{code}: {error.response.get('Error', {}).get('Message', '')}")
        except (BotoCoreError, OSError) as error:
            return Attempt(name, _kind(error), self.operation, " ".join(str(error).split()))
        return Attempt(name)

    def call(self, operation: str, key: str = "", **arguments: Any) -> Any:
        """One operation of S3 on the bucket; a finding names it."""
        told = ("Prefix", "ObjectLockMode", "ObjectLockRetainUntilDate", "BypassGovernanceRetention")
        shown = " ".join(f"{name}={arguments[name]}" for name in told if name in arguments)
        self.operation = " ".join(part for part in (operation, self.place.bucket, key, shown) if part)
        named = {"Key": key} if key else {}
        method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
        return getattr(self.client, method)(Bucket=self.place.bucket, **named, **arguments)

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def put(self, key: str, body: bytes, *, keep: bool = False) -> str:
        """Write an object and return its version."""
        # S3 wants a digest of what is to be kept.
        digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        return str(self.call("PutObject", key, Body=body, ContentMD5=digest, **self.retention(keep=keep)).get("VersionId"))

    def retention(self, *, keep: bool = False) -> dict[str, Any]:
        """A short time to be kept for; also where a bucket keeps all it gets, as its own time would be years."""
        if not (keep or self.keeps):
            return {}
        self.until = datetime.now(UTC).replace(microsecond=0) + RETAINED
        return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": self.until}

    def connect(self) -> None:
        """By TLS, with the certificate verified and the keys accepted. Of a failed HEAD nothing is said, of this the reason."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        self.call("ListObjectsV2", MaxKeys=1)
        try:
            self.keeps = bool(self.call("GetObjectLockConfiguration").get("ObjectLockConfiguration", {}).get("Rule"))
        except ClientError as error:
            # Who may not look takes the bucket for what it is said to be.
            self.keeps = self.place.lock and _code(error) in _REFUSED

    def objects(self) -> None:
        """Put, get, list and delete under a name in Chinese."""
        key, content = self.key("不动产登记证明（济南）.txt"), "证照".encode()
        self.put(key, content)
        self.expect(self.call("GetObject", key)["Body"].read(), content)
        listed = [each["Key"] for each in self.call("ListObjectsV2", Prefix=f"{self.prefix}/").get("Contents", ())]
        self.expect(listed, [key])
        self.call("DeleteObject", key)
        self.expect(self.call("ListObjectsV2", Prefix=f"{self.prefix}/").get("KeyCount"), 0)

    def multipart(self) -> None:
        """An object in parts, as large files are sent."""
        key = self.key("multipart")
        upload = self.call("CreateMultipartUpload", key, **self.retention())["UploadId"]
        parts = []
        for number, body in enumerate((bytes(PART), b"end"), 1):
            tag = self.call("UploadPart", key, PartNumber=number, UploadId=upload, Body=body)["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        self.call("CompleteMultipartUpload", key, UploadId=upload, MultipartUpload={"Parts": parts})
        self.expect(self.call("HeadObject", key)["ContentLength"], PART + 3)
        self.expect(self.call("GetObject", key, Range=f"bytes={PART}-")["Body"].read(), b"end")

    def presigned(self) -> None:
        """A download by an address that is signed for a while, without keys."""
        key = self.key("presigned")
        self.put(key, b"signed")
        signed = self.client.generate_presigned_url("get_object", Params={"Bucket": self.place.bucket, "Key": key}, ExpiresIn=60)
        self.operation = f"GET {signed.partition('?')[0]}?X-Amz-…"
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.place.authority)))
        with opener.open(signed, timeout=self.seconds) as answer:
            self.expect(answer.read(), b"signed")

    def versioning(self) -> None:
        """What is overwritten or deleted stays as a version."""
        key = self.key("versions")
        self.expect(self.call("GetBucketVersioning").get("Status"), "Enabled")
        first, second = (self.put(key, body) for body in (b"one", b"two"))
        self.call("DeleteObject", key)
        for version, content in ((first, b"one"), (second, b"two")):
            self.expect(self.call("GetObject", key, VersionId=version)["Body"].read(), content)

    def lock(self) -> None:
        """Until its time has come nobody deletes a version, not even its owner."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        key, body = self.key("locked"), b"kept"
        version = self.put(key, body, keep=True)
        for more in ({}, {"BypassGovernanceRetention": True}):
            try:
                self.call("DeleteObject", key, VersionId=version, **more)
            except ClientError:
                self.expect(self.call("GetObject", key, VersionId=version)["Body"].read(), body)
            else:
                raise _AnswerError("204 ≠ 403 AccessDenied")

    def expect(self, found: object, wanted: object) -> None:
        if found != wanted:
            raise _AnswerError(f"{found} ≠ {wanted}")

    def clean(self) -> None:
        """Remove every version of what was made; of what is locked when its time has come."""
        if self.until is not None:
            time.sleep(max(0.0, (self.until - datetime.now(UTC)).total_seconds() + 1))
        for upload in self.call("ListMultipartUploads", Prefix=f"{self.prefix}/").get("Uploads", ()):
            self.call("AbortMultipartUpload", upload["Key"], UploadId=upload["UploadId"])
        listed = self.call("ListObjectVersions", Prefix=f"{self.prefix}/")
        for each in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())):
            self.call("DeleteObject", each["Key"], VersionId=each["VersionId"])
        self.expect(self.call("ListObjectsV2", Prefix=f"{self.prefix}/").get("KeyCount"), 0)


def _code(error: Any) -> str:
    """What the service calls its refusal."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _kind(error: Exception) -> Kind:
    """What kept us from an answer."""
    name = type(error).__name__
    if name == "SSLError" or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "certificate"
    return "unreachable" if name in _UNREACHABLE else "failed"
