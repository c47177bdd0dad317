"""What a site brings along itself: read as it is written, its secrets from their sources only when they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from inventory.malformed_external import GOOD

from yiwang.errors import ExitCode, UserError
from yiwang.inventory import Province, load
from yiwang.inventory.external import External, Storage, parse_url


@pytest.fixture
def province(inventory: Path) -> Province:
    for change in GOOD:
        change(inventory)
    return load(inventory)


@pytest.fixture
def storage(province: Province) -> Storage:
    found = province.sites["province"].external.storage
    assert found is not None
    return found


def test_what_is_written(storage: Storage, inventory: Path) -> None:
    database, bucket = storage.databases["portal"], storage.buckets["documents"]
    assert database.url.places == (("db1.example", 5432), ("db2.example", 5432))
    assert (database.login, database.url.database, database.authority) == ("portal", "portal", inventory / "certs/ca.pem")
    assert database.password.file == inventory / ".state/portal"
    assert (bucket.endpoint, bucket.region, bucket.bucket, bucket.lock) == ("https://s3.example:9000", "cn-east", "portal-documents", True)
    assert bucket.access_key == "AKIAIOSFODNN7EXAMPLE", "the name of an account, whatever it looks like"
    assert bucket.secret_key.command == ("pass", "show", "s3")


def test_other_sites_bring_nothing_along(province: Province) -> None:
    assert [name for name, site in province.sites.items() if site.external != External()] == ["province"]
    authority = province.directory / "certs/ca.pem"
    assert province.sites["province"].external.authorities == {"database-portal": authority, "bucket-documents": authority}


def test_secrets_are_read_when_they_are_asked_for(storage: Storage) -> None:
    source = storage.databases["portal"].password
    assert source.file is not None
    with pytest.raises(UserError) as missing:
        source.read()
    assert missing.value.code == ExitCode.INPUT
    assert "sites.province.external.storage.databases.portal.password" in missing.value.report()
    source.file.parent.mkdir()
    source.file.write_text("a word\n")
    source.file.chmod(0o644)
    with pytest.raises(UserError, match="is open to others"):
        source.read()
    source.file.chmod(0o600)
    assert source.read() == "a word"
    assert "a word" not in repr(storage)


def test_brought_along_no_way_is_opened_by_the_component_itself(province: Province) -> None:
    assert [site for path, site in province.ways() if path in province.component_paths["storage"] and site == "province"] == []


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("postgresql://a%40b@h/d?sslmode=verify-ca", (("h", 5432),)),
        ("postgresql://a@[2001:db8::1]:5433,192.0.2.1/d", (("[2001:db8::1]", 5433), ("192.0.2.1", 5432))),
    ],
)
def test_urls(text: str, places: tuple[tuple[str, int], ...]) -> None:
    assert parse_url(text).places == places


def test_a_url_is_written_with_further_options() -> None:
    url = parse_url("postgresql://a@h1,h2:5433/d?sslmode=verify-full&connect_timeout=9")
    assert url.text(connect_timeout="3", sslrootcert="/x") == (
        "postgresql://a@h1:5432,h2:5433/d?connect_timeout=9&sslrootcert=/x&sslmode=verify-full"
    )


@pytest.mark.parametrize(
    "text", ["", "postgresql://", "postgresql://a@/d", "postgresql://a@h,/d", "postgresql://a@h/d?x=1&x=2", "postgresql://a@h/d#x"]
)
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(postgresql.*)?$"):
        parse_url(text)
