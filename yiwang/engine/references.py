"""The builtin package ``pulumi``: StackReference, which reads the outputs of another stack of the same backend."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yiwang.engine import journal
from yiwang.engine.client import Failures, ProviderError, Reading
from yiwang.engine.planner import DiffAnswer
from yiwang.engine.resource import Resource
from yiwang.engine.store import recorded
from yiwang.engine.urn import STACK_TYPE
from yiwang.engine.values import UNKNOWN, Properties, has_secret
from yiwang.messages import t


class Builtin:
    """The provider of package ``pulumi``. ``overlay``: outputs that previews use in place of what is recorded."""

    previews = True

    def __init__(self, backend: Path, project: str, passphrase: str, overlay: Mapping[str, Mapping[str, Any]], *, dry: bool) -> None:
        self._backend = backend
        self._project = project
        self._passphrase = passphrase
        self._overlay = overlay
        self._dry = dry

    async def check_config(self, urn: str, old: Properties, new: Properties) -> Properties | None:
        """Nothing to configure."""
        del urn, old
        return new

    async def diff_config(self, urn: str, old: Resource, new: Properties) -> DiffAnswer:
        """Nothing to configure."""
        del urn, old, new
        return DiffAnswer(changes=False)

    async def check(self, urn: str, old: Properties | None, new: Properties, seed: bytes) -> Properties:
        """References are read, not made."""
        del urn, old, seed
        return new

    async def diff(self, urn: str, old: Resource, new_inputs: Properties, ignore: Sequence[str]) -> DiffAnswer:
        """References are read, not made."""
        del urn, old, new_inputs, ignore
        return DiffAnswer(changes=False)

    async def create(self, new: Resource, *, preview: bool) -> tuple[str, Properties]:
        """References are read, not made."""
        del preview
        raise ProviderError(t("engine.unavailable", what=new.type))

    async def update(self, old: Resource, new: Resource, *, preview: bool) -> Properties:
        """References are read, not made."""
        del old, preview
        raise ProviderError(t("engine.unavailable", what=new.type))

    async def delete(self, old: Resource) -> None:
        """Nothing of its own exists."""

    async def invoke(self, token: str, args: Properties, *, preview: bool) -> tuple[Properties, Failures]:
        """It has none of its own; what a program asks of its own resources, the run answers."""
        del args, preview
        raise ProviderError(t("engine.unavailable", what=t("engine.what_function", name=token)))

    async def call(self, question: Any) -> Any:
        """It has none."""
        raise ProviderError(t("engine.unavailable", what=t("engine.what_method", name=question.tok)))

    async def read(self, urn: str, id_: str, inputs: Properties | None, outputs: Properties | None, *, seconds: float = 0) -> Reading:
        """The outputs of the stack ``id_`` names; unknown in a preview when there is no such stack yet."""
        del urn, outputs, seconds
        inputs = inputs or {}
        name = str(inputs.get("name") or id_)
        store = recorded(self._backend, name, self._project)
        found: Mapping[str, Any] | None = self._overlay.get(store.full_name) if self._dry else None
        if found is None and store.exists():
            deployment = (await asyncio.to_thread(journal.load, store, self._passphrase)).deployment
            found = next((state.outputs for state in deployment.resources if state.type == STACK_TYPE), None)
        if found is None and not self._dry:
            raise ProviderError(t("engine.unknown_stack", name=name))
        if found is None:
            return Reading(id_, {"name": name, "outputs": UNKNOWN, "secretOutputNames": UNKNOWN}, inputs)
        names = sorted(key for key, value in found.items() if has_secret(value))
        return Reading(id_, {"name": name, "outputs": dict(found), "secretOutputNames": names}, inputs)
