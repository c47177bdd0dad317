"""What role variables may hold beyond their type: a wrong value is found here, not on a host where it has landed.

Which variable is held to what is said by each role (see ``drawer``).
A validator takes a plain value and raises ``WrongError`` as those of ``values`` do.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yiwang.inventory.values import DOMAIN, HOST, WrongError, account, text

Validator = Callable[[Any], object]

KEY_CHARACTERS = 20_000
DATABASE_CHARACTERS = 40

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")
_KEY_TYPES = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ssh-rsa")
# What is in quotes, and comments: outside of quotes also what follows the // of an address.
_APT_WORDS = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|^[ \t]*#(?!clear|include)[^\n]*', re.DOTALL | re.MULTILINE)
_APT_STATEMENT = re.compile(r'(#clear |#include )?[A-Za-z][A-Za-z0-9:_./+-]*(\s|$)|""$')
_DEB822 = ("Types", "URIs", "Suites")

package = text("package", re.compile(r"[a-z0-9][a-z0-9+.-]+"))
journal_size = text("journal_size", re.compile(r"[1-9][0-9]{0,11}[KMGT]?"))
memory = text("memory", re.compile(r"[1-9][0-9]{0,5}[MG]|"))
data_size = text("data_size", re.compile(r"[1-9][0-9]{0,5}[MGT]|"))
directory = text("directory", re.compile(r"(?:/[A-Za-z0-9._-]+){2,}"))
day_time = text("day_time", re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"))
week_time = text("week_time", re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?:[01][0-9]|2[0-3]):[0-5][0-9]"))
trust_name = text("trust_name", re.compile(r"[a-z0-9][a-z0-9_-]{0,62}"))


_DATABASE = re.compile(r"(?!pg_|yiwang)[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_TAKEN = frozenset({"postgres", "template0", "template1", "public", "none", "all", "replication", "sameuser", "samerole"})


def database(value: Any) -> None:
    """A name that needs no quotes, and that means nothing else to the database server; two underscores come before a login's own part."""
    if not isinstance(value, str) or len(value) > DATABASE_CHARACTERS or not _DATABASE.fullmatch(value) or value in _TAKEN:
        raise WrongError("database")


_BUCKET = re.compile(r"(?!xn--|sthree|databases-|objects-)[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")


def bucket(value: Any) -> None:
    """A name that every S3 store takes, and that is none of those for backups."""
    if not isinstance(value, str) or not _BUCKET.fullmatch(value):
        raise WrongError("bucket")


def timezone(value: Any) -> None:
    """A name of the time zone database. A machine without one tells names from paths only."""
    if not isinstance(value, str) or not _ZONE.fullmatch(value):
        raise WrongError("timezone")
    roots = [Path(root) for root in zoneinfo.TZPATH if Path(root).is_dir()]
    if roots and not any(_is_zone(root / value) for root in roots):
        raise WrongError("timezone")


def _is_zone(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"TZif"
    except OSError:
        return False


def between(first: int, last: int) -> Validator:
    """A validator for whole numbers from ``first`` to ``last``."""

    def check(value: Any) -> None:
        if not first <= value <= last:
            raise WrongError("between", first=first, last=last)

    return check


def server(value: Any) -> None:
    """A host name or an address."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not isinstance(value, str) or not (DOMAIN.fullmatch(value) or HOST.fullmatch(value)) or value.replace(".", "").isdigit():
            raise WrongError("server") from None


def public_key(value: Any) -> None:
    """A public key as in authorized_keys: type, key, comment; without options."""
    fields = value.split(maxsplit=2)
    try:
        blob = base64.b64decode(fields[1], validate=True) if len(value) <= KEY_CHARACTERS and value.isprintable() else b""
    except (IndexError, binascii.Error):
        blob = b""
    name = fields[0].encode() if fields else b""
    if not fields or fields[0] not in _KEY_TYPES or not blob.startswith(len(name).to_bytes(4, "big") + name):
        raise WrongError("public_key", types=", ".join(_KEY_TYPES))


def certificate(value: Any) -> None:
    """Exactly one certificate (PEM): the host's store is a directory with one in each file."""
    import ssl  # noqa: PLC0415 - few inventories have certificates

    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        store.load_verify_locations(cadata=value)
    except (ssl.SSLError, ValueError):
        raise WrongError("certificate") from None
    if value.count("-----BEGIN ") != 1 or store.cert_store_stats()["x509"] != 1:
        raise WrongError("certificate")


def sources(value: Any) -> None:
    """Package sources in deb822 form: each paragraph has the fields that apt cannot do without."""
    lines = [line for line in value.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip()) if value else ():
        given = {line.partition(":")[0] for line in paragraph.splitlines() if re.match(r"[A-Za-z0-9-]+:", line)}
        if not given.issuperset(_DEB822):
            raise WrongError("deb822", fields=", ".join(_DEB822))


def apt_conf(value: Any) -> None:
    """Options as in apt.conf: statements that end, braces and quotes that close. The host's own apt has the last word."""
    text = _APT_WORDS.sub(lambda found: '""' if found[0][0] == '"' else " ", value)
    depth = 0
    for mark in re.findall(r"[{}]", text):
        depth += 1 if mark == "{" else -1
        if depth < 0:
            raise WrongError("apt_conf")
    *statements, rest = re.split(r"[;{}]", text)
    names = (statement.strip() for statement in statements)
    if depth or rest.strip() or '"' in text.replace('""', "") or any(name and not _APT_STATEMENT.match(name) for name in names):
        raise WrongError("apt_conf")


CHECKS: Mapping[str, Validator] = {
    "account": account,
    "apt_conf": apt_conf,
    "bucket": bucket,
    "certificate": certificate,
    "data_size": data_size,
    "database": database,
    "deb822": sources,
    "directory": directory,
    "memory": memory,
    "package": package,
    "public_key": public_key,
    "server": server,
    "size": journal_size,
    "time": day_time,
    "timezone": timezone,
    "trust_name": trust_name,
    "week_time": week_time,
}
"""By the names that roles use for them in ``meta/component.yml``."""


def validator(written: Any) -> Validator:
    """The validator that a role means by a name, or by the least and the greatest number. Raises ValueError for anything else."""
    if isinstance(written, str) and written in CHECKS:
        return CHECKS[written]
    if isinstance(written, list) and len(written) == 2 and all(type(bound) is int for bound in written):
        return between(*written)
    raise ValueError(f"{written}: expected one of {', '.join(CHECKS)}, or two numbers")
