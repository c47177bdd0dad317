"""Progress of a run over many sites: what runs where, how far it is, how long it took and what remains."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yiwang.deployment.changes import ROLE, operation, under_way
from yiwang.deployment.events import Event, EventTail
from yiwang.inventory.model import Site
from yiwang.messages import t
from yiwang.output import Console

POLL_SECONDS = 0.2
HEARTBEAT_SECONDS = 5.0


@dataclass
class _Running:
    """One role on one site while it runs."""

    started: float
    total: int
    index: int = 0
    task: str = ""
    said: float = 0.0

    def remaining(self, now: float) -> float | None:
        """Seconds that are likely left, from the pace so far; None before a tenth is done, and at the end (handlers are not counted)."""
        if not self.index or self.index * 10 < self.total or self.index >= self.total:
            return None
        return (now - self.started) / self.index * (self.total - self.index)


class Progress:
    """Turns engine events and provider events into lines for a person; keeps the provider's events for the summary."""

    def __init__(self, console: Console, events: Path) -> None:
        self._console = console
        self._tail = EventTail(events)
        self._running: dict[tuple[str, str], _Running] = {}
        self._said: set[tuple[str, ...]] = set()
        self._failed_roles: set[tuple[str, str]] = set()
        self.previewing = False
        """Steps of a preview have not happened: they, and its errors, belong into the summary, not among the progress."""
        self.events: list[Event] = []

    def engine_event(self, site: Site, event: Any) -> None:
        """One event of the engine: a step that began or ended, or a diagnostic."""
        kind = type(event).__name__
        if kind == "InFlight" and self._first("in flight", site.name):
            key = "deployment.in_flight_planned" if self.previewing else "deployment.in_flight"
            self._console.warn(t(key, site=site.name, what=", ".join(map(under_way, event.operations))))
        elif kind == "StepFinished" and not self.previewing and event.op != "same" and not event.error:
            if event.type.startswith("yiwang:index:") or event.op.startswith("delete"):
                what = f"{event.type.rpartition(':')[2]} {event.name}"
                self._console.progress(t("deployment.step_done", site=site.name, what=what, op=operation(event.op)))
        elif kind == "Diagnostic" and event.severity == "warning" and self._first("warning", site.name, event.message):
            self._console.warn(f"{site.name}: {event.message}")
        elif kind == "Diagnostic" and event.severity == "error" and not self.previewing and event.message != t("engine.cancelled"):
            self._error(site.name, event.urn, event.message)

    def _first(self, *what: str) -> bool:
        """Whether this was not said before; a preview and the run after it meet the same things."""
        if what in self._said:
            return False
        self._said.add(what)
        return True

    def _error(self, site: str, urn: str, message: str) -> None:
        """An error is said once: by what the provider tells of the hosts, else by the engine's words.

        One about the whole run ("update failed") is only worth its line where no resource has said more.
        """
        self.poll()
        told = (site, urn.rpartition("::")[2]) in self._failed_roles and f"{ROLE}::" in urn
        about_all = not urn and any(what[:2] == ("error", site) for what in self._said)
        if self._first("error", site, message) and not told and not about_all:
            self._console.error("\n".join(f"{site}: {line}" for line in message.strip().splitlines()))

    def poll(self) -> None:
        """Take what the provider has said since the last call."""
        for event in self._tail.read():
            self.events.append(event)
            getattr(self, f"_on_{event['event']}", self._on_other)(event)
        now = time.monotonic()
        for (site, role), running in self._running.items():
            if now - running.said >= HEARTBEAT_SECONDS:
                running.said = now
                self._say(site, role, running, now)

    def _say(self, site: str, role: str, running: _Running, now: float) -> None:
        left = running.remaining(now)
        text = t("deployment.at_task", site=site, role=role, index=running.index, total=running.total, task=running.task)
        self._console.progress(text if left is None else f"{text} · {t('deployment.remaining', seconds=round(left))}")

    def _on_role_started(self, event: Event) -> None:
        now = time.monotonic()
        self._running[event["site"], event["role"]] = _Running(now, event["total_tasks"], said=now)
        key = "deployment.role_previewed" if event["preview"] else "deployment.role_started"
        self._console.progress(t(key, site=event["site"], role=event["role"], hosts=", ".join(event["hosts"])))

    def _on_task_started(self, event: Event) -> None:
        running = self._running.get((event["site"], event["role"]))
        if running:
            running.index, running.task = event["index"], event["task"]

    def _on_host_failed(self, event: Event) -> None:
        self._failed_roles.add((event["site"], event["role"]))
        heading = t("deployment.host_failed", site=event["site"], role=event["role"], host=event["host"], task=event["task"])
        lines = [heading, f"  {event['message']}", *(f"  | {line}" for line in event.get("journal", ()))]
        # All hosts of a site go on by one command.
        if event.get("resume") and self._first("resume", event["resume"]):
            lines.append("  " + t("deployment.resume", command=event["resume"]))
        self._console.error("\n".join(lines))

    def _on_host_unread(self, event: Event) -> None:
        if self._first("unread", event["host"], event["message"]):
            self._console.warn(f"{event['site']} · " + t("deployment.host_unread", host=event["host"], message=event["message"]))

    def _on_host_gone(self, event: Event) -> None:
        key = "deployment.host_declared_gone" if event.get("declared") else "deployment.host_gone"
        self._console.warn(t(key, site=event["site"], role=event["role"], host=event["host"], message=event["message"]))

    def _on_role_finished(self, event: Event) -> None:
        self._running.pop((event["site"], event["role"]), None)
        changed = ", ".join(f"{host} {number}" for host, number in sorted(event["changed"].items()))
        seconds = round(event["seconds"], 1)
        key = "deployment.role_finished" if event["ok"] else "deployment.role_ended"
        self._console.progress(t(key, site=event["site"], role=event["role"], changed=changed, seconds=seconds))

    def _on_other(self, event: Event) -> None:
        """Host results, diffs and the like are for the summary."""

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[Progress]:
        """Follow the provider's events while the body runs, and once more at its end."""

        async def follow() -> None:
            while True:
                self.poll()
                await asyncio.sleep(POLL_SECONDS)

        task = asyncio.create_task(follow())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self.poll()
