"""The resource ``Certificate``: X.509 with EC P-256 keys, issued once, renewed with the same key."""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from yiwang.messages import t
from yiwang.provider import constraints
from yiwang.provider.resource import Answer, Change, Problem, Resource, known_keys
from yiwang.provider.values import UNKNOWN, Secret, reveal, unknown

_KINDS = ("root", "intermediate", "server")
_KEYS = frozenset({"kind", "commonName", "names", "permitted", "issuerCertificate", "issuerKey", "days", "renewBefore"})
_ISSUED = ("certificate", "chain", "notAfter", "serial", "fingerprint")
_PATH_LENGTH = {"root": 1, "intermediate": 0}
_DNS = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9_]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_BACKDATED = datetime.timedelta(minutes=5)
"""How long before now a certificate begins: hosts' clocks may differ a little."""


class CertificateResource(Resource):
    """Checks, compares and issues certificates. The clock is asked here, never in a program."""

    def check(self, inputs: dict[str, Any]) -> list[Problem]:
        """What is wrong with the inputs."""
        problems = known_keys(inputs, _KEYS)
        plain = reveal(inputs)
        kind = plain.get("kind")
        if kind not in _KINDS:
            problems.append(Problem("kind", t("provider.one_of", value=kind, allowed=", ".join(_KINDS))))
        if not unknown(plain.get("commonName")) and not 1 <= len(str(plain.get("commonName") or "")) <= 64:
            problems.append(Problem("commonName", t("provider.common_name")))
        problems += [
            Problem("names", t("provider.bad_name", value=name))
            for name in plain.get("names") or ()
            if isinstance(name, str) and _address(name) is None and not _DNS.fullmatch(name)
        ]
        problems += _permitted_problems(plain)
        if kind == "server" and not plain.get("names"):
            problems.append(Problem("names", t("provider.names_needed")))
        problems += [
            Problem(key, t("provider.issuer_needed" if kind != "root" else "provider.issuer_of_root"))
            for key in ("issuerCertificate", "issuerKey")
            if (plain.get(key) is None) == (kind != "root")
        ]
        days, before = plain.get("days"), plain.get("renewBefore")
        if isinstance(days, int) and isinstance(before, int) and not 0 <= before < days:
            problems.append(Problem("renewBefore", t("provider.renew_before", value=before, days=days)))
        return problems

    def diff(self, old_inputs: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]) -> Change:
        """Changed inputs, or a certificate near its end that can be renewed."""
        old, new = reveal(old_inputs), reveal(news)
        changed = tuple(key for key in sorted(_KEYS) if old.get(key) != new.get(key))
        if not changed and not unknown(news) and _due(reveal(olds), new):
            changed = ("notAfter",)
        return Change(changed, replaces=("kind",) if "kind" in changed else ())

    async def create(self, news: dict[str, Any], *, preview: bool) -> Answer:
        """A new key and its certificate."""
        if preview:
            return Answer("", {**dict.fromkeys(_ISSUED, UNKNOWN), "privateKey": Secret(UNKNOWN)})
        outputs = issue(reveal(news), ec.generate_private_key(ec.SECP256R1()))
        return Answer(outputs["serial"], outputs)

    async def update(self, old_inputs: dict[str, Any], olds: dict[str, Any], news: dict[str, Any], *, preview: bool) -> dict[str, Any]:
        """The certificate issued anew for the same key; a mere change of ``renewBefore`` issues nothing."""
        old, new = reveal(old_inputs), reveal(news)
        same = all(old.get(key) == new.get(key) for key in _KEYS - {"renewBefore"})
        if same and not _due(reveal(olds), new):
            return olds
        if preview:
            return {**olds, **dict.fromkeys(_ISSUED, UNKNOWN)}
        key = serialization.load_pem_private_key(reveal(olds)["privateKey"].encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the private key in the state is not an EC key")
        return issue(new, key)


def issue(inputs: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The outputs of a certificate for ``key`` by plain ``inputs``, valid from now on."""
    issuers = x509.load_pem_x509_certificates(inputs["issuerCertificate"].encode()) if inputs.get("issuerCertificate") else []
    signer = _issuer_key(inputs, issuers) if issuers else key
    if issuers:
        constraints.require(issuers[0], inputs.get("names") or ())
    certificate = _build(inputs, key, issuers[0] if issuers else None).sign(signer, hashes.SHA256())
    above = [each for each in issuers if each.issuer != each.subject]
    return {
        "certificate": _pem(certificate),
        "chain": "".join(_pem(each) for each in (certificate, *above)),
        "privateKey": Secret(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
        ),
        "notAfter": certificate.not_valid_after_utc.isoformat(),
        "serial": f"{certificate.serial_number:x}",
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def _permitted_problems(plain: dict[str, Any]) -> list[Problem]:
    """An intermediate is always bound to something, the others never."""
    permitted = plain.get("permitted") or ()
    if (plain.get("kind") == "intermediate") != bool(permitted):
        return [Problem("permitted", t("provider.permitted_needed" if not permitted else "provider.permitted_unused"))]
    names = [name for name in permitted if isinstance(name, str)]
    wrong = [name for name in names if constraints.network(name) is None and (name.startswith("*") or not _DNS.fullmatch(name))]
    domains = [name for name in permitted if unknown(name) or constraints.network(name) is None]
    return [Problem("permitted", t("provider.bad_permitted", value=name)) for name in wrong] or (
        [] if domains or not permitted else [Problem("permitted", t("provider.permitted_needed"))]
    )


def _issuer_key(inputs: dict[str, Any], issuers: list[x509.Certificate]) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(inputs["issuerKey"].encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != issuers[0].public_key():
        raise ValueError(t("provider.issuer_key", subject=issuers[0].subject.rfc4514_string()))
    return key


def _build(inputs: dict[str, Any], key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None) -> x509.CertificateBuilder:
    kind = inputs["kind"]
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, inputs["commonName"])])
    end = now + datetime.timedelta(days=int(inputs["days"]))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        # Nothing outlives its issuer.
        .not_valid_after(min(end, issuer.not_valid_after_utc) if issuer else end)
        .add_extension(x509.BasicConstraints(ca=kind != "server", path_length=_PATH_LENGTH.get(kind)), critical=True)
        .add_extension(_usage(authority=kind != "server"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_authority_key(issuer, key), critical=False)
    )
    if kind == "server":
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if inputs.get("permitted"):
        builder = builder.add_extension(constraints.extension(inputs["permitted"]), critical=True)
    if inputs.get("names"):
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in inputs["names"]]), critical=False)
    return builder


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(issuer: x509.Certificate | None, key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    if issuer is None:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general_name(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.IPAddress(address) if address is not None else x509.DNSName(name)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _due(outputs: dict[str, Any], inputs: dict[str, Any]) -> bool:
    """Whether the end is near and issuing anew would move it by a day or more (an issuer near its own end cannot)."""
    now = datetime.datetime.now(datetime.UTC)
    end = datetime.datetime.fromisoformat(outputs["notAfter"])
    if end - now >= datetime.timedelta(days=int(inputs["renewBefore"])):
        return False
    possible = now + datetime.timedelta(days=int(inputs["days"]))
    if inputs.get("issuerCertificate"):
        possible = min(possible, x509.load_pem_x509_certificates(inputs["issuerCertificate"].encode())[0].not_valid_after_utc)
    return possible - end >= datetime.timedelta(days=1)
