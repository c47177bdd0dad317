"""A provider that knows nothing: for providers whose configuration is not known yet, and for looking at a program only."""

from __future__ import annotations

from collections.abc import Sequence

from yiwang.engine.client import Reading
from yiwang.engine.planner import DiffAnswer
from yiwang.engine.resource import Resource
from yiwang.engine.values import Properties


class Blank:
    """Accepts every input and leaves every output unknown. Never used where something is made."""

    previews = True

    async def check_config(self, urn: str, old: Properties, new: Properties) -> Properties | None:
        """No opinion."""
        del urn, old, new
        return None

    async def diff_config(self, urn: str, old: Resource, new: Properties) -> DiffAnswer:
        """No opinion."""
        del urn, old, new
        return DiffAnswer()

    async def check(self, urn: str, old: Properties | None, new: Properties) -> Properties:
        """The inputs as they are."""
        del urn, old
        return new

    async def diff(self, urn: str, old: Resource, new_inputs: Properties, ignore: Sequence[str]) -> DiffAnswer:
        """No opinion."""
        del urn, old, new_inputs, ignore
        return DiffAnswer()

    async def create(self, new: Resource, *, preview: bool) -> tuple[str, Properties]:
        """The inputs as outputs."""
        _only(preview)
        return "", dict(new.inputs)

    async def update(self, old: Resource, new: Resource, *, preview: bool) -> Properties:
        """The inputs as outputs."""
        del old
        _only(preview)
        return dict(new.inputs)

    async def delete(self, old: Resource) -> None:
        """Never asked."""
        del old
        _only(preview=False)

    async def read(self, urn: str, id_: str, inputs: Properties, outputs: Properties) -> Reading:
        """Nothing is known of it but what is recorded."""
        del urn
        return Reading(id_, outputs, inputs)


def _only(preview: bool) -> None:
    if not preview:
        raise AssertionError("a provider without configuration was asked to change something")
