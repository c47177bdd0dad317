"""SSH to the hosts of one province: a configuration file of our own, pinned host keys, short commands.

Host keys are pinned in ``<state_dir>/ssh/known_hosts`` under the host's name, so that an address may change
and a key may not. Files ``<state_dir>/ssh/*.conf`` come first: that is where ways to reach hosts (ProxyJump,
ProxyCommand) are written.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import enum
import fcntl
import hashlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.messages import t

CONNECT_TIMEOUT = 10
"""Seconds until a host that does not answer counts as unreachable."""


class _AccessLike(Protocol):
    @property
    def user(self) -> str: ...
    @property
    def bootstrap_user(self) -> str: ...
    @property
    def key_file(self) -> Path: ...


class ProvinceLike(Protocol):
    """What this module needs of a province; ``hosts`` by name, each with ``ipv4`` and ``port``."""

    @property
    def access(self) -> _AccessLike:
        """The accounts and the key that sign in."""

    @property
    def state_dir(self) -> Path:
        """Where the province's own files lie."""

    @property
    def hosts(self) -> Mapping[str, Any]:
        """All hosts by name."""


@dataclass(frozen=True)
class Endpoint:
    """Where SSH finds a host: an address and a port."""

    address: str
    port: int = 22


class Problem(enum.Enum):
    """Why SSH did not get to the host's shell."""

    UNREACHABLE = "unreachable"
    KEY_UNKNOWN = "key_unknown"
    KEY_CHANGED = "key_changed"
    DENIED = "denied"


def problem_of(text: str) -> Problem:
    """The problem that an error text of ``ssh`` (English) tells of; what is not recognised counts as unreachable."""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in text or "Host key for" in text:
        return Problem.KEY_CHANGED
    if "Host key verification failed" in text or "host key is known for" in text:
        return Problem.KEY_UNKNOWN
    if "Permission denied" in text or "Too many authentication failures" in text:
        return Problem.DENIED
    return Problem.UNREACHABLE


@dataclass(frozen=True)
class Completed:
    """A command that has ended: exit code (255: ssh itself failed), both outputs."""

    code: int
    out: str
    err: str

    @property
    def problem(self) -> Problem | None:
        """Why the command did not start, or None when it ran."""
        return problem_of(self.err) if self.code == 255 else None


class Access:
    """The way to the hosts of a province for one run.

    ``run_dir``: a private directory for control sockets and the configuration file (``config``). ``hosts``: where the
    hosts are, when it is not the inventory that says so.
    """

    def __init__(self, province: ProvinceLike, run_dir: Path, hosts: Mapping[str, Endpoint] | None = None) -> None:
        self.user = province.access.user
        self.bootstrap_user = province.access.bootstrap_user
        self.key_file = Path(province.access.key_file).expanduser()
        self.directory = make_private(Path(province.state_dir) / "ssh")
        self.known_hosts = self.directory / "known_hosts"
        self.hosts = dict(hosts) if hosts is not None else {n: Endpoint(str(h.ipv4), int(h.port)) for n, h in province.hosts.items()}
        self._sockets = make_private(run_dir / "cm")
        self._scratch = run_dir
        text = self._render()
        # Named by content: concurrent runs with other hosts in the same directory do not meet.
        self.config = run_dir / f"ssh_config-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        write_atomic(self.config, text)

    def _render(self) -> str:
        lines = [f'Include "{self.directory}/*.conf"']
        for name, host in sorted(self.hosts.items()):
            # A socket's path may have 107 characters at most, and ssh adds some while it makes one.
            socket = f"{self._sockets}/{hashlib.sha256(name.encode()).hexdigest()[:8]}-%r"
            lines += [f"Host {name}", f"  HostName {host.address}", f"  Port {host.port}", f"  HostKeyAlias {name}"]
            lines += [f'  ControlPath "{socket}"']
        options = {
            "User": self.user,
            "IdentityFile": f'"{self.key_file}"',
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PreferredAuthentications": "publickey",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": f'"{self.known_hosts}"',
            "GlobalKnownHostsFile": "/dev/null",
            "UpdateHostKeys": "no",
            "CheckHostIP": "no",
            "ForwardAgent": "no",
            "ControlMaster": "auto",
            "ControlPersist": "60",
            "ConnectTimeout": str(CONNECT_TIMEOUT),
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "4",
            "LogLevel": "ERROR",
        }
        return "\n".join([*lines, "Host *", *(f"  {key} {value}" for key, value in options.items()), ""])

    def command(self, host: str, command: str, *, user: str | None = None, options: Mapping[str, str] | None = None) -> list[str]:
        """The argument list that runs ``command`` by a POSIX shell on ``host``.

        It uses an open connection of the run but leaves none behind (a background connection would outlive us).
        """
        self._endpoint(host)
        given = {"ControlMaster": "no", **(options or {})}
        account = ["-l", user] if user else []
        return ["ssh", "-F", str(self.config), *(f"-o{key}={value}" for key, value in given.items()), *account, "-T", host, command]

    async def run(self, host: str, command: str, user: str | None = None, stdin: bytes | None = None, timeout: float = 10.0) -> Completed:  # noqa: ASYNC109 - also bounds the clean-up
        """Run one command on ``host`` as ``user`` (default: the automation account), at most ``timeout`` seconds.

        Never raises for what goes wrong on the way: see ``Completed.problem``.
        """
        return await _execute(self.command(host, command, user=user), stdin, timeout)

    async def follow(self, host: str, command: str, listen: Callable[[str], None]) -> Completed:
        """As ``run``, without a limit of time; ``listen`` gets each line of standard error as it comes."""
        process = await asyncio.create_subprocess_exec(
            *self.command(host, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - both are pipes
        said: list[str] = []

        async def lines(stream: asyncio.StreamReader) -> None:
            while line := await stream.readline():
                said.append(line.decode(errors="replace"))
                listen(said[-1].rstrip())

        try:
            out, _ = await asyncio.gather(process.stdout.read(), lines(process.stderr))
            return Completed(await process.wait(), out.decode(errors="replace"), "".join(said))
        except asyncio.CancelledError:
            await _end(process)
            raise

    async def scan(self, host: str) -> list[str]:
        """The host key that ``host`` shows now, as known-hosts lines under its name; empty when it does not answer.

        It goes the same way as every connection (``ssh-keyscan`` knows no ProxyCommand) and signs in nowhere.
        """
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="scan-") as directory:
            seen = Path(directory) / "known_hosts"
            options = {
                "StrictHostKeyChecking": "no",
                "UserKnownHostsFile": str(seen),
                "PreferredAuthentications": "none",
                "PubkeyAuthentication": "no",
                "HashKnownHosts": "no",
                "ControlPath": "none",
                "HostKeyAlgorithms": "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,rsa-sha2-512,rsa-sha2-256",
            }
            await _execute(self.command(host, "true", options=options), None, CONNECT_TIMEOUT + 5.0)
            return _lines_of(seen, host)

    def trusted(self, host: str) -> list[str]:
        """The pinned known-hosts lines of ``host``; empty when none is."""
        return _lines_of(self.known_hosts, host)

    def trust(self, host: str, lines: list[str]) -> None:
        """Pin ``lines`` (from ``scan``) as the keys of ``host`` in place of what was pinned before."""
        with self._locked():
            kept = self.known_hosts.read_text().splitlines() if self.known_hosts.is_file() else []
            kept = [line for line in kept if line.split(" ", 1)[0] != host]
            write_atomic(self.known_hosts, "".join(f"{line}\n" for line in [*kept, *lines]))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _endpoint(self, host: str) -> Endpoint:
        try:
            return self.hosts[host]
        except KeyError:
            raise UserError(t("ssh.unknown_host", host=host), code=ExitCode.INPUT, fix=t("ssh.unknown_host_fix")) from None

    def explain(self, host: str, completed: Completed) -> UserError:
        """The error for a person when ``completed`` has a problem: host, reason, fix (exit code 6)."""
        return explain(host, completed.problem or Problem.UNREACHABLE, self.hosts.get(host), completed.err, self.user)


def explain(host: str, problem: Problem, endpoint: Endpoint | None, detail: str, user: str) -> UserError:
    """The error for a person that says why ``host`` cannot be used and what to do."""
    where = f"{endpoint.address}:{endpoint.port}" if endpoint else "?"
    last = detail.strip().splitlines()[-1] if detail.strip() else ""
    text = t(f"ssh.{problem.value}", host=host, where=where, detail=last, user=user)
    return UserError(text, code=ExitCode.HOST, fix=t(f"ssh.{problem.value}_fix", host=host, where=where, user=user))


def fingerprint(line: str) -> str:
    """The fingerprint (``SHA256:…``, as ssh shows it) of one known-hosts line."""
    try:
        blob = base64.b64decode(line.split()[2], validate=True)
    except (IndexError, binascii.Error):
        return "?"
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _lines_of(path: Path, host: str) -> list[str]:
    if not path.is_file():
        return []
    return [line for line in path.read_text().splitlines() if line.split(" ", 1)[0] == host]


async def _execute(arguments: list[str], stdin: bytes | None, limit: float) -> Completed:
    """Run a local command in a session of its own; on timeout or cancellation the whole session ends."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), limit)
    except TimeoutError:
        await _end(process)
        return Completed(255, "", t("ssh.timeout", seconds=f"{limit:g}"))
    except asyncio.CancelledError:
        await _end(process)
        raise
    return Completed(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def endpoints(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Endpoint]:
    """Endpoints from the ``hosts`` input of a role."""
    return {name: Endpoint(str(host["address"]), int(host.get("port") or 22)) for name, host in hosts.items()}


__all__ = ["Access", "Completed", "Endpoint", "Problem", "ProvinceLike", "endpoints", "explain", "fingerprint", "problem_of"]
