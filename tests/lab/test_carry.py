from __future__ import annotations

from pathlib import Path

import pytest

from yiwang.lab import carry

SOURCES = """\
Types: deb
# http://old.example/debian
URIs: https://mirror.example:8443/debian
Suites: bookworm
Signed-By: {key}
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine's /etc/apt; nothing else of this machine is seen."""
    directory = tmp_path / "apt"
    for name in ("apt.conf.d", "auth.conf.d", "sources.list.d", "keyrings"):
        (directory / name).mkdir(parents=True)
    monkeypatch.setattr(carry, "_APT", directory)
    monkeypatch.setattr(carry, "_CA_DIRECTORY", tmp_path / "ca")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", *carry._CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    key = tmp_path / "mirror.gpg"
    key.write_bytes(b"key")
    (directory / "sources.list.d/mirror.sources").write_text(SOURCES.format(key=key))
    return directory


def test_sources_come_with_the_keys_they_name(apt: Path) -> None:
    found = carry.collect()
    assert list(found.sources) == [apt / "sources.list.d/mirror.sources"]
    assert found.public[apt.parent / "mirror.gpg"] == b"key"


def test_the_endpoint_is_the_mirror_and_comments_do_not_count(apt: Path) -> None:
    assert carry.collect().endpoints() == [("mirror.example", 8443)]


def test_behind_a_proxy_the_endpoint_is_the_proxy(apt: Path) -> None:
    (apt / "apt.conf.d/90proxy").write_text('Acquire::http::Proxy "http://proxy.example:3128";\n')
    assert carry.collect().endpoints() == [("proxy.example", 3128)]


def test_credentials_never_enter_a_cached_layer(apt: Path) -> None:
    (apt / "auth.conf.d/mirror.conf").write_text("machine mirror.example login a password hunter2")
    settings = Path.home() / ".m2/settings.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text("<password>hunter2</password>")
    found = carry.collect()
    assert not [path for path, data in {**found.public, **found.sources}.items() if b"hunter2" in data]
    assert {apt / "auth.conf.d/mirror.conf", Path("/root/.m2/settings.xml")} <= set(found.private)


@pytest.mark.parametrize("userinfo", ["robot:hunter2", "hunter2", ":hunter2"])
def test_credentials_in_an_address_are_private(apt: Path, userinfo: str) -> None:
    before = carry.collect()
    source, proxy = apt / "sources.list.d/mirror.sources", apt / "apt.conf.d/90proxy"
    source.write_text(source.read_text().replace("https://", f"https://{userinfo}@"))
    found = carry.collect()
    assert not [path for path, data in {**found.public, **found.sources}.items() if b"hunter2" in data]
    assert found.private_sources == {source: source.read_bytes()}
    assert found.all_sources == found.private_sources
    assert found.endpoints() == [("mirror.example", 8443)]
    assert found.public[apt.parent / "mirror.gpg"] == b"key", "the key it names comes along"
    assert found.digest == before.digest, "a layer does not depend on who asks for it"
    proxy.write_text(f'Acquire::http::Proxy "http://{userinfo}@proxy.example:3128";\n')
    found = carry.collect()
    assert proxy in found.private
    assert found.endpoints() == [("proxy.example", 3128)]
    assert "hunter2" not in repr(found.endpoints())


def test_a_disc_is_not_carried(apt: Path) -> None:
    (apt / "sources.list").write_text("deb cdrom:[Debian 12]/ bookworm main\ndeb http://deb.example/debian bookworm main\n")
    assert carry.collect().sources[apt / "sources.list"] == b"deb http://deb.example/debian bookworm main\n"


def test_variables_of_proxies_and_indexes_are_carried_and_no_others(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/wheels")
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    text = carry.collect().private[Path("/etc/environment")].decode()
    assert 'https_proxy="http://proxy.example:3128"\n' in text
    assert 'PIP_INDEX_URL="https://index.example/simple"\n' in text
    assert "PIP_FIND_LINKS" not in text
    assert "hunter2" not in text


def test_a_bundle_named_by_a_variable_comes_along(apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "corporate.pem"
    bundle.write_bytes(b"certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert carry.collect().public[bundle] == b"certificate"


def test_the_digest_follows_what_a_layer_is_made_from(apt: Path) -> None:
    before = carry.collect()
    (apt / "auth.conf.d/mirror.conf").write_text("machine mirror.example login a password b")
    assert carry.collect().digest == before.digest
    (apt / "apt.conf.d/90new").write_text("Acquire::Retries 3;\n")
    assert carry.collect().digest != before.digest
    assert carry.collect().sources_digest == before.sources_digest


def test_files_land_below_the_root_with_their_mode(tmp_path: Path) -> None:
    carry.place({Path("/etc/pip.conf"): b"[global]\n"}, tmp_path, 0o600)
    assert (tmp_path / "etc/pip.conf").read_bytes() == b"[global]\n"
    assert (tmp_path / "etc/pip.conf").stat().st_mode & 0o777 == 0o600
