"""The embedded engine (``yiwang.engine``) behind the interface of both: in this process, on the state under ``state_dir``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yiwang import engine
from yiwang.deployment.engines.interface import OnEvent
from yiwang.engine import exported
from yiwang.engine.lock import Lock


class EmbeddedEngine:
    """The default."""

    foresees = True

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def preview(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await engine.preview(stack, options, on_event)

    async def up(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await engine.up(stack, options, on_event)

    async def destroy(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """See ``Engine``."""
        return await engine.destroy(stack, options, on_event)

    def stacks(self) -> list[engine.state.Summary]:
        """See ``Engine``."""
        return engine.state.stacks(self._state_dir)

    def outputs(self, stack: engine.Stack, *, show_secrets: bool = False) -> dict[str, Any]:
        """See ``Engine``."""
        return engine.state.outputs(stack, show_secrets=show_secrets)

    def resources(self, stack: engine.Stack) -> list[engine.state.Recorded]:
        """See ``Engine``."""
        return engine.state.resources(stack)

    def locks(self, stack: engine.Stack) -> list[Lock]:
        """See ``Engine``."""
        return engine.state.locks(stack)

    def unlock(self, stack: engine.Stack, locks: Iterable[Lock]) -> list[Lock]:
        """See ``Engine``."""
        return engine.state.unlock(stack, locks)

    def export(self, stack: engine.Stack) -> dict[str, Any]:
        """See ``Engine``."""
        return exported.export(stack)

    def take(self, stack: engine.Stack, document: dict[str, Any], where: str) -> None:
        """See ``Engine``."""
        exported.take(stack, document, where)
