"""The checks: each a small function from what was seen of a host to one or more findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import Literal

from yiwang import ssh
from yiwang.messages import t
from yiwang.preflight.model import Finding, Port, Seen, Verdict
from yiwang.preflight.sizing import sizing
from yiwang.ssh import Problem

MAX_OFFSET = 5.0
"""Seconds by which a host's clock may differ from this machine's."""
OLDEST_PYTHON = (3, 9)

Check = Callable[[Seen], Iterable[Finding]]


def reachable(seen: Seen) -> Iterator[Finding]:
    """An SSH server answers at the host's address and port."""
    if seen.problem is Problem.UNREACHABLE:
        yield _refused(seen, "reachable")
    else:
        yield seen.finding("reachable", "ok", t("preflight.reachable", where=f"{seen.endpoint.address}:{seen.endpoint.port}"))


def host_key(seen: Seen) -> Iterator[Finding]:
    """The key the host shows is the one that is pinned."""
    if seen.problem is Problem.UNREACHABLE:
        yield seen.finding("host_key", "skip", t("preflight.not_seen"))
    elif seen.problem in {Problem.KEY_UNKNOWN, Problem.KEY_CHANGED}:
        old, new = (", ".join(map(ssh.fingerprint, lines)) or "-" for lines in (seen.pinned, seen.shown))
        error = ssh.explain(seen.host, seen.problem, seen.endpoint, seen.detail, seen.user)
        yield seen.finding("host_key", "fail", f"{error.text} ({t('ssh.fingerprints', old=old, new=new)})", error.fix)
    else:
        yield seen.finding("host_key", "ok", ", ".join(map(ssh.fingerprint, seen.pinned)))


def login(seen: Seen) -> Iterator[Finding]:
    """The automation account, or that of the first contact, can sign in."""
    if seen.problem is Problem.DENIED:
        yield _refused(seen, "login")
    elif seen.problem is not None:
        yield seen.finding("login", "skip", t("preflight.not_seen"))
    else:
        yield seen.finding("login", "ok", t("preflight.login", user=seen.user))


def _refused(seen: Seen, check: str) -> Finding:
    error = ssh.explain(seen.host, seen.problem or Problem.UNREACHABLE, seen.endpoint, seen.detail, seen.user)
    return seen.finding(check, "fail", error.text, error.fix)


def privilege(seen: Seen) -> Iterator[Finding]:
    """The account may act for root without a password."""
    if seen.facts.get("privilege") in {"root", "sudo"}:
        yield seen.finding("privilege", "ok", seen.facts["privilege"])
    else:
        fix = t("preflight.privilege_fix", user=seen.user)
        yield seen.finding("privilege", "fail", t("preflight.privilege", user=seen.user), fix)


def system(seen: Seen) -> Iterator[Finding]:
    """The operating system and its version are supported, and systemd runs it."""
    name, known = seen.facts.get("os_name") or "?", seen.needs.systems
    supported = ", ".join(f"{system} {'/'.join(versions)}" for system, versions in sorted(known.items()))
    if seen.facts.get("os_version", "") not in known.get(seen.facts.get("os_id", ""), ()):
        yield seen.finding("system", "fail", t("preflight.system", name=name), t("preflight.system_fix", supported=supported))
    elif seen.facts.get("init") != "systemd":
        yield seen.finding("system", "fail", t("preflight.init", init=seen.facts.get("init")), t("preflight.init_fix"))
    else:
        yield seen.finding("system", "ok", name)


def architecture(seen: Seen) -> Iterator[Finding]:
    """Packages and programs exist for the processor."""
    found, known = seen.facts.get("architecture", "?"), seen.needs.architectures
    if found in known:
        yield seen.finding("architecture", "ok", found)
    else:
        fix = t("preflight.architecture_fix", supported=", ".join(known))
        yield seen.finding("architecture", "fail", t("preflight.architecture", found=found), fix)


def python(seen: Seen) -> Iterator[Finding]:
    """There is a Python for Ansible's modules."""
    found = seen.facts.get("python", "")
    oldest = ".".join(map(str, OLDEST_PYTHON))
    if not found:
        yield seen.finding("python", "fail", t("preflight.no_python"), t("preflight.python_fix", oldest=oldest))
    elif tuple(map(int, found.split(".")[:2])) < OLDEST_PYTHON:
        yield seen.finding("python", "fail", t("preflight.old_python", found=found), t("preflight.python_fix", oldest=oldest))
    else:
        yield seen.finding("python", "ok", found)


def operators(seen: Seen) -> Iterator[Finding]:
    """The address that this machine signs in from is one that the firewall will let in."""
    client = seen.facts.get("client", "").partition("%")[0]
    try:
        address = ip_address(client)
    except ValueError:
        yield seen.finding("operators", "warn", t("preflight.no_client"), t("preflight.operators_fix", address="IP"))
        return
    if any(address in network for network in seen.needs.operators):
        yield seen.finding("operators", "ok", client)
    else:
        fix = t("preflight.operators_fix", address=client)
        yield seen.finding("operators", "fail", t("preflight.operators", address=client), fix)


def disk(seen: Seen) -> Iterator[Finding]:
    """Each file system has room for all that lies on it."""
    needed: dict[str, int] = {}
    has: dict[str, int] = {}
    for place, amount in seen.needs.disk.items():
        free, _, mounted = seen.facts.get(f"room {place}", "0").partition(" ")
        mounted = mounted or place
        needed[mounted] = needed.get(mounted, 0) + amount
        has[mounted] = min(has.get(mounted, int(free or 0)), int(free or 0))
    for mounted, amount in needed.items():
        text = t("preflight.disk", place=mounted, has=_gib(has[mounted]), needed=_gib(amount))
        if has[mounted] >= amount:
            yield seen.finding("disk", "ok", text)
        else:
            fix = t("preflight.disk_fix", place=mounted, missing=_gib(amount - has[mounted]))
            yield seen.finding("disk", "fail", text, fix)


def memory(seen: Seen) -> Iterator[Finding]:
    """The host has the memory its components need."""
    has, needed = int(float(seen.facts.get("memory_total") or 0)), seen.needs.memory
    text = t("preflight.memory", has=_gib(has), needed=_gib(needed))
    if has >= needed:
        yield seen.finding("memory", "ok", text)
    else:
        yield seen.finding("memory", "fail", text, t("preflight.memory_fix", missing=_gib(needed - has)))


def _gib(amount: int) -> str:
    return f"{amount / (1 << 30):.1f} GiB"


def clock(seen: Seen) -> Iterator[Finding]:
    """The host's clock is near this machine's, and so near those of all other hosts."""
    if seen.offset is None:
        yield seen.finding("clock", "fail", t("preflight.no_clock"), t("preflight.clock_fix"))
        return
    # The true lead lies between the two: what is certain is the smallest distance from zero.
    low, high = seen.offset
    lead = low if low > 0 else min(high, 0.0)
    if abs(lead) > MAX_OFFSET:
        text = t("preflight.clock_off", seconds=f"{lead:+.1f}", most=f"{MAX_OFFSET:g}")
        yield seen.finding("clock", "fail", text, t("preflight.clock_fix"))
    else:
        yield seen.finding("clock", "ok", t("preflight.clock", most=f"{MAX_OFFSET:g}"))


def names(seen: Seen) -> Iterator[Finding]:
    """What must resolve on the host does: the names that the inventory gives it."""
    if not seen.needs.names:
        yield seen.finding("names", "skip", t("preflight.no_names"))
        return
    # A server that apt reached through a proxy needs no name here.
    reached = {key.partition(" ")[2].partition(":")[0] for key, value in seen.facts.items() if key.startswith("given ") and value == "ok"}
    missing = [name for name in seen.needs.names if not seen.facts.get(f"resolve {name}") and name not in reached]
    for name in missing:
        purpose = seen.needs.names[name]
        # No component of this release calls the national platform yet.
        verdict: Verdict = "warn" if purpose == "national" else "fail"
        text = t("preflight.name_missing", name=name, purpose=t(f"preflight.name_{purpose}"))
        yield seen.finding("names", verdict, text, t("preflight.names_fix"))
    if not missing:
        yield seen.finding("names", "ok", ", ".join(seen.needs.names))


def ports(seen: Seen) -> Iterator[Finding]:
    """The ports that components will listen on are free, or theirs already."""
    if "listen_unknown" in seen.facts:
        yield seen.finding("ports", "warn", t("preflight.ports_unknown"), t("preflight.ports_unknown_fix"))
        return
    taken = [(port, holders) for port in seen.needs.ports if (holders := _holders(seen, port)) is not None and not holders <= port.owners]
    for port, holders in taken:
        who = ", ".join(sorted(holders)) or "?"
        text = t("preflight.port_taken", port=f"{port.number}/{port.protocol}", who=who)
        yield seen.finding("ports", "fail", text, t("preflight.port_fix", who=who))
    if not taken:
        listed = ", ".join(f"{port.number}/{port.protocol}" for port in seen.needs.ports) or "-"
        yield seen.finding("ports", "ok", t("preflight.ports", ports=listed))


def _holders(seen: Seen, port: Port) -> frozenset[str] | None:
    """The programs that hold a port; None when nobody does, ``?`` for one we may not see."""
    found = seen.facts.get(f"listen {port.protocol} {port.number}")
    if found is None:
        return None
    return frozenset(found.split(",")) if found else frozenset({"?"})


def packages(seen: Seen) -> Iterator[Finding]:
    """The package sources answer: those that the inventory gives, and those that the host is set up with."""
    if seen.facts.get("packages") != "apt":
        yield seen.finding("packages", "warn", t("preflight.no_apt"), t("preflight.no_apt_fix"))
        return
    given = bool(seen.needs.apt_sources)
    if given:
        yield from _sources(seen, "given", "fail")
    # The inventory's sources come beside the host's own, which nobody has to need then.
    yield from _sources(seen, "own", "warn" if given else "fail")


def _sources(seen: Seen, kind: Literal["given", "own"], verdict: Verdict) -> Iterator[Finding]:
    none = seen.facts.get(f"{kind}_none")
    if none is not None:
        if kind == "given" or verdict == "fail":
            yield seen.finding("packages", verdict, t(f"preflight.no_{kind}", detail=none), t(f"preflight.no_{kind}_fix"))
        return
    for key, answer in seen.facts.items():
        called, _, server = key.partition(" ")
        # Once applied, the inventory's sources are among the host's own.
        if called != kind or (kind == "own" and f"given {server}" in seen.facts):
            continue
        if answer == "ok":
            yield seen.finding("packages", "ok", server)
        else:
            yield seen.finding("packages", verdict, t(f"preflight.source_{kind}", server=server, answer=answer), t("preflight.source_fix"))


# Those that need no shell on the host come first; the others are skipped where there was none.
FROM_OUTSIDE: tuple[Check, ...] = (reachable, host_key, login)
FROM_INSIDE: tuple[Check, ...] = (operators, privilege, system, architecture, python, disk, memory, clock, names, ports, packages)
# Only where the host carries storage.
FROM_STORES: tuple[Check, ...] = (sizing,)


def judge(seen: Seen) -> list[Finding]:
    """All findings about one host."""
    findings = [finding for check in FROM_OUTSIDE for finding in check(seen)]
    for check in (*FROM_INSIDE, *(FROM_STORES if seen.needs.storage is not None else ())):
        findings += check(seen) if seen.problem is None else [seen.finding(check.__name__, "skip", t("preflight.not_seen"))]
    return findings
