"""Registrations: each becomes a task that asks the provider, lets the planner decide, and performs the steps.

A task outlives the call that started it: when the program dies, what began is finished and recorded.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from yiwang.engine import planner, reading
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider, ProviderError
from yiwang.engine.context import Context, HaltedError, StepError
from yiwang.engine.planner import Decision, DiffAnswer, Difference, PlanError, Situation
from yiwang.engine.registry import Registry
from yiwang.engine.replacing import Replacer, settle_provider
from yiwang.engine.resource import Goal, Resource
from yiwang.engine.steps import Steps, describe
from yiwang.engine.values import Properties
from yiwang.errors import UserError
from yiwang.messages import t


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
        self._replacer = Replacer(context, self._steps, self.registry)
        self._defaults: dict[tuple[str, str, str], asyncio.Task[Registered]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._components: dict[str, Any] = {}
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
        else:
            self._keep_outputs(resource, known)
        step = self._components.pop(urn, None)
        if step is not None:
            self._context.reporter.close(step)

    def settle_stack_outputs(self, *, program_failed: bool) -> None:
        """Keep the stack's outputs, once the program has ended; one that raised leaves what it did not export as it was."""
        resource = self.registry.new.get(self.registry.stack_urn)
        if resource is None or self._stack_outputs is None or self._context.halted:
            return
        kept = resource.outputs if program_failed else {}
        self._keep_outputs(resource, {**kept, **self._stack_outputs})

    def _keep_outputs(self, resource: Resource, outputs: Properties) -> None:
        if resource.outputs != outputs:
            resource.outputs = outputs
            self._context.snapshot.put(resource)

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
        registry = self.registry
        old = registry.claim(urn, goal)
        goal = await self._with_provider(goal)
        await self._after_former_provider(old)
        new = goal.resource(urn)
        if registry.left_alone(new):
            return self._leave_alone(new, old)
        if new.is_provider:
            await self._provider(new, goal, old)
        elif new.custom:
            provider = await registry.provider(new.provider)
            await self._custom(new, goal, old, provider)
        else:
            found = planner.difference(DiffAnswer(), old.inputs if old else {}, new.inputs)
            await self._perform(new, old, None, planner.decide(new, old, found, Situation()))
        registry.new[urn] = new
        return Registered(urn, new)

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

    def _leave_alone(self, new: Resource, old: Resource | None) -> Registered:
        """A resource that is not among the targets: as it was, or not there."""
        registry = self.registry
        if old is None:
            with self._context.reporter.step("same", new):
                registry.skipped.add(new.urn)
                new.id, new.outputs = "", {}
            return Registered(new.urn, new)
        with self._context.reporter.step("same", old, old):
            registry.new[new.urn] = old
        return Registered(new.urn, old)

    async def _provider(self, new: Resource, goal: Goal, old: Resource | None) -> None:
        """A provider resource: its inputs are its configuration, its id is ours."""
        context, package = self._context, urns.package_of(new.type)
        context.providers.refuse([new.type])
        provider = await context.providers.for_config(new.urn, package)
        before = {key: value for key, value in (old.inputs if old else {}).items() if key != "__internal"}
        checked = await self._steps.ask(provider.check_config(new.urn, before, goal.inputs))
        if checked is not None:
            new.inputs = {**checked, "__internal": {}}
        config = checked if checked is not None else goal.inputs
        found = Difference()
        if old is not None:
            answer = await self._steps.ask(provider.diff_config(new.urn, old, config))
            found = planner.difference(answer, before, config)
        decision = planner.decide(new, old, found, Situation())
        if decision.operation == "update" and old is not None:
            context.providers.forget(old)
        await self._perform(new, old, None, decision)

    async def _custom(self, new: Resource, goal: Goal, old: Resource | None, provider: Provider) -> None:
        registry = self.registry
        if old is not None and registry.half_done(new, old):
            old = await reading.back(self._context, self._steps, provider, old)
        recreating = new.urn in registry.deleted
        base = None if recreating or (old is not None and old.external) else old
        inputs = planner.prepare_inputs(goal.inputs, base, goal.ignore_changes)
        new.inputs = await self._steps.ask(provider.check(new.urn, base.inputs if base else None, inputs))
        found = Difference()
        if base is not None:
            answer = await self._steps.ask(provider.diff(new.urn, base, new.inputs, goal.ignore_changes))
            found = planner.difference(answer, base.inputs, new.inputs, goal.replace_on_changes)
        situation = registry.situation(goal, new, old)
        decision = planner.decide(new, old, found, situation)
        if decision.operation == "replace":
            # The replacement is a new object: its defaults are computed without the old one.
            new.inputs = await self._steps.ask(provider.check(new.urn, None, goal.inputs if not goal.ignore_changes else inputs))
        await self._perform(new, old, provider, decision)

    async def _perform(self, new: Resource, old: Resource | None, provider: Provider | None, decision: Decision) -> None:
        if not self.registry.failed.isdisjoint(new.needs()):
            # What it depends on failed: it was checked, and that is all.
            raise StepError
        self.registry.refuse_blocked(new)
        if decision.operation == "same" and old is not None:
            self._same(new, old)
            return
        if self._context.halted:
            raise HaltedError
        if decision.operation == "update" and old is not None:
            await self._update(new, old, provider, decision.difference)
        elif decision.operation == "replace" and old is not None:
            await self._replacer.replace(new, old, provider, decision)
        elif old is not None and new.urn in self.registry.deleted:
            await self._replacer.recreate(new, old, provider, decision.difference)
        else:
            await self._create(new, old, provider)

    def _same(self, new: Resource, old: Resource) -> None:
        snapshot = self._context.snapshot
        new.id, new.outputs, new.created, new.modified = old.id, old.outputs, old.created, old.modified
        new.import_id, new.extra = old.import_id, old.extra
        step = self._context.reporter.start("same", new, old)
        if planner.must_write(old, new):
            snapshot.replace(old, new)
        else:
            snapshot.adopt(old, new)
        self._end(step, new)

    async def _create(self, new: Resource, old: Resource | None, provider: Provider | None) -> None:
        """``old`` is only there when it was read, not managed, so far."""
        if provider is not None:
            async with self._steps.performing("create", new):
                await self._steps.create(provider, new, replaces=old, keep_old=False)
            return
        step = self._context.reporter.start("create", new)
        settle_provider(self._context, new)
        self._context.snapshot.put(new)
        if old is not None and old in self._context.snapshot:
            self._context.snapshot.drop(old)
        self._end(step, new)

    async def _update(self, new: Resource, old: Resource, provider: Provider | None, found: Difference) -> None:
        new.created, new.import_id = old.created, old.import_id
        if provider is not None:
            async with self._steps.performing("update", new, old, found):
                await self._steps.update(provider, old, new)
            return
        step = self._context.reporter.start("update", new, old, found)
        new.id, new.outputs = old.id, old.outputs
        settle_provider(self._context, new)
        self._context.snapshot.replace(old, new)
        self._end(step, new)

    def _end(self, step: Any, new: Resource) -> None:
        """End a step; a component's ends when its outputs come."""
        if new.custom:
            self._context.reporter.finish(step, new_id=new.id)
        else:
            self._context.reporter.leave_open(step)
            self._components[new.urn] = step

    async def _read(self, urn: str, goal: Goal, id_: str) -> Registered:
        old = self.registry.claim(urn, goal)
        goal = await self._with_provider(goal)
        if old is not None and not old.external:
            raise PlanError(t("engine.read_managed", urn=urn))
        new = goal.resource(urn)
        new.external, new.id, new.created, new.modified = True, id_, "", ""
        provider = await self.registry.provider(new.provider)
        await reading.external(self._context, self._steps, provider, goal, new, old)
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
