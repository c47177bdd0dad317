"""The offline side of a stack: who holds it, what it records, backup and restore. No program and no provider runs."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from yiwang.engine.api import Stack
from yiwang.errors import ExitCode, UserError
from yiwang.files import write_atomic
from yiwang.messages import t

if TYPE_CHECKING:
    from yiwang.engine.lock import Lock
    from yiwang.engine.resource import Resource
    from yiwang.engine.store import Store

# The parts of a backend that a backup holds. Locks and journals belong to runs, not to the state.
_PARTS = ("stacks", "meta.yaml")


@dataclass(frozen=True)
class Recorded:
    """One recorded resource; secret values are shown as ``[secret]``. ``modified``: RFC 3339 time, UTC."""

    urn: str
    type: str
    name: str
    id: str
    inputs: dict[str, Any] = field(repr=False)
    outputs: dict[str, Any] = field(repr=False)
    parent: str
    dependencies: tuple[str, ...]
    created: str
    modified: str
    taint: bool = False
    protect: bool = False
    delete: bool = False
    init_errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """One stack of a backend, as far as it can be told without its passphrase. ``lock``: as ``lock_holder`` says."""

    project: str
    stack: str
    resources: int
    in_flight: tuple[str, ...]
    lock: Lock | None
    locks: tuple[Lock, ...] = ()


def _store(stack: Stack) -> Store:
    from yiwang.engine import store  # noqa: PLC0415 - loaded only when the state is asked for

    return store.of(stack)


def locks(stack: Stack) -> list[Lock]:
    """All locks on the stack, oldest first; ``alive`` of each: True, False, or None when it cannot be told from here."""
    return _store(stack).locks()


def lock_holder(stack: Stack) -> Lock | None:
    """Who keeps others off the stack: the first lock whose holder is not known to be dead, else the first; None without locks."""
    return _holder(_store(stack))


def _holder(store: Store) -> Lock | None:
    found = store.locks()
    return next((lock for lock in found if lock.alive is not False), next(iter(found), None))


def unlock(stack: Stack, only: Iterable[Lock] | None = None) -> list[Lock]:
    """Remove the locks of the stack, whoever holds them, or ``only`` those that were looked at; returns them.

    Only a lock with ``alive`` False may go without a person's word: None is another machine, or the CLI, perhaps at work.
    """
    return _store(stack).unlock(only)


def stacks(backend: Path) -> list[Summary]:
    """The stacks of a backend. Reads only what is not encrypted."""
    from yiwang.engine import checkpoint, journal  # noqa: PLC0415
    from yiwang.engine.store import neighbours  # noqa: PLC0415

    found = []
    for store in neighbours(backend.absolute()):
        content = store.read()
        latest = checkpoint.parse(content, str(store.path)) if content is not None else {}
        pending = tuple(f"{entry['type']} {entry['resource']['urn']}" for entry in latest.get("pending_operations") or [])
        count = len(latest.get("resources") or [])
        under_way = (*pending, *journal.unfinished(store))
        found.append(Summary(store.project, store.name, count, under_way, _holder(store), tuple(store.locks())))
    return found


def backup(backend: Path, target: Path) -> Path:
    """Write the state of all stacks of a backend to the archive ``target`` (tar.gz, mode 0600); secrets stay encrypted.

    The passphrase is not in it. The journal of a killed run that had nothing under way is folded. Raises UserError when a
    stack is locked, or when the journal of a run has an operation that did not end.
    """
    root = backend.absolute() / ".pulumi"
    if not (root / "stacks").is_dir():
        raise UserError(t("engine.nothing_to_back_up", path=backend), code=ExitCode.INPUT)
    with held(backend, "backup"):
        _fold_all(backend.absolute())
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for part in _PARTS:
                if (root / part).exists():
                    archive.add(root / part, arcname=f".pulumi/{part}", filter=_plain_member)
        write_atomic(target.absolute(), buffer.getvalue(), mode=0o600)
    return target


def _plain_member(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Members without owners; temporary files of interrupted writes are left out."""
    if PurePosixPath(member.name).name.startswith(".") and member.name != ".pulumi":
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o700 if member.isdir() else 0o600
    return member


@dataclass(frozen=True)
class Restored:
    """``stacks``: ``project/stack`` of each in the archive. ``kept``: where the state lies that was there before, None for none."""

    stacks: list[str]
    kept: Path | None


def restore(backend: Path, source: Path, passphrase: str) -> Restored:
    """Put the state of an archive made by ``backup`` in place of the present one, of which a copy is kept beside it.

    A stack that the archive does not have is removed. All is checked before anything is changed. Raises UserError for what is
    no such archive, a checkpoint in it that is damaged or whose secrets ``passphrase`` does not open, or when a stack is locked.
    """
    from yiwang.engine import store  # noqa: PLC0415

    files = _members(source)
    _require_opened(files, passphrase)
    backend = backend.absolute()
    with held(backend, "restore"):
        kept = store.set_aside(backend)
        store.replace(backend, files)
    names = (PurePosixPath(name) for name in files if name.endswith(".json"))
    return Restored(sorted(f"{name.parent.name}/{name.stem}" for name in names), kept)


def _require_opened(files: dict[str, bytes], passphrase: str) -> None:
    """Raises UserError when the passphrase does not open the secrets of one of the checkpoints."""
    from yiwang.engine import checkpoint  # noqa: PLC0415
    from yiwang.engine.passphrase import Manager  # noqa: PLC0415

    found = (checkpoint.secrets_state(checkpoint.parse(content, name)) for name, content in files.items() if name.endswith(".json"))
    for state in sorted(set(found) - {""}):
        Manager(passphrase, state)


def _members(source: Path) -> dict[str, bytes]:
    """The files of a backup by name; nothing but checkpoints and the marker is taken. Raises UserError for anything else."""
    from yiwang.engine import checkpoint, store  # noqa: PLC0415

    found: dict[str, bytes] = {}
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                inside = parts[:2] in {(".pulumi", "stacks"), (".pulumi", "meta.yaml")} and ".." not in parts
                if not inside or not (member.isfile() or member.isdir()):
                    raise UserError(t("engine.no_backup", path=source), code=ExitCode.INPUT)
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    found[member.name] = file.read()
    except (tarfile.TarError, OSError, EOFError, ValueError):
        raise UserError(t("engine.no_backup", path=source), code=ExitCode.INPUT) from None
    for name, content in found.items():
        if name.endswith(".json"):
            checkpoint.parse(content, f"{source}: {name}")
        elif name == ".pulumi/meta.yaml":
            store.require_our_version(content, f"{source}: {name}")
    if not any(name.endswith(".json") for name in found):
        raise UserError(t("engine.no_backup", path=source), code=ExitCode.INPUT)
    return found


def _fold_all(backend: Path) -> None:
    """Fold the journals of killed runs. Raises UserError when one has an operation that did not end."""
    from yiwang.engine import journal  # noqa: PLC0415
    from yiwang.engine.store import neighbours  # noqa: PLC0415

    for store in neighbours(backend):
        if journal.unfinished(store):
            raise UserError(t("engine.unfinished", stack=store.full_name), fix=t("engine.unfinished_fix"))
        journal.recover(store)


def held(backend: Path, verb: str) -> AbstractContextManager[None]:
    """Hold every stack of a backend, also one whose first run has recorded nothing yet. Reads no checkpoint.

    Raises UserError (exit 5) when a run holds one.
    """
    from yiwang.engine import store  # noqa: PLC0415

    return store.held(backend.absolute(), verb)


def outputs(stack: Stack, *, show_secrets: bool = False) -> dict[str, Any]:
    """The recorded stack outputs; secrets as ``[secret]`` unless ``show_secrets``. Empty when the stack is not up."""
    from yiwang.engine import journal  # noqa: PLC0415
    from yiwang.engine.urn import STACK_TYPE  # noqa: PLC0415

    store = _store(stack)
    if not store.exists():
        return {}
    deployment = journal.load(store, stack.passphrase).deployment
    found = next((state.outputs for state in deployment.resources if state.type == STACK_TYPE), {})
    shown: dict[str, Any] = show(found, secrets=show_secrets)
    return shown


def resources(stack: Stack) -> list[Recorded]:
    """The recorded resources, each after those it depends on. Empty when the stack is not up."""
    from yiwang.engine import checkpoint, journal  # noqa: PLC0415

    store = _store(stack)
    if not store.exists():
        return []
    return [recorded(state) for state in checkpoint.in_order(journal.load(store, stack.passphrase).deployment.resources)]


def recorded(state: Resource) -> Recorded:
    """A recorded resource for people: secrets masked."""
    from yiwang.engine.values import mask  # noqa: PLC0415

    return Recorded(
        urn=state.urn,
        type=state.type,
        name=state.name,
        id=state.id,
        inputs=mask(state.inputs),
        outputs=mask(state.outputs),
        parent=state.parent,
        dependencies=tuple(state.dependencies),
        created=state.created,
        modified=state.modified,
        taint=state.taint,
        protect=state.protect,
        delete=state.delete,
        init_errors=tuple(state.init_errors),
    )


def taint(stack: Stack, urn: str, *, tainted: bool = True) -> None:
    """Mark a resource: the next ``up`` replaces it; or take the mark away.

    Raises UserError when it is not recorded or the stack is locked.
    """
    from yiwang.engine import checkpoint, journal  # noqa: PLC0415

    store = _store(stack)
    with store.locked("taint"):
        journal.recover(store)
        loaded = journal.load(store, stack.passphrase)
        found = [state for state in loaded.deployment.resources if state.urn == urn and not state.delete]
        if not found:
            raise UserError(t("engine.not_recorded", urn=urn), code=ExitCode.INPUT)
        found[0].taint = tainted
        store.write(checkpoint.dump(loaded.deployment, loaded.secrets, store.full_name))


def show(value: Any, *, secrets: bool = False) -> Any:
    """An output for people: secrets as ``[secret]`` (or in clear), values not known yet as ``[unknown]``."""
    from yiwang.engine.values import mask, reveal  # noqa: PLC0415

    return mask(reveal(value) if secrets else value)
