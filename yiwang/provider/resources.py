"""The classes that Pulumi programs use: ``Role``, ``Secret``, ``Certificate``.

Arguments are in Python's spelling, properties in the state in Pulumi's (``common_name`` is ``commonName``).
The shapes of the outputs are described at each attribute; they are plain JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi

from yiwang.provider.sources import role_digest


class HostArguments(TypedDict):
    """One host of a role: where SSH finds it, and the variables that hold for it alone."""

    address: str
    port: int
    variables: Mapping[str, Any]


class Role(pulumi.CustomResource):
    """An Ansible role applied to hosts.

    ``role``: directory name under ``roles/``. ``site``: name of the site, for messages. ``hosts``: by name.
    ``variables``: the role's public variables, the same on all hosts; a secret must be a secret output. ``digest``:
    the digest of the role's sources; computed when it is not given.
    """

    results: pulumi.Output[dict[str, Any]]
    """By host: ``{applied: sha256, changed: int, facts: {...}, skipped: [{capability, what}]}``."""

    def __init__(
        self,
        resource_name: str,
        *,
        role: str,
        site: str,
        hosts: Mapping[str, pulumi.Input[HostArguments] | Mapping[str, Any]],
        variables: Mapping[str, pulumi.Input[Any]] | None = None,
        digest: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "yiwang:index:Role",
            resource_name,
            {
                "role": role,
                "site": site,
                "hosts": dict(hosts),
                "variables": dict(variables or {}),
                "digest": digest if digest is not None else role_digest(role),
                "results": None,
            },
            opts,
        )

    def fact(self, host: str, name: str) -> pulumi.Output[Any]:
        """One fact that the role exported on one host (see ``yiwang_facts``); ``None`` when it did not."""
        return self.results.apply(lambda results: ((results or {}).get(host) or {}).get("facts", {}).get(name))


class Secret(pulumi.CustomResource):
    """A random text, made once and kept encrypted in the state.

    ``length`` in characters; ``alphabet``: the characters to draw from (letters and digits by default);
    ``keepers``: any values, a change of which makes a new secret.
    """

    value: pulumi.Output[str]
    """The secret text (a secret output)."""

    def __init__(
        self,
        resource_name: str,
        *,
        length: int = 32,
        alphabet: str | None = None,
        keepers: Mapping[str, pulumi.Input[Any]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            "yiwang:index:Secret",
            resource_name,
            {"length": length, "alphabet": alphabet, "keepers": dict(keepers) if keepers else None, "value": None},
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])),
        )


class Certificate(pulumi.CustomResource):
    """An X.509 certificate with an EC P-256 key that stays the same when the certificate is renewed.

    ``kind``: ``root``, ``intermediate`` or ``server``. ``names``: DNS names and IP addresses of a server.
    ``permitted``: domains and IP ranges that an intermediate may sign for, those alone; at least one domain.
    ``issuer_certificate`` (PEM, the issuer first) and ``issuer_key`` (PEM, secret): of all but a root.
    ``days``: validity. ``renew_before``: an ``up`` within so many days before the end issues it anew.
    """

    certificate: pulumi.Output[str]
    """PEM of the certificate alone."""
    chain: pulumi.Output[str]
    """PEM of the certificate and the intermediates above it, as a server sends it (a root: itself)."""
    private_key: pulumi.Output[str]
    """PEM (PKCS 8), a secret output."""
    not_after: pulumi.Output[str]
    """End of validity, ISO 8601 in UTC."""
    serial: pulumi.Output[str]
    """Serial number, hexadecimal."""
    fingerprint: pulumi.Output[str]
    """SHA-256 of the certificate, hexadecimal."""

    def __init__(
        self,
        resource_name: str,
        *,
        kind: str,
        common_name: str,
        names: Sequence[pulumi.Input[str]] = (),
        permitted: Sequence[pulumi.Input[str]] = (),
        issuer_certificate: pulumi.Input[str] | None = None,
        issuer_key: pulumi.Input[str] | None = None,
        days: int = 397,
        renew_before: int = 30,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties: dict[str, Any] = {
            "kind": kind,
            "common_name": common_name,
            "names": list(names),
            "permitted": list(permitted) or None,
            "issuer_certificate": issuer_certificate,
            "issuer_key": pulumi.Output.secret(issuer_key) if issuer_key is not None else None,
            "days": days,
            "renew_before": renew_before,
        }
        properties |= dict.fromkeys(("certificate", "chain", "private_key", "not_after", "serial", "fingerprint"))
        super().__init__(
            "yiwang:index:Certificate",
            resource_name,
            properties,
            pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["privateKey"])),
        )

    def translate_input_property(self, prop: str) -> str:
        """Pulumi's spelling of an argument."""
        return _CAMEL.get(prop, prop)

    def translate_output_property(self, prop: str) -> str:
        """The Python spelling of a property."""
        return _SNAKE.get(prop, prop)


_CAMEL = {
    "common_name": "commonName",
    "issuer_certificate": "issuerCertificate",
    "issuer_key": "issuerKey",
    "renew_before": "renewBefore",
    "private_key": "privateKey",
    "not_after": "notAfter",
}
_SNAKE = {camel: snake for snake, camel in _CAMEL.items()}
