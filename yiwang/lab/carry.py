"""The machine's own package configuration, so that hosts reach packages the way this machine does.

Nothing is written into the project: files and variables are read where they lie and copied into layers and hosts.
What may hold credentials (``private``) goes into hosts only, never into a cached layer.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from yiwang.lab.tools import environment

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_CA_DIRECTORY = Path("/usr/local/share/ca-certificates")
_APT = Path("/etc/apt")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
_VARIABLES = re.compile(
    r"(https?|ftp|all|no)_proxy|(HTTPS?|FTP|ALL|NO)_PROXY|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|DEFAULT_TIMEOUT|NO_INDEX)|GOPROXY|"
    + "|".join(_CA_VARIABLES)
)
_APT_PROXY = re.compile(r"""Acquire::https?::Proxy\s+"(https?://[^"]+)";""", re.IGNORECASE)
_SIGNED_BY = re.compile(rb"signed-by[:=]\s*(/[^\s\]]+)", re.IGNORECASE)
_URI = re.compile(r"https?://[^\s\]]+")
# A name and a password, or a token alone, in an address.
_USERINFO = re.compile(rb"""(?<=://)[^/\s"'@]*@""")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Carried:
    """Files by their absolute path on a host. ``private`` ones may lie on a host only, the others in a cached layer too.

    ``sources`` are the package sources without credentials; those with any are among the private files.
    """

    sources: Mapping[Path, bytes]
    public: Mapping[Path, bytes]
    private: Mapping[Path, bytes]

    @property
    def private_sources(self) -> dict[Path, bytes]:
        """The package sources that hold credentials."""
        return {path: data for path, data in self.private.items() if path.name == "sources.list" or path.parent.name == "sources.list.d"}

    @property
    def all_sources(self) -> dict[Path, bytes]:
        """Every package source, in the order apt reads them."""
        return dict(sorted({**self.sources, **self.private_sources}.items()))

    @property
    def digest(self) -> str:
        """SHA-256 over the public files and sources: equal configuration, equal layer."""
        return _digest({**self.all_sources, **self.public})

    @property
    def sources_digest(self) -> str:
        """SHA-256 over the package sources alone, whatever the credentials in them."""
        return _digest(self.all_sources)

    def endpoints(self) -> list[tuple[str, int]]:
        """Host and port of every package source, or of the proxies when there are any."""
        text = b"\n".join([*self.public.values(), *self.private.values()]).decode(errors="replace")
        proxies = _APT_PROXY.findall(text) + [os.environ[name] for name in ("http_proxy", "https_proxy") if os.environ.get(name)]
        lines = b"\n".join(self.all_sources.values()).decode(errors="replace").splitlines()
        uris = proxies or _URI.findall("\n".join(line for line in lines if not line.lstrip().startswith("#")))
        return sorted({endpoint for uri in uris if (endpoint := _endpoint(uri))})


def collect() -> Carried:
    """Read this machine's configuration. Files that cannot be read are left out."""
    sources = {path: _without_cdrom(data) for path, data in _read(_source_files()).items() if data.strip()}
    keyrings = [Path(name.decode()) for name in _SIGNED_BY.findall(b"\n".join(sources.values()))]
    settings = _files(_APT, "apt.conf", "apt.conf.d/*", "preferences", "preferences.d/*")
    keys = [*_files(_APT, "trusted.gpg", "trusted.gpg.d/*", "keyrings/*"), *keyrings]
    sources, private = _parted(sources)
    public, guarded = _parted(_read(_unowned(path for path in settings if not path.name.startswith("docker-"))))
    private |= guarded
    public |= _read([*_unowned(keys), *sorted(_CA_DIRECTORY.rglob("*.crt"))])
    # Bundles that variables name come along at the same path; the system's own is made on the host.
    named = [Path(os.environ[name]) for name in _CA_VARIABLES if os.environ.get(name)]
    public |= _read(path for path in named if path.is_absolute() and path.is_file() and path != CA_BUNDLE)
    private |= _read(_unowned(_files(_APT, "auth.conf", "auth.conf.d/*")))
    private |= _first(Path("/etc/pip.conf"), (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"))
    private |= _first(Path("/root/.m2/settings.xml"), (Path.home() / ".m2/settings.xml",))
    private[Path("/etc/environment")] = _variables().encode()
    return Carried(sources, public, private)


def place(files: Mapping[Path, bytes], root: Path, mode: int) -> None:
    """Write files below ``root``; directories that are missing are made. Symbolic links below ``root`` are not followed out."""
    for path, data in files.items():
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        target.unlink(missing_ok=True)
        target.write_bytes(data)
        target.chmod(mode)


def without_credentials(text: bytes) -> bytes:
    """The text with every name and password taken out of its addresses."""
    return _USERINFO.sub(b"", text)


def _parted(files: Mapping[Path, bytes]) -> tuple[dict[Path, bytes], dict[Path, bytes]]:
    """The files without credentials in an address, and those with any."""
    private = {path: data for path, data in files.items() if _USERINFO.search(data)}
    return {path: data for path, data in files.items() if path not in private}, private


def _digest(files: Mapping[Path, bytes]) -> str:
    total = hashlib.sha256()
    for path in sorted(files):
        data = without_credentials(files[path])
        total.update(f"{path} {len(data)}\n".encode() + data)
    return total.hexdigest()


def _files(directory: Path, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(directory.glob(pattern)) if path.is_file()]


def _source_files() -> list[Path]:
    return _files(_APT, "sources.list", "sources.list.d/*.list", "sources.list.d/*.sources")


def _read(paths: Iterable[Path]) -> dict[Path, bytes]:
    found: dict[Path, bytes] = {}
    for path in paths:
        try:
            found[path] = path.read_bytes()
        except OSError:
            continue
    return found


def _first(target: Path, candidates: Iterable[Path]) -> dict[Path, bytes]:
    return next(({target: data} for path in candidates for data in _read([path]).values()), {})


def _unowned(paths: Iterable[Path]) -> list[Path]:
    """The files no Debian package brought: a package's own arrive on the host with the package."""
    wanted = [path for path in paths if path.is_file()]
    if not wanted:
        return []
    listing = subprocess.run(
        ["dpkg-query", "--search", *map(str, wanted)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    owned = {line.rpartition(": ")[2] for line in listing.stdout.splitlines()}
    return [path for path in wanted if str(path) not in owned]


def _without_cdrom(data: bytes) -> bytes:
    """Sources on a disc in this machine's drive are of no use to a host."""
    return b"".join(line for line in data.splitlines(keepends=True) if not re.match(rb"\s*deb(-src)?\s+(\[.*\]\s+)?cdrom:", line))


def _variables() -> str:
    found = {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name) and "\n" not in value}
    return "".join(f'{name}="{value}"\n' for name, value in sorted(found.items()) if '"' not in value)


def _endpoint(uri: str) -> tuple[str, int] | None:
    parts = urlsplit(uri)
    if parts.hostname is None:
        return None
    return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)
