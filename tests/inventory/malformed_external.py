"""Malformed descriptions of what a site brings along itself, in the form of ``malformed``."""

# ruff: noqa: E501 - a finding is one line, as long as it takes

from __future__ import annotations

from inventory.malformed import CERTIFICATE, PROVINCE, Case, Change, case, replace, write

PLACED = "    placement: {storage: servers}"
DATABASE = (
    'portal: {url: "postgresql://portal@db1.example:5432,db2.example/portal?sslmode=verify-full", '
    "password: {file: .state/portal}, authority: certs/ca.pem}"
)
BUCKET = (
    'documents: {endpoint: "https://s3.example:9000", region: cn-east, bucket: portal-documents, access_key: AKIAIOSFODNN7EXAMPLE, '
    "secret_key: {command: [pass, show, s3]}, authority: certs/ca.pem, lock: true}"
)
STORAGE = f"""\
    placement: {{storage: external}}
    external:
      storage:
        databases:
          {DATABASE}
        buckets:
          {BUCKET}"""
SITE = "sites.province.external"
PORTAL = f"{SITE}.storage.databases.portal"
DOCUMENTS = f"{SITE}.storage.buckets.documents"
SECRET = "***: expected no secret in an inventory; say where it comes from: {file: PATH} or {command: [PROGRAM, ARGUMENT]}"
URL = "expected postgresql://LOGIN@HOST[:PORT][,HOST…]/DATABASE?sslmode=verify-full, without a password; for instance postgresql://portal@db1.example:5432,db2.example:5432/portal?sslmode=verify-full"
TLS = "expected TLS with the certificate verified, sslmode=verify-full or verify-ca; end the URL in ?sslmode=verify-full"
# What precedes it: the lines of the storage above begin at 103.
DATABASE_LINE, BUCKET_LINE = "province.yml:107: ", "province.yml:109: "

GOOD: tuple[Change, ...] = (replace(PROVINCE, PLACED, STORAGE), write("certs/ca.pem", CERTIFICATE))


def spoilt(name: str, old: str, new: str, *lines: str) -> Case:
    """Good storage, with one part of it replaced."""
    return case(name, (*GOOD, replace(PROVINCE, old, new)), *lines)


def url(name: str, text: str, said: str) -> Case:
    """Good storage with another URL."""
    old = "postgresql://portal@db1.example:5432,db2.example/portal?sslmode=verify-full"
    shown = text if len(text) < 59 else f"{text[:58]}…"
    end = '"' if len(text) < 59 else ""
    return spoilt(name, old, text, f'{DATABASE_LINE}{PORTAL}.url: "{shown}{end}: {said}')


CASES = (
    case(
        "external without what it is",
        replace(PROVINCE, PLACED, "    placement: {storage: external}"),
        f"province.yml:98: {SITE}.storage: (missing): expected what is brought along, as storage is placed external; write it as in the example that yiwang new makes",
    ),
    spoilt(
        "brought along and on servers",
        "placement: {storage: external}",
        "placement: {storage: servers}",
        f"province.yml:105: {SITE}.storage: servers: expected this key only where the placement of storage is external; place storage as external, or remove the key",
    ),
    spoilt(
        "a component that cannot be brought along",
        "      storage:\n",
        "      identity: {}\n      storage:\n",
        f"province.yml:105: {SITE}.identity: unknown key; known: storage",
    ),
    case(
        "nothing is brought along",
        replace(PROVINCE, PLACED, "    placement: {storage: external}\n    external: {storage: {}}"),
        f"province.yml:104: {SITE}.storage: expected at least one entry; add one",
    ),
    spoilt("literal password", "{file: .state/portal}", "hunter2", f"{DATABASE_LINE}{PORTAL}.password: {SECRET}"),
    spoilt("password of digits", "{file: .state/portal}", "123456", f"{DATABASE_LINE}{PORTAL}.password: {SECRET}"),
    spoilt("password under another key", "{file: .state/portal}", "{value: hunter2}", f"{DATABASE_LINE}{PORTAL}.password: {SECRET}"),
    spoilt("literal key", "{command: [pass, show, s3]}", "hunter2", f"{BUCKET_LINE}{DOCUMENTS}.secret_key: {SECRET}"),
    spoilt("password in the URL", "portal@db1", "portal:Pass-Word@db1", f"{DATABASE_LINE}{PORTAL}.url: {SECRET}"),
    spoilt("password among the options", "?sslmode", "?password=Pass-Word&sslmode", f"{DATABASE_LINE}{PORTAL}.url: {SECRET}"),
    spoilt(
        "no source",
        "{file: .state/portal}",
        "{}",
        f"{DATABASE_LINE}{PORTAL}.password: (missing): expected exactly one source; choose one of file, command",
    ),
    spoilt(
        "two sources",
        "{command: [pass, show, s3]}",
        "{command: [pass, show, s3], file: /etc/yiwang/s3}",
        f"{BUCKET_LINE}{DOCUMENTS}.secret_key: file, command: expected exactly one source; choose one of file, command",
    ),
    spoilt(
        "password file in the inventory",
        ".state/portal",
        "secrets/portal",
        f'{DATABASE_LINE}{PORTAL}.password.file: "secrets/portal": expected a file outside the inventory; use an absolute path, or one below .state',
    ),
    spoilt(
        "command without a command",
        "[pass, show, s3]",
        "[]",
        f"{BUCKET_LINE}{DOCUMENTS}.secret_key.command: []: expected a command and its arguments; write a list, for instance [/usr/local/bin/kms, read, yiwang]",
    ),
    url("another scheme", "mysql://portal@db1.example/portal?sslmode=verify-full", URL),
    url("no login", "postgresql://db1.example/portal?sslmode=verify-full", URL),
    url("no database", "postgresql://portal@db1.example?sslmode=verify-full", URL),
    url("a port that is none", "postgresql://portal@db1:65536/portal?sslmode=verify-ca", URL),
    url("an address that is none", "postgresql://portal@10.0.0.256/p?sslmode=verify-ca", URL),
    url("without TLS", "postgresql://portal@db1.example/portal", TLS),
    url("TLS that trusts everybody", "postgresql://portal@db1.example/p?sslmode=require", TLS),
    url(
        "an option of the kit's",
        "postgresql://a@b/c?sslmode=verify-full&sslrootcert=x",
        "expected no option sslrootcert in the URL; known: connect_timeout, sslmode, target_session_attrs",
    ),
    url(
        "only readable",
        "postgresql://a@b/c?sslmode=verify-ca&connect_timeout=0",
        "expected a connect_timeout from 1 to 99 seconds, and target_session_attrs read-write, primary or any; leave the option out",
    ),
    spoilt(
        "name of a database",
        "portal: {url",
        "Portal: {url",
        f'{DATABASE_LINE}{SITE}.storage.databases.Portal: "Portal": expected the name of a database; lower case letters, digits and single underscores, a letter first, 40 characters at most, and no reserved name; for instance archive',
    ),
    spoilt(
        "an authority that is not there",
        "certs/ca.pem}",
        "certs/none.pem}",
        f'{DATABASE_LINE}{PORTAL}.authority: "certs/none.pem": expected a file with certificates, PEM (No such file or directory); name the file with the certificate of the authority that signed the server\'s, relative to the inventory',
    ),
    case(
        "an authority that is none",
        (GOOD[0], write("certs/ca.pem", "nothing\n")),
        *(
            f'{line}{place}.authority: "certs/ca.pem": expected a file with certificates, PEM (no certificate in it); name the file with the certificate of the authority that signed the server\'s, relative to the inventory'
            for line, place in ((DATABASE_LINE, PORTAL), (BUCKET_LINE, DOCUMENTS))
        ),
    ),
    spoilt(
        "an endpoint without TLS",
        "https://s3.example:9000",
        "http://s3.example:9000",
        f'{BUCKET_LINE}{DOCUMENTS}.endpoint: "http://s3.example:9000": expected an https URL of host and port alone; for instance https://s3.example:9000',
    ),
    spoilt(
        "an endpoint with a path",
        "https://s3.example:9000",
        "https://s3.example:9000/portal",
        f'{BUCKET_LINE}{DOCUMENTS}.endpoint: "https://s3.example:9000/portal": expected an https URL of host and port alone; for instance https://s3.example:9000',
    ),
    spoilt(
        "name of a bucket",
        "portal-documents",
        "Portal",
        f'{BUCKET_LINE}{DOCUMENTS}.bucket: "Portal": expected the name of a bucket; 3 to 63 lower case letters, digits, dots and hyphens',
    ),
    spoilt(
        "region",
        "cn-east",
        "cn east",
        f'{BUCKET_LINE}{DOCUMENTS}.region: "cn east": expected the name of a region; for instance cn-east',
    ),
    spoilt(
        "access key",
        "AKIAIOSFODNN7EXAMPLE",
        "a key",
        f'{BUCKET_LINE}{DOCUMENTS}.access_key: "a key": expected the identifier of an access key; printable ASCII characters without spaces',
    ),
    spoilt(
        "lock is not said",
        "lock: true",
        "lock: false",
        f"{BUCKET_LINE}{DOCUMENTS}.lock: false: expected true; write true or remove the key",
    ),
    spoilt("misspelt key of a bucket", "lock: true", "lok: true", f"{BUCKET_LINE}{DOCUMENTS}.lok: unknown key; did you mean lock?"),
    spoilt(
        "missing key of a bucket",
        "region: cn-east, ",
        "",
        f"{BUCKET_LINE}{DOCUMENTS}.region: (missing): this key is required; add it",
    ),
)
