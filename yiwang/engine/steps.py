"""The steps that reach a provider: create, update, delete, read back. Each is durable before and recorded after.

The order in the journal is: begin (on the disk before the provider is called), then the new state and done as one line. A
kill leaves either the old state with a pending operation, or the new state.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from yiwang.engine.client import InitError, Provider, ProviderError, ProviderGoneError
from yiwang.engine.context import Context, HaltedError, StepError
from yiwang.engine.planner import Difference, without_call
from yiwang.engine.resource import Resource, now
from yiwang.engine.values import Properties, is_secret, secret
from yiwang.messages import t

T = TypeVar("T")
# Steps that change nothing.
_LOOKING = frozenset({"read", "refresh"})


@dataclass
class Outcome:
    """What a step came to, where its name does not say it: ``same``, ``update`` or ``delete`` of a refresh."""

    text: str = ""


class Steps:
    """Performs single steps on the snapshot of a run."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @asynccontextmanager
    async def performing(
        self,
        op: str,
        resource: Resource,
        old: Resource | None = None,
        found: Difference | None = None,
        *,
        in_flight: bool = False,
        count: bool = True,
    ) -> AsyncIterator[Outcome]:
        """One reported step in one of the run's slots. ``in_flight``: it counts as begun, a failure elsewhere does not stop it.

        The block may say what came out of it (``count``: and it is counted as that).
        Raises HaltedError when nothing new is to start, StepError when the provider failed in the block.
        """
        async with self._context.slots:
            if not self._context.dry and op not in _LOOKING:
                await self._context.gate.passed()
            if self._context.options.control.cancelled or (self._context.halted and not in_flight):
                raise HaltedError
            step = self._context.reporter.start(op, resource, old, found)
            outcome = Outcome()
            try:
                yield outcome
            except ProviderError as error:
                self._context.reporter.finish(step, error=describe(error))
                raise StepError from error
            self._context.reporter.finish(step, new_id=resource.id, outcome=outcome.text if count else "", count=count)

    async def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Await a provider's answer in one of the run's slots."""
        try:
            async with self._context.slots:
                return await question
        finally:
            # One that was given up while it waited for a slot was never asked.
            question.close()

    async def create(self, provider: Provider, new: Resource, *, replaces: Resource | None, keep_old: bool) -> None:
        """Make the object of ``new`` and record it. To be called in a step, as are the others.

        ``replaces``: the state whose place it takes; with ``keep_old`` that one stays, marked for deletion.
        Raises InitError (recorded with its reasons), ProviderError (nothing recorded), HaltedError.
        """
        snapshot = self._context.snapshot
        if self._context.dry:
            _, outputs = await provider.create(new, preview=True) if provider.previews else ("", dict(new.inputs))
            new.id, new.outputs = "", finished(new, outputs)
            self.place(new, replaces, keep_old=keep_old)
            return
        async with self._recorded("creating", new) as answered:
            try:
                new.id, outputs = await provider.create(new, preview=False)
            except InitError as error:
                new.id = error.id
                _keep_partial(new, error)
                new.created = new.modified = now()
                with answered():
                    self.place(new, replaces, keep_old=keep_old)
                raise
            new.outputs = finished(new, outputs)
            # When it was there, not when it was begun.
            new.created = new.modified = now()
            with answered():
                self.place(new, replaces, keep_old=keep_old)
                snapshot.settle(new.urn)

    def place(self, new: Resource, replaces: Resource | None, *, keep_old: bool) -> None:
        """Record ``new`` in the place of ``replaces``, or beside it."""
        snapshot = self._context.snapshot
        if replaces is None or replaces not in snapshot:
            snapshot.put(new)
            return
        # All or none: with half of it the next run would see what refers to the old one, or was to follow it, otherwise.
        with snapshot.together():
            if not self._context.limited:
                snapshot.taint_followers({replaces.urn, new.urn})
            if keep_old:
                replaces.delete = True
                snapshot.put(replaces)
                snapshot.put(new)
                snapshot.rename(replaces.urn, new.urn, kept=True)
            else:
                snapshot.replace(replaces, new)

    async def update(self, provider: Provider, old: Resource, new: Resource) -> None:
        """Change the object from ``old`` to ``new`` and record it. Raises as ``create`` does."""
        snapshot = self._context.snapshot
        new.id = old.id
        if self._context.dry:
            outputs = await provider.update(old, new, preview=True) if provider.previews else dict(new.inputs)
            new.outputs = finished(new, outputs)
            snapshot.replace(old, new)
            return
        async with self._recorded("updating", old) as answered:
            try:
                outputs = await provider.update(old, new, preview=False)
            except InitError as error:
                _keep_partial(new, error)
                # The old inputs stay, so that the next run sees the whole difference again.
                new.inputs, new.modified = old.inputs, now()
                with answered():
                    snapshot.replace(old, new)
                raise
            new.outputs, new.modified = finished(new, outputs), now()
            with answered():
                snapshot.replace(old, new)
                snapshot.settle(new.urn)

    async def delete(self, provider: Provider | None, old: Resource, *, going: set[str], pending_replacement: bool = False) -> None:
        """Remove the object of ``old`` and its state; with ``pending_replacement`` the state stays until it is made again.

        ``going``: the URNs that are deleted in this run. ``provider`` may be None where none is needed.
        """
        if self._context.dry or provider is None or without_call(old, going):
            self._remove(old, pending_replacement=pending_replacement)
            return
        async with self._recorded("deleting", old) as answered:
            await provider.delete(old)
            with answered():
                self._remove(old, pending_replacement=pending_replacement)
                self._context.snapshot.settle(old.urn)

    @asynccontextmanager
    async def _recorded(self, kind: str, resource: Resource) -> AsyncIterator[Callable[[], AbstractContextManager[None]]]:
        """The operation is pending on the disk before the block runs, and done when the provider has answered, however.

        What an answer changes is recorded inside what the block is given: it and the end of the operation are one line.
        The operation stays pending when there was no answer: the provider died, or the run is given up.
        """
        snapshot = self._context.snapshot
        number = await snapshot.begin(kind, resource)
        recorded = False

        @contextmanager
        def answered() -> Iterator[None]:
            nonlocal recorded
            with snapshot.together():
                yield
                snapshot.done(number)
            recorded = True

        try:
            yield answered
        except ProviderGoneError:
            raise
        except ProviderError:
            if not recorded:
                snapshot.done(number)
            raise

    def _remove(self, old: Resource, *, pending_replacement: bool) -> None:
        if pending_replacement:
            old.pending_replacement = True
            self._context.snapshot.put(old)
        else:
            self._context.snapshot.drop(old)


def finished(new: Resource, outputs: Properties) -> Properties:
    """Outputs with those marked that the program wants secret, and those that repeat a secret input."""
    wanted = {*new.additional_secret_outputs, *(key for key, value in new.inputs.items() if is_secret(value))} - {"id"}
    if wanted.isdisjoint(outputs):
        return outputs
    return {key: secret(value) if key in wanted else value for key, value in outputs.items()}


def _keep_partial(new: Resource, error: InitError) -> None:
    """A partial failure: what exists, and why it is not ready."""
    new.outputs, new.init_errors = finished(new, error.outputs), error.reasons
    new.inputs = error.inputs or new.inputs


def describe(error: BaseException) -> str:
    """An error as the diagnostic of its step."""
    if isinstance(error, InitError):
        lines = "".join(f"\t* {reason}\n" for reason in error.reasons)
        return f"{t('engine.one_error' if len(error.reasons) == 1 else 'engine.errors', count=len(error.reasons))}\n{lines}\n"
    return str(error) or type(error).__name__
