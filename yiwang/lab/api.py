"""The verbs of a lab, each safe to repeat and safe to kill."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection
from pathlib import Path

from yiwang.errors import ExitCode, UserError
from yiwang.lab import carry, cgroups, hosts, layers, machine, namespaces, network, reach, records, uplink
from yiwang.lab.cgroups import Cgroups
from yiwang.lab.spec import HostStatus, LabHost, LabSpec, LabState, LabStatus, Progress, Report, check, port_range, tag
from yiwang.messages import t

_BOOT_SECONDS = 90.0


class _Steps:
    """Counts the steps of one verb and reports each; used by several threads."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._done = report, total, 0
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        with self._lock:
            self._report(Progress(text, self._done, self._total))

    def done(self, text: str) -> None:
        with self._lock:
            self._done += 1
            self._report(Progress(text, self._done, self._total))


def up(spec: LabSpec, report: Report, only: Collection[str] = ()) -> LabStatus:
    """Make what is missing of the lab and start what is not running; wait until every host answers SSH.

    ``only`` names the hosts to make and start, all without it. A second run on a running lab changes nothing. Hosts no
    longer in ``spec`` are wiped. Raises UserError.
    """
    check(spec)
    wanted = [spec.host(name) for name in only] or list(spec.hosts)
    require(spec.name, [host.name for host in wanted])
    steps = _Steps(report, 2 + len(wanted))
    with records.lab_locked(spec.name, lambda: steps.say(t("lab.waiting", lab=spec.name))):
        return _up(spec, wanted, steps, cgroups.detect())


def require(name: str, wanted: Collection[str]) -> None:
    """Raises UserError (exit 4) with everything this machine lacks to run the hosts ``wanted``; changes nothing."""
    machine.require(sum(1 for host in wanted if not _runs(name, host)))


def down(name: str, report: Report) -> bool:
    """Stop and wipe the whole lab and everything that carries its name or tag, with or without records.

    Returns whether there was anything. Raises UserError.
    """
    machine.require_root()
    if tag(name) not in _tags():
        return False
    groups = cgroups.detect()
    with records.lab_locked(name, lambda: report(Progress(t("lab.waiting", lab=name), 0, 1))):
        every = _every_host(name, groups)
        steps = _Steps(report, len(every) + 1)
        _wipe_hosts(name, every, groups, steps)
        with records.machine_locked():
            # First, because the router's end takes the uplink with it, and with that what the machine's switches were.
            uplink.remove(tag(name))
            namespaces.remove_all(tag(name))
        groups.remove_lab(tag(name))
        steps.done(t("lab.network_gone"))
        records.forget(name)
    return True


def remove_host(name: str, host: str, report: Report) -> bool:
    """Stop and wipe one host; the next ``up`` makes it anew, with a new host key. Returns whether there was anything."""
    machine.require_root()
    groups = cgroups.detect()
    if host not in _every_host(name, groups):
        return False
    with records.lab_locked(name, lambda: report(Progress(t("lab.waiting", lab=name), 0, 1))):
        _wipe_hosts(name, [host], groups, _Steps(report, 1))
    return True


def status(name: str) -> LabStatus:
    """The lab as it is now; reads only. A lab nobody knows is ``absent`` and has no hosts."""
    machine.require_root()
    spec = records.load(name)
    operator = operator_namespace(name)
    if spec is None:
        return LabStatus(name, "partial" if tag(name) in _tags() else "absent", None, (), operator)
    groups = cgroups.detect()
    running = [host for host in spec.hosts if hosts.running(name, host.name, groups)]
    answering = reach.answering(operator, running) if running else set()
    found = tuple(_host_status(spec, host, host in running, host.name in answering, groups) for host in spec.hosts)
    return LabStatus(spec.name, _state(found), spec.directory, found, operator)


def names() -> list[str]:
    """The labs of this machine, running or left over. One whose records are lost is called ``lost-<tag>``."""
    machine.require_root()
    recorded = {tag(name): name for name in records.recorded()}
    return sorted(recorded.get(mark, f"lost-{mark}") for mark in _tags())


def operator_namespace(name: str) -> Path:
    """The path of the network namespace from which the hosts of a lab are reached, whether it exists yet or not."""
    return namespaces.path(namespaces.operator(tag(name)))


def _up(spec: LabSpec, wanted: list[LabHost], steps: _Steps, groups: Cgroups) -> LabStatus:
    _same_key(spec)
    records.save(spec)
    surplus = [name for name in _every_host(spec.name, groups) if name not in {host.name for host in spec.hosts}]
    _wipe_hosts(spec.name, surplus, groups, None)
    absent = [host for host in wanted if not hosts.files(spec.name, host.name).made()]
    if absent:
        carried = carry.collect()
        trees = layers.ensure(carried, steps.say)
        for host in absent:
            groups.kill(tag(spec.name), host.name)
            hosts.make(spec, host, trees, carried.private)
    steps.done(t("lab.layers_ready"))
    with records.machine_locked():
        made = network.ensure(spec)
    steps.done(t("lab.network_ready"))
    started = [host for host in wanted if _start(spec, host, groups)]
    for host in spec.hosts:
        # A router made anew took the links of all hosts with it, also of those nobody asked for now.
        if host not in wanted and hosts.running(spec.name, host.name, groups):
            network.ensure_host(spec, host)
    _wait(spec, wanted, steps, groups)
    now = status(spec.name)
    return LabStatus(
        now.name, now.state, now.directory, now.hosts, now.operator_namespace, tuple(host.name for host in started), _warnings(spec, made)
    )


def _runs(name: str, host: str) -> bool:
    with contextlib.suppress(UserError):
        return hosts.running(name, host, cgroups.detect())
    return False


def _start(spec: LabSpec, host: LabHost, groups: Cgroups) -> bool:
    """Connect and start one host unless it runs. Returns whether it was started."""
    network.ensure_host(spec, host)
    if hosts.running(spec.name, host.name, groups):
        return False
    hosts.start(spec, host, groups)
    return True


def _wait(spec: LabSpec, wanted: list[LabHost], steps: _Steps, groups: Cgroups) -> None:
    """Wait until each host answers. Raises UserError that names those that do not, with the end of the first one's console."""
    operator = operator_namespace(spec.name)

    def alive(host: LabHost) -> bool:
        return bool(groups.processes(tag(spec.name), host.name))

    answered = reach.wait_for(
        operator,
        wanted,
        _BOOT_SECONDS,
        alive,
        lambda host, seconds: steps.done(t("lab.host_ready", host=host.name, seconds=f"{seconds:.1f}")),
    )
    silent = [host.name for host in wanted if host.name not in answered]
    if silent:
        tail = hosts.console_tail(spec.name, silent[0]).splitlines()
        raise UserError(
            t("lab.not_answering", hosts=", ".join(silent)),
            code=ExitCode.HOST,
            fix=t("lab.not_answering_fix", console=hosts.files(spec.name, silent[0]).console),
            lines=tuple(f"{silent[0]}: {line}" for line in tail),
        )


def _same_key(spec: LabSpec) -> None:
    """Hosts know the key they were made with; a new one would lock the operator out without a word."""
    before = records.load(spec.name)
    kept = before is not None and any(hosts.files(spec.name, host.name).made() for host in before.hosts)
    if before is not None and kept and before.authorized_key.split()[:2] != spec.authorized_key.split()[:2]:
        raise UserError(t("lab.other_key", lab=spec.name), code=ExitCode.HOST, fix=t("lab.other_key_fix"))


def _warnings(spec: LabSpec, made: bool) -> tuple[str, ...]:
    """With a new network, whether hosts will get to package sources: without that every installation would hang."""
    if not made:
        return ()
    endpoints = carry.collect().endpoints()
    listed = [port_range(port) for path in spec.paths if path.to_world and path.protocol == "tcp" for port in path.ports]
    closed = [t("lab.way_not_listed", host=host, port=port) for host, port in endpoints if not any(a <= port <= b for a, b in listed)]
    silent = [t("lab.no_way_out", host=host, port=port) for host, port in endpoints[:1] if not uplink.reaches(tag(spec.name), host, port)]
    return (*closed, *silent, *([] if uplink.resolv_conf() else [t("lab.no_resolver")]))


def _wipe_hosts(name: str, every: list[str], groups: Cgroups, steps: _Steps | None) -> None:
    """Stop hosts together, then remove all that is theirs."""
    hosts.stop(name, every, groups)
    for host in every:
        namespaces.remove(namespaces.of_host(tag(name), host))
        hosts.wipe(name, host)
        if steps:
            steps.done(t("lab.host_gone", host=host))


def _every_host(name: str, groups: Cgroups) -> list[str]:
    """The hosts of a lab by every trace there is: files, network namespaces, control groups."""
    mark = tag(name)
    return sorted({*hosts.known(name), *namespaces.found().get(mark, []), *groups.found().get(mark, [])})


def _tags() -> set[str]:
    """The tags of every trace of labs on this machine."""
    found = {tag(name) for name in records.recorded()} | {*namespaces.found()}
    with contextlib.suppress(UserError):
        found |= {*cgroups.detect().found()}
    with contextlib.suppress(UserError):
        found |= {*uplink.found()}
    return found


def _host_status(spec: LabSpec, host: LabHost, running: bool, answers: bool, groups: Cgroups) -> HostStatus:
    place = hosts.files(spec.name, host.name)
    return HostStatus(
        host.name,
        host.zone,
        host.ipv4,
        host.ipv6,
        host.port,
        ("running" if answers else "unreachable") if running else ("stopped" if place.made() else "absent"),
        groups.memory(tag(spec.name), host.name) if running else None,
        hosts.uptime(spec.name, host.name, groups),
        place.host_key(),
    )


def _state(found: tuple[HostStatus, ...]) -> LabState:
    states = {host.state for host in found}
    if states == {"running"}:
        return "running"
    return "stopped" if states <= {"stopped", "absent"} else "partial"
