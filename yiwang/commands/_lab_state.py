"""What a lab leaves in the state directory of its inventory: whose the state is, and how it goes with the lab.

A state is a lab's when its mark names that lab and SSH is configured to go into the lab (so that no run can have reached
other servers), or when nothing is recorded yet. Any other one may describe real servers: it is never written to and never
removed.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from yiwang.engine import state
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.messages import t

_MARK = "made-by-lab"
# Parts of a backend that a mere preview makes.
_NOT_RECORDED = ("locks", "meta.yaml")


def configuration(state_dir: Path) -> Path:
    """The SSH configuration that leads into the lab."""
    return state_dir / "ssh" / "lab.conf"


def require(state_dir: Path, lab_name: str) -> None:
    """Raises UserError (exit 3) when the state may be of other servers; changes nothing."""
    foreign = recorded(state_dir) or (_owner(state_dir) is None and _pinned(state_dir))
    if foreign and not _is_of(state_dir, lab_name):
        raise UserError(t("lab.state_foreign", path=state_dir), code=ExitCode.INPUT, fix=t("lab.state_foreign_fix"))


def claim(state_dir: Path, lab_name: str) -> None:
    """Mark a state directory that passed ``require`` as this lab's."""
    _clear(state_dir)
    if _owner(state_dir) != lab_name:
        write_atomic(make_private(state_dir) / _MARK, f"{lab_name}\n{t('lab.state_mark')}\n")


@contextlib.contextmanager
def undisturbed(state_dir: Path | None, verb: str) -> Iterator[None]:
    """Nobody runs on the state while the block does. Raises UserError (exit 5) when somebody does already."""
    with contextlib.nullcontext() if state_dir is None else state.held(state_dir.absolute(), verb):
        yield


def forget(state_dir: Path | None, lab_name: str) -> bool:
    """Remove the state if it is this lab's, else only the way into the lab. Returns whether a state was removed."""
    if state_dir is None:
        return False
    _clear(state_dir)
    if not _is_of(state_dir, lab_name):
        if _owner(state_dir) in (None, lab_name):
            configuration(state_dir).unlink(missing_ok=True)
        return False
    try:
        state_dir.rename(_going(state_dir))
    except OSError as error:
        raise UserError(t("lab.state_stuck", path=state_dir, reason=error.strerror), fix=t("lab.state_stuck_fix")) from error
    _clear(state_dir)
    return True


def recorded(state_dir: Path) -> bool:
    """Whether resources are, or were being, recorded there."""
    backend = state_dir / ".pulumi"
    parts = [part for part in backend.iterdir() if part.name not in _NOT_RECORDED] if backend.is_dir() else []
    return any(part.is_file() or any(path.is_file() for path in part.rglob("*")) for part in parts)


def _is_of(state_dir: Path, lab_name: str) -> bool:
    return _owner(state_dir) == lab_name and (configuration(state_dir).is_file() or not recorded(state_dir))


def _owner(state_dir: Path) -> str | None:
    """The lab the mark names; None without a mark."""
    with contextlib.suppress(OSError, ValueError):
        return next(iter((state_dir / _MARK).read_text(encoding="utf-8").splitlines()), "")
    return None


def _pinned(state_dir: Path) -> bool:
    """Whether keys of hosts are pinned there."""
    known = state_dir / "ssh" / "known_hosts"
    return known.is_file() and known.stat().st_size > 0


def _going(state_dir: Path) -> Path:
    """Where a state lies while it is removed: hidden, so that git does not see it either."""
    return state_dir.with_name(f".{state_dir.name.lstrip('.')}.gone")


def _clear(state_dir: Path) -> None:
    """Finish what a killed removal left."""
    shutil.rmtree(_going(state_dir), ignore_errors=True)
