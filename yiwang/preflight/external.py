"""The checks of what sites bring along themselves: whether it can do what the platform needs, tried on it from this machine."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from yiwang.errors import UserError
from yiwang.inventory import external
from yiwang.inventory.model import Site
from yiwang.messages import t
from yiwang.preflight import buckets, databases
from yiwang.preflight.model import Finding, Verdict

# Without these the platform runs; what is named there is still to be put right.
WARNINGS = frozenset({"pinyin", "cleanup"})
# What is told by the reason rather than by what was tried, and what has a fix of its own.
REASONS = frozenset({"unreachable", "certificate", "refused", "denied", "missing"})
FIXES = {
    "database": ("unreachable", "certificate", "refused", "denied", "encoding", "letters", "pinyin", "cleanup", "other"),
    "bucket": ("unreachable", "certificate", "refused", "missing", "versioning", "lock", "cleanup", "other"),
}
CAPABILITIES = {
    "database": ("connect", *databases.CAPABILITIES, "member", "cleanup"),
    "bucket": ("connect", "object", "multipart", "presigned", "versioning", "lock", "cleanup"),
}


async def check(sites: Iterable[Site]) -> list[Finding]:
    """All findings, site by site; everything is tried at once."""
    storages = [(site, site.external.storage) for site in sites if site.external.storage is not None]
    trials = [trial for site, storage in storages for trial in (*_databases(site, storage), *_buckets(site, storage))]
    return [finding for several in await asyncio.gather(*trials) for finding in several]


def _databases(site: Site, storage: external.Storage) -> Iterator[Coroutine[Any, Any, list[Finding]]]:
    return (_database(site, found) for found in storage.databases.values())


def _buckets(site: Site, storage: external.Storage) -> Iterator[Coroutine[Any, Any, list[Finding]]]:
    return (_bucket(site, found) for found in storage.buckets.values())


@dataclass(frozen=True)
class _Subject:
    """What is tried: its place in the inventory, and the words of its catalogue (``database`` or ``bucket``)."""

    site: str
    kind: str
    name: str
    words: Mapping[str, str]

    def finding(self, check: str, verdict: Verdict, text: str, fix: str = "") -> Finding:
        return Finding(self.site, f"{self.kind}s.{self.name}", check, verdict, text, fix)

    def judge(self, capability: str, kind: str, tried: str, said: str) -> Finding:
        what = t(f"preflight.{self.kind}_{capability}")
        if not kind:
            return self.finding(capability, "ok", what)
        if kind == "skipped":
            return self.finding(capability, "skip", t("preflight.external_skipped"))
        if kind == "answer":
            answer, _, wanted = said.partition(" ≠ ")
            said = t("preflight.external_answer", answer=answer, wanted=wanted)
        text = ": ".join(part for part in (what, tried, said) if part)
        chosen = next((word for word in (kind if kind in REASONS else capability, capability) if word in FIXES[self.kind]), "other")
        fix = t(f"preflight.{self.kind}_{chosen}_fix", **self.words)
        mild = capability in WARNINGS or (capability, kind) == ("member", "unreachable")
        return self.finding(capability, "warn" if mild else "fail", text, fix)


async def _secret(subject: _Subject, read: Callable[[], str]) -> str | Finding:
    """A secret from its source, which may be a command that takes its time."""
    try:
        return await asyncio.to_thread(read)
    except UserError as error:
        return subject.finding("secret", "fail", error.text, error.fix or t("preflight.external_secret_fix"))


async def _database(site: Site, found: external.Database) -> list[Finding]:
    key = f"sites.{site.name}.external.storage.databases.{found.name}"
    places = ", ".join(f"{host}:{port}" for host, port in found.url.places)
    words = {"key": key, "places": places, "login": found.login, "database": unquote(found.url.database)}
    subject = _Subject(site.name, "database", found.name, words)
    password = await _secret(subject, found.password.read)
    if isinstance(password, Finding):
        return [password]
    whole = parameters(found, password)
    first, members = await asyncio.gather(databases.attempt(whole), _members(whole, found.url.places))
    # Where none lets us in, all of them are told of together.
    tried = [*first, *members] if not first[0].kind else first
    return [subject.judge(each.capability, each.kind, each.statement, each.said) for each in tried]


async def _members(whole: Mapping[str, str], places: Sequence[tuple[str, int]]) -> list[databases.Attempt]:
    """Each of several hosts by itself: the one that takes over later has to let us in too."""
    alone = [{**whole, "host": host.strip("[]"), "port": str(port), "target_session_attrs": "any"} for host, port in places]
    found = await asyncio.gather(*(databases.reach(one) for one in alone if len(alone) > 1))
    return [dataclasses.replace(each, capability="member", statement=one["host"]) for one, each in zip(alone, found, strict=False)]


def parameters(found: external.Database, password: str) -> dict[str, str]:
    """What libpq is told of a database."""
    places = found.url.places
    several = {"target_session_attrs": "read-write"} if len(places) > 1 else {}
    return {
        **several,
        **found.url.options,
        "host": ",".join(host.strip("[]") for host, _ in places),
        "port": ",".join(str(port) for _, port in places),
        "user": found.login,
        "password": password,
        "dbname": unquote(found.url.database),
        "sslrootcert": str(found.authority),
        "application_name": "yiwang preflight",
    }


async def _bucket(site: Site, found: external.Bucket) -> list[Finding]:
    key = f"sites.{site.name}.external.storage.buckets.{found.name}"
    words = {"key": key, "endpoint": found.endpoint, "bucket": found.bucket}
    subject = _Subject(site.name, "bucket", found.name, words)
    secret = await _secret(subject, found.secret_key.read)
    if isinstance(secret, Finding):
        return [secret]
    place = buckets.Place(found.endpoint, found.region, found.bucket, found.access_key, secret, str(found.authority), found.lock)
    tried = await asyncio.to_thread(buckets.attempt, place)
    return [subject.judge(each.capability, each.kind, each.operation, each.said) for each in tried]
