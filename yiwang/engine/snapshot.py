"""The state of a stack during a run: the recorded resources, what replaced them, and what is under way.

Every change goes through here and into the journal. A dry run has no journal and writes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from yiwang.engine import checkpoint
from yiwang.engine.checkpoint import Deployment, Pending
from yiwang.engine.journal import Journal
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource
from yiwang.engine.store import Store
from yiwang.errors import UserError


class Snapshot:
    """A deployment that changes. ``dry``: changes stay in memory."""

    def __init__(self, store: Store, base: Deployment, secrets: Manager, *, dry: bool, digest: str) -> None:
        self._store = store
        self._secrets = secrets
        self._base = base
        self._states: dict[int, Resource] = dict(enumerate(base.resources))
        self._numbers: dict[int, int] = {id(resource): number for number, resource in self._states.items()}
        self._next = len(self._states)
        # URN -> the numbers of states that need it, or did.
        self._users: dict[str, set[int]] | None = None
        self._recorded: dict[int, Pending] = dict(enumerate(base.pending))
        self._running: dict[int, Pending] = {}
        self._group: list[dict[str, Any]] | None = None
        self._began = 0
        # States tainted by this run, which are all alive as long as it: they are in the deployment or in ``claim``'s hands.
        self.tainted: set[int] = set()
        self._journal = None if dry else Journal(store.journal_path, {"base": digest, "secrets": secrets.state})
        if not dry:
            store.prepare()

    def __iter__(self) -> Iterator[Resource]:
        """All states, the recorded ones first."""
        return iter(list(self._states.values()))

    def __contains__(self, resource: object) -> bool:
        """Whether this very state is still part of the deployment."""
        return id(resource) in self._numbers

    @property
    def pending(self) -> list[Pending]:
        """Operations an earlier run left unfinished and this one has not settled."""
        return list(self._recorded.values())

    @property
    def began(self) -> bool:
        """Whether an operation on a real object began in this run."""
        return self._began > 0

    def put(self, resource: Resource) -> None:
        """Add a state, or record the change of one."""
        number = self._numbers.get(id(resource))
        if number is None:
            number, self._next = self._next, self._next + 1
            self._numbers[id(resource)] = number
        self._states[number] = resource
        self._index(number, resource)
        self._log({"put": number}, resource)

    def replace(self, old: Resource, new: Resource) -> None:
        """Put ``new`` in the place of ``old``, which is no part of the deployment any more."""
        with self.together():
            self.adopt(old, new)
            self._log({"put": self._numbers[id(new)]}, new)

    def adopt(self, old: Resource, new: Resource) -> None:
        """As ``replace``, for a new state that says the same: nothing is written."""
        # Only living states have numbers: Python gives the identity of a dead object to another.
        number = self._numbers.pop(id(old))
        self._numbers[id(new)] = number
        self._states[number] = new
        self._index(number, new)
        self.rename(old.urn, new.urn)

    def rename(self, former: str, urn: str, *, kept: bool = False) -> None:
        """Let everything that refers to ``former`` refer to ``urn``: what an alias found has its new name from now on.

        ``kept``: a replaced state keeps the former name until it is deleted, and what goes with it too.
        """
        if former == urn:
            return
        for entry in self._recorded.values():
            if entry.resource.urn == former:
                entry.resource.urn = urn
        for resource in self._using(former):
            if not (kept and resource.delete):
                resource.rename(former, urn, provider=not kept)
                self.put(resource)

    def _using(self, *urns: str) -> list[Resource]:
        """The states that need one of ``urns``, in their order. Found by an index, which is made at the first question."""
        if self._users is None:
            self._users = {}
            for number, resource in self._states.items():
                self._index(number, resource)
        numbers = {number for urn in urns for number in self._users.get(urn, ())}
        found = (self._states[number] for number in sorted(numbers) if number in self._states)
        # What a state needed once may have changed since.
        return [resource for resource in found if not resource.needs().isdisjoint(urns)]

    def _index(self, number: int, resource: Resource) -> None:
        if self._users is not None:
            for need in resource.needs():
                self._users.setdefault(need, set()).add(number)

    def taint_followers(self, replaced: set[str]) -> None:
        """Note that what is replaced with, or deleted with, an object that was replaced now is to be replaced too.

        This run does so when they are registered; should it end before, the next one cannot know it otherwise.
        """
        for resource in self._using(*replaced):
            if not resource.delete and not resource.taint and not replaced.isdisjoint({resource.deleted_with, *resource.replace_with}):
                resource.taint = True
                self.tainted.add(id(resource))
                self.put(resource)

    def drop(self, resource: Resource) -> None:
        """Remove a state, where it is there."""
        number = self._numbers.pop(id(resource), None)
        if number is not None:
            del self._states[number]
            self._log({"drop": number})

    async def begin(self, kind: str, resource: Resource) -> int:
        """Record that an operation begins; durable when this returns. The number is for ``done``."""
        self._began += 1
        number = self._began
        self._running[number] = Pending(kind, resource)
        self._log({"begin": number, "type": kind}, resource)
        try:
            await self.flush()
        except Exception:
            # It does not begin.
            del self._running[number]
            raise
        return number

    def done(self, number: int) -> None:
        """Record that an operation ended; what it changed is to be recorded before. It is on its way to the disk at once."""
        del self._running[number]
        self._log({"done": number})
        if self._journal is not None:
            self._journal.flush_soon()

    def settle(self, urn: str) -> None:
        """Forget the pending operations of earlier runs on a URN."""
        self._forget(lambda entry: entry.resource.urn == urn)

    def forget_creates(self) -> None:
        """Forget the creates of earlier runs that did not end."""
        self._forget(lambda entry: entry.type == "creating")

    def _forget(self, wanted: Callable[[Pending], bool]) -> None:
        for number, entry in list(self._recorded.items()):
            if wanted(entry):
                del self._recorded[number]
                self._log({"forget": number})

    async def flush(self) -> None:
        """Make everything recorded so far durable."""
        if self._journal is not None:
            await self._journal.flush()

    async def fold(self) -> None:
        """Write the checkpoint and forget the journal; nothing is written when nothing changed."""
        if self._journal is None or not self._journal.used:
            return
        pending = [*self._recorded.values(), *self._running.values()]
        deployment = Deployment(list(self._states.values()), pending, self._secrets.state, self._base.extra)
        text = checkpoint.dump(deployment, self._secrets, self._store.full_name)
        # A kill after the rename below is told from one before it by this line. Where the journal cannot be written, the
        # checkpoint may still be: what happened is known only here.
        self._journal.append({"folded": hashlib.sha256(text.encode()).hexdigest()})
        with contextlib.suppress(UserError):
            await self._journal.flush()
        await asyncio.to_thread(self._store.write, text)
        self._journal.close()
        self._store.remove_journal()

    def close(self) -> None:
        """Let go of the journal's file."""
        if self._journal is not None:
            self._journal.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is recorded inside is one line of the journal: a kill leaves all of it or nothing."""
        if self._group is not None:
            yield
            return
        self._group = []
        try:
            yield
        finally:
            group, self._group = self._group, None
            if group and self._journal is not None:
                self._journal.append({"together": group})

    def _log(self, line: dict[str, Any], resource: Resource | None = None) -> None:
        if self._journal is None:
            return
        if resource is not None:
            line["resource"] = checkpoint.encode_resource(resource, self._secrets)
        if self._group is not None:
            self._group.append(line)
        else:
            self._journal.append(line)
