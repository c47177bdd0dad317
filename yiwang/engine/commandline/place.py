"""One stack as the commands use it: its files in the backend, its settings beside the project, and its key."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from yiwang.engine import checkpoint, journal
from yiwang.engine.checkpoint import Deployment
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import CommandError
from yiwang.engine.commandline.settings import Settings
from yiwang.engine.commandline.workspace import Workspace
from yiwang.engine.passphrase import Manager
from yiwang.engine.store import Store
from yiwang.errors import ExitCode, UserError
from yiwang.output import say


def out(text: str) -> None:
    """A line of the command's answer."""
    say(sys.stdout, text)


def warn(text: str) -> None:
    """A warning beside the answer."""
    say(sys.stderr, f"warning: {text}")


def key_of(passphrase: str, state: str) -> Manager:
    """The secrets manager of a salt; a new one when ``state`` is empty. Raises CommandError when the passphrase does not fit."""
    try:
        return Manager(passphrase, state)
    except UserError:
        raise CommandError("getting secrets manager: incorrect passphrase") from None


def held_error(store: Store, workspace: Workspace) -> CommandError:
    """What the CLI says when somebody else holds the stack: the Automation API knows a conflict by these words."""
    locks = [entry for entry in store.locks() if entry.alive is not False]
    lines = [
        f"\n  {workspace.url.rstrip('/')}/{entry.path.relative_to(store.root)}: "
        f"created by {entry.user}@{entry.host} (pid {entry.pid}) at {entry.since}"
        for entry in locks
    ]
    return CommandError(
        f"the stack is currently locked by {max(len(locks), 1)} lock(s). Either wait for the other process(es) to end or "
        f"delete the lock file with `pulumi cancel`.{''.join(lines)}"
    )


@contextlib.contextmanager
def held(store: Store, workspace: Workspace, verb: str) -> Iterator[None]:
    """Hold the stack. Raises CommandError when somebody else does."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(store.locked(verb))
        except UserError as error:
            raise held_error(store, workspace) if error.code is ExitCode.LOCKED else error from None
        yield


class Place:
    """A stack that is there."""

    def __init__(self, workspace: Workspace, store: Store, config_file: str = "") -> None:
        self.workspace = workspace
        self.store = store
        self._config_file = config_file

    @classmethod
    def of(cls, call: Call, workspace: Workspace, name: str = "") -> Place:
        """The stack that the command line names, or the selected one. Raises CommandError when there is none."""
        if name and call.text("stack"):
            raise CommandError("only one of --stack or argument stack name may be specified, not both")
        return cls(workspace, workspace.require(name or call.text("stack")), call.text("config-file"))

    @property
    def name(self) -> str:
        """The stack's short name."""
        return self.store.name

    @property
    def settings_path(self) -> Path:
        """``Pulumi.<stack>.yaml``, or the file that the command line names."""
        if self._config_file:
            return self.workspace.directory / self._config_file
        project = self.workspace.project_file.parent
        return project / str(self.workspace.project.get("stackConfigDir") or ".") / f"Pulumi.{self.store.name}.yaml"

    @cached_property
    def settings(self) -> Settings:
        """The stack's settings. Raises CommandError when the stack belongs to another project."""
        if self.store.project != self.workspace.project_name:
            raise CommandError(f"stack '{self.store.full_name}' does not belong to project '{self.workspace.project_name}'")
        return Settings(self.settings_path)

    @cached_property
    def recorded_salt(self) -> str:
        """The secrets state in the checkpoint, empty when it has none."""
        content = self.store.read()
        return checkpoint.secrets_state(checkpoint.parse(content, str(self.store.path))) if content is not None else ""

    @cached_property
    def secrets(self) -> Manager:
        """The key of the stack's settings; the first one is made, and named in the settings (``save`` keeps it)."""
        found = key_of(self.workspace.passphrase, self.settings.salt or self.recorded_salt)
        self.settings.salt = found.state
        return found

    def latest(self) -> dict[str, Any]:
        """The recorded deployment, still encrypted, without what a killed run left in its journal."""
        content = self.store.read()
        return checkpoint.parse(content, str(self.store.path)) if content is not None else {}

    def loaded(self, *, sound: bool = True) -> journal.Loaded:
        """What is recorded, decrypted, with what a killed run left in its journal.

        Raises CommandError for a wrong passphrase, with ``sound`` UserError for what contradicts itself.
        """
        passphrase = self.workspace.passphrase
        if self.recorded_salt:
            key_of(passphrase, self.recorded_salt)
        return journal.load(self.store, passphrase, self.settings.salt if not self.recorded_salt else "", sound=sound)

    def shown(self, *, secrets: bool) -> Deployment:
        """What is recorded, with what a killed run left in its journal; without ``secrets`` no key is needed, and they stay encrypted."""
        return self.loaded().deployment if secrets else journal.load_sealed(self.store)
