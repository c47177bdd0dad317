"""What an authority may sign for: openssl and Python's own client believe that, and nothing else, under the root that all hosts trust."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from yiwang.errors import UserError
from yiwang.provider import certificate, constraints
from yiwang.provider.values import reveal

RESOURCE = certificate.CertificateResource()
JINAN = ["jinan.sd.example", "198.51.100.128/29", "2001:db8:0:2001::/64"]
OWN = ["c-jinan.jinan.sd.example", "198.51.100.130", "2001:db8:0:2001::11"]


def make(**inputs: Any) -> dict[str, Any]:
    given = {"names": [], "days": 90, "renewBefore": 30, **inputs}
    assert RESOURCE.check(given) == []
    outputs: dict[str, Any] = reveal(asyncio.run(RESOURCE.create(given, preview=False)).outputs)
    return outputs


@pytest.fixture(scope="module")
def root() -> dict[str, Any]:
    return make(kind="root", commonName="Root")


def authority(root: dict[str, Any], permitted: list[str]) -> dict[str, Any]:
    issuer = {"issuerCertificate": root["chain"], "issuerKey": root["privateKey"]}
    return make(kind="intermediate", commonName="Jinan CA", permitted=permitted, **issuer)


@pytest.fixture(scope="module")
def jinan(root: dict[str, Any]) -> dict[str, Any]:
    return authority(root, JINAN)


def issued(issuer: dict[str, Any], names: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What somebody who has the authority's key would make of it: our own refusal is out of the way."""
    with monkeypatch.context() as patch:
        patch.setattr(constraints, "require", lambda *_: None)
        return make(kind="server", commonName=OWN[0], names=names, issuerCertificate=issuer["chain"], issuerKey=issuer["privateKey"])


def openssl(root: dict[str, Any], server: dict[str, Any], directory: Path) -> tuple[bool, str]:
    for name, text in (("root", root["certificate"]), ("chain", server["chain"]), ("server", server["certificate"])):
        (directory / f"{name}.pem").write_text(text)
    command = ["openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "chain.pem", "server.pem"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def handshake(root: dict[str, Any], server: dict[str, Any], name: str, directory: Path) -> None:
    """A TLS handshake in memory, as Python's own client does it. Raises SSLCertVerificationError."""
    (directory / "pair.pem").write_text(server["privateKey"] + server["chain"])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(directory / "pair.pem")
    ours = ssl.create_default_context(cadata=root["certificate"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname=name)
    peer = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, peer, client, peer):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", OWN)
def test_the_sites_own_names_and_addresses_verify(
    root: dict[str, Any], jinan: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = issued(jinan, OWN, monkeypatch)
    assert openssl(root, server, tmp_path) == (True, "server.pem: OK\n")
    handshake(root, server, name, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "p-core.sd.example",  # the province
        "c-heze.heze.sd.example",  # another city
        "notjinan.sd.example",
        "www.example.org",  # whatever else the hosts talk to
        "c-jinan",
        "198.51.100.11",
        "203.0.113.5",
        "2001:db8:0:20::11",
    ],
)
def test_a_name_or_address_of_another_site_is_refused(
    root: dict[str, Any], jinan: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in ([name], [*OWN, name]):
        server = issued(jinan, names, monkeypatch)
        verified, text = openssl(root, server, tmp_path)
        assert not verified
        assert "permitted subtree violation" in text
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            handshake(root, server, name, tmp_path)


def test_without_ranges_no_address_is_permitted_at_all(root: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of name that the constraints do not mention would be free."""
    issuer = authority(root, ["jinan.sd.example"])
    assert openssl(root, issued(issuer, OWN[:1], monkeypatch), tmp_path)[0]
    assert "excluded subtree violation" in openssl(root, issued(issuer, [OWN[1]], monkeypatch), tmp_path)[1]
    assert "excluded subtree violation" in openssl(root, issued(issuer, [OWN[2]], monkeypatch), tmp_path)[1]


def test_the_constraints_are_critical(jinan: dict[str, Any]) -> None:
    """A client that does not know them must not take the authority for a free one."""
    (loaded,) = x509.load_pem_x509_certificates(jinan["certificate"].encode())
    assert loaded.extensions.get_extension_for_class(x509.NameConstraints).critical


def test_what_nobody_would_believe_is_not_issued(jinan: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    with pytest.raises(UserError, match=r"CN=Jinan CA may not sign for p-core\.sd\.example, 203\.0\.113\.5") as refused:
        make(
            kind="server",
            commonName="c-jinan",
            names=[*OWN, "p-core.sd.example", "203.0.113.5"],
            issuerCertificate=jinan["chain"],
            issuerKey=jinan["privateKey"],
        )
    assert "yiwang up" in refused.value.fix


def test_another_range_issues_the_authority_anew_with_its_key(
    root: dict[str, Any], jinan: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed before stays valid under the old chain and under the new one; no new root."""
    old = {"kind": "intermediate", "commonName": "Jinan CA", "permitted": JINAN, "names": [], "days": 90, "renewBefore": 30}
    old |= {"issuerCertificate": root["chain"], "issuerKey": root["privateKey"]}
    new = {**old, "permitted": [*JINAN, "203.0.113.0/29"]}
    change = RESOURCE.diff(old, jinan, new)
    assert (change.keys, change.replaces) == (("permitted",), ())
    wider = reveal(asyncio.run(RESOURCE.update(old, jinan, new, preview=False)))
    assert wider["privateKey"] == jinan["privateKey"]
    server = issued(jinan, OWN, monkeypatch)
    assert openssl(root, server, tmp_path)[0]
    assert openssl(root, {**server, "chain": server["certificate"] + wider["certificate"]}, tmp_path)[0]
    assert openssl(root, issued(wider, ["203.0.113.5"], monkeypatch), tmp_path)[0]
