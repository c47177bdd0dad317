"""The shape of ``province.yml``. Unknown keys are refused; the leaves are checked by ``values``."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from yiwang.inventory import external_values, values
from yiwang.inventory.external import DatabaseUrl
from yiwang.inventory.model import COMPONENTS, PLACEMENTS, STACKS


def _leaf(check: Callable[[Any], Any]) -> PlainValidator:
    def validate(value: Any) -> Any:
        try:
            return check(value)
        except values.WrongError as wrong:
            context = {"what": wrong.what, "details": wrong.details, "index": wrong.index}
            raise PydanticCustomError("wrong", "{what}", context) from None

    return PlainValidator(validate)


def _choice(what: str, options: tuple[str, ...]) -> PlainValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in options:
            raise values.WrongError(what, options=", ".join(options))
        return value

    return _leaf(check)


def _text_or_list(check: Callable[[Any], Any], what: str) -> PlainValidator:
    """One text or a list of them, at least one, each checked."""

    def validate(value: Any) -> tuple[Any, ...]:
        entries = value if isinstance(value, list) else [value]
        if not entries:
            raise values.WrongError(what)
        checked = []
        for index, entry in enumerate(entries):
            try:
                checked.append(check(entry))
            except values.WrongError as wrong:
                wrong.index = index if isinstance(value, list) else None
                raise
        return tuple(checked)

    return _leaf(validate)


def _any_text(what: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not value or not value.isprintable():
            raise values.WrongError(what)
        return value

    return check


Domain = Annotated[str, _leaf(values.domain)]
Identifier = Annotated[str, _leaf(values.identifier)]
Code = Annotated[str, _leaf(values.code)]
Ends = Annotated[tuple[str, ...], _text_or_list(_any_text("endpoint"), "endpoint")]
EndpointAddress = Annotated[str | None, _leaf(values.endpoint_address)]
Backend = Annotated[str, _leaf(values.backend)]
FileName = Annotated[str | None, _leaf(_any_text("file_name"))]
Command = Annotated[tuple[str, ...] | None, _text_or_list(_any_text("command"), "command")]


class Strict(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NameFacts(Strict):
    """A name in both languages."""

    zh: Annotated[str, _leaf(values.chinese)]
    en: Annotated[str, _leaf(values.english_name)]


class ZoneFacts(Strict):
    """The ranges of a zone, one or several of each family."""

    ipv4: Annotated[tuple[IPv4Network, ...], _text_or_list(values.zone_ipv4, "ipv4_network")]
    ipv6: Annotated[tuple[IPv6Network, ...], _text_or_list(values.zone_ipv6, "ipv6_network")]


class PathFacts(Strict):
    """One listed path."""

    source: Ends = Field(alias="from")
    target: Ends = Field(alias="to")
    protocol: Annotated[Literal["tcp", "udp"], _choice("choice", ("tcp", "udp"))]
    ports: list[Annotated[int | str, _leaf(values.port)]] = Field(min_length=1)
    purpose: NameFacts


class SecretFacts(Strict):
    """Exactly one of the two, checked later."""

    file: FileName = None
    command: Command = None


class DatabaseFacts(Strict):
    """A database of the province's own."""

    url: Annotated[DatabaseUrl, _leaf(external_values.database_url)]
    password: SecretFacts
    authority: Annotated[str, _leaf(_any_text("file_name"))]


class BucketFacts(Strict):
    """A bucket of the province's own."""

    endpoint: Annotated[str, _leaf(external_values.bucket_endpoint)]
    region: Annotated[str, _leaf(external_values.region)]
    bucket: Annotated[str, _leaf(external_values.bucket_name)]
    access_key: Annotated[str, _leaf(external_values.access_key)]
    secret_key: SecretFacts
    authority: Annotated[str, _leaf(_any_text("file_name"))]
    lock: Annotated[bool | None, _leaf(values.true)] = None


class ExternalStorageFacts(Strict):
    """Databases and buckets by name."""

    databases: dict[Annotated[str, _leaf(external_values.database_name)], DatabaseFacts] = {}
    buckets: dict[Identifier, BucketFacts] = {}


class ExternalFacts(Strict):
    """What a site brings along, by component."""

    storage: ExternalStorageFacts | None = None


class SiteFacts(Strict):
    """One site. Placements are checked with the release's list, later."""

    stack: Annotated[Literal["national", "province", "city"], _choice("choice", STACKS)]
    code: Code | None = None
    title: NameFacts | None = None
    domain: Domain | None = None
    placement: dict[
        Annotated[str, _choice("component", COMPONENTS)],
        Annotated[Literal["servers", "kubernetes", "tenant", "external"], _choice("choice", PLACEMENTS)],
    ] = {}
    external: ExternalFacts | None = None


class NationalFacts(Strict):
    """The state platform's endpoints."""

    identity: EndpointAddress = None
    exchange: EndpointAddress = None
    catalogue: EndpointAddress = None


class ContactFacts(Strict):
    """A duty and how it is reached."""

    duty: Identifier
    name: NameFacts
    email: Annotated[str, _leaf(values.email)]
    phone: Annotated[str | None, _leaf(values.phone)] = None


class AccessFacts(Strict):
    """How the hosts are reached."""

    user: Annotated[str, _leaf(values.automation_account)] = "yiwang"
    bootstrap_user: Annotated[str, _leaf(values.account)] = "root"
    key_file: FileName = None
    operators: list[Annotated[IPv4Network | IPv6Network, _leaf(values.operator_network)]] = Field(min_length=1)


class PassphraseFacts(Strict):
    """Exactly one of the three, checked later."""

    file: FileName = None
    command: Command = None
    generate: Annotated[bool | None, _leaf(values.true)] = None
