"""The leaf types of a site's ``external``: as ``values``, for what a province brings along itself."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any
from urllib.parse import urlsplit

from yiwang.inventory import external, rolevalues
from yiwang.inventory.values import DOMAIN, HOST, WrongError, text

VERIFIED = ("verify-full", "verify-ca")
OPTIONS = ("connect_timeout", "sslmode", "target_session_attrs")
_WRITABLE = frozenset({"any", "read-write", "primary"})

bucket_name = text("bucket_name", re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"))
region = text("region", re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"))
access_key = text("access_key", re.compile(r"[\x21-\x7e]{3,128}"))


def database_name(value: Any) -> str:
    """The name by which consumers know a database."""
    rolevalues.database(value)
    return str(value)


def database_url(value: Any) -> external.DatabaseUrl:
    """How a database is reached: by TLS with the server's certificate verified; no password in it."""
    try:
        url = external.parse_url(value if isinstance(value, str) else "")
    except ValueError:
        raise WrongError("database_url") from None
    if not all(_is_place(host, port) for host, port in url.places):
        raise WrongError("database_url")
    unknown = [name for name in url.options if name not in OPTIONS]
    if unknown:
        raise WrongError("database_option", option=unknown[0], known=", ".join(OPTIONS))
    if url.options.get("sslmode") not in VERIFIED:
        raise WrongError("database_tls")
    seconds = url.options.get("connect_timeout", "1")
    if not re.fullmatch(r"[1-9][0-9]?", seconds) or url.options.get("target_session_attrs", "any") not in _WRITABLE:
        raise WrongError("database_option_value")
    return url


def _is_place(host: str, port: int) -> bool:
    return _is_host(host) and 1 <= port <= 65535


def _is_host(host: str) -> bool:
    """A name, an IPv4 address, or an IPv6 address in brackets."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1]).scope_id is None
        if host.replace(".", "").isdigit():
            return bool(IPv4Address(host))
    except AddressValueError:
        return False
    return bool(DOMAIN.fullmatch(host) or HOST.fullmatch(host))


def bucket_endpoint(value: Any) -> str:
    """The address of an S3 service: https, host, port."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        port = 443 if parts.port is None else parts.port
    except ValueError:
        raise WrongError("bucket_endpoint") from None
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    # As it is written, or it holds more than that: a user, a path, a query.
    written = f"https://{host}" + (f":{port}" if parts.port is not None else "")
    if value.removesuffix("/") != written or not _is_place(host, port):
        raise WrongError("bucket_endpoint")
    return written
