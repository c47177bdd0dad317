"""The interface of both engines: the operations on a stack, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from yiwang import engine
from yiwang.engine.lock import Lock
from yiwang.errors import ExitCode, UserError
from yiwang.inventory.model import Province
from yiwang.messages import t

EMBEDDED = "embedded"
PULUMI = "pulumi"
NAMES = (EMBEDDED, PULUMI)

OnEvent = Callable[[Any], None]


class Engine(Protocol):
    """Runs stacks, and tells what is recorded of them.

    ``foresees``: a preview can be given the outputs that previews of other stacks would make (``Options.references``), so that
    all sites can be planned before anything exists.
    """

    foresees: bool

    async def preview(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """What ``up`` would do."""

    async def up(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """Bring a stack to what its program says."""

    async def destroy(self, stack: engine.Stack, options: engine.Options, on_event: OnEvent) -> engine.Result:
        """Take a stack's resources away."""

    def stacks(self) -> list[engine.state.Summary]:
        """Every recorded stack."""

    def outputs(self, stack: engine.Stack, *, show_secrets: bool = False) -> dict[str, Any]:
        """What a stack exports; secrets as ``[secret]`` unless ``show_secrets``. Empty when it is not up."""

    def resources(self, stack: engine.Stack) -> list[engine.state.Recorded]:
        """What is recorded of a stack, each after what it depends on. Empty when it is not up."""

    def locks(self, stack: engine.Stack) -> list[Lock]:
        """Who keeps others off a stack, as far as it can be told."""

    def unlock(self, stack: engine.Stack, locks: Iterable[Lock]) -> list[Lock]:
        """Let go of ``locks``, whoever holds them; returns those that are gone."""

    def export(self, stack: engine.Stack) -> dict[str, Any]:
        """The recorded deployment as ``pulumi stack export`` has it, secrets encrypted. Raises UserError when there is none."""

    def take(self, stack: engine.Stack, document: dict[str, Any], where: str) -> None:
        """Record what ``export`` gives in place of what is recorded. Raises UserError naming ``where`` when it does not fit."""


def choose(province: Province, name: str = EMBEDDED) -> Engine:
    """The engine by name. The CLI is never chosen by itself: somebody has to ask for it.

    Raises UserError for a name that is none, and where only the CLI can reach the state.
    """
    if name == PULUMI:
        from yiwang.deployment.engines.cli import CliEngine  # noqa: PLC0415 - the Automation API is loaded only when it is asked for

        return CliEngine(province)
    if name != EMBEDDED:
        raise UserError(t("deployment.no_engine", name=name), code=ExitCode.INPUT, fix=t("deployment.known", names=", ".join(NAMES)))
    if province.state_backend is not None:
        text = t("deployment.foreign_backend", backend=province.state_backend)
        raise UserError(text, code=ExitCode.INPUT, fix=t("deployment.foreign_backend_fix"))
    from yiwang.deployment.engines.embedded import EmbeddedEngine  # noqa: PLC0415

    return EmbeddedEngine(province.state_dir)
