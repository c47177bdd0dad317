"""What a role's inputs and its last results mean: which hosts need a visit. Pure functions, no host is asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yiwang.messages import t
from yiwang.provider import sources, values
from yiwang.provider.resource import Change, Problem, known_keys
from yiwang.provider.values import UNKNOWN, Secret, reveal, unknown

INPUTS = frozenset({"role", "site", "hosts", "variables", "digest"})
_HOST_KEYS = frozenset({"address", "port", "variables"})
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII)
_ROLE = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Visits:
    """The work of an update: hosts to apply the role on, and hosts (no longer listed) to remove it from.

    ``first``: those of ``apply`` on which it was never applied. ``outdated``: hosts that would need it but are not to be
    visited in this run; what is known of them no longer holds.
    """

    apply: tuple[str, ...]
    first: frozenset[str]
    remove: tuple[str, ...]
    outdated: frozenset[str]


def check(inputs: dict[str, Any]) -> list[Problem]:
    """What is wrong with the inputs of a role."""
    problems = known_keys(inputs, INPUTS)
    role = reveal(inputs.get("role"))
    if not isinstance(role, str) or not _ROLE.fullmatch(role) or not (sources.role_directory(role) / "tasks" / "main.yml").is_file():
        problems.append(Problem("role", t("provider.no_role", role=role)))
    problems += [
        Problem(key, t("provider.text_needed", key=key, value=inputs.get(key)))
        for key in ("site", "digest")
        if not isinstance(inputs.get(key), str) or not inputs[key]
    ]
    if not _is_map(inputs.get("variables")):
        problems.append(Problem("variables", t("provider.map_needed", key="variables")))
    hosts = inputs.get("hosts")
    if not isinstance(hosts, dict):
        return [*problems, Problem("hosts", t("provider.map_needed", key="hosts"))]
    return [*problems, *(problem for name, host in hosts.items() for problem in _check_host(name, host))]


def _is_map(value: Any) -> bool:
    """Whether it is a map, or may be one: not known yet, secret as a whole."""
    return isinstance(reveal(value), dict) or reveal(value) is UNKNOWN


def _check_host(name: str, host: Any) -> Iterator[Problem]:
    key = f"hosts.{name}"
    if not _NAME.fullmatch(name):
        yield Problem(key, t("provider.host_name", value=name))
    if not _is_map(host):
        yield Problem(key, t("provider.map_needed", key=key))
        return
    host = reveal(host)
    if host is UNKNOWN:
        return
    if not _is_map(host.get("variables", {})):
        yield Problem(f"{key}.variables", t("provider.map_needed", key=f"{key}.variables"))
    yield from (Problem(f"{key}.{problem.key}", problem.reason) for problem in known_keys(host, _HOST_KEYS))
    try:
        if host.get("address") is not UNKNOWN:
            ipaddress.ip_address(str(host.get("address")))
    except ValueError:
        yield Problem(f"{key}.address", t("provider.host_address", value=host.get("address")))
    port = host.get("port", 22)
    if port is not UNKNOWN and (not isinstance(port, int) or not 1 <= port <= 65535):
        yield Problem(f"{key}.port", t("provider.host_port", value=port))


def expected(inputs: Mapping[str, Any], host: str) -> str:
    """The digest that says what is applied on a host: role, sources, its entry and the variables, without secrets."""
    parts = [inputs["role"], inputs["digest"], inputs["hosts"][host], inputs["variables"]]
    return values.digest(values.public(parts))


def visits(
    old_inputs: Mapping[str, Any], results: Mapping[str, Any], news: Mapping[str, Any], *, limit: frozenset[str] | None, force: bool
) -> Visits:
    """The hosts that ``news`` needs visited, given the last inputs and results; ``limit``: no others may be."""
    rotated = {host for host in news["hosts"] if _secrets_of(old_inputs, host) != _secrets_of(news, host)} if old_inputs else set()
    vague = unknown([news["variables"], news["digest"]])
    needed = {
        host
        for host, entry in news["hosts"].items()
        if force or vague or unknown(entry) or host in rotated or results.get(host, {}).get("applied") != expected(news, host)
    }
    allowed = needed if limit is None else needed & limit
    gone = sorted(host for host in results if host not in news["hosts"] and (limit is None or host in limit))
    return Visits(
        apply=tuple(sorted(allowed)),
        first=frozenset(host for host in allowed if not results.get(host, {}).get("applied")),
        remove=tuple(gone),
        outdated=frozenset((needed - allowed) & rotated),
    )


def diff(old_inputs: Mapping[str, Any], news: Mapping[str, Any], todo: Visits) -> Change:
    """The comparison for the engine: changed inputs by path, and hosts whose results do not hold."""
    changed: list[str] = []
    paths: list[str] = []
    for key in sorted(INPUTS):
        old, new = reveal(old_inputs.get(key)), reveal(news.get(key))
        if old == new:
            continue
        changed.append(key)
        if isinstance(old, dict) and isinstance(new, dict):
            paths += [f"{key}.{name}" for name in sorted(old | new) if old.get(name) != new.get(name)]
        else:
            paths.append(key)
    # Nothing of the inputs has changed, yet a host needs a visit: it failed, drifted, or was left out the last time.
    if (todo.apply or todo.remove) and not changed:
        changed.append("results")
        paths += [f'results["{host}"]' for host in (*todo.apply, *todo.remove)]
    # Old and new share their hosts: a removal after the new role was applied would take away what that has made.
    return Change(tuple(changed), replaces=("role",) if "role" in changed else (), paths=tuple(paths), delete_first=True)


def entries(inputs: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """How to reach the hosts of ``results``: by the inputs, else by what was kept when the host was taken out of them."""
    found = {host: inputs.get("hosts", {}).get(host, result.get("left")) for host, result in results.items()}
    return {host: entry for host, entry in found.items() if entry is not None}


def with_leaving(old_inputs: Mapping[str, Any], results: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    """The results, where each host no longer listed keeps (``left``) how to reach it, without secrets, until it was visited."""
    found = {host: dict(result) for host, result in results.items()}
    for host, entry in entries(old_inputs, {host: result for host, result in found.items() if host not in news["hosts"]}).items():
        kept = opened(entry)
        variables = {name: value for name, value in kept["variables"].items() if not values.secret(value)}
        left = {**kept, "variables": variables}
        found[host]["left"] = Secret(left) if isinstance(entry, Secret) else left
    return found


def opened(entry: Any) -> dict[str, Any]:
    """A host's entry as a map, with its variables as one: of what is secret as a whole each value is."""
    inside = reveal(entry) if isinstance(entry, Secret) else dict(entry)
    variables = inside.get("variables") or {}
    if isinstance(entry, Secret) or isinstance(variables, Secret):
        variables = {name: Secret(value) for name, value in reveal(variables).items()}
    return {**inside, "variables": variables}


def _secrets_of(inputs: Mapping[str, Any], host: str) -> dict[str, Any]:
    """The secrets that concern a host, in clear, by their place."""
    entry = inputs.get("hosts", {}).get(host, {})
    return dict(_secrets("", {"variables": inputs.get("variables", {}), "host": entry}))


def _secrets(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Secret):
        yield place, reveal(value.value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(f"{place}/{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(f"{place}/{index}", item)
