"""The files of a Pulumi ``file://`` backend, and of one stack in it.

Below ``.pulumi`` only this module writes, with two that it is the way to: ``journal`` its lines, ``lock`` its locks.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath

import yaml

from yiwang.engine import checkpoint, lock
from yiwang.engine.api import Stack
from yiwang.engine.project import load_project
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, sync_directory, write_atomic
from yiwang.messages import t

ORGANIZATION = "organization"
_META_VERSION = 1


class Store:
    """The files of stack ``name`` of ``project`` in the backend ``root`` (the directory that holds ``.pulumi``)."""

    def __init__(self, root: Path, project: str, name: str) -> None:
        self.root = root
        self.project = project
        self.name = name
        self.path = stacks_directory(root) / project / f"{name}.json"
        self.journal_path = root / ".pulumi" / "journals" / project / f"{name}.jsonl"
        self.history_directory = root / ".pulumi" / "history" / project / name
        self.lock_directory = root / ".pulumi" / "locks" / ORGANIZATION / project / name

    @property
    def full_name(self) -> str:
        """``organization/<project>/<stack>``."""
        return f"{ORGANIZATION}/{self.project}/{self.name}"

    def exists(self) -> bool:
        """Whether anything is recorded, or was being recorded when a run was killed."""
        return self.path.is_file() or self.journal_path.is_file()

    def read(self) -> bytes | None:
        """The checkpoint file, None when there is none."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def digest(self) -> str:
        """What identifies the present checkpoint: its SHA-256, empty when there is none."""
        content = self.read()
        return hashlib.sha256(content).hexdigest() if content is not None else ""

    def write(self, text: str) -> None:
        """Put a checkpoint in place of the present one, which is kept as ``.bak`` (as the CLI does)."""
        self.prepare()
        if self.path.is_file():
            backup = self.path.with_suffix(".json.bak")
            temporary = self.path.with_suffix(".json.bak.new")
            temporary.unlink(missing_ok=True)
            try:
                os.link(self.path, temporary)
            except OSError:
                # Not every file system has hard links.
                shutil.copy2(self.path, temporary)
            temporary.replace(backup)
        write_atomic(self.path, text)

    def prepare(self) -> None:
        """Make the directories and the backend's marker."""
        for directory in (self.path.parent, self.journal_path.parent):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        marker = self.root / ".pulumi" / "meta.yaml"
        if not marker.exists():
            write_atomic(marker, f"version: {_META_VERSION}\n")

    def remove_journal(self) -> None:
        """Forget the journal: what it holds is in the checkpoint."""
        if self.journal_path.exists():
            self.journal_path.unlink()
            sync_directory(self.journal_path.parent)

    def remove(self) -> None:
        """Forget the stack: its checkpoint becomes the backup, its history goes (as with the CLI)."""
        self.remove_journal()
        if self.path.is_file():
            self.path.replace(self.path.with_suffix(".json.bak"))
            sync_directory(self.path.parent)
        shutil.rmtree(self.history_directory, ignore_errors=True)

    def add_history(self, entry: str) -> None:
        """Keep what is told of a run, and a copy of the checkpoint it left (as the CLI does, in its own places)."""
        self.history_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        stem = self.history_directory / f"{self.name}-{time.time_ns()}"
        write_atomic(stem.with_name(f"{stem.name}.history.json"), entry)
        if self.path.is_file():
            # A copy, never a link: the CLI may write in place.
            write_atomic(stem.with_name(f"{stem.name}.checkpoint.json"), self.path.read_bytes())

    def history(self) -> list[bytes]:
        """What was told of each run, the latest first."""
        return [path.read_bytes() for path in sorted(self.history_directory.glob("*.history.json"), reverse=True)]

    def locked(self, verb: str) -> AbstractContextManager[list[lock.Lock]]:
        """Hold the stack; see ``lock.held``."""
        return lock.held(self.lock_directory, verb)

    def locks(self) -> list[lock.Lock]:
        """Who holds the stack."""
        return lock.read(self.lock_directory)

    def unlock(self, only: Iterable[lock.Lock] | None = None) -> list[lock.Lock]:
        """Remove the locks, or ``only`` those that were looked at, whoever holds them; gives those that are gone."""
        found = self.locks() if only is None else list(only)
        for each in found:
            each.path.unlink(missing_ok=True)
        return found

    def shared_salt(self) -> str:
        """The secrets state of a neighbour stack, empty when there is none.

        A new stack takes it over, so that all stacks of one backend have one key: deriving a key takes a third of a second.
        """
        for other in neighbours(self.root):
            content = other.read()
            if content is not None:
                found = checkpoint.secrets_state(checkpoint.parse(content, str(other.path)))
                if found:
                    return found
        return ""


def of(stack: Stack) -> Store:
    """The files of a stack. Raises UserError where there is no project, and for a backend of another version."""
    root = stack.backend.absolute()
    require_version(root)
    return Store(root, load_project(stack.project_dir).name, stack.name)


def require_version(root: Path) -> None:
    """Raises UserError for a backend of another version than ours."""
    marker = root / ".pulumi" / "meta.yaml"
    try:
        content = marker.read_bytes()
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UserError(t("engine.no_backend_directory", path=root), code=ExitCode.INPUT) from None
    except IsADirectoryError:
        content = b""
    require_our_version(content, marker)


def require_our_version(content: bytes, where: Path | str) -> None:
    """Raises UserError naming ``where`` when a backend's marker is that of another version than ours."""
    try:
        found = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    version = found.get("version") if isinstance(found, dict) else None
    if version != _META_VERSION:
        raise UserError(t("engine.meta_version", path=where, version=version), code=ExitCode.INPUT, fix=t("engine.use_cli"))


def stacks_directory(root: Path) -> Path:
    """Where a backend keeps its checkpoints."""
    return root / ".pulumi" / "stacks"


def neighbours(root: Path) -> Iterator[Store]:
    """All stacks of a backend that have a checkpoint, or the journal of their first run.

    Raises UserError for a backend of another version.
    """
    require_version(root)
    paths = {(path.parent.name, path.stem) for path in stacks_directory(root).glob("*/*.json")}
    paths |= {(path.parent.name, path.stem) for path in (root / ".pulumi" / "journals").glob("*/*.jsonl")}
    for project, name in sorted(paths):
        yield Store(root, project, name)


@contextmanager
def held(root: Path, verb: str) -> Iterator[None]:
    """Hold every stack of a backend; see ``state.held``."""
    places = {store.lock_directory for store in neighbours(root)}
    places |= {path.parent for path in (root / ".pulumi" / "locks").glob("*/*/*/*.json")}
    with ExitStack() as stack:
        for place in sorted(places):
            stack.enter_context(lock.held(place, verb))
        yield


def set_aside(root: Path) -> Path | None:
    """Copy what a backend records, journals of killed runs too, to a directory of its own in it; None where nothing is."""
    if not stacks_directory(root).is_dir():
        return None
    moment = datetime.datetime.now(datetime.UTC)
    target = make_private(root / "before-restore") / f"{moment:%Y%m%dT%H%M%S.%fZ}"
    shutil.copytree(root / ".pulumi", target / ".pulumi", ignore=shutil.ignore_patterns("locks"))
    return target


def replace(root: Path, files: Mapping[str, bytes]) -> None:
    """Have a backend whose stacks are held record ``files`` (``.pulumi/stacks/…`` -> content), and nothing else."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, content, mode=0o600)
    kept = {root / PurePosixPath(name) for name in files}
    for path in [*stacks_directory(root).rglob("*"), *(root / ".pulumi" / "journals").rglob("*.jsonl")]:
        if path.is_file() and path not in kept:
            path.unlink()


def recorded(root: Path, full_name: str, default_project: str) -> Store:
    """The stack a reference names: ``stack``, ``project/stack`` or ``organization/project/stack``.

    Raises UserError for a name of another form or organization.
    """
    parts = full_name.split("/")
    if len(parts) == 1:
        return Store(root, default_project, parts[0])
    if len(parts) == 3 and parts[0] == ORGANIZATION:
        return Store(root, parts[1], parts[2])
    if len(parts) == 2:
        return Store(root, default_project if parts[0] == ORGANIZATION else parts[0], parts[1])
    raise UserError(t("engine.stack_name", name=full_name), code=ExitCode.INPUT, fix=t("engine.stack_name_fix"))
