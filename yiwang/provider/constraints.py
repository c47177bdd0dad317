"""Name constraints (RFC 5280, 4.2.1.10): what an authority may sign for. Clients refuse whatever lies outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cryptography import x509

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# A kind of name of which nothing is permitted would be free altogether; it is excluded as a whole instead.
_EVERY_ADDRESS = ("0.0.0.0/0", "::/0")


def network(text: str) -> Network | None:
    """``text`` as an IP range or a single address; ``None`` for what is none."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def extension(permitted: Iterable[str]) -> x509.NameConstraints:
    """The extension for domains (each with everything below it) and IP ranges."""
    allowed = [_general(name) for name in permitted]
    free = not any(isinstance(name, x509.IPAddress) for name in allowed)
    return x509.NameConstraints(allowed, [_general(name) for name in _EVERY_ADDRESS] if free else None)


def require(issuer: x509.Certificate, names: Iterable[str]) -> None:
    """Raises UserError for names that ``issuer`` may not sign for: no client would believe such a certificate."""
    try:
        allowed = issuer.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or ()
    except x509.ExtensionNotFound:
        return
    domains = [each.value for each in allowed if isinstance(each, x509.DNSName)]
    networks = [each.value for each in allowed if isinstance(each, x509.IPAddress)]
    refused = [name for name in names if not _is_below(name, domains, networks)]
    if refused:
        subject = issuer.subject.rfc4514_string()
        raise UserError(
            t("provider.not_permitted", subject=subject, names=", ".join(refused)),
            code=ExitCode.FAILED,
            fix=t("provider.not_permitted_fix"),
        )


def _is_below(name: str, domains: Iterable[str], networks: Iterable[object]) -> bool:
    address = network(name)
    if address is None:
        return any(f".{name.removeprefix('*.')}".endswith(f".{domain}") for domain in domains)
    return any(isinstance(other, Network) and address.network_address in other for other in networks)


def _general(name: str) -> x509.GeneralName:
    inside = network(name)
    return x509.DNSName(name) if inside is None else x509.IPAddress(inside)
