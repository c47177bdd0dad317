"""The journal of a run: what changed in the state, line by line, durable before the next thing may depend on it.

Lines are JSON. The first names the checkpoint they apply to. Then, with ``h`` the number of a resource state (the first
states are those of the checkpoint, in its order):
``{"put": h, "resource": ...}``, ``{"drop": h}``, ``{"begin": n, "type": ..., "resource": ...}``, ``{"done": n}``, ``{"forget": i}``
(the i-th recorded pending operation is settled), ``{"together": [...]}`` (several of these, all or none) and at last
``{"folded": sha256}``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yiwang.engine import checkpoint
from yiwang.engine.checkpoint import Deployment, Pending
from yiwang.engine.journal_lines import lines_of
from yiwang.engine.jsontext import compact_json
from yiwang.engine.passphrase import Manager, Sealed, Secrets
from yiwang.engine.resource import now
from yiwang.engine.store import Store
from yiwang.errors import ExitCode, UserError
from yiwang.files import sync_directory
from yiwang.messages import t


class Journal:
    """An append-only file that is made at its first line. ``flush`` makes all lines so far durable; callers share one fsync.

    After a failed write nothing more is written: what would come behind a torn line could not be read back.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self._lines: list[str] = [json.dumps({"journal": 1, "time": now(), **header})]
        self._file: Any = None
        self._waiting: list[asyncio.Future[None]] = []
        self._writer: asyncio.Task[None] | None = None
        self._broken: Exception | None = None
        self._closed = False
        self.used = False

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; it is durable after the next ``flush``."""
        if self._closed:
            raise RuntimeError("a line for the journal of a run that has ended")
        self.used = True
        self._lines.append(compact_json(line))

    async def flush(self) -> None:
        """Wait until all lines appended so far are on the disk. Raises UserError (exit 4) when they, or earlier ones, cannot be."""
        if self._broken is not None:
            raise self._broken
        if not self.used or (not self._lines and self._writer is None):
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self.flush_soon()
        await waiter

    def flush_soon(self) -> None:
        """Have all lines appended so far written, without waiting for it."""
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        try:
            while self._waiting or self._lines:
                waiting, self._waiting = self._waiting, []
                lines, self._lines = self._lines, []
                if self._broken is None:
                    try:
                        await asyncio.to_thread(self._write, lines)
                    except OSError as error:
                        text = t("engine.journal_write", path=self._path, error=error.strerror or error)
                        self._broken = UserError(text, code=ExitCode.MACHINE, fix=t("engine.journal_write_fix"))
                    except Exception as error:  # noqa: BLE001 - those who wait have to know
                        self._broken = error
                self._tell(waiting)
        finally:
            self._writer = None

    def _tell(self, waiting: list[asyncio.Future[None]]) -> None:
        for waiter in waiting:
            # One that is done was cancelled meanwhile.
            if not waiter.done() and self._broken is not None:
                waiter.set_exception(self._broken)
            elif not waiter.done():
                waiter.set_result(None)

    def _write(self, lines: list[str]) -> None:
        if self._file is None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
            sync_directory(self._path.parent)
        rest = memoryview("".join(f"{line}\n" for line in lines).encode())
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; lines that were not flushed are lost, later ones are refused."""
        self._closed = True
        if self._file is not None:
            self._file.close()
            self._file = None


def unfinished(store: Store) -> tuple[str, ...]:
    """What a running or killed run has under way (``creating <urn>``), as far as it is not in the checkpoint yet."""
    running: dict[int, str] = {}
    lines = lines_of(store.journal_path) if store.journal_path.exists() else []
    for line in () if lines and lines[-1].get("folded") == store.digest() else lines:
        if "begin" in line:
            running[line["begin"]] = f"{line['type']} {line['resource']['urn']}"
        elif "done" in line:
            running.pop(line["done"], None)
    return tuple(running.values())


def recover(store: Store) -> bool:
    """Fold what a killed run left into the checkpoint. Returns whether there was anything. Needs no passphrase.

    Operations that had begun become the checkpoint's pending operations. Raises UserError when the checkpoint is not the
    one the journal was written for, or is damaged.
    """
    if not store.journal_path.exists():
        return False
    lines = lines_of(store.journal_path)
    if not lines:
        store.remove_journal()
        return False
    present = store.digest()
    if any(line.get("folded") == present for line in lines[-1:]):
        store.remove_journal()
        return True
    if lines[0]["base"] != present:
        raise UserError(t("engine.journal_foreign", path=store.journal_path), code=ExitCode.INPUT, fix=t("engine.journal_foreign_fix"))
    latest, _ = _latest(store)
    secrets = Sealed(checkpoint.secrets_state(latest) or lines[0]["secrets"])
    where = str(store.journal_path)
    deployment = replay(checkpoint.load(latest, secrets, str(store.path)), lines[1:], secrets, where)
    text = checkpoint.dump(deployment, secrets, store.full_name)
    _announce(store.journal_path, text)
    store.write(text)
    store.remove_journal()
    return True


def _announce(path: Path, text: str) -> None:
    """Note in a dead run's journal that the checkpoint ``text`` takes its place: a kill after that is told from one before."""
    content = path.read_bytes()
    line = json.dumps({"folded": hashlib.sha256(text.encode()).hexdigest()})
    with path.open("r+b") as file:
        # Without a torn last line, behind which nothing could be read.
        file.truncate(content.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class Loaded:
    """A stack as it is recorded. ``digest`` identifies the checkpoint file, empty when there is none."""

    deployment: Deployment
    secrets: Manager
    digest: str


def load(store: Store, passphrase: str, salt: str = "", *, sound: bool = True) -> Loaded:
    """What is recorded of a stack, with what a running or killed run has in its journal.

    ``salt``: the secrets state of a stack that has none yet. Raises UserError when the passphrase does not fit, and for
    damaged files; with ``sound`` also for what contradicts itself.
    """
    latest, digest = _latest(store)
    lines = _applicable(store, digest)
    state = checkpoint.secrets_state(latest) or (lines[0]["secrets"] if lines else "") or salt
    secrets = Manager(passphrase, state) if state else _new_secrets(store, passphrase)
    deployment = checkpoint.load(latest, secrets, str(store.path))
    if sound:
        _sound(deployment, str(store.path))
    return Loaded(replay(deployment, lines[1:], secrets, str(store.journal_path)), secrets, digest)


def load_sealed(store: Store) -> Deployment:
    """What ``load`` gives, without the key: secrets stay encrypted. Raises UserError for damaged files."""
    latest, digest = _latest(store)
    lines = _applicable(store, digest)
    secrets = Sealed(checkpoint.secrets_state(latest))
    return replay(_sound(checkpoint.load(latest, secrets, str(store.path)), str(store.path)), lines[1:], secrets)


def count(store: Store) -> int:
    """How many resources are recorded, with those of a killed run; needs no key. Raises UserError for damaged files."""
    latest, digest = _latest(store)
    lines = _applicable(store, digest)
    if not lines:
        return len(latest.get("resources") or [])
    secrets = Sealed(checkpoint.secrets_state(latest))
    return len(replay(checkpoint.load(latest, secrets, str(store.path)), lines[1:], secrets).resources)


def _applicable(store: Store, digest: str) -> list[dict[str, Any]]:
    """The journal's lines, none where they do not apply to the checkpoint ``digest`` or are in it."""
    lines = lines_of(store.journal_path) if store.journal_path.exists() else []
    return [] if lines and (lines[0]["base"] != digest or lines[-1].get("folded") == digest) else lines


def _sound(deployment: Deployment, where: str) -> Deployment:
    """The deployment. Raises UserError naming the file when it breaks a rule of checkpoints: nobody knows what would be done by it."""
    problem = next(iter(checkpoint.problems(deployment, order=False)), None)
    if problem is not None:
        raise UserError(t("engine.unsound", path=where, problem=problem), code=ExitCode.INPUT, fix=t("engine.no_checkpoint_fix"))
    return deployment


def _latest(store: Store) -> tuple[dict[str, Any], str]:
    """The recorded deployment and the digest of its file; both empty when there is none."""
    content = store.read()
    if content is None:
        return {}, ""
    return checkpoint.parse(content, str(store.path)), hashlib.sha256(content).hexdigest()


# Stacks of one backend that are made at the same time get one salt too: backend and passphrase -> secrets state.
_new: dict[tuple[Path, str], str] = {}
_making = threading.Lock()


def _new_secrets(store: Store, passphrase: str) -> Manager:
    """The secrets of a stack that has no salt yet: its neighbours' key, so that one is derived for all of them."""
    with _making:
        shared = store.shared_salt() or _new.get((store.root, passphrase))
        secrets = Manager(passphrase, shared)
        _new[store.root, passphrase] = secrets.state
    return secrets


def replay(base: Deployment, lines: list[dict[str, Any]], secrets: Secrets, where: str = "") -> Deployment:
    """The deployment after the journal's lines; what began and did not end is pending.

    Raises UserError naming the file (``where``) and the line for what cannot be decrypted.
    """
    states = dict(enumerate(base.resources))
    recorded: dict[int, Pending] = dict(enumerate(base.pending))
    running: dict[int, Pending] = {}
    for number, line in enumerate(lines, 2):
        resource = checkpoint.decoded(line["resource"], secrets, where, f"line {number}") if "resource" in line else None
        if "put" in line and resource is not None:
            states[line["put"]] = resource
        elif "drop" in line:
            states.pop(line["drop"], None)
        elif "begin" in line and resource is not None:
            running[line["begin"]] = Pending(line["type"], resource)
        elif "done" in line:
            running.pop(line["done"], None)
        elif "forget" in line:
            recorded.pop(line["forget"], None)
    return Deployment(list(states.values()), [*recorded.values(), *running.values()], base.secrets_state, base.extra)
