"""One registration: ask the provider, let the planner decide, perform the steps."""

from __future__ import annotations

import dataclasses
from typing import Any

from yiwang.engine import importing, planner, reading, refreshing
from yiwang.engine import urn as urns
from yiwang.engine.client import Provider
from yiwang.engine.context import Context, HaltedError, StepError
from yiwang.engine.planner import Decision, DiffAnswer, Difference, PlanError
from yiwang.engine.registry import Registry
from yiwang.engine.replacing import Replacer, settle_provider
from yiwang.engine.resource import Goal, Resource
from yiwang.engine.steps import Steps, finished
from yiwang.engine.values import equal, mask
from yiwang.messages import t


class Registrar:
    """Performs the registrations of one run. ``open_components``: URN -> the step that ends when its outputs come."""

    def __init__(self, context: Context, steps: Steps, registry: Registry) -> None:
        self._context = context
        self._steps = steps
        self._registry = registry
        self._replacer = Replacer(context, steps, registry)
        self.open_components: dict[str, Any] = {}

    async def register(self, new: Resource, goal: Goal, old: Resource | None) -> Resource:
        """Bring ``new`` about; what the program is told of it. Raises PlanError, ProviderError, StepError, HaltedError."""
        registry, context = self._registry, self._context
        if old is not None and context.refreshes and registry.targets.includes(old):
            old = await refreshing.refresh_registered(context, registry, self._steps, new, old)
        done = await self._again(new, old) or self._without_change(new, old)
        if done is None:
            await self._bring_about(new, goal, old)
        registry.new[new.urn] = done = done or new
        if context.draft is not None:
            context.draft.outputs(done)
        return done

    def _plan(self, new: Resource, goal: Goal, old: Resource | None, kept: Resource | None) -> None:
        """Write the registration into the plan, or hold it against the one there is. Raises PlanError."""
        context = self._context
        if context.constraint is not None:
            context.constraint.goal(new, goal, old)
        if context.draft is not None:
            context.draft.goal(new.urn, goal, kept.inputs if kept is not None else None, new.inputs, context.seed(new.urn))

    async def _again(self, new: Resource, old: Resource | None) -> Resource | None:
        """What the run is not about, but was deleted before something it is about: made again as it was."""
        if old is None or not self._registry.recreating(new, old) or self._registry.targets.updates(new):
            return None
        new.inputs = old.inputs
        await self._replacer.recreate(new, old, None if new.is_provider else await self._registry.provider(new.provider))
        return new

    def _without_change(self, new: Resource, old: Resource | None) -> Resource | None:
        """What is not touched: what the run is not about, and real objects in a refresh or a destroy that runs the program."""
        registry, mode = self._registry, self._context.mode
        real = new.custom and not new.is_provider
        blocked = mode != "update" and not new.needs().isdisjoint(registry.skipped)
        if mode == "refresh" and (real or blocked):
            return old or self._skip(new)
        if blocked:
            new.outputs = old.outputs if old is not None else {}
            return self._skip(new)
        if mode == "destroy" and real:
            if old is None:
                return self._skip(new)
            # What is deleted is what is recorded, with the options the program gives it now.
            new.inputs = old.inputs
            self._same(new, old)
            return new
        if registry.targets.updates(new):
            return None
        if old is None:
            return self._skip(new)
        with self._context.reporter.step("same", old, old):
            return old

    def _skip(self, new: Resource) -> Resource:
        with self._context.reporter.step("same", new):
            self._registry.skipped.add(new.urn)
            new.id = ""
        return new

    async def _bring_about(self, new: Resource, goal: Goal, old: Resource | None) -> None:
        if new.is_provider:
            await self._provider(new, goal, old)
        elif new.custom:
            await self._custom(new, goal, old, await self._registry.provider(new.provider))
        else:
            await self._component(new, goal, old)

    async def _component(self, new: Resource, goal: Goal, old: Resource | None) -> None:
        found = Difference()
        if old is not None:
            key = await self._registry.forced(new, old)
            found = Difference(changes=bool(key) or not equal(old.inputs, new.inputs), keys=(key,) if key else ())
        self._plan(new, goal, old, old)
        await self._settle(new, goal, old, None, found)

    async def _provider(self, new: Resource, goal: Goal, old: Resource | None) -> None:
        """A provider resource: its inputs are its configuration, its id is ours."""
        context, steps = self._context, self._steps
        context.providers.refuse([new.type])
        provider = await context.providers.for_config(new.urn, urns.package_of(new.type))
        before = {key: value for key, value in (old.inputs if old else {}).items() if key != "__internal"}
        checked = await steps.ask(provider.check_config(new.urn, before, goal.inputs))
        if checked is not None:
            new.inputs = {**checked, "__internal": {}}
        config = checked if checked is not None else goal.inputs
        self._plan(new, goal, old, old)
        found = Difference()
        if old is not None:
            key = await self._registry.forced(new, old)
            answer = DiffAnswer(changes=True, replaces=(key,)) if key else await steps.ask(provider.diff_config(new.urn, old, config))
            found = planner.difference(answer, before, config, goal.replace_on_changes)
            if answer.changes is None:
                # As with the CLI: what a provider cannot tell of its own configuration is not told.
                found = dataclasses.replace(found, diffs=(), detailed={}, input_diffs=frozenset())
        await self._settle(new, goal, old, None, found)

    async def _custom(self, new: Resource, goal: Goal, old: Resource | None, provider: Provider) -> None:
        registry, steps = self._registry, self._steps
        if old is not None and registry.half_done(new, old):
            old = await reading.back(self._context, steps, provider, old)
        imported = importing.wanted(goal, old)
        if imported:
            former = None if registry.recreating(new, old) else old
            registry.replaced.update({new.urn} if former is not None else ())
            old = await importing.bring_in(self._context, steps, provider, new, former)
        found = await self._checked(new, goal, old, provider)
        await self._settle(new, goal, old, provider, found, imported=imported)

    async def _checked(self, new: Resource, goal: Goal, old: Resource | None, provider: Provider) -> Difference:
        """Check and Diff: the inputs of ``new`` are set, and how they differ is returned."""
        registry, steps = self._registry, self._steps
        recreating = registry.recreating(new, old)
        base = None if old is None or recreating or old.external else old
        key = await registry.forced(new, base) if base is not None else ""
        known = None if key == "id" else base
        inputs, unreachable = planner.prepare_inputs(goal.inputs, known, goal.ignore_changes)
        if unreachable:
            self._context.reporter.diagnostic("info", t("engine.cannot_ignore", paths=", ".join(unreachable)), new.urn)
        seed = self._context.seed(new.urn)
        new.inputs = await steps.ask(provider.check(new.urn, known.inputs if known else None, inputs, seed))
        self._plan(new, goal, old, known)
        if base is None:
            return Difference()
        if key:
            return Difference(changes=True, keys=(key,))
        if planner.triggered(new.replacement_trigger, base.replacement_trigger):
            return Difference(changes=True)
        answer = await steps.ask(provider.diff(new.urn, base, new.inputs, goal.ignore_changes))
        if answer.unavailable:
            self._context.reporter.diagnostic("warning", answer.unavailable, new.urn)
        return planner.difference(answer, base.inputs, new.inputs, goal.replace_on_changes, init_errors=bool(base.init_errors))

    async def _settle(
        self, new: Resource, goal: Goal, old: Resource | None, provider: Provider | None, found: Difference, *, imported: bool = False
    ) -> None:
        decision = planner.decide(new, old, found, self._registry.situation(goal, new, old))
        if not self._registry.failed.isdisjoint(new.needs()):
            # What it depends on failed: it was checked, and that is all.
            raise StepError
        self._refuse_blocked(new, old)
        if decision.operation == "replace" and old is not None:
            self._refuse_replacement(new, goal, old, decision)
            if provider is not None and found.keys != ("id",) and not old.external:
                # The replacement is a new object: its defaults are computed without the old one.
                seed = self._context.seed(new.urn)
                new.inputs = await self._steps.ask(provider.check(new.urn, None, goal.inputs, seed))
        await self._perform(new, old, provider, decision, imported=imported)

    def _refuse_blocked(self, new: Resource, old: Resource | None) -> None:
        """Raise PlanError when ``new`` needs something new that the run is not about, or that needs it by what stays recorded.

        A preview only tells.
        """
        missing = sorted(new.needs() & self._registry.skipped) if self._registry.targets.limited else []
        for urn in missing[:1]:
            self._tell(t("engine.not_targeted", urn=new.urn, missing=urn), new.urn)
        if self._registry.targets.limited and old is not None:
            for urn in sorted(new.needs() - old.needs()):
                if self._registry.recorded_as_needing(urn, old.urn):
                    # The CLI records such a circle, and refuses the state from then on.
                    self._tell(t("engine.target_circle", urn=new.urn, other=urn), new.urn)
                    break

    def _refuse_replacement(self, new: Resource, goal: Goal, old: Resource, decision: Decision) -> None:
        if planner.may_not_replace(new, old, decision):
            self._tell(t("engine.protected_replace", urn=new.urn), new.urn)
        if goal.import_id:
            changes = [f"{key}: {mask(old.inputs.get(key))} => {mask(new.inputs.get(key))}" for key in decision.difference.keys]
            text = "\n".join([t("engine.imported_replace"), *changes])
            if not self._context.dry:
                raise PlanError(text)
            self._context.reporter.diagnostic("warning", text, new.urn)

    def _tell(self, text: str, urn: str) -> None:
        if not self._context.dry:
            raise PlanError(text)
        # A preview goes on, so that all problems are told at once.
        self._context.reporter.plan_error(text, urn)

    async def _perform(self, new: Resource, old: Resource | None, provider: Provider | None, decision: Decision, *, imported: bool) -> None:
        if decision.operation == "same" and old is not None:
            if imported:
                self._record_same(new, old)
            else:
                self._same(new, old)
            return
        if self._context.halted and not self._context.dry:
            raise HaltedError
        if decision.operation == "update" and old is not None:
            await self._update(new, old, provider, decision.difference)
        elif decision.operation == "replace" and old is not None:
            await self._replacer.replace(new, old, provider, decision)
        elif old is not None and self._registry.recreating(new, old):
            await self._replacer.recreate(new, old, provider)
        else:
            await self._create(new, provider)

    def _same(self, new: Resource, old: Resource) -> None:
        new.created, new.modified = old.created, old.modified
        step = self._context.reporter.start("same", new, old)
        self._record_same(new, old)
        self._end(step, new)

    def _record_same(self, new: Resource, old: Resource) -> None:
        snapshot = self._context.snapshot
        new.id, new.created, new.modified = old.id, old.created, old.modified
        new.outputs = finished(new, old.outputs)
        new.extra = old.extra
        if planner.must_write(old, new):
            snapshot.replace(old, new)
        else:
            snapshot.adopt(old, new)

    async def _create(self, new: Resource, provider: Provider | None) -> None:
        if provider is not None:
            async with self._steps.performing("create", new):
                await self._steps.create(provider, new, replaces=None, keep_old=False)
            return
        step = self._context.reporter.start("create", new)
        settle_provider(self._context, new)
        self._context.snapshot.put(new)
        self._end(step, new)

    async def _update(self, new: Resource, old: Resource, provider: Provider | None, found: Difference) -> None:
        new.created = old.created
        if provider is not None:
            async with self._steps.performing("update", new, old, found):
                await self._steps.update(provider, old, new)
            return
        if old.is_provider:
            self._context.providers.forget(old)
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
            self.open_components[new.urn] = step
