"""What a resource type of this provider is: the interface between the protocol and the nouns."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Any

from yiwang.messages import t


@dataclass(frozen=True)
class Problem:
    """A finding about one input property."""

    key: str
    reason: str


@dataclass(frozen=True)
class Change:
    """The answer of a comparison: changed properties (top level), those that force a replacement, and exact paths.

    ``delete_first``: in a replacement, whatever asked for it, the old object goes before the new one is made.
    """

    keys: tuple[str, ...]
    replaces: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    delete_first: bool = False


@dataclass(frozen=True)
class Answer:
    """A made resource: its id and its outputs."""

    id: str
    outputs: dict[str, Any] = field(default_factory=dict)


class PartialFailure(Exception):  # noqa: N818 - not an error alone: a part has succeeded and must be recorded
    """The resource exists, a part of the work failed. The engine saves ``outputs`` and tries again next time."""

    def __init__(self, text: str, identifier: str, outputs: dict[str, Any]) -> None:
        super().__init__(text)
        self.text = text
        self.identifier = identifier
        self.outputs = outputs


class Resource(abc.ABC):
    """One resource type. Property maps hold ``Secret`` and ``UNKNOWN`` (see ``values``).

    The methods that do something raise UserError for people and PartialFailure for work that is half done.
    """

    @abc.abstractmethod
    def check(self, inputs: dict[str, Any]) -> list[Problem]:
        """What is wrong with the inputs; nothing, when empty."""

    @abc.abstractmethod
    def diff(self, old_inputs: dict[str, Any], olds: dict[str, Any], news: dict[str, Any]) -> Change:
        """What would change; nothing, when its keys are empty."""

    @abc.abstractmethod
    async def create(self, news: dict[str, Any], *, preview: bool) -> Answer:
        """Make it, or say what is known about it beforehand."""

    @abc.abstractmethod
    async def update(self, old_inputs: dict[str, Any], olds: dict[str, Any], news: dict[str, Any], *, preview: bool) -> dict[str, Any]:
        """Change it, or say what is known about it beforehand; the new outputs."""

    async def read(self, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - for those that can look
        """The outputs as they are in the world now. By default what the state says: there is nothing to look at."""
        return olds

    async def delete(self, inputs: dict[str, Any], olds: dict[str, Any]) -> None:  # noqa: ARG002 - for those that do something
        """Remove it; again, when asked again. By default there is nothing outside the state."""
        return


def known_keys(inputs: dict[str, Any], allowed: frozenset[str]) -> list[Problem]:
    """A problem for each input that does not exist."""
    return [Problem(key, t("provider.unknown_key", key=key, allowed=", ".join(sorted(allowed)))) for key in inputs if key not in allowed]
