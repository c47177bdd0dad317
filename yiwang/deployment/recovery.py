"""Backups, and the way back: asks the program that a component's role has put on its hosts, each of which does its own part.

A role names that program in its fact ``recovery``. It is called with ``--language zh|en`` and a verb, prints one JSON object, tells its
progress on standard error, and fails with one line (exit code 3: what was asked for is not there), both in that language. Its verbs:
``state`` (``leads``, ``restoring``, ``quiet``), ``list``, ``backup [--full]``, ``drill``, ``scratch TO``, ``scratch-remove``,
``check TO``; for a restore in place the steps ``quiet TO``, ``keep [--anew]``, ``halt``, ``restore TO``, ``begin``, ``follow``, ``resume``,
``objects-restore TO``, ``finish``. A host that leaves something to another one answers ``{"skipped": …}``.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from yiwang.deployment.changes import ROLE
from yiwang.deployment.selection import unknown
from yiwang.deployment.session import Session
from yiwang.errors import ExitCode, UserError
from yiwang.messages import language, t
from yiwang.ssh import Access

Answer = dict[str, Any]
NEWEST = "latest"


@dataclass(frozen=True)
class Part:
    """A component of a site that is backed up: its hosts, and the program on them."""

    site: str
    component: str
    hosts: tuple[str, ...]
    program: str


@dataclass
class Done:
    """What came of one part: what the host said, or why not."""

    part: Part
    host: str = ""
    answer: Answer | None = None
    error: UserError | None = None

    def record(self) -> Answer:
        """As in the JSON of a verb."""
        failed = {"error": self.error.text, "fix": self.error.fix} if self.error is not None else {}
        return {"site": self.part.site, "component": self.part.component, "host": self.host, **(self.answer or {}), **failed}


def parts(work: Session, component: str | None = None) -> list[Part]:
    """What is backed up at the selected sites. Raises UserError where there is nothing, or no such component."""
    found = []
    for site in work.selection.sites:
        for resource in work.driver.resources(work.stack(site)):
            if resource.type != ROLE:
                continue
            results: Mapping[str, Any] = resource.outputs.get("results") or {}
            programs = {host: (result.get("facts") or {}).get("recovery") for host, result in results.items() if result}
            hosts = tuple(sorted(host for host, program in programs.items() if program))
            if hosts:
                found.append(Part(site.name, resource.inputs["role"], hosts, str(programs[hosts[0]])))
    if component is not None and component not in {part.component for part in found}:
        raise unknown("component", component, sorted({part.component for part in found}))
    chosen = [part for part in found if component in (None, part.component)]
    if not chosen:
        sites = ", ".join(site.name for site in work.selection.sites)
        raise UserError(t("recovery.nothing", sites=sites), code=ExitCode.INPUT, fix=t("recovery.nothing_fix"))
    return chosen


class Recovery:
    """Asks the hosts. One for a verb."""

    def __init__(self, work: Session) -> None:
        self._console = work.console
        self._access = Access(work.province, work.run_dir)

    async def ask(self, part: Part, host: str, *words: str) -> Answer:
        """What one host answers. Raises UserError when it fails or cannot be reached; a target that is none is bad input."""

        def listen(line: str) -> None:
            self._console.progress(f"{part.site} · {part.component} · {host}: {line}")

        command = f"sudo -n {shlex.quote(part.program)} --language {language()} {shlex.join(words)}"
        done = await self._access.follow(host, command, listen)
        if done.problem is not None:
            raise self._access.explain(host, done)
        try:
            answer = json.loads(done.out) if done.code == 0 else None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            lines = [line for line in done.err.splitlines() if line.strip()]
            reason = lines[-1] if lines else t("deployment.exit_code", code=done.code)
            code = ExitCode.INPUT if done.code == ExitCode.INPUT else ExitCode.FAILED
            raise UserError(t("recovery.failed", site=part.site, host=host, verb=words[0], reason=reason), code=code)
        return answer

    async def leader(self, part: Part, *words: str) -> Done:
        """Ask all hosts at once; the one whose turn it is has the answer. A host that is away while it has one is no failure."""
        said = await asyncio.gather(*(self.ask(part, host, *words) for host in part.hosts), return_exceptions=True)
        wrong: UserError | None = None
        for host, answer in zip(part.hosts, said, strict=True):
            if isinstance(answer, UserError):
                wrong = wrong or answer
            elif isinstance(answer, BaseException):
                raise answer
            elif "skipped" not in answer:
                return Done(part, host, answer)
        nobody = UserError(t("recovery.no_leader", site=part.site, component=part.component), fix=t("recovery.no_leader_fix"))
        return Done(part, "", None, wrong or nobody)

    async def listed(self, part: Part) -> Done:
        """What there is to go back to, as any host knows it: also where nobody leads."""
        said = await asyncio.gather(*(self.ask(part, host, "list") for host in part.hosts), return_exceptions=True)
        found = [(host, answer) for host, answer in zip(part.hosts, said, strict=True) if isinstance(answer, dict)]
        if found:
            host, answer = max(found, key=lambda each: str((each[1].get("objects") or {}).get("time", "")))
            return Done(part, host, answer)
        error = next(answer for answer in said if isinstance(answer, BaseException))
        if not isinstance(error, UserError):
            raise error
        return Done(part, "", None, error)

    async def each(self, several: Iterable[Part], *words: str) -> list[Done]:
        """The same for several parts, all at once."""
        return list(await asyncio.gather(*(self.leader(part, *words) for part in several)))

    async def all_listed(self, several: Iterable[Part]) -> list[Done]:
        """``listed`` for several parts."""
        return list(await asyncio.gather(*(self.listed(part) for part in several)))

    async def restored(self, several: Iterable[Part], to: str) -> list[Done]:
        """``restore`` for several parts, one after the other."""
        return [await self.restore(part, to) for part in several]

    async def beside(self, several: Iterable[Part], to: str) -> list[Done]:
        """Restore beside the live data, once it is known that there is something to go back to."""
        several = list(several)
        checked = await self.each(several, "check", to)
        wrong = [each for each in checked if each.error is not None]
        return wrong or await self.each(several, "scratch", to)

    async def restore(self, part: Part, to: str) -> Done:
        """Bring a part back in place. Done again from its beginning after a failure, it finishes the work."""
        first, replaced = part.hosts[0], False
        hosts: list[str] = []
        try:
            states = dict(zip(part.hosts, await self._all(part, part.hosts, "state"), strict=True))
            # Where one was begun and nothing has gone on since, it goes on; else it begins where the newest data is.
            goes_on = all(state["quiet"] for state in states.values())
            order = sorted(states, key=lambda host: (not (goes_on and states[host]["restoring"]), not states[host]["leads"], host))
            first = order[0]
            # Each needs room for all of it; one that was begun has taken some of that.
            await self._all(part, order[:1] if goes_on else order, "check", to)
            hosts = order
            await self._all(part, hosts, "quiet", to)
            kept = await self.ask(part, first, "keep", *(() if goes_on else ("--anew",)))
            await self._all(part, hosts, "halt")
            replaced = True
            answer = await self.ask(part, first, "restore", to)
            replaced = "failed" not in answer
            if not replaced:
                # What was there before is in its place again, and goes on.
                reason = t("recovery.put_back", reason=answer["failed"])
                raise self._failed(part, first, reason)
            await self.ask(part, first, "begin")
            await self._all(part, hosts[1:], "follow")
            await self._all(part, hosts, "resume")
            # With the catalogue that was lost the newest objects have lost their names as well: all that have a backup come back.
            lost = kept.get("kept") == "nothing"
            answer |= {"catalogue_lost": lost} | await self.ask(part, first, "objects-restore", NEWEST if lost else to)
            await self.ask(part, first, "finish")
        except UserError as error:
            return Done(part, first, None, error if not hosts else await self._ended(part, hosts, error, replaced=replaced))
        return Done(part, first, answer)

    async def _all(self, part: Part, hosts: Iterable[str], *words: str) -> list[Answer]:
        """What several hosts answer, asked at once and all waited for. Raises the first failure."""
        said = await asyncio.gather(*(self.ask(part, host, *words) for host in hosts), return_exceptions=True)
        for answer in said:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in said if isinstance(answer, dict)]

    async def _ended(self, part: Part, hosts: Iterable[str], error: UserError, *, replaced: bool) -> UserError:
        """The failure of a restore that has stopped services: they go on where nothing is replaced; where they do not, it is told."""
        if not replaced:
            try:
                await self._all(part, hosts, "resume")
            except UserError as other:
                return UserError(f"{error.text}; {other.text}", code=error.code, fix=t("recovery.stopped_fix"))
            return error
        return UserError(error.text, code=error.code, fix=t("recovery.stopped_fix"))

    @staticmethod
    def _failed(part: Part, host: str, reason: str) -> UserError:
        return UserError(t("recovery.failed", site=part.site, host=host, verb="restore", reason=reason))
