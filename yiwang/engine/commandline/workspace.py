"""Where a command works: the project, the backend, the selected stack and the passphrase, found as the CLI finds them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from yiwang.engine import store as stores
from yiwang.engine.commandline.failure import Code, CommandError, unavailable
from yiwang.engine.project import Project, load_project, read_project
from yiwang.engine.store import ORGANIZATION, Store
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.messages import t

_SCHEME = "file://"
NOT_SELECTED = "no stack selected; please use `pulumi stack select` or `pulumi stack init` to choose one"


@dataclass(frozen=True)
class Workspace:
    """One command's place. ``environment`` is the process's own; it is looked up, never changed."""

    directory: Path
    environment: Mapping[str, str]

    @cached_property
    def project_file(self) -> Path:
        """``Pulumi.yaml`` of the directory or the nearest one above it. Raises CommandError when there is none."""
        for directory in (self.directory, *self.directory.parents):
            if (directory / "Pulumi.yaml").is_file():
                return directory / "Pulumi.yaml"
        raise CommandError(
            f"no Pulumi.yaml project file found (searching upwards from {self.directory}). "
            "If you have not created a project yet, use `pulumi new` to do so"
        )

    @cached_property
    def project(self) -> dict[str, Any]:
        """What ``Pulumi.yaml`` says. Raises CommandError when it has no name, UserError when it is malformed."""
        found = read_project(self.project_file)
        if not found.get("name"):
            raise CommandError(t("engine.no_project_name", path=self.project_file))
        return found

    @cached_property
    def loaded(self) -> Project:
        """The project as the engine has it. Raises UserError when it cannot run it."""
        return load_project(self.project_file.parent)

    @property
    def project_name(self) -> str:
        """The project's name."""
        name: str = self.project["name"]
        return name

    @cached_property
    def home(self) -> Path:
        """The CLI's own directory: ``PULUMI_HOME``, else ``~/.pulumi``."""
        return _expanded(self.environment.get("PULUMI_HOME") or "~/.pulumi").absolute()

    @cached_property
    def url(self) -> str:
        """The backend's URL: of the environment, of the project, or of the last login. Raises CommandError for any but file://."""
        found = self.environment.get("PULUMI_BACKEND_URL") or self._project_url() or self._login_url()
        if not found:
            raise CommandError(t("pulumi.no_backend"))
        if not found.startswith(_SCHEME):
            raise unavailable(f"backend {_without_secrets(found)}")
        return found

    def _project_url(self) -> str:
        try:
            backend = self.project.get("backend")
        except CommandError:
            # Commands that need no project say so only where they do.
            return ""
        return str(backend.get("url") or "") if isinstance(backend, dict) else ""

    def _login_url(self) -> str:
        found = _json(self.home / "credentials.json").get("current")
        return found if isinstance(found, str) else ""

    @cached_property
    def backend(self) -> Path:
        """The directory that holds ``.pulumi``."""
        path = unquote(urlsplit(self.url).path if "?" in self.url else self.url.removeprefix(_SCHEME))
        if self.url.startswith(f"{_SCHEME}~") or self.url.startswith(f"{_SCHEME}."):
            path = unquote(self.url.removeprefix(_SCHEME).partition("?")[0])
        base = self.directory if self.environment.get("PULUMI_BACKEND_URL") else self._base()
        root = (base / _expanded(path)).absolute()
        stores.require_version(root)
        if not root.is_dir() and parse_qs(urlsplit(self.url).query).get("create_dir", [""])[0] not in {"1", "true"}:
            # A slip of the pen, or a disk that is not mounted, is no empty backend.
            raise CommandError(f"unable to open bucket {_without_secrets(self.url)}: {root}: no such directory")
        return root

    def _base(self) -> Path:
        """What a relative URL of the project is relative to."""
        return self.project_file.parent if self._project_url() else self.directory

    # -- stacks ---------------------------------------------------------------

    def store(self, name: str) -> Store:
        """The stack that ``name`` names, there or not: ``stack``, ``organization/stack`` or ``organization/project/stack``."""
        parts = name.split("/")
        if not all(parts) or len(parts) > 3 or (len(parts) > 1 and parts[0] != ORGANIZATION):
            raise CommandError(f"invalid stack name '{name}': it is <stack> or {ORGANIZATION}/<project>/<stack>")
        if not all(character.isalnum() or character in "-_." for character in parts[-1]) or parts[-1] in {".", ".."}:
            raise CommandError(f"invalid stack name '{name}': a stack name may only contain alphanumeric, hyphens, underscores, or periods")
        if len(parts) == 3:
            return Store(self.backend, parts[1], parts[2])
        return Store(self.backend, self.project_name, parts[-1])

    def require(self, name: str) -> Store:
        """The stack ``name``, or the selected one; it is there. Raises CommandError when it is not."""
        chosen = name or self.selected()
        if not chosen:
            raise CommandError(NOT_SELECTED)
        found = self.store(chosen)
        if not found.exists():
            raise CommandError(f"no stack named '{chosen}' found", Code.NO_STACK)
        return found

    def shown(self, store: Store) -> str:
        """A stack's name as it is shown: short within its own project."""
        try:
            own = store.project == self.project_name
        except CommandError:
            own = False
        return store.name if own else store.full_name

    def stacks(self) -> list[Store]:
        """All stacks of the backend."""
        return list(stores.neighbours(self.backend))

    def selected(self) -> str:
        """The selected stack's name, empty when none is."""
        if "PULUMI_STACK" in self.environment:
            return self.environment["PULUMI_STACK"]
        settings = _json(self._selection())
        by_backend = settings.get("stacks")
        found = (by_backend or {}).get(self.url) if isinstance(by_backend, dict) else None
        return str(found or settings.get("stack") or "")

    def select(self, store: Store | None) -> None:
        """Select a stack, or none."""
        path = self._selection()
        settings = _json(path)
        by_backend = settings.pop("stacks", None)
        others = {url: name for url, name in by_backend.items() if url != self.url} if isinstance(by_backend, dict) else {}
        settings.pop("stack", None)
        if others:
            settings["stacks"] = others
        if store is not None and others:
            settings["stacks"] = {**others, self.url: store.full_name}
        elif store is not None:
            # The form that every version of the CLI reads.
            settings["stack"] = store.full_name
        if settings:
            make_private(path.parent)
            write_atomic(path, json.dumps(settings, indent=4))
        else:
            path.unlink(missing_ok=True)

    def _selection(self) -> Path:
        number = hashlib.sha1(str(self.project_file).encode(), usedforsecurity=False).hexdigest()
        return self.home / "workspaces" / f"{self.project_name}-{number}-workspace.json"

    # -- secrets --------------------------------------------------------------

    @cached_property
    def passphrase(self) -> str:
        """Of the environment or the file it names. Raises CommandError when there is none."""
        if "PULUMI_CONFIG_PASSPHRASE" in self.environment:
            return self.environment["PULUMI_CONFIG_PASSPHRASE"]
        named = self.environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        if not named:
            raise CommandError(
                "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
            )
        try:
            return (self.directory / named).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise CommandError(f"unable to read PULUMI_CONFIG_PASSPHRASE_FILE: {named}: {reason}") from None


def _expanded(path: str) -> Path:
    """``path`` with ``~`` as the home directory. Raises CommandError where nobody knows it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise CommandError(f"could not find the home directory for {path}; set HOME") from None


def _json(path: Path) -> dict[str, Any]:
    """A JSON object, empty when there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(f"could not parse file {path}; remove it", code=ExitCode.INPUT) from None
    return found if isinstance(found, dict) else {}


def _without_secrets(url: str) -> str:
    """A URL without what may be a password in it."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
