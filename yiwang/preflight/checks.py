"""The checks: each a small function from what was seen of a host to one or more findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from yiwang import ssh
from yiwang.messages import t
from yiwang.preflight.model import Finding, Port, Seen
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


def disk(seen: Seen) -> Iterator[Finding]:
    """The root file system has room."""
    yield _amount(seen, "disk", "disk_free", seen.needs.disk)


def memory(seen: Seen) -> Iterator[Finding]:
    """The host has the memory its components need."""
    yield _amount(seen, "memory", "memory_total", seen.needs.memory)


def _amount(seen: Seen, check: str, fact: str, needed: int) -> Finding:
    has = int(float(seen.facts.get(fact) or 0))
    text = t(f"preflight.{check}", has=_gib(has), needed=_gib(needed))
    if has >= needed:
        return seen.finding(check, "ok", text)
    return seen.finding(check, "fail", text, t(f"preflight.{check}_fix", missing=_gib(needed - has)))


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
    """What must resolve on the host does."""
    missing = [name for name in seen.needs.names if not seen.facts.get(f"resolve {name}")]
    if missing:
        yield seen.finding("names", "fail", t("preflight.names_missing", names=", ".join(missing)), t("preflight.names_fix"))
    else:
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
    """The package sources that the host is set up with answer."""
    if seen.facts.get("packages") != "apt":
        yield seen.finding("packages", "warn", t("preflight.no_apt"), t("preflight.no_apt_fix"))
        return
    if "source_none" in seen.facts:
        yield seen.finding("packages", "fail", t("preflight.no_sources", detail=seen.facts["source_none"]), t("preflight.no_sources_fix"))
        return
    sources = {key.partition(" ")[2]: value for key, value in seen.facts.items() if key.startswith("source ")}
    for server, answer in sources.items():
        if answer == "ok":
            yield seen.finding("packages", "ok", server or "file")
        else:
            yield seen.finding("packages", "fail", t("preflight.source", server=server, answer=answer), t("preflight.source_fix"))


# Those that need no shell on the host come first; the others are skipped where there was none.
FROM_OUTSIDE: tuple[Check, ...] = (reachable, host_key, login)
FROM_INSIDE: tuple[Check, ...] = (privilege, system, architecture, python, disk, memory, clock, names, ports, packages)


def judge(seen: Seen) -> list[Finding]:
    """All findings about one host."""
    findings = [finding for check in FROM_OUTSIDE for finding in check(seen)]
    for check in FROM_INSIDE:
        findings += check(seen) if seen.problem is None else [seen.finding(check.__name__, "skip", t("preflight.not_seen"))]
    return findings
