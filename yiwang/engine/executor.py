"""Registrations: each becomes a task that asks the provider, lets the planner decide, and performs the steps.

A task outlives the call that started it: when the program dies, what began is finished and recorded.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from yiwang.engine import reading
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context, HaltedError, StepError
from yiwang.engine.planner import PlanError
from yiwang.engine.registering import Registrar
from yiwang.engine.registry import Registry
from yiwang.engine.resource import Goal, Resource
from yiwang.engine.steps import Steps, describe
from yiwang.engine.values import Properties, equal
from yiwang.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Registered:
    """What a registration led to; ``resource`` None: it failed, or something it depends on did."""

    urn: str
    resource: Resource | None = None


class Executor:
    """All registrations of one run of a program."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._steps = Steps(context)
        self.registry = Registry(context)
        self._registrar = Registrar(context, self._steps, self.registry)
        self._defaults: dict[tuple[str, str, str], asyncio.Task[Registered]] = {}
        self._goals: dict[str, Goal] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stack_outputs: Properties | None = None
        # A package that is not available, or a bug: ends the run with this very error.
        self.fatal: BaseException | None = None

    async def register(self, goal: Goal) -> Registered:
        """One registration. Raises HaltedError when nothing new is to start."""
        urn = self.registry.urn_of(goal)
        return await self._shielded(urn, self._register(urn, goal))

    async def read(self, goal: Goal, id_: str) -> Registered:
        """Read an object that is not managed here. Raises HaltedError when nothing new is to start."""
        urn = self.registry.urn_of(goal)
        return await self._shielded(urn, self._read(urn, goal, id_))

    async def provider(self, goal: Goal) -> Provider:
        """The provider that serves a function of ``goal.type``. Raises HaltedError when there is none, or nothing new is to start."""
        found: list[Provider] = []

        async def look() -> Registered:
            found.append(await self.registry.provider((await self._with_provider(goal)).provider))
            return Registered("")

        if (await self._shielded("", look())).urn == "" and found:
            return found[0]
        raise HaltedError

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Await a provider's answer in one of the run's slots."""
        return await self._steps.ask(question)

    async def set_outputs(self, urn: str, outputs: Properties) -> None:
        """The outputs of a component or the stack. Raises HaltedError when they are not to be kept."""
        if self._context.halted:
            raise HaltedError
        resource = self.registry.new.get(urn)
        if resource is None:
            return
        known = {key: value for key, value in outputs.items() if value is not None}
        if urn == self.registry.stack_urn:
            self._stack_outputs = known
        elif not self._keep_outputs(resource, known):
            raise HaltedError
        step = self._registrar.open_components.pop(urn, None)
        if step is not None:
            self._context.reporter.close(step)

    def settle_stack_outputs(self, *, program_failed: bool) -> None:
        """Keep the stack's outputs, once the program has ended; one that raised leaves what it did not export as it was."""
        resource = self.registry.new.get(self.registry.stack_urn)
        if resource is None or self._stack_outputs is None or self._context.halted:
            return
        kept = resource.outputs if program_failed else {}
        self._keep_outputs(resource, {**kept, **self._stack_outputs})

    def _keep_outputs(self, resource: Resource, outputs: Properties) -> bool:
        """Record what the program registered; whether that was as planned, where there is a plan."""
        context, before = self._context, resource.outputs
        try:
            if context.constraint is not None:
                context.constraint.outputs(resource.urn, before, outputs)
        except PlanError as error:
            context.reporter.error(str(error), resource.urn)
            return False
        if not equal(before, outputs) and resource in context.snapshot:
            resource.outputs = outputs
            context.snapshot.put(resource)
        if context.draft is not None:
            context.draft.outputs(resource, (before, outputs))
        return True

    async def drain(self) -> None:
        """Wait until every step that began has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self) -> None:
        """Give up what is running: it stays recorded as pending."""
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[Registered]) -> None:
        self._tasks.discard(task)
        # Whoever waited for it may be gone, after an interrupt: then nobody else would take its exception.
        if not task.cancelled():
            task.exception()

    async def _shielded(self, urn: str, work: Coroutine[Any, Any, Registered]) -> Registered:
        if self._context.halted or self.fatal is not None:
            work.close()
            raise HaltedError
        task = asyncio.create_task(self._guarded(urn, work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        # One that is given up before its first step never began its work.
        task.add_done_callback(lambda _task: work.close())
        return await asyncio.shield(task)

    async def _guarded(self, urn: str, work: Coroutine[Any, Any, Registered]) -> Registered:
        reporter = self._context.reporter
        try:
            return await work
        except HaltedError:
            raise
        except StepError:
            pass
        except (PlanError, ProviderError) as error:
            reporter.error(describe(error), urn)
        except UserError as error:
            self.fatal = self.fatal or error
            raise HaltedError from error
        except Exception as error:
            self.fatal = self.fatal or error
            raise HaltedError from error
        self.registry.failed.add(urn)
        return Registered(urn)

    async def _register(self, urn: str, goal: Goal) -> Registered:
        if goal.parent in self._goals:
            goal = goal.below(self._goals[goal.parent])
        await self.registry.settled(urn, goal)
        old = self.registry.claim(urn, goal)
        goal = self._goals[urn] = await self._with_provider(goal)
        await self._after_former_provider(old)
        return Registered(urn, await self._registrar.register(goal.resource(urn), goal, old))

    async def _with_provider(self, goal: Goal) -> Goal:
        """The goal with a provider reference; default providers are registered at their first use."""
        if not goal.custom or goal.provider or urns.is_provider(goal.type):
            return goal
        package = goal.package or urns.package_of(goal.type)
        self._context.providers.refuse([f"{package}:"])
        key = (package, goal.version, goal.plugin_url)
        if key not in self._defaults:
            default = default_provider(self._context.config.of_package(package), *key)
            urn = self.registry.urn_of(default)
            task = asyncio.create_task(self._guarded(urn, self._register(urn, default)), name=urn)
            self._tasks.add(task)
            task.add_done_callback(self._ended)
            self._defaults[key] = task
        found = await asyncio.shield(self._defaults[key])
        if found.resource is None:
            raise StepError
        return dataclasses.replace(goal, provider=found.resource.reference())

    async def _after_former_provider(self, old: Resource | None) -> None:
        """What changes its provider comes after the former one, where that is being registered too (as with the CLI)."""
        former = urns.provider_urn(old.provider) if old is not None else ""
        for task in self._defaults.values():
            if not task.done() and task.get_name() == former:
                await asyncio.wait([task])

    async def _read(self, urn: str, goal: Goal, id_: str) -> Registered:
        await self.registry.settled(urn, goal)
        old = self.registry.claim(urn, goal)
        goal = await self._with_provider(goal)
        new = goal.resource(urn)
        new.external, new.id, new.created, new.modified = True, id_, "", ""
        provider = await self.registry.provider(new.provider)
        await reading.external(self._context, self._steps, self.registry, provider, new, old)
        self.registry.new[urn] = new
        return Registered(urn, new)


def default_provider(config: Properties, package: str, version: str, url: str) -> Goal:
    """The goal of a provider nobody declared: ``default``, or ``default_1_2_3`` for version 1.2.3."""
    inputs = dict(config)
    name = "default"
    if version:
        inputs["version"] = version
        name += "_" + version.translate(str.maketrans(".+-", "___"))
    if url:
        inputs["pluginDownloadURL"] = url
    return Goal(type=f"{urns.PROVIDER_PREFIX}{package}", name=name, custom=True, inputs=inputs)
