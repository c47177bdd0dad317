"""What a province brings along itself (placement ``external``): typed, checked, handed to the consumers, never managed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import unquote

from yiwang.inventory.secret_source import SecretSource

DATABASE_PORT = 5432

_WORD = r"(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+"
_URL = re.compile(rf"postgresql://(?P<login>{_WORD})@(?P<places>[^/?#@\s]+)/(?P<database>{_WORD})(?:\?(?P<options>[A-Za-z0-9_=&.-]*))?")
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class DatabaseUrl:
    """The parts of ``postgresql://login@host:port,…/database?options``; ``places``: each host (in brackets for IPv6) with its port."""

    login: str
    places: tuple[tuple[str, int], ...]
    database: str
    options: Mapping[str, str]

    def text(self, **more: str) -> str:
        """The URL with further options; those that it has win."""
        places = ",".join(f"{host}:{port}" for host, port in self.places)
        options = "&".join(f"{name}={value}" for name, value in {**more, **self.options}.items())
        return f"postgresql://{self.login}@{places}/{self.database}?{options}"


def parse_url(text: str) -> DatabaseUrl:
    """The parts of a URL. Raises ValueError when it is none of a database, or holds an option twice."""
    match = _URL.fullmatch(text)
    places = [_PLACE.fullmatch(place) for place in match["places"].split(",")] if match else []
    options = [option.partition("=") for option in (match["options"] or "").split("&") if option] if match else []
    if match is None or not all(places) or len({name for name, _, _ in options}) != len(options):
        raise ValueError(text)
    found = tuple((place["host"], int(place["port"] or DATABASE_PORT)) for place in places if place is not None)
    return DatabaseUrl(match["login"], found, match["database"], {name: value for name, _, value in options})


@dataclass(frozen=True)
class Database:
    """A database of the province's own. ``url`` names its login and no password; ``authority`` (PEM) has signed its certificate."""

    name: str
    url: DatabaseUrl
    password: SecretSource
    authority: Path

    @property
    def login(self) -> str:
        """The account, as it is typed."""
        return unquote(self.url.login)

    @property
    def authority_name(self) -> str:
        """What its authority is called where consumers have it."""
        return f"database-{self.name}"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the province's own. ``lock``: documents must not be deleted before their time, so it must be able to hold them."""

    name: str
    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: SecretSource
    authority: Path
    lock: bool = False

    @property
    def authority_name(self) -> str:
        """What its authority is called where consumers have it."""
        return f"bucket-{self.name}"


@dataclass(frozen=True)
class Storage:
    """Databases and buckets by the names that consumers know them by, sorted."""

    databases: Mapping[str, Database] = field(default_factory=lambda: MappingProxyType({}))
    buckets: Mapping[str, Bucket] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class External:
    """What a site brings along, by component; None where that is placed otherwise."""

    storage: Storage | None = None

    @property
    def authorities(self) -> dict[str, Path]:
        """The certificate authorities that consumers need, by name."""
        return {each.authority_name: each.authority for each in self._entries()}

    def _entries(self) -> Iterator[Database | Bucket]:
        if self.storage is not None:
            yield from self.storage.databases.values()
            yield from self.storage.buckets.values()
