"""Work of a role on hosts: first contact, the run, what it reports, and why a host failed."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import shlex
import time
from collections.abc import Callable
from typing import Any, Literal

from yiwang import rundir, ssh
from yiwang.errors import UserError
from yiwang.messages import of, t
from yiwang.provider import ansible_run, ansible_runner, sources, values
from yiwang.provider.ansible_run import Work
from yiwang.provider.ansible_runner import HostOutcome, Outcome
from yiwang.provider.events import EventLog
from yiwang.provider.processes import Processes
from yiwang.provider.scrub import Scrubber
from yiwang.provider.settings import Settings
from yiwang.ssh import Access, Problem, ProvinceLike

JOURNAL_LINES = 20
_PROBE_SECONDS = 20.0
_PARALLEL = 4
"""Runs at once in one process: each is a Python program that keeps a core busy while it thinks."""


class Worker:
    """Does ``Work``; one for a provider process. ``close`` ends what still runs."""

    def __init__(self, settings: Settings, scrubber: Scrubber, province: Callable[[], ProvinceLike] | None = None) -> None:
        self.settings = settings
        self.scrubber = scrubber
        self._own_run_dir: rundir.RunDir | None = None
        base = settings.run_dir
        if base is None:
            self._own_run_dir = rundir.RunDir()
            base = self._own_run_dir.__enter__().path
        self._base = base
        self._directory = base / f"p{os.getpid()}"
        self._numbers = itertools.count(1)
        self._province = province or settings.province
        self._loaded: ProvinceLike | None = None
        self._processes = Processes()
        self._slots = asyncio.Semaphore(_PARALLEL)
        self.events = EventLog(base / rundir.EVENTS, scrubber)

    async def close(self) -> None:
        """End all processes and remove a run directory of our own."""
        await self._processes.close()
        if self._own_run_dir is not None:
            self._own_run_dir.__exit__(None, None, None)

    async def do(self, work: Work) -> Outcome:
        """Do it on all its hosts at once; one host's failure does not stop the others.

        Every failure is in the outcome and in the events, with the journal lines that matter and the command that
        resumes. Raises UserError for what concerns no host (no inventory).
        """
        self.scrubber.add(values.secret_texts([work.variables, work.hosts]))
        access = self._access(work)
        started = time.monotonic()
        async with self._slots:
            lost = await self._first_contact(work, access)
            todo = dataclasses.replace(
                work,
                hosts={name: host for name, host in work.hosts.items() if name not in lost.failed and name not in lost.untouched},
                bootstrap=lost.new,
                bootstrap_user=access.bootstrap_user,
                destroy_data=self.settings.destroy_data,
                upgrade=self.settings.upgrade,
            )
            outcome = await self._run(todo, access) if todo.hosts else Outcome({})
        outcome.hosts.update({name: lost.failed[name] for name in lost.failed})
        for host in outcome.hosts.values():
            if outcome.broken and not host.failed:
                host.failed, host.task, host.message = True, work.entry, outcome.broken
        await self._report_failures(work, outcome, access, time.monotonic() - started)
        self._report_skipped(work, outcome)
        self.events.write(
            "role_finished",
            site=work.site,
            role=work.role,
            ok=not any(host.failed for host in outcome.hosts.values()),
            changed={name: host.changed for name, host in outcome.hosts.items()},
            seconds=round(time.monotonic() - started, 3),
        )
        return outcome

    def _access(self, work: Work) -> Access:
        if self._loaded is None:
            self._loaded = self._province()
        self._directory.mkdir(mode=0o700, exist_ok=True)
        return Access(self._loaded, self._directory, ssh.endpoints(work.hosts))

    async def _first_contact(self, work: Work, access: Access) -> _Contact:
        """Which hosts do not know the automation account yet, when the role knows how to make it, and which are lost."""
        contact = _Contact()
        if work.unknown:
            await asyncio.gather(*(self._trace(host, access, contact) for host in work.hosts))
            return contact
        bootstrap = sources.role_directory(work.role) / "tasks" / "bootstrap.yml"
        if work.check or work.entry != "main" or not bootstrap.is_file():
            return contact
        await asyncio.gather(*(self._contact(host, access, contact) for host in work.hosts))
        return contact

    async def _trace(self, host: str, access: Access, contact: _Contact) -> None:
        """A host on which the automation account cannot work yet was not reached by any role."""
        answer = await access.run(host, "sudo -n true", timeout=_PROBE_SECONDS)
        if answer.problem is Problem.DENIED or (answer.problem is None and answer.code):
            contact.untouched |= {host}
        elif answer.problem is not None:
            contact.fail(host, access.explain(host, answer))

    async def _contact(self, host: str, access: Access, contact: _Contact) -> None:
        # An account that may not act for root yet is one that an earlier first contact did not finish.
        answer = await access.run(host, "sudo -n true", timeout=_PROBE_SECONDS)
        if answer.problem is Problem.DENIED or (answer.problem is None and answer.code):
            answer = await access.run(host, "true", user=access.bootstrap_user, timeout=_PROBE_SECONDS)
            if answer.problem is None:
                contact.new |= {host}
                return
        if answer.problem is not None:
            contact.fail(host, access.explain(host, answer))

    async def _run(self, work: Work, access: Access) -> Outcome:
        directory = self._directory / f"{next(self._numbers)}-{work.role}"
        facts = self._base / "facts"
        facts.mkdir(mode=0o700, exist_ok=True)
        run = ansible_run.build(work, directory, ssh_config=access.config, facts=facts)
        return await ansible_runner.execute(run, self._processes, _Narrator(work, self.events))

    async def _report_failures(self, work: Work, outcome: Outcome, access: Access, seconds: float) -> None:
        async def report(name: str, host: HostOutcome) -> None:
            if host.unreachable and host.message:
                problem = ssh.problem_of(host.message)
                endpoint = access.hosts.get(name)
                # A message that is ours already stays; Ansible's own is replaced by the reason and the fix.
                if host.task != t("provider.first_contact"):
                    host.message = _text(ssh.explain(name, problem, endpoint, host.message, access.user))
                if work.verb == "down":
                    host.message = f"{host.message}; {t('provider.gone', host=name)}"
            host.message = self.scrubber.text(host.message)
            if work.dismissed and host.unreachable:
                self.events.write("host_gone", site=work.site, role=work.role, host=name, message=host.message)
                return
            if work.check:
                self.events.write("host_unread", site=work.site, role=work.role, host=name, task=host.task, message=host.message)
                return
            self.events.write(
                "host_failed",
                site=work.site,
                role=work.role,
                host=name,
                task=host.task,
                message=host.message,
                unreachable=host.unreachable,
                journal=[] if host.unreachable else await self._journal(name, host, access, seconds),
                resume=resume(work.verb, work.site, self.settings),
            )

        await asyncio.gather(*(report(name, host) for name, host in outcome.hosts.items() if host.failed))

    def _report_skipped(self, work: Work, outcome: Outcome) -> None:
        for name, host in outcome.hosts.items():
            for part in host.skipped:
                fields = {key: self.scrubber.text(of(value)) for key, value in part.items() if key in ("capability", "what")}
                self.events.write("host_skipped", site=work.site, role=work.role, host=name, **fields)

    async def _journal(self, name: str, host: HostOutcome, access: Access, seconds: float) -> list[str]:
        """The last lines of the unit the failed task was about, else the warnings since the run began."""
        since = f"--since=-{int(seconds) + 5}s"
        common = f"sudo -n journalctl --quiet --no-pager --output=short-iso --lines={JOURNAL_LINES} {since}"
        warnings = f"{common} --priority=warning"
        unit = f"{common} --unit={shlex.quote(host.unit)} | grep . || {warnings}" if host.unit else warnings
        answer = await access.run(name, unit)
        return [self.scrubber.text(line) for line in answer.out.splitlines()[-JOURNAL_LINES:]]


@dataclasses.dataclass
class _Contact:
    """Hosts without the automation account (``new``: to be made; ``untouched``: left alone), and lost ones with the reason."""

    new: frozenset[str] = frozenset()
    untouched: frozenset[str] = frozenset()
    failed: dict[str, HostOutcome] = dataclasses.field(default_factory=dict)

    def fail(self, host: str, error: UserError) -> None:
        """The host is lost."""
        self.failed[host] = HostOutcome(failed=True, unreachable=True, task=t("provider.first_contact"), message=_text(error))


class _Narrator:
    """Turns the callback's reports into events of the run."""

    def __init__(self, work: Work, events: EventLog) -> None:
        self._work = work
        self._events = events
        self._index = 0
        self._total = 0

    def __call__(self, report: dict[str, Any]) -> None:
        getattr(self, f"_{report['event']}", lambda _report: None)(report)

    def _write(self, event: str, **fields: Any) -> None:
        self._events.write(event, site=self._work.site, role=self._work.role, **fields)

    def _start(self, report: dict[str, Any]) -> None:
        self._total = report["tasks"]
        self._write("role_started", hosts=list(self._work.hosts), total_tasks=self._total, preview=self._work.check)

    def _task(self, report: dict[str, Any]) -> None:
        # A handler, or a task included while the play runs, was not counted: the one before it is still the last that was.
        self._index = report["place"] or self._index
        self._write("task_started", task=report["task"], index=self._index, total=self._total)

    def _result(self, report: dict[str, Any]) -> None:
        message = {"message": report["message"]} if "message" in report else {}
        self._write("host_result", host=report["host"], task=report["task"], status=report["status"], **message)

    def _diff(self, report: dict[str, Any]) -> None:
        self._write("file_diff", host=report["host"], task=report["task"], path=report["path"], diff=report["diff"])


def resume(verb: Literal["up", "down"], site: str, settings: Settings) -> str:
    """The command that goes on after a failure: what was asked for stays so, and only the hosts that need it are visited."""
    words = [word for host in sorted(settings.limit or ()) for word in ("--host", host)]
    if verb == "down":
        words = [word for host in sorted(settings.gone) for word in ("--gone", host)]
        words += ["--destroy-data"] if settings.destroy_data else []
    typed = "upgrade" if verb == "up" and settings.upgrade else verb
    return shlex.join(["yiwang", typed, "--site", site, *words, *(["--inventory", str(settings.inventory)] if settings.inventory else [])])


def _text(error: UserError) -> str:
    return error.report()
