"""The providers of a run: which packages there are, their processes, and which provider resource each belongs to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from yiwang.engine import plugin
from yiwang.engine import urn as urns
from yiwang.engine.api import QUIET
from yiwang.engine.blank import Blank
from yiwang.engine.client import GrpcProvider, Provider
from yiwang.engine.project import DYNAMIC, Project
from yiwang.engine.references import Builtin
from yiwang.engine.resource import Resource
from yiwang.engine.values import has_unknown
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

BUILTIN = "pulumi"
_HOST = Path(__file__).with_name("dynhost.py")


class Providers:
    """Starts a process for each provider resource at its first use and ends all of them with the run.

    ``allowed``: packages whose executables may be run, beside the builtin one, ``pulumi.dynamic`` and the project's own.
    ``blank``: no process is started, every value stays unknown.
    """

    def __init__(
        self,
        project: Project,
        builtin: Builtin,
        *,
        allowed: Iterable[str],
        environment: Mapping[str, str],
        directory: Path,
        workers: int,
        on_line: Callable[[str, str], None],
        blank: bool = False,
    ) -> None:
        self._project = project
        self._builtin = builtin
        self._allowed = frozenset(allowed)
        self._environment = {QUIET: "NONE", **os.environ, **environment, "PULUMI_PROJECT": project.name}
        self._directory = directory
        self._workers = workers
        self._on_line = on_line
        self._blank = Blank(echo=True) if blank else None
        self.engine_address = ""
        self._available: dict[str, bool] = {}
        self._plugins: list[plugin.Plugin] = []
        self._clients: list[GrpcProvider] = []
        self._spare: dict[str, asyncio.Task[GrpcProvider]] = {}
        self._unconfigured: dict[str, asyncio.Task[GrpcProvider]] = {}
        self._configured: dict[str, asyncio.Task[Provider]] = {}

    def available(self, package: str) -> bool:
        """Whether the package can be used at all."""
        if package not in self._available:
            self._available[package] = package in {BUILTIN, DYNAMIC} or self._executable(package) is not None
        return self._available[package]

    def refuse(self, types: Iterable[str]) -> None:
        """Raise UserError naming the first package among resource types that is not available."""
        for package in dict.fromkeys(map(urns.package_of, types)):
            if not self.available(package):
                raise UserError(t("engine.no_provider", package=package), code=ExitCode.INPUT)

    def warm_up(self, packages: Iterable[str]) -> None:
        """Start processes before they are asked for, while the program still loads."""
        for package in packages:
            if self._blank is None and package != BUILTIN and package not in self._spare:
                self._spare[package] = asyncio.create_task(self._launch(package))

    def prepare(self, urn: str, package: str) -> asyncio.Task[GrpcProvider]:
        """The process for the provider resource ``urn``, not configured yet."""
        if urn not in self._unconfigured:
            spare = self._spare.pop(package) if package in self._spare else None
            self._unconfigured[urn] = spare or asyncio.create_task(self._launch(package))
        return self._unconfigured[urn]

    async def for_config(self, urn: str, package: str) -> Provider:
        """The provider that answers questions about the configuration of ``urn``."""
        if self._blank is not None:
            return self._blank
        return self._builtin if package == BUILTIN else await asyncio.shield(self.prepare(urn, package))

    async def configured(self, resource: Resource) -> Provider:
        """The provider of a provider resource, configured with its inputs at the first call."""
        reference = resource.reference()
        if reference not in self._configured:
            self._configured[reference] = asyncio.create_task(self._configure(resource))
        return await asyncio.shield(self._configured[reference])

    def forget(self, resource: Resource) -> None:
        """The configuration of a provider resource changes: what was configured with the old one is not used again."""
        self._configured.pop(resource.reference(), None)

    async def _configure(self, resource: Resource) -> Provider:
        package = urns.package_of(resource.type)
        if self._blank is not None or has_unknown(resource.inputs):
            return self._blank or Blank()
        if package == BUILTIN:
            return self._builtin
        client = await self.prepare(resource.urn, package)
        # A replaced provider and its replacement have one URN: the next one gets a process of its own.
        self._unconfigured.pop(resource.urn, None)
        await client.configure(resource)
        return client

    async def close(self, *, at_once: bool = False) -> None:
        """End all processes."""
        pending = [*self._spare.values(), *self._unconfigured.values(), *self._configured.values()]
        for task in pending:
            if at_once and not task.done():
                task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for client in self._clients:
            await client.close()
        await asyncio.gather(*(process.stop(at_once=at_once) for process in self._plugins))

    def _executable(self, package: str) -> Path | None:
        if package in self._project.plugins or package in self._allowed:
            return plugin.find(package, self._project.plugins)
        return None

    async def _launch(self, package: str) -> GrpcProvider:
        if package == DYNAMIC:
            arguments = [self._project.python, "-u", "-P", str(_HOST), str(self._workers)]
        else:
            executable = self._executable(package)
            if executable is None:
                raise UserError(t("engine.no_provider", package=package), code=ExitCode.INPUT)
            arguments = [str(executable), self.engine_address]
        process = await plugin.start(package, arguments, self._directory, self._environment, self._project.main.parent, self._on_line)
        self._plugins.append(process)
        client = GrpcProvider(process.socket)
        self._clients.append(client)
        await client.handshake(self.engine_address, self._project.directory, self._project.main.parent)
        return client
