"""What the CLI tells, as the events and the result of this kit."""

from __future__ import annotations

from typing import Any

from pulumi.automation.events import EngineEvent

from yiwang import engine
from yiwang.deployment.engines.cli_events import Told

URN = "urn:pulumi:jinan::city::yiwang:index:Role::base"


def step(kind: str, op: str, **more: Any) -> EngineEvent:
    metadata = {"op": op, "urn": URN, "type": "yiwang:index:Role", "provider": "", **more}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata}})


def said(severity: str, message: str, **more: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": {"severity": severity, "message": message, **more}})


def test_an_error_made_for_people_has_no_trace() -> None:
    told = Told(lambda _event: None)
    lines = ["Program failed with an unhandled exception:", "Traceback (most recent call last):", "yiwang.errors.UserError: no key", ""]
    trace = "\n".join(lines)
    told.event(said("error", trace))
    told.event(said("error", "Traceback (most recent call last):\nKeyError: 'x'\n"))
    assert [entry.message for entry in told.diagnostics] == ["no key", "Traceback (most recent call last):\nKeyError: 'x'"]


def test_steps_are_told_in_their_order_with_what_became_of_them() -> None:
    events: list[Any] = []
    told = Told(events.append)
    told.event(step("resourcePreEvent", "update", diffs=["variables"], old={"id": "1", "type": "x", "urn": URN}))
    told.event(said("error", "<{%fg 1%}>error: <{%reset%}>it broke", urn=URN))
    told.event(step("resOpFailedEvent", "update"))
    told.event(step("resourcePreEvent", "refresh"))
    told.event(step("resOutputsEvent", "delete"))
    told.event(said("debug", "nothing for people"))
    failed, refreshed = told.steps
    assert (failed.op, failed.result, failed.error, failed.diffs, failed.old_id) == ("update", "failed", "it broke", ("variables",), "1")
    assert (refreshed.op, refreshed.result, refreshed.outcome) == ("refresh", "done", "delete")
    assert [type(event) for event in events] == [
        engine.StepStarted,
        engine.Diagnostic,
        engine.StepFinished,
        engine.StepStarted,
        engine.StepFinished,
    ]
