"""The leaf types of ``province.yml``: each validator takes what YAML gave and returns a typed value or says what it expected.

A validator raises ``WrongError(what, **details)``; ``what`` names the entries ``expect_<what>`` and ``fix_<what>`` of the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError, ip_network
from typing import Any
from urllib.parse import urlsplit

NAME_CHARACTERS = 60
DOMAIN_CHARACTERS = 253
MIN_PREFIX4 = 8
MIN_PREFIX6 = 16

# The schemes of the CLI's backends (https: its service, or one of its kind).
BACKENDS = frozenset({"file", "s3", "gs", "azblob", "postgres", "https"})

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
HOST = re.compile(_LABEL)
IDENTIFIER = re.compile(r"[a-z][a-z0-9]{0,30}")
GROUP = re.compile(r"[a-z][a-z0-9_]{0,62}")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
PORT_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
_CHINESE = re.compile(r"[\u3400-\u9fff0-9A-Za-z（）()、，。：；·《》“”—\- ]+")
_HAN = re.compile(r"[\u3400-\u9fff]")
_ENGLISH = re.compile(r"[\x20-\x7e]+")
_EMAIL = re.compile(rf"[A-Za-z0-9._+-]{{1,64}}@{DOMAIN.pattern}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{2,24}")


class WrongError(ValueError):
    """A value that is not what is expected; ``details`` fill the placeholders of the catalogue's texts.

    ``index``: which entry it is, where the value is a list.
    """

    def __init__(self, what: str, **details: object) -> None:
        super().__init__(what)
        self.what = what
        self.details = details
        self.index: int | None = None


def text(what: str, pattern: re.Pattern[str], longest: int = DOMAIN_CHARACTERS) -> Callable[[Any], str]:
    """A validator for text that matches ``pattern`` as a whole."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > longest or not pattern.fullmatch(value):
            raise WrongError(what)
        return value

    return check


domain = text("domain", DOMAIN)
identifier = text("identifier", IDENTIFIER)
account = text("account", ACCOUNT)
# What Debian has on every host: an account of a service, or the one that may not sign in any more.
SYSTEM_ACCOUNTS = frozenset(
    {
        *("root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy", "www-data", "backup", "list"),
        *("irc", "gnats", "nobody", "messagebus", "sshd", "_apt", "_chrony"),
    }
)
email = text("email", _EMAIL)
phone = text("phone", _PHONE)
english = text("english", _ENGLISH, NAME_CHARACTERS * 2)


def chinese(value: Any) -> str:
    """A Chinese name: at least one Chinese character, no control or odd characters."""
    if not isinstance(value, str) or len(value) > NAME_CHARACTERS or not _CHINESE.fullmatch(value) or not _HAN.search(value):
        raise WrongError("chinese")
    return value


def english_name(value: Any) -> str:
    """An English name: printable ASCII with at least one letter."""
    if not re.search(r"[A-Za-z]", english(value)):
        raise WrongError("english")
    return str(value)


def code(value: Any) -> str:
    """A GB/T 2260 code: six digits, quoted or not."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"[1-9][0-9]{5}", str(value)):
        raise WrongError("code")
    return str(value)


def _network(value: Any, what: str) -> IPv4Network | IPv6Network:
    if not isinstance(value, str):
        raise WrongError(what)
    try:
        return ip_network(value)
    except (AddressValueError, NetmaskValueError):
        raise WrongError(what) from None
    except ValueError:
        pass
    try:
        inner = ip_network(value, strict=False)
    except ValueError:
        raise WrongError(what) from None
    raise WrongError("host_bits", network=inner)


def zone_ipv4(value: Any) -> IPv4Network:
    """An IPv4 range of a zone."""
    network = _network(value, "ipv4_network")
    if not isinstance(network, IPv4Network):
        raise WrongError("ipv4_network")
    if network.prefixlen < MIN_PREFIX4 or network.is_loopback or network.is_multicast or network.is_link_local or network.is_unspecified:
        raise WrongError("zone_range")
    return network


def zone_ipv6(value: Any) -> IPv6Network:
    """An IPv6 range of a zone."""
    network = _network(value, "ipv6_network")
    if not isinstance(network, IPv6Network):
        raise WrongError("ipv6_network")
    if network.prefixlen < MIN_PREFIX6 or network.is_loopback or network.is_multicast or network.is_link_local or network.is_unspecified:
        raise WrongError("zone_range")
    return network


def operator_network(value: Any) -> IPv4Network | IPv6Network:
    """A range or a single address of either family; never everybody, nor nearly so."""
    network = _network(value, "operator_network")
    if network.prefixlen < (MIN_PREFIX4 if network.version == 4 else MIN_PREFIX6):
        raise WrongError("operator_everybody")
    return network


def port(value: Any) -> int | str:
    """A port number 1 to 65535, or a range ``"from-to"``."""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    match = PORT_RANGE.fullmatch(value) if isinstance(value, str) else None
    if match and 1 <= int(match[1]) < int(match[2]) <= 65535:
        return f"{int(match[1])}-{int(match[2])}"
    raise WrongError("port")


def endpoint_address(value: Any) -> str:
    """A host name, or a URL with https and without a user."""
    if not isinstance(value, str):
        raise WrongError("endpoint_address")
    try:
        parts = urlsplit(value)
        fine = parts.scheme == "https" and DOMAIN.fullmatch(parts.hostname or "") is not None and "@" not in parts.netloc
        fine = fine and (parts.port is None or parts.port > 0) and re.fullmatch(r"[\x21-\x7e]+", value) is not None
    except ValueError:
        fine = False
    if not fine and not DOMAIN.fullmatch(value):
        raise WrongError("endpoint_address")
    return value


def automation_account(value: Any) -> str:
    """The name of an account that is the kit's alone: no account that a system has of its own."""
    found: str = account(value)
    if found in SYSTEM_ACCOUNTS or found.startswith("systemd-"):
        raise WrongError("automation_account")
    return found


def backend(value: Any) -> str:
    """A backend of the Pulumi CLI as a URL, without a password in it: what it signs in with comes from the environment."""
    if not isinstance(value, str) or re.fullmatch(r"[\x21-\x7e]+", value) is None:
        raise WrongError("backend")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise WrongError("backend") from None
    known = parts.scheme in BACKENDS and (parts.netloc or parts.path.strip("/"))
    if not known or parts.password is not None:
        raise WrongError("backend")
    return value


def true(value: Any) -> bool:
    """Only ``true``: the key is left out otherwise."""
    if value is not True:
        raise WrongError("true")
    return True
