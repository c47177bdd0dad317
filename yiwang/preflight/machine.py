"""The checks of the operator's machine: the programs, key, passphrase and state that a run needs, and the package index."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from yiwang import delivery
from yiwang import keys as pairs
from yiwang.deployment.engines import Engine, choose, stack_of
from yiwang.deployment.engines.interface import EMBEDDED
from yiwang.errors import UserError
from yiwang.inventory.model import Province
from yiwang.messages import t
from yiwang.preflight.model import Finding, Seen, Verdict


def before(province: Province, engine_name: str = EMBEDDED) -> list[Finding]:
    """All findings that need no host, for runs with the engine of that name."""
    found = [*programs(), *keys(Path(province.access.key_file).expanduser())]
    try:
        driver = choose(province, engine_name)
    except UserError as error:
        return [*found, here("engine", "fail", error.text, error.fix)]
    return [*found, *state(province, driver), *passphrase(province, driver)]


def ready(findings: Iterable[Finding]) -> bool:
    """Whether hosts can be looked at from here."""
    return not any(finding.verdict == "fail" and finding.check in {"ssh", "state_dir"} for finding in findings)


async def after(seen: Iterable[Seen]) -> list[Finding]:
    """The findings that need to know the hosts: what has to be fetched for them."""
    wanted = sorted({(extra, _target(each)) for each in seen for extra in _owed(each)}, key=str)
    return [await asyncio.to_thread(index, extra, target) for extra, target in wanted]


def here(check: str, verdict: Verdict, text: str, fix: str = "") -> Finding:
    """A finding about this machine."""
    return Finding("-", "-", check, verdict, text, fix)


def programs() -> Iterator[Finding]:
    """SSH and Ansible are installed."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if missing:
        yield here("ssh", "fail", t("preflight.ssh", programs=", ".join(missing)), t("preflight.ssh_fix"))
    else:
        yield here("ssh", "ok", shutil.which("ssh") or "")
    playbook = Path(sys.executable).parent / "ansible-playbook"
    if playbook.is_file():
        yield here("ansible", "ok", str(playbook))
    else:
        yield here("ansible", "fail", t("preflight.ansible", path=playbook), t("preflight.ansible_fix"))


def keys(path: Path) -> Iterator[Finding]:
    """The private key can be used without a person, and the public one beside it is its other half."""
    public, derived = pairs.public_file(path), list[str]()
    try:
        derived = pairs.public_half(path)
        yield here("key_file", "ok", str(path))
    except pairs.Unusable as reason:
        yield here("key_file", "fail", t("preflight.key_file", path=path, reason=reason), t("preflight.key_file_fix"))
    written = pairs.written(path)
    if not written:
        yield here("public_key", "fail", t("preflight.no_public_key", path=public), t("preflight.public_key_fix", path=public))
    elif derived and written != derived:
        text = t("preflight.other_public_key", path=public, key=path)
        yield here("public_key", "fail", text, t("preflight.public_key_fix", path=public))
    else:
        yield here("public_key", "ok", str(public))


def state(province: Province, driver: Engine) -> Iterator[Finding]:
    """The state can be written, and nobody holds it."""
    directory = province.state_dir
    reason = _not_writable(directory)
    if reason:
        yield here("state_dir", "fail", t("preflight.state_dir", path=directory, reason=reason), t("preflight.state_dir_fix"))
        return
    yield here("state_dir", "ok", str(directory))
    try:
        held = [(stack.stack, stack.lock) for stack in driver.stacks() if stack.lock is not None]
    except (UserError, OSError, ValueError) as error:
        text = t("preflight.state_unreadable", reason=error)
        yield here("lock", "fail", text, t("preflight.state_unreadable_fix"))
        return
    # The lock of a process that has ended is taken over by the next run.
    held = [(site, lock) for site, lock in held if lock.alive is not False]
    for site, lock in held:
        yield here("lock", "fail", t("preflight.locked", site=site, holder=lock.describe()), t("preflight.locked_fix", site=site))
    if not held:
        yield here("lock", "ok", "-")


def _not_writable(directory: Path) -> str:
    """Why nothing can be written to ``directory`` (which need not be there yet), or nothing."""
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not existing.is_dir():
        return os.strerror(20)
    return "" if os.access(existing, os.W_OK | os.X_OK) else os.strerror(13)


def passphrase(province: Province, driver: Engine) -> Iterator[Finding]:
    """The passphrase can be read from its source, and opens what is recorded."""
    try:
        found = province.present_passphrase()
        if found is None:
            yield here("passphrase", "ok", t("preflight.passphrase_later"))
            return
        fits = _opens(province, found, driver)
    except UserError as error:
        yield here("passphrase", "fail", error.text, error.fix or t("preflight.passphrase_fix"))
        return
    yield here("passphrase", "ok", t("preflight.passphrase_fits" if fits else "preflight.passphrase_read"))


def _opens(province: Province, found: str, driver: Engine) -> bool:
    """Whether ``found`` opens the recorded state; false when nothing is recorded. Raises UserError when it does not fit."""
    # All stacks of a backend have one key.
    return any(driver.outputs(stack_of(province, site, found)) for site in province.sites.values())


def _owed(seen: Seen) -> list[str]:
    """The extras whose packages have to be brought to the host."""
    if not seen.facts.get("libc"):
        return []
    return [extra for extra in seen.needs.environments if f"environment {extra}" not in seen.facts]


def _target(seen: Seen) -> delivery.Target:
    python = ".".join(seen.facts.get("python", "").split(".")[:2])
    return delivery.Target(python, seen.facts.get("architecture", ""), seen.facts["libc"])


def index(extra: str, target: delivery.Target) -> Finding:
    """The packages of ``extra`` for hosts of a kind are here, or the index that they come from answers."""
    if delivery.made(extra, target):
        kind = f"{extra}, Python {target.python} {target.machine} glibc {target.libc}"
        return here("package_index", "ok", t("preflight.index_kept", target=kind))
    try:
        delivery.try_index(extra, target)
    except UserError as error:
        return here("package_index", "fail", error.text, error.fix)
    return here("package_index", "ok", t("preflight.index_answers"))
