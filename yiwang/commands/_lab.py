"""An inventory as a lab: what is to be made for it, and how the rest of the kit reaches what was made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from yiwang import keys, lab, ssh
from yiwang.commands import _lab_state
from yiwang.errors import ExitCode, UserError
from yiwang.files import make_private, write_atomic
from yiwang.inventory.model import WORLD, Host, Province
from yiwang.inventory.model import Path as InventoryPath
from yiwang.lab import LabHost, LabPath, LabSpec, LabStatus, LabZone, Operator
from yiwang.messages import t
from yiwang.rundir import RunDir


def spec_of(province: Province) -> LabSpec:
    """The lab of an inventory. Makes what is missing of the key pair. Raises UserError (exit 3) for what a lab cannot be."""
    return LabSpec(
        name=lab.lab_name(province.directory),
        directory=province.directory,
        zones=tuple(LabZone(zone.name, zone.ipv4, zone.ipv6) for zone in province.zones.values()),
        hosts=tuple(_host(host) for host in province.hosts.values()),
        paths=tuple(_path(province, path, within) for path, within in province.ways()),
        operator=_operator(province),
        authorized_key=keys.pair(province.access.key_file.expanduser()),
    )


def lead_into(province: Province, spec: LabSpec) -> None:
    """Write how SSH gets to the hosts of the lab, whether they are there yet or not: from here on no run can reach others."""
    configuration = _lab_state.configuration(province.state_dir)
    make_private(configuration.parent)
    way = f"  ProxyCommand nsenter --net={lab.operator_namespace(spec.name)} nc %h %p"
    write_atomic(configuration, "".join(f"Host {host.name}\n{way}\n" for host in spec.hosts))


def pin(province: Province, status: LabStatus) -> list[str]:
    """Pin the keys of the hosts that have none pinned.

    Returns the hosts whose pinned key is not theirs: they were made anew, and a person has to say so.
    """
    changed: list[str] = []
    with RunDir() as run:
        access = ssh.Access(province, run.path)
        for host in status.hosts:
            line, pinned = f"{host.name} {host.host_key}", access.trusted(host.name)
            if host.host_key and not pinned:
                access.trust(host.name, [line])
            elif host.host_key and line not in pinned:
                changed.append(host.name)
    return changed


def shell(province: Province, status: LabStatus, host: str, command: list[str]) -> int:
    """Open a shell, or run a command, on a host: as the automation account, or before that exists as the first one.

    Returns the exit code. Raises UserError (exit 6) when the host does not run.
    """
    found = next((each for each in status.hosts if each.name == host), None)
    if found is None or found.state != "running":
        raise UserError(t("lab.not_running", host=host), code=ExitCode.HOST, fix=t("lab.not_running_fix"))
    with RunDir() as run:
        # The lab knows the host's key at first hand; what is pinned for the rest of the kit does not matter here.
        known = run.path / "known_hosts"
        write_atomic(known, f"{host} {found.host_key}\n")
        base = ["ssh", "-F", "/dev/null", *_options(province, status, host, known), "-p", str(found.port)]
        account = next(
            (name for name in (province.access.user, province.access.bootstrap_user) if _signs_in(base, name, found)),
            province.access.user,
        )
        code = subprocess.run([*base, "-l", account, "--", str(found.ipv4), *command], check=False).returncode
    return ExitCode.HOST if code == 255 else code


def _options(province: Province, status: LabStatus, host: str, known: Path) -> list[str]:
    options = {
        "IdentityFile": province.access.key_file,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": known,
        "HostKeyAlias": host,
        "LogLevel": "ERROR",
        "ConnectTimeout": "5",
        "ProxyCommand": f"nsenter --net={status.operator_namespace} nc %h %p",
    }
    return [f"-o{name}={value}" for name, value in options.items()]


def _signs_in(base: list[str], account: str, host: lab.HostStatus) -> bool:
    argv = [*base, "-l", account, str(host.ipv4), "true"]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _host(host: Host) -> LabHost:
    if host.ipv6 is None:
        raise UserError(t("lab.no_ipv6", host=host.name), code=ExitCode.INPUT, fix=t("lab.no_ipv6_fix", host=host.name))
    return LabHost(host.name, host.zone, host.ipv4, host.ipv6, host.port)


def _path(province: Province, path: InventoryPath, within: str | None) -> LabPath:
    sources = _addresses(province, path.source, within)
    targets = _addresses(province, (endpoint for endpoint in path.target if endpoint != WORLD), within)
    return LabPath(sources, targets, path.protocol, path.ports, to_world=WORLD in path.target)


def _addresses(province: Province, endpoints: Iterable[str], within: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    found: list[IPv4Network | IPv6Network] = []
    for endpoint in endpoints:
        ipv4, ipv6 = province.addresses(endpoint, within)
        found += [*ipv4, *ipv6]
    return tuple(found)


def _operator(province: Province) -> Operator:
    """The first addresses of the operators' networks that lie in one zone and that no host or router has."""
    taken = {address for host in province.hosts.values() for address in (host.ipv4, host.ipv6)}
    for zone in province.zones.values():
        taken |= {network.network_address + 1 for network in zone.ipv4} | {network.network_address + 1 for network in zone.ipv6}
        ipv4 = _free(province.access.operators[0], zone.ipv4, taken)
        ipv6 = _free(province.access.operators[1], zone.ipv6, taken)
        if isinstance(ipv4, IPv4Address) and isinstance(ipv6, IPv6Address):
            return Operator(zone.name, ipv4, ipv6)
    raise UserError(t("lab.no_operator"), code=ExitCode.INPUT, fix=t("lab.no_operator_fix"))


def _free(
    networks: Iterable[IPv4Network | IPv6Network],
    ranges: tuple[IPv4Network | IPv6Network, ...],
    taken: set[IPv4Address | IPv6Address | None],
) -> IPv4Address | IPv6Address | None:
    for network in networks:
        # The second address on: the first of a range is a router's.
        first = 0 if network.num_addresses == 1 else 2
        for number in range(first, min(network.num_addresses, 256)):
            address = network.network_address + number
            if any(address in network for network in ranges) and address not in taken:
                return address
    return None
