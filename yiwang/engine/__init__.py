"""The embedded engine: runs a Pulumi program without the Pulumi CLI, over Pulumi's own protocol and state format.

This page is the public surface: the four operations, their options and results, and ``state``, the offline side.
The way of one registration through the modules is in ``README.md`` beside this file.
"""

from __future__ import annotations

from yiwang.engine import state
from yiwang.engine.api import Control, Options, Result, Stack, destroy, preview, refresh, up
from yiwang.engine.events import Diagnostic, Event, InFlight, StepEvent, StepFinished, StepStarted

__all__ = [
    "Control",
    "Diagnostic",
    "Event",
    "InFlight",
    "Options",
    "Result",
    "Stack",
    "StepEvent",
    "StepFinished",
    "StepStarted",
    "destroy",
    "preview",
    "refresh",
    "state",
    "up",
]
