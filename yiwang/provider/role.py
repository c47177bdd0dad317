"""The resource ``Role``: an Ansible role on hosts, with a result for each host."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from yiwang.errors import ExitCode, UserError
from yiwang.messages import t
from yiwang.provider import role_plan, sources, values
from yiwang.provider.ansible_run import Work
from yiwang.provider.ansible_runner import HostOutcome, Outcome
from yiwang.provider.resource import Answer, Change, PartialFailure, Problem, Resource
from yiwang.provider.role_plan import Visits
from yiwang.provider.role_work import Worker, resume
from yiwang.provider.values import UNKNOWN, reveal

Inputs = dict[str, Any]

# An error is one paragraph; everything about each host is in the events.
_NAMED = 10
_LONGEST = 400


class RoleResource(Resource):
    """Plans by comparing inputs and results, works by ``Worker``.

    Outputs: the inputs that name the role, and ``results`` by host. A host's ``applied`` is there only when the role has
    run on it to the end and nothing is known that speaks against it.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def check(self, inputs: Inputs) -> list[Problem]:
        """What is wrong with the inputs."""
        return role_plan.check(inputs)

    def diff(self, old_inputs: Inputs, olds: Inputs, news: Inputs) -> Change:
        """Changed inputs, and hosts that need a visit. Asks no host."""
        return role_plan.diff(old_inputs, news, self._visits(old_inputs, olds, news))

    async def create(self, news: Inputs, *, preview: bool) -> Answer:
        """Apply the role for the first time."""
        todo = self._visits({}, {}, news)
        if preview:
            self._would_run(news, todo.apply, "main")
            return Answer("", _outputs(news, UNKNOWN))
        identifier = f"{news['site']}/{news['role']}"
        return Answer(identifier, await self._apply(identifier, news, {}, todo))

    async def update(self, old_inputs: Inputs, olds: Inputs, news: Inputs, *, preview: bool) -> Inputs:
        """Apply it where needed, remove it from hosts no longer listed."""
        todo = self._visits(old_inputs, olds, news)
        results = role_plan.with_leaving(old_inputs, _results(olds), news)
        await self._consent(news, results, todo)
        if preview:
            return _outputs(news, await self._preview(news, results, todo))
        left = await self._leave(old_inputs, results, todo.remove)
        kept = {host: dict(result) for host, result in results.items() if host not in todo.remove or left[host].failed}
        for host in todo.outdated:
            kept.get(host, {}).pop("applied", None)
        identifier = f"{news['site']}/{news['role']}"
        stuck = {host: found for host, found in left.items() if found.failed}
        return await self._apply(identifier, news, kept, todo, stuck=stuck)

    async def read(self, inputs: Inputs, olds: Inputs) -> Inputs:
        """Look at each host where the role is applied; where it would change something, or fail, it no longer is."""
        if not inputs:
            raise UserError(t("provider.no_import"), code=ExitCode.INPUT)
        results = {host: dict(result) for host, result in _results(olds).items()}
        hosts = self._allowed(host for host in inputs["hosts"] if results.get(host, {}).get("applied"))
        if not hosts:
            return olds
        outcome = await self._worker.do(_work(inputs, hosts, check=True))
        for host, found in outcome.hosts.items():
            if found.failed or found.changed:
                results[host].pop("applied")
        return {**olds, "results": results}

    async def delete(self, inputs: Inputs, olds: Inputs) -> None:
        """Run the role's removal on all hosts it has visited. Raises UserError when it failed on one.

        Without outputs (a first run was killed in it) it may have visited any of its hosts.
        """
        unknown = "results" not in olds
        entries = role_plan.entries(inputs, {host: {} for host in inputs["hosts"]} if unknown else _results(olds))
        settings = self._worker.settings
        hosts = tuple(host for host in entries if host not in settings.gone)
        if self._allowed(hosts) != hosts:
            # Forgotten in the state, the rest would stay on the hosts that may not be visited.
            raise UserError(t("provider.delete_limited", role=inputs["role"], hosts=", ".join(hosts)), code=ExitCode.INPUT)
        for host in settings.gone.intersection(entries):
            self._worker.events.write(
                "host_gone", site=inputs["site"], role=inputs["role"], host=host, message=t("provider.declared_gone"), declared=True
            )
        outcome = await self._remove({**inputs, "hosts": entries}, hosts, unknown=unknown, verb="down")
        failed = {host: found for host, found in outcome.hosts.items() if found.failed}
        if failed:
            raise UserError(paragraph(inputs, failed), fix=t("provider.resume", command=resume("down", inputs["site"], settings)))

    def _allowed(self, hosts: Iterable[str]) -> tuple[str, ...]:
        limit = self._worker.settings.limit
        return tuple(host for host in hosts if limit is None or host in limit)

    def _visits(self, old_inputs: Inputs, olds: Inputs, news: Inputs) -> Visits:
        settings = self._worker.settings
        force = settings.reapply or (settings.upgrade and _has(news["role"], "upgrade.yml"))
        return role_plan.visits(old_inputs, _results(olds), news, limit=settings.limit, force=force)

    async def _apply(
        self, identifier: str, news: Inputs, results: dict[str, Any], todo: Visits, *, stuck: Mapping[str, HostOutcome] | None = None
    ) -> Inputs:
        """Visit the hosts and return the outputs. Raises PartialFailure, UserError when nothing was done at all.

        ``stuck``: the hosts on which the removal before has failed, None at the first run.
        """
        outcome = await self._worker.do(_work(news, todo.apply)) if todo.apply else Outcome({})
        for host, found in outcome.hosts.items():
            results[host] = self._result(news, host, found, results.get(host, {}))
        outputs = _outputs(news, results)
        failed = {**(stuck or {}), **{host: found for host, found in outcome.hosts.items() if found.failed}}
        if not failed:
            return outputs
        text = paragraph(news, failed)
        again = t("provider.resume", command=resume("up", news["site"], self._worker.settings))
        if stuck is None and all(found.unreachable and not found.touched for found in outcome.hosts.values()):
            # Nothing exists yet: there is nothing to record, and nothing to remove later.
            raise UserError(text, code=ExitCode.HOST, fix=again)
        raise PartialFailure(f"{text}; {again}", identifier, outputs)

    def _result(self, inputs: Inputs, host: str, found: HostOutcome, before: Mapping[str, Any]) -> dict[str, Any]:
        scrub = self._worker.scrubber.value
        result = {"changed": found.changed, "facts": scrub(found.facts), "skipped": scrub(found.skipped)}
        if found.failed:
            kept = {key: value for key, value in before.items() if key != "applied"}
            return {**kept, **{key: value for key, value in result.items() if value}}
        return {**result, "applied": role_plan.expected(inputs, host)}

    async def _preview(self, news: Inputs, results: Mapping[str, Any], todo: Visits) -> Any:
        """Show what an update would do; the results as far as they are known beforehand."""
        vague = values.unknown([news["variables"], news["digest"]])
        looked = [host for host in todo.apply if host not in todo.first and not vague and not values.unknown(news["hosts"][host])]
        if not self._worker.settings.detail:
            looked = []
        self._would_run(news, [host for host in todo.apply if host not in looked], "main")
        self._would_run(news, todo.remove, "remove")
        outcome = await self._worker.do(_work(news, looked, check=True)) if looked else Outcome({})
        if len(looked) < len(todo.apply) or any(found.failed for found in outcome.hosts.values()):
            return UNKNOWN
        kept = {host: result for host, result in results.items() if host not in todo.remove}
        # Roles export their facts in check mode too, so that those who use them can be previewed as well.
        return kept | {host: self._result(news, host, found, kept[host]) for host, found in outcome.hosts.items()}

    def _would_run(self, inputs: Inputs, hosts: Iterable[str], entry: str) -> None:
        hosts = list(hosts)
        if not hosts:
            return
        file = f"{entry}.yml"
        known = inputs["variables"] if isinstance(inputs["variables"], dict) else {}
        tasks = sources.static_tasks(inputs["role"], file, known) if _has(inputs["role"], file) else ()
        listed = [{"task": task.name, "file": task.file} if task.file else {"task": task.name} for task in tasks]
        self._worker.events.write("would_run", site=inputs["site"], role=inputs["role"], hosts=hosts, tasks=listed)

    async def _consent(self, news: Inputs, results: Mapping[str, Any], todo: Visits) -> None:
        """Where the number of hosts matters, those that stay say by the role's preflight whether others may leave, before anything is done.

        Raises UserError where one refuses. One that does not answer is told of when its turn comes.
        """
        if not todo.remove or not sources.counts_hosts(news["role"]) or values.unknown([news["variables"], news["digest"]]):
            return
        stay = [host for host, entry in news["hosts"].items() if results.get(host, {}).get("applied") and not values.unknown(entry)]
        allowed = self._allowed(stay)
        outcome = await self._worker.do(_work(news, allowed, entry="preflight", check=True)) if allowed else Outcome({})
        refused = {host: found for host, found in outcome.hosts.items() if found.failed and not found.unreachable}
        if refused:
            raise UserError(paragraph(news, refused))

    async def _leave(self, old_inputs: Inputs, results: Mapping[str, Any], hosts: Iterable[str]) -> dict[str, HostOutcome]:
        """Remove the role from hosts no longer listed. One that does not answer is most likely gone: that is said, not held."""
        hosts = tuple(hosts)
        inputs = {**old_inputs, "hosts": role_plan.entries(old_inputs, {host: results[host] for host in hosts})}
        outcome = await self._remove(inputs, inputs["hosts"], dismissed=True)
        found = {host: outcome.hosts.get(host, HostOutcome()) for host in hosts}
        return {host: HostOutcome() if each.unreachable else each for host, each in found.items()}

    async def _remove(
        self, inputs: Inputs, hosts: Iterable[str], *, dismissed: bool = False, unknown: bool = False, verb: Literal["up", "down"] = "up"
    ) -> Outcome:
        """Run the role's removal; a role without one leaves nothing to do."""
        hosts = tuple(hosts)
        if not hosts or not _has(inputs["role"], "remove.yml"):
            return Outcome({})
        work = _work(inputs, hosts, entry="remove")
        return await self._worker.do(dataclasses.replace(work, dismissed=dismissed, unknown=unknown, verb=verb))


def _has(role: str, file: str) -> bool:
    return (sources.role_directory(role) / "tasks" / file).is_file()


def _results(outputs: Mapping[str, Any]) -> dict[str, Any]:
    results = reveal(outputs.get("results"))
    return {host: result or {} for host, result in results.items()} if isinstance(results, dict) else {}


def _outputs(inputs: Inputs, results: Any) -> Inputs:
    """The outputs: what names the role, and the results. Variables are inputs only: no secret is kept twice."""
    return {"role": inputs["role"], "site": inputs["site"], "digest": inputs["digest"], "results": results}


def _work(inputs: Inputs, hosts: Iterable[str], *, entry: str = "main", check: bool = False) -> Work:
    variables = inputs["variables"]
    if isinstance(variables, values.Secret):
        # A whole map that is secret: each of its values is.
        variables = {name: values.Secret(value) for name, value in reveal(variables).items()}
    return Work(
        role=inputs["role"],
        site=inputs["site"],
        hosts={host: role_plan.opened(inputs["hosts"][host]) for host in hosts},
        variables=variables,
        entry=entry,
        check=check,
    )


def paragraph(inputs: Inputs, failed: Mapping[str, HostOutcome]) -> str:
    """One paragraph: which hosts, at which task, why."""
    parts = [
        t("provider.host_failed", host=host, task=found.task, message=_shortened(" ".join(found.message.split())))
        for host, found in sorted(failed.items())[:_NAMED]
    ]
    if len(failed) > _NAMED:
        parts.append(t("provider.more_failed", number=len(failed) - _NAMED))
    return t("provider.role_failed", role=inputs["role"], site=inputs["site"], hosts="; ".join(parts))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
