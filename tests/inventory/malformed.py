"""Malformed inventories: each a small change to what `yiwang new` writes, and the exact lines that it is answered with."""

# ruff: noqa: E501 - a finding is one line, as long as it takes

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Change = Callable[[Path], None]

PROVINCE = "province.yml"
HOSTS = "hosts.yml"
ALL = "group_vars/all.yml"


@dataclass(frozen=True)
class Case:
    """``changes`` spoil the inventory; ``lines`` is all that is said, the inventory's directory left out."""

    name: str
    changes: tuple[Change, ...]
    lines: tuple[str, ...]


def replace(file: str, old: str, new: str) -> Change:
    """Replace the first ``old`` in ``file``."""

    def change(directory: Path) -> None:
        path = directory / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} no longer holds {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def write(file: str, content: str | bytes) -> Change:
    """Write ``file`` anew."""

    def change(directory: Path) -> None:
        path = directory / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def append(file: str, text: str) -> Change:
    """Add ``text`` at the end of ``file``."""

    def change(directory: Path) -> None:
        with (directory / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return change


def rename_host(name: str) -> Change:
    """Call ``p-core`` something else, wherever ``hosts.yml`` names it."""

    def change(directory: Path) -> None:
        path = directory / HOSTS
        path.write_text(path.read_text(encoding="utf-8").replace("p-core:", f"{name}:"), encoding="utf-8")

    return change


def remove(file: str) -> Change:
    """Remove ``file``."""
    return lambda directory: (directory / file).unlink()


def make_directory(file: str) -> Change:
    """Put a directory where ``file`` was."""

    def change(directory: Path) -> None:
        (directory / file).unlink()
        (directory / file).mkdir()

    return change


def make_fifo(file: str) -> Change:
    """Put a pipe where ``file`` was."""

    def change(directory: Path) -> None:
        (directory / file).unlink()
        os.mkfifo(directory / file)

    return change


def case(name: str, change: Change | tuple[Change, ...], *lines: str) -> Case:
    return Case(name, change if isinstance(change, tuple) else (change,), lines)


def tree(directory: Path) -> dict[str, str]:
    """Every path below ``directory`` with its kind, mode and content, to see that nothing has changed."""
    found = {}
    for path in sorted(directory.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(directory))] = f"{path.lstat().st_mode:o} {content}"
    return found


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
)
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUM2dIM1xSP57l1gXC5GI+Ak9gih4wCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbWlycm9yMCAXDTI2MTEyNDAzMTEyM1oYDzIxMjYxMDMxMDMx
MTIzWjARMQ8wDQYDVQQDDAZtaXJyb3IwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARTcqALtXExTX7nXv0xi3pi+nPVGCdbq+01cCj2oY92gWD9rVA59Z7utrcvGh2a
HLbEDSr7OL4HM+3sqb0awHaqo1MwUTAdBgNVHQ4EFgQUq4TM2QxVvsvY1C1CxVdk
OJEFYBswHwYDVR0jBBgwFoAUq4TM2QxVvsvY1C1CxVdkOJEFYBswDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA1rEETTUMw7vPhW6hEaqsaPIgcls9
7nn7UuGb4kqLnJoCIET/9Hg6ElvqK84ZvyY2nD1xBW6CrLVDbooovwgQDEdQ
-----END CERTIFICATE-----
"""
PEM = "-----BEGIN " + "PRIVATE KEY-----"

CASES = (
    # Files
    case(
        "province.yml missing",
        remove(PROVINCE),
        "province.yml: the file is missing; write it as in the example that yiwang new makes",
    ),
    case(
        "hosts.yml missing",
        remove(HOSTS),
        "hosts.yml: the file is missing; write it as in the example that yiwang new makes",
    ),
    case(
        "directory for a file",
        make_directory(PROVINCE),
        "province.yml: this is not a regular file; make province.yml a regular file",
    ),
    case(
        "pipe for a file",
        make_fifo(HOSTS),
        "hosts.yml: this is not a regular file; make hosts.yml a regular file",
    ),
    case(
        "empty file",
        write(PROVINCE, ""),
        "province.yml: the file is empty; write it as in the example that yiwang new makes",
    ),
    case(
        "only a list",
        write(PROVINCE, "- code\n"),
        "province.yml:1: expected keys and values (key: value); write one key: value a line",
    ),
    case(
        "binary file",
        write(HOSTS, b"\x7fELF\x02\x01\x00\xff\xfe"),
        "hosts.yml:1: holds characters that are not UTF-8 text; save it as UTF-8",
    ),
    case(
        "control character",
        write(ALL, "base_timezone: \x01\n"),
        "group_vars/all.yml:1: holds characters that are not UTF-8 text; save it as UTF-8",
    ),
    case(
        "tab",
        replace(PROVINCE, "  zh: 山东省", "\tzh: 山东省"),
        "province.yml:13: YAML is not indented with tabs; use spaces",
    ),
    case(
        "bad yaml",
        replace(PROVINCE, "code: 370000", "code: [370000"),
        "province.yml:12: this is not YAML (did not find expected ',' or ']'); look at indentation, colons and quotes of this line and the one above",
    ),
    case(
        "two documents",
        append(PROVINCE, "---\ncode: 370000\n"),
        "province.yml:140: a file holds one YAML document; remove what follows the second ---",
    ),
    case(
        "file for a directory",
        write("host_vars", "x"),
        "host_vars: this is not a directory; make host_vars a directory",
    ),
    case(
        "vars file of no group",
        write("group_vars/opps.yml", "base_time_server: true\n"),
        "group_vars/opps.yml: hosts.yml has no group opps; did you mean ops?",
    ),
    case(
        "vars file of no host",
        write("host_vars/p-cor.yml", "base_time_server: true\n"),
        "host_vars/p-cor.yml: hosts.yml has no host p-cor; did you mean p-core?",
    ),
    case(
        "vars file that ansible does not read",
        write("group_vars/ops.yaml.bak", "x: 1\n"),
        "group_vars/ops.yaml.bak: Ansible does not read files with this suffix; end it in .yml, or move it away",
    ),
    # YAML
    case(
        "duplicate key",
        replace(PROVINCE, "domain: zwfw.example", "domain: zwfw.example\ndomain: other.example"),
        "province.yml:18: domain: the key is already on line 17; remove one of them",
    ),
    case(
        "duplicate host",
        replace(HOSTS, "        p-core:\n          ansible_host: 198.51.100.11", "        p-edge:\n          ansible_host: 198.51.100.11"),
        "hosts.yml:20: all.children.province.hosts.p-edge: the key is already on line 16; remove one of them",
    ),
    case(
        "alias bomb",
        append(ALL, BOMB),
        "group_vars/all.yml:25: f: more than 200000 values when aliases are followed; remove the aliases (*)",
    ),
    case(
        "recursion",
        replace(PROVINCE, "zones:", "zones: &z\n  x: *z"),
        "province.yml:49: zones.x: the anchor z contains itself; write the value out",
    ),
    case(
        "unknown anchor",
        replace(PROVINCE, "code: 370000", "code: *code"),
        "province.yml:9: code: there is no anchor code; write the value out; quote text that begins with *",
    ),
    case(
        "deep nesting",
        replace(PROVINCE, "code: 370000", "code: " + "[" * 60 + "]" * 60),
        "province.yml:9: code[0][0][0]: nested deeper than 32 levels; nest less",
    ),
    case(
        "python tag",
        replace(PROVINCE, "code: 370000", "code: !!python/object/apply:os.system [ls]"),
        "province.yml:9: code: !!python/object/apply:os.system: tags are not used here; write the value alone",
    ),
    case(
        "key that is a number",
        replace(PROVINCE, "domain: zwfw.example", "1: x\ndomain: zwfw.example"),
        "province.yml:17: 1: expected a key that is text; quote the key",
    ),
    # Keys
    case(
        "unknown key",
        replace(PROVINCE, "domain: zwfw.example", "domian: zwfw.example"),
        "province.yml:17: domian: unknown key; did you mean domain?",
    ),
    case(
        "unknown key below",
        replace(PROVINCE, "    ipv6: 2001:db8:0:10::/64", "    ipv6: 2001:db8:0:10::/64\n    vlan: 12"),
        "province.yml:52: zones.internet.vlan: unknown key; known: ipv4, ipv6",
    ),
    case(
        "unknown key of a path",
        replace(PROVINCE, "protocol: tcp  ", "protocl: tcp  "),
        "province.yml:65: paths[0].protocl: unknown key; did you mean protocol?",
    ),
    case(
        "missing key",
        replace(PROVINCE, "passphrase:\n", "passphras:\n"),
        "province.yml:29: passphras: unknown key; did you mean passphrase?",
    ),
    # Names and codes
    case(
        "missing translation",
        replace(PROVINCE, "  en: Shandong\n", ""),
        "province.yml:12: name.en: (missing): this key is required; add it",
    ),
    case(
        "chinese name in latin letters",
        replace(PROVINCE, "  zh: 山东省", "  zh: Shandong"),
        'province.yml:13: name.zh: "Shandong": expected a name in Chinese characters; for instance 山东省',
    ),
    case(
        "english name with wrong characters",
        replace(PROVINCE, "  en: Shandong", "  en: Shāndōng"),
        'province.yml:14: name.en: "Shāndōng": expected a name in English (ASCII letters); for instance Shandong',
    ),
    case(
        "code of no division",
        replace(PROVINCE, "code: 370000", "code: 990000"),
        "province.yml:9: code: 990000: expected a code of GB/T 2260; look the division up",
    ),
    case(
        "code too short",
        replace(PROVINCE, "code: 370000", "code: 37"),
        "province.yml:9: code: 37: expected a GB/T 2260 code of six digits; for instance 370000",
    ),
    case(
        "code of a prefecture",
        replace(PROVINCE, "code: 370000", "code: 370100"),
        "province.yml:9: code: 370100 济南市: expected the code of a province; for instance 370000",
    ),
    case(
        "city of another province",
        replace(PROVINCE, "code: 370100", "code: 320100"),
        "province.yml:125: sites.c370100.code: 320100 南京市: expected a division of 370000 山东省; look the code up",
    ),
    case(
        "county",
        replace(PROVINCE, "code: 370100", "code: 370102"),
        "province.yml:125: sites.c370100.code: 370102 历下区: expected a division directly under the province; the one above it is 370100 济南市",
    ),
    case(
        "two sites with one code",
        replace(PROVINCE, "code: 370200", "code: 370100"),
        "province.yml:130: sites.c370200.code: 370100: expected a code of its own, site c370100 has this one; one code for each site",
    ),
    case(
        "city without code",
        replace(PROVINCE, "    code: 370100 ", "    # code: 370100 "),
        "province.yml:123: sites.c370100.code: (missing): expected the GB/T 2260 code of the city; add code",
    ),
    case(
        "domain in capitals",
        replace(PROVINCE, "domain: zwfw.example", "domain: ZWFW.example"),
        'province.yml:17: domain: "ZWFW.example": expected a domain in lower case; for instance zwfw.example',
    ),
    # Sites
    case(
        "no province site",
        replace(PROVINCE, "    stack: province ", "    stack: city\n    code: 370300 #"),
        "province.yml:97: sites: (missing): expected one site with stack: province; add province: {stack: province}",
    ),
    case(
        "two provinces",
        replace(PROVINCE, "    stack: city\n    code: 370200 ", "    stack: province #"),
        'province.yml:129: sites.c370200.stack: "province": expected one province site, province is one already; keep one of them',
    ),
    case(
        "unknown stack",
        replace(PROVINCE, "    stack: province ", "    stack: provinces "),
        'province.yml:99: sites.province.stack: "provinces": expected one of national, province, city; choose one of them',
    ),
    case(
        "site without hosts",
        replace(PROVINCE, "sites:\n", "sites:\n  zibo: {stack: city, code: 370300}\n"),
        "province.yml:98: sites.zibo: site zibo has no hosts; add the group zibo with hosts to hosts.yml",
    ),
    case(
        "site name",
        replace(PROVINCE, "sites:\n", "sites:\n  Zi-Bo: {stack: city, code: 370300}\n"),
        'province.yml:98: sites.Zi-Bo: "Zi-Bo": expected lower case letters and digits, a letter first; for instance jinan',
    ),
    case(
        "site named like a zone",
        replace(PROVINCE, "sites:\n", "sites:\n  internet: {stack: city, code: 370300}\n"),
        'province.yml:98: sites.internet: "internet": expected a name that means nothing else; not the name of a zone or a reserved word',
    ),
    case(
        "unknown placement",
        replace(PROVINCE, "    placement: {storage: servers}", "    placement: {base: cloud}"),
        'province.yml:103: sites.province.placement.base: "cloud": expected one of servers, kubernetes, tenant, external; choose one of them',
    ),
    case(
        "placement of a later release",
        replace(PROVINCE, "    placement: {storage: servers}", "    placement: {base: kubernetes}"),
        'province.yml:103: sites.province.placement.base: "kubernetes": base can only be servers in this release; write servers',
    ),
    case(
        "component of a later release",
        replace(PROVINCE, "    placement: {storage: servers}", "    placement: {portal: servers}"),
        'province.yml:103: sites.province.placement.portal: "servers": component portal is not in this release; remove the line; this release has base, storage',
    ),
    case(
        "unknown component",
        replace(PROVINCE, "    placement: {storage: servers}", "    placement: {bases: servers}"),
        'province.yml:103: sites.province.placement.bases: "bases": expected a component: base, storage, identity, exchange, portal; correct the component\'s name',
    ),
    # Zones and paths
    case(
        "overlapping zones",
        replace(PROVINCE, "zones:\n", 'zones:\n  dmz: {ipv4: 192.0.2.64/26, ipv6: "2001:db8:0:40::/64"}\n'),
        'province.yml:51: zones.internet.ipv4: "192.0.2.0/24": expected ranges apart, this one overlaps zone dmz (192.0.2.64/26); give each zone ranges of its own',
    ),
    case(
        "ranges of one zone overlap",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: [192.0.2.0/25, 192.0.2.64/26]"),
        'province.yml:50: zones.internet.ipv4[1]: "192.0.2.64/26": expected ranges apart, this one overlaps zone internet (192.0.2.0/25); give each zone ranges of its own',
    ),
    case(
        "a range of a list overlaps another zone",
        replace(PROVINCE, "    ipv6: 2001:db8:0:20::/64", "    ipv6:\n      - 2001:db8:0:20::/64\n      - 2001:db8:0:10:1::/80"),
        'province.yml:56: zones.extranet.ipv6[1]: "2001:db8:0:10:1::/80": expected ranges apart, this one overlaps zone internet (2001:db8:0:10::/64); give each zone ranges of its own',
    ),
    case(
        "ranges of the wrong family",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: [192.0.2.0/24, 2001:db8::/64]"),
        'province.yml:50: zones.internet.ipv4[1]: "2001:db8::/64": expected an IPv4 range; for instance 192.0.2.0/24',
    ),
    case(
        "no range at all",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: []"),
        "province.yml:50: zones.internet.ipv4: []: expected an IPv4 range; for instance 192.0.2.0/24",
    ),
    case(
        "host in none of its zone's ranges",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: [192.0.2.128/26, 192.0.2.192/26]"),
        'hosts.yml:17: all.children.province.hosts.p-edge.ansible_host: "192.0.2.11": expected an address of zone internet, 192.0.2.128/26, 192.0.2.192/26; correct the address or yiwang_zone',
    ),
    case(
        "ipv6 in an ipv4 field",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: 2001:db8::/64"),
        'province.yml:50: zones.internet.ipv4: "2001:db8::/64": expected an IPv4 range; for instance 192.0.2.0/24',
    ),
    case(
        "host bits",
        replace(PROVINCE, "ipv4: 192.0.2.0/24", "ipv4: 192.0.2.1/24"),
        'province.yml:50: zones.internet.ipv4: "192.0.2.1/24": expected a range and not an address in it; write 192.0.2.0/24',
    ),
    case(
        "zone is everything",
        replace(PROVINCE, "ipv6: 2001:db8:0:10::/64", "ipv6: ::/0"),
        'province.yml:51: zones.internet.ipv6: "::/0": expected a range that hosts can have; not everything, loopback, multicast or link-local',
    ),
    case(
        "path from nowhere",
        replace(PROVINCE, "from: operators", "from: operatos"),
        'province.yml:63: paths[0].from: "operatos": there is no such zone or host group; did you mean operators?',
    ),
    case(
        "path to an unknown group",
        replace(PROVINCE, "to: management", "to: [management, opps]"),
        'province.yml:69: paths[1].to[1]: "opps": there is no such zone or host group; did you mean ops?',
    ),
    case(
        "a group alone across sites",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: core\n    to: core@province"),
        'province.yml:68: paths[1].from: "core": core alone means both ends in the same site, and the other end, core@province, is not bound to it; say whose hosts: core@province, core@cities, core@any',
    ),
    case(
        "a group alone beside a zone",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: extranet\n    to: [data, operators]"),
        'province.yml:69: paths[1].to[0]: "data": data alone means both ends in the same site, and the other end, extranet, is not bound to it; say whose hosts: data@province, data@cities, data@any',
    ),
    case(
        "a group alone beside a site",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: core\n    to: c370100"),
        'province.yml:68: paths[1].from: "core": core alone means both ends in the same site, and the other end, c370100, is not bound to it; say whose hosts: core@province, core@cities, core@any',
    ),
    case(
        "cities to cities",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: core@cities\n    to: [ops@province, data@cities]"),
        'province.yml:69: paths[1].to[1]: "data@cities": core@cities to data@cities would open the cities to one another; leave @ out at both ends (within each site), or name one site at one end',
    ),
    case(
        "unknown scope",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: core@cites\n    to: core@province"),
        'province.yml:68: paths[1].from: "core@cites": expected a site, cities or any after the @; did you mean core@cities?',
    ),
    case(
        "unknown group with a scope",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: cores@cities\n    to: core@province"),
        'province.yml:68: paths[1].from: "cores@cities": there is no such zone or host group; did you mean core?',
    ),
    case(
        "zone with a scope",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: internet@province\n    to: core@province"),
        'province.yml:68: paths[1].from: "internet@province": there is no such zone or host group; known: backup, core, data, edge, ops',
    ),
    case(
        "group without hosts in that site",
        replace(PROVINCE, "  - from: any\n    to: management", "  - from: any\n    to: ops@c370100"),
        'province.yml:69: paths[1].to: "ops@c370100": site c370100 has no host in group ops; known: ops@province',
    ),
    case(
        "protocol",
        replace(PROVINCE, "protocol: udp", "protocol: icmp"),
        'province.yml:70: paths[1].protocol: "icmp": expected one of tcp, udp; choose one of them',
    ),
    case(
        "port 70000",
        replace(PROVINCE, "ports: [22]", "ports: [22, 70000]"),
        'province.yml:66: paths[0].ports[1]: 70000: expected a port from 1 to 65535, or a range; for instance 443 or "8000-8099"',
    ),
    case(
        "port range backwards",
        replace(PROVINCE, "ports: [22]", 'ports: ["90-80"]'),
        'province.yml:66: paths[0].ports[0]: "90-80": expected a port from 1 to 65535, or a range; for instance 443 or "8000-8099"',
    ),
    case(
        "port not in a list",
        replace(PROVINCE, "ports: [22]", "ports: 22"),
        "province.yml:66: paths[0].ports: 22: expected a list; write [value, value], or one line with - for each",
    ),
    case(
        "no ports",
        replace(PROVINCE, "ports: [22]", "ports: []"),
        "province.yml:66: paths[0].ports: []: expected at least one entry; add one",
    ),
    case(
        "operators everybody",
        replace(PROVINCE, "operators: [203.0.113.2, ", "operators: [0.0.0.0/0, "),
        'province.yml:39: access.operators[0]: "0.0.0.0/0": expected fewer than all addresses; name the range of the operators or of the bastion',
    ),
    case(
        "operators nearly everybody",
        replace(PROVINCE, "operators: [203.0.113.2, ", "operators: [128.0.0.0/1, "),
        'province.yml:39: access.operators[0]: "128.0.0.0/1": expected fewer than all addresses; name the range of the operators or of the bastion',
    ),
    case(
        "no operators",
        replace(PROVINCE, 'operators: [203.0.113.2, "2001:db8:0:30::2"]', "operators: []"),
        "province.yml:39: access.operators: []: expected at least one entry; add one",
    ),
    case(
        "operators in a family that ssh does not use",
        replace(PROVINCE, 'operators: [203.0.113.2, "2001:db8:0:30::2"]', 'operators: ["2001:db8:0:30::2"]'),
        'province.yml:39: access.operators: ["2001:db8:0:30::2"]: expected an IPv4 range among them, hosts are signed in to at IPv4 addresses (ansible_host); add the IPv4 range of the operators or of the bastion',
    ),
    # State and passphrase
    case(
        "state_dir is the system's",
        replace(PROVINCE, "# state_dir: .state", "state_dir: /etc"),
        'province.yml:22: state_dir: "/etc": expected an absolute path outside the inventory, or a directory in it that begins with a dot (git ignores those); for instance .state or /var/lib/yiwang/state',
    ),
    case(
        "a state backend with a password",
        replace(PROVINCE, "# state_backend: s3://state-of-the-province", "state_backend: postgres://yiwang:Pass-Word@db.example/state"),
        "province.yml:25: state_backend: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "a state backend that the CLI does not know",
        replace(PROVINCE, "# state_backend: s3://state-of-the-province", "state_backend: ftp://db.example/state"),
        'province.yml:25: state_backend: "ftp://db.example/state": expected the URL of a backend of the Pulumi CLI (file, s3, gs, azblob, postgres, https), without a password; for instance s3://state-of-the-province; what it signs in with comes from the environment',
    ),
    case(
        "state_dir climbs",
        replace(PROVINCE, "# state_dir: .state", "state_dir: ../state"),
        'province.yml:22: state_dir: "../state": expected an absolute path outside the inventory, or a directory in it that begins with a dot (git ignores those); for instance .state or /var/lib/yiwang/state',
    ),
    case(
        "state_dir is a file",
        write(".state", ""),
        'province.yml:9: state_dir: ".state": expected a directory, but .state is none; name another one, for instance .state',
    ),
    case(
        "state_dir below a file",
        (replace(PROVINCE, "# state_dir: .state", "state_dir: .state/here"), write(".state", "")),
        'province.yml:22: state_dir: ".state/here": expected a directory, but .state is none; name another one, for instance .state',
    ),
    case(
        "a code with a zero before it",
        replace(PROVINCE, "code: 370000", "code: 0370000"),
        "province.yml:9: code: 0370000: expected a code of GB/T 2260; look the division up",
    ),
    case(
        "a key that only begins like one",
        replace(PROVINCE, "access:", "access:\n  key: /etc/key"),
        "province.yml:38: access.key: unknown key; did you mean key_file?",
    ),
    case(
        "state_dir in the repository",
        replace(PROVINCE, "# state_dir: .state", "state_dir: state"),
        'province.yml:22: state_dir: "state": expected an absolute path outside the inventory, or a directory in it that begins with a dot (git ignores those); for instance .state or /var/lib/yiwang/state',
    ),
    case(
        "two passphrase sources",
        replace(PROVINCE, "  # file: /etc", "  file: /etc"),
        "province.yml:29: passphrase: file, generate: expected exactly one source; choose one of file, command, generate",
    ),
    case(
        "no passphrase source",
        replace(PROVINCE, "  generate: true", "  {}"),
        "province.yml:29: passphrase: (missing): expected exactly one source; choose one of file, command, generate",
    ),
    case(
        "passphrase file in the inventory",
        replace(PROVINCE, "  generate: true", "  file: passphrase.txt"),
        'province.yml:31: passphrase.file: "passphrase.txt": expected a file outside the inventory; use an absolute path, or one below .state',
    ),
    case(
        "key file in the inventory",
        replace(PROVINCE, "  # key_file: ~/.ssh/yiwang", "  key_file: id_ed25519"),
        'province.yml:44: access.key_file: "id_ed25519": expected a file outside the inventory; use an absolute path, or one below .state',
    ),
    case(
        "passphrase command without a command",
        replace(PROVINCE, "  generate: true", "  command: []"),
        "province.yml:31: passphrase.command: []: expected a command and its arguments; write a list, for instance [/usr/local/bin/kms, read, yiwang]",
    ),
    case(
        "the automation account is root",
        replace(PROVINCE, "  # user: yiwang", "  user: root"),
        'province.yml:41: access.user: "root": expected an account for automation alone, not root or another one of the system\'s own: those cannot sign in afterwards; for instance yiwang',
    ),
    case(
        "account",
        replace(PROVINCE, "  # user: yiwang", "  user: Yi Wang"),
        'province.yml:41: access.user: "Yi Wang": expected the name of a Linux account; for instance yiwang',
    ),
    # Secrets
    case(
        "literal passphrase",
        (replace(PROVINCE, "  generate: true\n", ""), replace(PROVINCE, "passphrase:\n", "passphrase: hunter2\n")),
        "province.yml:29: passphrase: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "literal passphrase below",
        replace(PROVINCE, "  generate: true", "  passphrase: hunter2"),
        "province.yml:31: passphrase.passphrase: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "password of a host",
        replace(HOSTS, "          yiwang_zone: internet", "          yiwang_zone: internet\n          ansible_password: hunter2"),
        "hosts.yml:20: all.children.province.hosts.p-edge.ansible_password: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "token in group_vars",
        append(ALL, "base_api_token: abc123\n"),
        "group_vars/all.yml:20: base_api_token: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "vault",
        append(ALL, "base_apt_conf: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"),
        "group_vars/all.yml:20: base_apt_conf: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "private key",
        append(ALL, f"base_apt_conf: |\n  {PEM}\n  MIIE\n"),
        "group_vars/all.yml:20: base_apt_conf: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "private key in a comment",
        append(ALL, f"# {PEM}\n"),
        "group_vars/all.yml:20: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "password in an address",
        append(ALL, "base_apt_conf: http://user:word@proxy.example:3128\n"),
        "group_vars/all.yml:20: base_apt_conf: ***: expected no secret in an inventory; remove it; the kit makes secrets and keeps them encrypted in the state",
    ),
    case(
        "template",
        append(ALL, "base_journal_size: \"{{ lookup('pipe', 'id') }}\"\n"),
        "group_vars/all.yml:20: base_journal_size: \"{{ lookup('pipe', 'id') }}\": expected a value and not a template; write the value out",
    ),
    # Hosts
    case(
        "hosts.yml that ansible refuses",
        append(HOSTS, "    _meta:\n      hosts:\n"),
        "hosts.yml:66: all.children._meta: expected a group name of lower case letters, digits and _; for instance edge",
    ),
    case(
        "no hosts",
        write(HOSTS, "all:\n  hosts:\n"),
        "hosts.yml:1: expected at least one host; write hosts below the group of each site",
    ),
    case(
        "address twice",
        replace(HOSTS, "ansible_host: 198.51.100.12", "ansible_host: 198.51.100.11"),
        'hosts.yml:25: all.children.province.hosts.p-data.ansible_host: "198.51.100.11": expected an address of its own, host p-core has this one; one address for each host',
    ),
    case(
        "ipv6 address twice",
        replace(HOSTS, "yiwang_ipv6: 2001:db8:0:20::12", "yiwang_ipv6: 2001:db8:0:20::0011"),
        'hosts.yml:26: all.children.province.hosts.p-data.yiwang_ipv6: "2001:db8:0:20::0011": expected an address of its own, host p-core has this one; one address for each host',
    ),
    case(
        "address outside its zone",
        replace(HOSTS, "ansible_host: 198.51.100.12", "ansible_host: 192.0.2.12"),
        'hosts.yml:25: all.children.province.hosts.p-data.ansible_host: "192.0.2.12": expected an address of zone extranet, 198.51.100.0/24; correct the address or yiwang_zone',
    ),
    case(
        "address of the network",
        replace(HOSTS, "ansible_host: 198.51.100.12", "ansible_host: 198.51.100.0"),
        'hosts.yml:25: all.children.province.hosts.p-data.ansible_host: "198.51.100.0": expected an address of zone extranet, 198.51.100.0/24; correct the address or yiwang_zone',
    ),
    case(
        "ipv6 address for ansible_host",
        replace(HOSTS, "ansible_host: 198.51.100.12", "ansible_host: 2001:db8:0:20::12"),
        'hosts.yml:25: all.children.province.hosts.p-data.ansible_host: "2001:db8:0:20::12": expected an IPv4 address; for instance 192.0.2.11',
    ),
    case(
        "address missing",
        replace(HOSTS, "          ansible_host: 198.51.100.12\n", ""),
        "hosts.yml:24: all.children.province.hosts.p-data.ansible_host: (missing): expected an IPv4 address; for instance 192.0.2.11",
    ),
    case(
        "unknown zone",
        replace(HOSTS, "yiwang_zone: internet", "yiwang_zone: dmz"),
        'hosts.yml:19: all.children.province.hosts.p-edge.yiwang_zone: "dmz": expected a zone: internet, extranet, management; use a zone of province.yml',
    ),
    case(
        "zone missing",
        replace(HOSTS, "          yiwang_zone: internet\n", ""),
        "hosts.yml:16: all.children.province.hosts.p-edge.yiwang_zone: (missing): expected a zone: internet, extranet, management; use a zone of province.yml",
    ),
    case(
        "host in no site",
        replace(HOSTS, "    province:\n", "    provinz:\n"),
        "province.yml:98: sites.province: site province has no hosts; add the group province with hosts to hosts.yml",
        "hosts.yml:16: all.children.provinz: hosts in no site: p-edge, p-core, p-data, p-ops; put them below one of the groups province, c370100, c370200",
    ),
    case(
        "group in two sites",
        replace(HOSTS, "    c370100:\n", "    c370100:\n      children:\n        ops:\n"),
        "hosts.yml:28: all.children.province.hosts.p-ops: host p-ops is in several sites: c370100, province; keep it below one of these groups",
    ),
    case(
        "host in two sites",
        replace(HOSTS, "    c370100:\n      hosts:\n", "    c370100:\n      hosts:\n        p-ops:\n"),
        "hosts.yml:34: all.children.c370100.hosts.p-ops: host p-ops is in several sites: c370100, province; keep it below one of these groups",
    ),
    case(
        "port of ssh",
        replace(HOSTS, "          yiwang_zone: internet", "          yiwang_zone: internet\n          ansible_port: 0"),
        "hosts.yml:20: all.children.province.hosts.p-edge.ansible_port: 0: expected a port from 1 to 65535; for instance 22",
    ),
    case(
        "misspelt key of ours",
        replace(HOSTS, "yiwang_zone: internet", "yiwang_zones: internet"),
        "hosts.yml:19: all.children.province.hosts.p-edge.yiwang_zones: unknown key; did you mean yiwang_zone?",
    ),
    case(
        "sign-in in the hosts file",
        append(ALL, "ansible_user: admin\n"),
        "group_vars/all.yml:20: ansible_user: this is not set here; of Ansible's own only ansible_host, ansible_port; sign-in is access in province.yml",
    ),
    case(
        "name of a host",
        replace(HOSTS, "        p-edge:\n          ansible", "        p_edge:\n          ansible"),
        "hosts.yml:16: all.children.province.hosts.p_edge: expected a host name of lower case letters, digits and -; for instance p-core",
        "hosts.yml:48: all.children.edge: hosts in no site: p-edge; put them below one of the groups province, c370100, c370200",
    ),
    case(
        "a host called localhost",
        rename_host("localhost"),
        "hosts.yml:20: all.children.province.hosts.localhost: expected a host name that means nothing else; choose another name, for instance p-core",
    ),
    case(
        "a host called operator",
        rename_host("operator"),
        "hosts.yml:20: all.children.province.hosts.operator: expected a host name that means nothing else; choose another name, for instance p-core",
    ),
    case(
        "a host called all",
        rename_host("all"),
        "hosts.yml:20: all.children.province.hosts.all: expected a host name that means nothing else; choose another name, for instance p-core",
    ),
    case(
        "a host called ungrouped",
        rename_host("ungrouped"),
        "hosts.yml:20: all.children.province.hosts.ungrouped: expected a host name that means nothing else; choose another name, for instance p-core",
    ),
    case(
        "name of a group",
        replace(HOSTS, "    edge:\n", "    edge-servers:\n"),
        "hosts.yml:46: all.children.edge-servers: expected a group name of lower case letters, digits and _; for instance edge",
    ),
    case(
        "group named like a zone",
        replace(HOSTS, "    edge:\n", "    internet:\n"),
        "hosts.yml:46: all.children.internet: expected a group name that means nothing else; not the name of a zone, a host or a reserved word",
    ),
    case(
        "key of a group",
        replace(HOSTS, "    edge:\n      hosts:", "    edge:\n      host:"),
        "hosts.yml:47: all.children.edge.host: unknown key of a group; a group has hosts, vars and children",
    ),
    case(
        "hosts as a list",
        replace(HOSTS, "    ops:\n      hosts:\n        p-ops:", "    ops:\n      hosts: [p-ops]"),
        "hosts.yml:64: all.children.ops.hosts: expected keys and values (key: value); write one key: value a line",
    ),
    case(
        "group below itself",
        append(HOSTS, "      children:\n        ops:\n"),
        "hosts.yml:67: all.children.ops.children.ops: the group contains itself; remove it from the children",
    ),
    # Role variables
    case(
        "unknown variable",
        append(ALL, "base_timezon: Asia/Shanghai\n"),
        "group_vars/all.yml:20: base_timezon: no role has this variable; did you mean base_timezone?",
    ),
    case(
        "variable of no role",
        append(ALL, "nginx_port: 80\n"),
        "group_vars/all.yml:20: nginx_port: no role has this variable; the roles' meta/argument_specs.yml lists them",
    ),
    case(
        "number as text",
        append(ALL, 'base_journal_days: "200"\n'),
        'group_vars/all.yml:20: base_journal_days: "200": expected a whole number; write a number without quotes',
    ),
    case(
        "text as number",
        replace(ALL, "base_timezone: Asia/Shanghai", "base_timezone: 8"),
        "group_vars/all.yml:5: base_timezone: 8: expected text; quote it",
    ),
    case(
        "list entry of the wrong type",
        append(ALL, "base_packages: [vim, 7]\n"),
        "group_vars/all.yml:20: base_packages[1]: 7: expected text; quote it",
    ),
    case(
        "unknown key of a variable",
        append(ALL, "base_capabilities: {clock: true, kernel_modules: true, audit: true, sysctl: true, clocks: true}\n"),
        "group_vars/all.yml:20: base_capabilities.clocks: unknown key; did you mean clock?",
    ),
    case(
        "key of a variable missing",
        append(ALL, "base_capabilities: {clock: true, kernel_modules: true, audit: true}\n"),
        "group_vars/all.yml:20: base_capabilities.sysctl: (missing): this key is required; add it",
    ),
    case(
        "variable of the kit",
        append(ALL, "base_hostname: x\n"),
        "group_vars/all.yml:20: base_hostname: yiwang sets this variable itself; remove it",
    ),
    case(
        "time zone that does not exist",
        replace(ALL, "base_timezone: Asia/Shanghai", "base_timezone: Asia/Shanghi"),
        'group_vars/all.yml:5: base_timezone: "Asia/Shanghi": expected the name of a time zone; for instance Asia/Shanghai',
    ),
    case(
        "time zone that leaves the directory",
        replace(ALL, "base_timezone: Asia/Shanghai", "base_timezone: ../../etc/passwd"),
        'group_vars/all.yml:5: base_timezone: "../../etc/passwd": expected the name of a time zone; for instance Asia/Shanghai',
    ),
    case(
        "shell timeout below nothing",
        append(ALL, "base_shell_timeout: -5\n"),
        "group_vars/all.yml:20: base_shell_timeout: -5: expected a number from 1 to 3600; correct the number",
    ),
    case(
        "no days of journal",
        append(ALL, "base_journal_days: 0\n"),
        "group_vars/all.yml:20: base_journal_days: 0: expected a number from 1 to 3650; correct the number",
    ),
    case(
        "journal size in words",
        append(ALL, "base_journal_size: twelve\n"),
        'group_vars/all.yml:20: base_journal_size: "twelve": expected a size; for instance 2G or 500M',
    ),
    case(
        "package with an option",
        append(ALL, "base_packages: [vim, --force-yes]\n"),
        'group_vars/all.yml:20: base_packages[1]: "--force-yes": expected the name of a package; for instance tcpdump, without a version',
    ),
    case(
        "time server that is none",
        append(HOSTS, '      vars:\n        base_time_servers: ["ntp1 iburst", 10.1.1]\n'),
        'hosts.yml:67: all.children.ops.vars.base_time_servers[0]: "ntp1 iburst": expected a host name or an address; for instance ntp1.zwfw.example',
        'hosts.yml:67: all.children.ops.vars.base_time_servers[1]: "10.1.1": expected a host name or an address; for instance ntp1.zwfw.example',
    ),
    case(
        "automation key that is none",
        append(ALL, "base_automation_keys: [ssh-ed25519 c29tZXRoaW5n, not a key]\n"),
        'group_vars/all.yml:20: base_automation_keys[0]: "ssh-ed25519 c29tZXRoaW5n": expected a public key: ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ssh-rsa; write the line of the .pub file',
        'group_vars/all.yml:20: base_automation_keys[1]: "not a key": expected a public key: ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, ssh-rsa; write the line of the .pub file',
    ),
    case(
        "certificate that is none",
        append(ALL, "base_ca_certificates: {mirror: nonsense}\n"),
        'group_vars/all.yml:20: base_ca_certificates.mirror: "nonsense": expected one certificate (PEM); one certificate for each name',
    ),
    case(
        "certificate in place of the kit's root",
        append(ALL, f"base_ca_certificates: {{province: {json.dumps(CERTIFICATE)}}}\n"),
        'group_vars/all.yml:20: base_ca_certificates.province: "province": yiwang\'s own roots are named after the sites; choose another name',
    ),
    case(
        "certificate that leaves its directory",
        append(ALL, f"base_ca_certificates: {{../../x: {json.dumps(CERTIFICATE)}}}\n"),
        'group_vars/all.yml:20: base_ca_certificates.../../x: "../../x": expected a name of lower case letters, digits, - and _; for instance mirror',
    ),
    case(
        "package sources without suites",
        append(ALL, "base_apt_sources: |\n  Types: deb\n  URIs: https://mirror.example/debian\n"),
        'group_vars/all.yml:20: base_apt_sources: "Types: deb\\nURIs: https://mirror.example/debian\\n": expected package sources that have Types, URIs, Suites each; write them in deb822 form',
    ),
    case(
        "options of apt without an end",
        append(ALL, "base_apt_conf: Acquire::Retries 3\n"),
        'group_vars/all.yml:20: base_apt_conf: "Acquire::Retries 3": expected options as in apt.conf; for instance Acquire::http::Proxy "http://proxy.example:3128"; (a semicolon at the end, addresses in quotes)',
    ),
    # What storage is to hold
    case(
        "expected size in words",
        append(ALL, "storage_expected_objects: 200 GiB\n"),
        'group_vars/all.yml:20: storage_expected_objects: "200 GiB": expected an amount of data; for instance 500M, 20G or 2T',
    ),
    case(
        "expected size without a unit",
        append(ALL, "storage_expected_databases: 20\n"),
        "group_vars/all.yml:20: storage_expected_databases: 20: expected text; quote it",
    ),
    case(
        "expected change that is none",
        append(ALL, "storage_expected_databases_change: -1\n"),
        "group_vars/all.yml:20: storage_expected_databases_change: -1: expected a number from 0 to 3000; correct the number",
    ),
    # Several at once
    case(
        "several",
        (
            replace(PROVINCE, "code: 370000", "code: 37"),
            replace(HOSTS, "yiwang_zone: internet", "yiwang_zone: dmz"),
            append(ALL, "base_timezon: x\n"),
        ),
        "province.yml:9: code: 37: expected a GB/T 2260 code of six digits; for instance 370000",
        "group_vars/all.yml:20: base_timezon: no role has this variable; did you mean base_timezone?",
        'hosts.yml:19: all.children.province.hosts.p-edge.yiwang_zone: "dmz": expected a zone: internet, extranet, management; use a zone of province.yml',
    ),
    # Contacts, national
    case(
        "contact without email",
        replace(PROVINCE, "    email: operations@zwfw.example\n", ""),
        "province.yml:136: contacts[0].email: (missing): this key is required; add it",
    ),
    case(
        "contact email",
        replace(PROVINCE, "email: operations@zwfw.example", "email: operations"),
        'province.yml:138: contacts[0].email: "operations": expected an address of electronic mail; use the post\'s, for instance duty@zwfw.example',
    ),
    case(
        "endpoint with a user",
        replace(PROVINCE, "# national:\n#   identity: https://id.", "national:\n  identity: https://me@id."),
        'province.yml:91: national.identity: "https://me@id.gjzwfw.example": expected a host name or an https URL without a user; for instance https://id.gjzwfw.example',
    ),
    case(
        "endpoint without tls",
        replace(PROVINCE, "# national:\n#   identity: https://id.", "national:\n  identity: http://id."),
        'province.yml:91: national.identity: "http://id.gjzwfw.example": expected a host name or an https URL without a user; for instance https://id.gjzwfw.example',
    ),
)
