"""The resource Certificate: what is issued verifies, is renewed in time, and keeps its key."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from yiwang.provider.certificate import CertificateResource
from yiwang.provider.values import UNKNOWN, Secret, reveal

RESOURCE = CertificateResource()
CITY = ["example.cn", "a.cn", "b.cn", "10.1.2.0/24", "fd00::/64"]


def make(**inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    given = {"names": [], "days": 3650, "renewBefore": 30, **inputs}
    assert RESOURCE.check(given) == []
    return given, asyncio.run(RESOURCE.create(given, preview=False)).outputs


def under(issuer: dict[str, Any], **inputs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return make(issuerCertificate=issuer["chain"], issuerKey=issuer["privateKey"], **inputs)


@pytest.fixture(scope="module")
def root() -> dict[str, Any]:
    return make(kind="root", commonName="Root")[1]


@pytest.fixture(scope="module")
def intermediate(root: dict[str, Any]) -> dict[str, Any]:
    return under(root, kind="intermediate", commonName="City", permitted=CITY, days=1825)[1]


def verify(outputs: dict[str, Any], root: dict[str, Any], name: x509.DNSName | x509.IPAddress) -> None:
    leaf, *above = x509.load_pem_x509_certificates(outputs["chain"].encode())
    store = Store(x509.load_pem_x509_certificates(root["certificate"].encode()))
    PolicyBuilder().store(store).build_server_verifier(name).verify(leaf, above)


def test_a_server_verifies_by_its_chain(root: dict[str, Any], intermediate: dict[str, Any]) -> None:
    names = ["db.example.cn", "10.1.2.3", "fd00::1"]
    outputs = under(intermediate, kind="server", commonName="db.example.cn", names=names, days=397)[1]
    verify(outputs, root, x509.DNSName("db.example.cn"))
    verify(outputs, root, x509.IPAddress(ipaddress.ip_address("fd00::1")))
    with pytest.raises(VerificationError):
        verify(outputs, root, x509.DNSName("other.example.cn"))
    assert outputs["chain"].count("BEGIN CERTIFICATE") == 2
    assert isinstance(outputs["privateKey"], Secret)
    assert intermediate["chain"].count("BEGIN CERTIFICATE") == 1


def test_an_intermediate_cannot_make_another(root: dict[str, Any], intermediate: dict[str, Any]) -> None:
    second = under(intermediate, kind="intermediate", commonName="Sub", permitted=CITY, days=1000)[1]
    outputs = under(second, kind="server", commonName="x.example.cn", names=["x.example.cn"], days=90)[1]
    with pytest.raises(VerificationError):
        verify(outputs, root, x509.DNSName("x.example.cn"))


def test_nothing_outlives_its_issuer(intermediate: dict[str, Any]) -> None:
    given, outputs = under(intermediate, kind="server", commonName="a.cn", names=["a.cn"], days=36500)
    assert outputs["notAfter"] == intermediate["notAfter"]
    # Near its end, but the issuer allows no more: another try would change nothing.
    assert RESOURCE.diff(given, outputs, {**given, "renewBefore": 36000}).keys == ("renewBefore",)
    again = {**given, "renewBefore": 36000}
    assert RESOURCE.diff(again, outputs, again).keys == ()


def aged(outputs: dict[str, Any], days: int) -> dict[str, Any]:
    """The outputs as if the certificate ended in so many days."""
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    return {**outputs, "notAfter": end.isoformat()}


def test_renewal_is_an_update_that_keeps_the_key(root: dict[str, Any], intermediate: dict[str, Any]) -> None:
    given, outputs = under(intermediate, kind="server", commonName="a.cn", names=["a.cn"], days=397, renewBefore=30)
    assert RESOURCE.diff(given, outputs, given).keys == ()
    assert RESOURCE.diff(given, aged(outputs, 31), given).keys == ()
    old = aged(outputs, 29)
    change = RESOURCE.diff(given, old, given)
    assert (change.keys, change.replaces) == (("notAfter",), ())
    preview = asyncio.run(RESOURCE.update(given, old, given, preview=True))
    assert (preview["certificate"], preview["privateKey"]) == (UNKNOWN, outputs["privateKey"])
    renewed = asyncio.run(RESOURCE.update(given, old, given, preview=False))
    assert renewed["privateKey"] == outputs["privateKey"]
    assert renewed["serial"] != outputs["serial"]
    verify(renewed, root, x509.DNSName("a.cn"))


def test_changes(intermediate: dict[str, Any]) -> None:
    given, outputs = under(intermediate, kind="server", commonName="a.cn", names=["a.cn"], days=397)
    more = {**given, "names": ["a.cn", "b.cn"]}
    assert RESOURCE.diff(given, outputs, more).keys == ("names",)
    assert asyncio.run(RESOURCE.update(given, outputs, more, preview=False))["serial"] != outputs["serial"]
    sooner = {**given, "renewBefore": 60}
    assert asyncio.run(RESOURCE.update(given, outputs, sooner, preview=False)) == outputs
    assert RESOURCE.diff(given, outputs, {**given, "kind": "intermediate"}).replaces == ("kind",)


def test_a_renewed_issuer_with_the_same_key_keeps_what_it_issued_valid(root: dict[str, Any]) -> None:
    given, issuer = under(root, kind="intermediate", commonName="City", permitted=["a.cn"], days=1825)
    outputs = under(issuer, kind="server", commonName="a.cn", names=["a.cn"], days=90)[1]
    renewed = asyncio.run(RESOURCE.update(given, aged(issuer, 1), given, preview=False))
    verify({**outputs, "chain": outputs["certificate"] + renewed["certificate"]}, root, x509.DNSName("a.cn"))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("kind", {"kind": "leaf"}),
        ("commonName", {"commonName": ""}),
        ("commonName", {"commonName": "x" * 65}),
        ("names", {"names": ["under score!"]}),
        ("names", {"names": []}),
        ("issuerKey", {"issuerKey": None}),
        ("renewBefore", {"renewBefore": 397}),
        ("colour", {"colour": "red"}),
        ("permitted", {"permitted": ["a.cn"]}),
        ("permitted", {"kind": "intermediate"}),
        ("permitted", {"kind": "intermediate", "permitted": ["10.0.0.0/8"]}),
        ("permitted", {"kind": "intermediate", "permitted": ["a.cn", "*.b.cn"]}),
        ("permitted", {"kind": "intermediate", "permitted": ["a.cn", "10.0.0.1/8"]}),
    ],
)
def test_bad_inputs_are_named(key: str, change: dict[str, Any]) -> None:
    good = {
        "kind": "server",
        "commonName": "a.cn",
        "names": ["a.cn"],
        "issuerCertificate": "pem",
        "issuerKey": Secret("pem"),
        "days": 397,
        "renewBefore": 30,
    }
    assert RESOURCE.check(good) == []
    assert [problem.key for problem in RESOURCE.check({**good, **change})] == [key]


def test_a_foreign_issuer_key_is_refused(root: dict[str, Any], intermediate: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CN=Root"):
        make(kind="server", commonName="a", names=["a"], issuerCertificate=root["certificate"], issuerKey=intermediate["privateKey"])
    assert "PRIVATE" in reveal(root)["privateKey"]
