"""A provider that knows nothing: for providers whose configuration is not known yet, and for looking at a program only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pulumi.runtime.proto import provider_pb2 as pb

from yiwang.engine.client import Failures, Reading
from yiwang.engine.planner import DiffAnswer
from yiwang.engine.resource import Resource
from yiwang.engine.values import Properties
from yiwang.messages import t


class Blank:
    """Accepts every input and leaves every output unknown. Never used where something is made.

    ``echo``: the inputs are outputs, so that more of a program can be looked at.
    """

    previews = True

    def __init__(self, *, echo: bool = False) -> None:
        self._echo = echo

    async def check_config(self, urn: str, old: Properties, new: Properties) -> Properties | None:
        """No opinion."""
        del urn, old, new
        return None

    async def diff_config(self, urn: str, old: Resource, new: Properties) -> DiffAnswer:
        """No opinion."""
        del urn, old, new
        return DiffAnswer()

    async def check(self, urn: str, old: Properties | None, new: Properties, seed: bytes) -> Properties:
        """The inputs as they are."""
        del urn, old, seed
        return new

    async def diff(self, urn: str, old: Resource, new_inputs: Properties, ignore: Sequence[str]) -> DiffAnswer:
        """Something differs, for all that can be known."""
        del urn, old, new_inputs, ignore
        return DiffAnswer() if self._echo else DiffAnswer(changes=True, unavailable=t("engine.unknown_config"))

    async def create(self, new: Resource, *, preview: bool) -> tuple[str, Properties]:
        """No outputs."""
        _only(preview)
        return "", dict(new.inputs) if self._echo else {}

    async def update(self, old: Resource, new: Resource, *, preview: bool) -> Properties:
        """No outputs."""
        del old
        _only(preview)
        return dict(new.inputs) if self._echo else {}

    async def delete(self, old: Resource) -> None:
        """Never asked."""
        del old
        _only(preview=False)

    async def read(self, urn: str, id_: str, inputs: Properties | None, outputs: Properties | None, *, seconds: float = 0) -> Reading:
        """Nothing is known of it but what is recorded."""
        del urn, seconds
        return Reading(id_, outputs or {}, inputs or {})

    async def invoke(self, token: str, args: Properties, *, preview: bool) -> tuple[Properties, Failures]:
        """Nothing."""
        del token, args
        _only(preview)
        return {}, []

    async def call(self, question: Any) -> Any:
        """Nothing."""
        del question
        return pb.CallResponse()


def _only(preview: bool) -> None:
    if not preview:
        raise AssertionError("a provider without configuration was asked to change something")
