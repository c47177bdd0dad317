"""Our key pair for the hosts: where its halves lie, made when it is missing, read, and compared. No other module reads keys."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from yiwang.errors import ExitCode, UserError, storage_error
from yiwang.files import make_private, write_atomic
from yiwang.messages import t

COMMENT = "yiwang"
_LARGEST = 1 << 16


class Unusable(Exception):  # noqa: N818 - a finding, not always an error
    """A private key that SSH could not use without a person; the reason is its text."""


def public_file(private: Path) -> Path:
    """Where the public half lies: beside the private one, as SSH's own tools put it."""
    return private.with_name(f"{private.name}.pub")


def written(private: Path) -> list[str]:
    """Type and body as the file of the public half says, or nothing where it says none."""
    try:
        return public_file(private).read_text(encoding="utf-8").split()[:2]
    except (OSError, UnicodeDecodeError):
        return []


def public_half(private: Path, *, strict: bool = True) -> list[str]:
    """Type and body of the public half, as the private one has it. Raises Unusable.

    Not ``strict``: also of a file that others may read, or that needs a passphrase; SSH does not use those by itself.
    """
    # Few runs read a key, and the libraries for it take a tenth of a second to load.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415

    try:
        with private.open("rb") as file:
            status, data = os.fstat(file.fileno()), file.read(_LARGEST)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    if strict and status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) & 0o077:
        raise Unusable(t("ssh.key_open", mode=f"{stat.S_IMODE(status.st_mode):04o}"))
    openssh = data.lstrip().startswith(b"-----BEGIN OPENSSH")
    try:
        key = form.load_ssh_private_key(data, None) if openssh else form.load_pem_private_key(data, None)
        return key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode().split()
    except TypeError:
        if openssh and not strict:
            return _clear_half(data)
        raise Unusable(t("ssh.key_protected")) from None
    except (ValueError, AttributeError, UnsupportedAlgorithm):
        raise Unusable(t("ssh.key_format")) from None


def _clear_half(data: bytes) -> list[str]:
    """The public half that OpenSSH writes in clear into a private key with a passphrase."""
    body = b"".join(line for line in data.splitlines() if not line.startswith(b"-----"))
    rest = base64.b64decode(body)[len(b"openssh-key-v1\0") :]
    for _ in ("cipher", "derivation", "options of the derivation"):
        rest = rest[4 + int.from_bytes(rest[:4], "big") :]
    blob = rest[8 : 8 + int.from_bytes(rest[4:8], "big")]  # after the number of keys: one
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")]
    return [kind.decode(), base64.b64encode(blob).decode()]


def make(private: Path) -> None:
    """Make a private key, with the directories it lies in. Raises OSError; what is there is never written over."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    if not private.parent.is_dir():
        make_private(private.parent)
    if os.path.lexists(private):
        raise FileExistsError(17, os.strerror(17), str(private))
    key = ed25519.Ed25519PrivateKey.generate()
    write_atomic(private, key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption()))


def pair(private: Path) -> str:
    """The line of the public half. What is missing of the pair is made; a public half that is not the private one's is replaced.

    Raises UserError when that cannot be: exit 4 for a full disk, else 3, also for a private half that cannot be used.
    """
    try:
        if not private.exists():
            make(private)
        half = public_half(private)
        if written(private) != half:
            write_atomic(public_file(private), " ".join((*half, COMMENT)) + "\n", mode=0o644)
        return public_file(private).read_text(encoding="utf-8").strip()
    except OSError as error:
        full = storage_error(error)
        if full is not None:
            raise full from None
        reason = error.strerror or str(error)
    except Unusable as found:
        reason = str(found)
    raise UserError(t("ssh.no_private_key", path=private, reason=reason), code=ExitCode.INPUT, fix=t("ssh.no_private_key_fix"))
