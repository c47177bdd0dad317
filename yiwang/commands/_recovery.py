"""What the verbs of backups have alike: a session, the parts, what came of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from yiwang.deployment.recovery import Done, Part, Recovery, parts
from yiwang.deployment.session import session
from yiwang.errors import ExitCode
from yiwang.messages import t
from yiwang.output import Console

ComponentOption = Annotated[str | None, typer.Option("--component", metavar="COMPONENT", help=t("recovery.component"), show_default=False)]


def run(
    verb: str,
    directory: Path,
    console: Console,
    sites: list[str] | None,
    component: str | None,
    engine_name: str,
    ask: Callable[[Recovery, list[Part]], Awaitable[list[Done]]],
) -> list[Done]:
    """Ask the parts of the selected sites."""
    with session(verb, directory, console, sites, engine_name=engine_name) as work:
        chosen = parts(work, component)
        return work.do(work.run(), lambda: ask(Recovery(work), chosen))


def finish(console: Console, done: list[Done], describe: Callable[[Done], str]) -> int:
    """Say what came of it; returns the exit code."""
    good = [each for each in done if each.error is None]
    console.result({"parts": [each.record() for each in done]}, "\n".join(describe(each) for each in good))
    for each in done:
        if each.error is not None:
            console.error(f"{each.part.site}: {each.error.report()}")
    console.info(t("deployment.elapsed", seconds=round(console.elapsed(), 1)))
    codes = {each.error.code for each in done if each.error is not None}
    return ExitCode.OK if not codes else codes.pop() if len(codes) == 1 else ExitCode.FAILED
