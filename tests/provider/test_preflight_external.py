"""What a site brings along: what becomes of each outcome, and servers that let nobody in. What they can do is tried on real ones."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from inventory.malformed import CERTIFICATE
from inventory.malformed_external import GOOD

from yiwang import cli
from yiwang.errors import ExitCode
from yiwang.inventory import Site, load
from yiwang.inventory.create import create
from yiwang.inventory.external import Bucket, Database, External, Storage, parse_url
from yiwang.inventory.secret_source import SecretSource
from yiwang.preflight import buckets, databases, external
from yiwang.preflight.external import CAPABILITIES, FIXES, _Subject
from yiwang.preflight.model import Finding

WORDS = {"key": "KEY", "places": "PLACES", "login": "LOGIN", "database": "DATABASE", "endpoint": "ENDPOINT", "bucket": "BUCKET"}


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("YIWANG_LANG", "en")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A proxy of this machine's is none of these servers' business.
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    file.write_bytes(made + private)
    return file


@pytest.fixture
def other(certificate: Path) -> Path:
    """An authority that has signed nothing of ours."""
    file = certificate.with_name("other.pem")
    file.write_text(CERTIFICATE)
    return file


@contextmanager
def server(certificate: Path, greet: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port that greets each client, speaks TLS, and says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("localhost", 0)) as listening:
        listening.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    client, _ = listening.accept()
                except TimeoutError:
                    continue
                client.settimeout(5)
                try:
                    greet(client)
                    context.wrap_socket(client, server_side=True).close()
                except OSError:
                    client.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


def answers(word: bytes) -> Callable[[socket.socket], object]:
    """What PostgreSQL says to a client that asks for TLS."""

    def greet(client: socket.socket) -> None:
        client.recv(8)
        client.sendall(word)

    return greet


def closed_port() -> int:
    with socket.create_server(("localhost", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return load(create(tmp_path / "inventory", "370000", ())).sites["province"]


def database(port: int, authority: Path) -> External:
    """One database; its password comes from a command."""
    url = parse_url(f"postgresql://portal@localhost:{port}/portal?sslmode=verify-full")
    return External(Storage(databases={"portal": Database("portal", url, SecretSource("KEY", command=("echo", "a word")), authority)}))


def bucket(port: int, authority: Path) -> External:
    secret = SecretSource("KEY", command=("echo", "a word"))
    found = Bucket("files", f"https://localhost:{port}", "cn-east", "documents", "AK1", secret, authority, lock=True)
    return External(Storage(buckets={"files": found}))


def tried(site: Site, brought: External) -> list[Finding]:
    return asyncio.run(external.check([replace(site, external=brought)]))


@pytest.mark.parametrize("brought", [database, bucket])
def test_where_nobody_answers_there_is_one_finding(site: Site, certificate: Path, brought: Callable[[int, Path], External]) -> None:
    (found,) = tried(site, brought(closed_port(), certificate))
    assert (found.site, found.check, found.verdict) == ("province", "connect", "fail")
    assert "refused" in found.text or "Could not connect" in found.text
    assert "check route, firewalls" in found.fix


@pytest.mark.parametrize(("brought", "greet"), [(database, answers(b"S")), (bucket, lambda _client: None)])
def test_a_certificate_of_another_authority_is_one_finding(
    site: Site, certificate: Path, other: Path, brought: Callable[[int, Path], External], greet: Callable[[socket.socket], object]
) -> None:
    with server(certificate, greet) as port:
        (found,) = tried(site, brought(port, other))
    assert (found.check, found.verdict) == ("connect", "fail")
    assert "certificate verify failed" in found.text
    assert "authority has to be the authority that signed" in found.fix


def test_a_server_without_tls_is_one_finding(site: Site, certificate: Path) -> None:
    with server(certificate, answers(b"N")) as port:
        (found,) = tried(site, database(port, certificate))
    assert found.verdict == "fail"
    assert "does not support SSL" in found.text


def test_a_server_that_never_answers_costs_no_more_than_its_time(certificate: Path) -> None:
    with socket.create_server(("localhost", 0)) as silent:
        port = silent.getsockname()[1]
        found = database(port, certificate).storage
        assert found is not None
        (first,) = asyncio.run(databases.attempt(external.parameters(found.databases["portal"], "a word"), seconds=1))
        assert (first.capability, first.kind) == ("connect", "unreachable")
        place = buckets.Place(f"https://localhost:{port}", "cn-east", "documents", "AK1", "a word", str(certificate))
        (second,) = buckets.attempt(place, seconds=1)
        assert (second.capability, second.kind) == ("connect", "unreachable")


def test_a_secret_without_a_source_is_one_finding_and_nothing_is_tried(site: Site, tmp_path: Path) -> None:
    brought = database(1, tmp_path)
    assert brought.storage is not None
    gone = replace(brought.storage.databases["portal"], password=SecretSource("KEY", file=tmp_path / "none"))
    (found,) = tried(site, External(Storage(databases={"portal": gone})))
    assert (found.host, found.check, found.verdict) == ("databases.portal", "secret", "fail")
    assert "KEY" in found.fix


def test_nothing_is_tried_where_nothing_is_brought_along(site: Site) -> None:
    assert tried(site, External()) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["database", "bucket"])
def test_each_outcome_is_told_with_its_fix(kind: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", language)
    subject = _Subject("province", kind, "portal", WORDS)
    for capability in CAPABILITIES[kind]:
        assert subject.judge(capability, "", "", "").verdict == "ok"
        for reason in ("answer", "failed", "timeout", *FIXES[kind][:4]):
            found = subject.judge(capability, reason, "STATEMENT", "no ≠ yes" if reason == "answer" else "SAID")
            assert found.verdict == (
                "warn" if capability in external.WARNINGS or (capability, reason) == ("member", "unreachable") else "fail"
            )
            assert "STATEMENT" in found.text
            assert "SAID" in found.text or ("no" in found.text and "yes" in found.text)
            assert found.fix
            assert not {"{", "preflight."} & {*found.text, *found.fix.split()}


def test_the_verb_tries_what_the_chosen_sites_bring_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = create(tmp_path / "inventory", "370000", ())
    for change in GOOD:
        change(directory)
    # No host is looked at where the state cannot be written; root, who runs these tests, may write everywhere.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != directory / ".state" and allowed(path, mode))

    def hosts(*arguments: str) -> set[str]:
        assert cli.run(["preflight", "-i", str(directory), "--json", *arguments]) == ExitCode.FINDINGS
        return {found["host"] for found in json.loads(capsys.readouterr().out)["findings"] if "." in found["host"]}

    assert hosts() == {"databases.portal", "buckets.documents"}
    assert hosts("--site", "province") == {"databases.portal", "buckets.documents"}
    assert hosts("--site", "c370100") == set()
    assert hosts("--host", "p-core") == set(), "what a site brings along is none of a host's"


def test_what_libpq_is_told(certificate: Path) -> None:
    url = parse_url("postgresql://a%40b@[2001:db8::1],192.0.2.1:5433/d?sslmode=verify-ca")
    found = external.parameters(Database("portal", url, SecretSource("KEY"), certificate), "a word")
    assert (found["host"], found["port"], found["user"]) == ("2001:db8::1,192.0.2.1", "5432,5433", "a@b")
    assert (found["sslmode"], found["sslrootcert"], found["target_session_attrs"]) == ("verify-ca", str(certificate), "read-write")


def test_every_statement_of_a_database_has_its_words() -> None:
    assert set(databases.CAPABILITIES) < set(CAPABILITIES["database"])
    assert all(steps for steps in databases.CAPABILITIES.values())
