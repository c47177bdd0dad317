"""``cancel``: who holds a stack is asked to stop, and its locks go."""

from __future__ import annotations

import sys

from yiwang.engine import lock
from yiwang.engine.commandline.arguments import Call
from yiwang.engine.commandline.failure import Code, CommandError
from yiwang.engine.commandline.place import Place, out
from yiwang.engine.commandline.stack import confirm_removal
from yiwang.engine.commandline.workspace import Workspace
from yiwang.messages import t
from yiwang.output import say


def cancel(call: Call, workspace: Workspace) -> int:
    """``cancel``: a run on this machine is stopped as Ctrl-C does; then all locks of the stack go, whoever holds them."""
    place = Place.of(call, workspace, call.arguments[0] if call.arguments else "")
    if not call.given("yes") and sys.stdin.isatty() and not call.given("non-interactive"):
        confirm_removal(call, f"This will irreversibly cancel the currently running update for '{place.name}'!", place.name)
    found = place.store.locks()
    for holder in found:
        # Two runs on one stack would each record what the other does not know of.
        if holder.alive:
            say(sys.stderr, t("pulumi.cancelling", holder=holder.describe()))
            _stop(holder)
    # Not those of who came in as soon as the stack was free.
    place.store.unlock(found)
    out(f"The currently running update for '{place.name}' has been canceled!")
    return Code.OK


def _stop(holder: lock.Lock) -> None:
    try:
        lock.stop(holder)
    except PermissionError:
        raise CommandError(t("pulumi.cancel_denied", holder=holder.describe())) from None
