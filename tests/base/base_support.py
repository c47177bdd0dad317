"""The rulesets that the lab's hosts must have, expanded from the hand-written table ``expected/hosts.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).parent / "expected"
TABLE: dict[str, Any] = yaml.safe_load((DIRECTORY / "hosts.yaml").read_text(encoding="utf-8"))
HOSTS = tuple(TABLE["hosts"])


def _line(text: str, side: str, family: str) -> str:
    words = text.removeprefix("not ").split(maxsplit=3)
    name, protocol, ports, purpose = words
    addresses, numbers = TABLE[name][family], ports.split(",")
    several = [each[0] if len(each) == 1 else "{ " + ", ".join(each) + " }" for each in (addresses, numbers)]
    unlike = "!= " if text.startswith("not ") else ""
    return f'\t\t{family} {side} {unlike}{several[0]} {protocol} dport {several[1]} accept comment "{purpose}"\n'


def _lines(host: str, direction: str) -> str:
    side = {"in": "saddr", "out": "daddr"}[direction]
    every = TABLE["every_host"][direction] + TABLE["hosts"][host][direction]
    return "".join(_line(text, side, family) for text in every for family in ("ip", "ip6"))


def ruleset(host: str) -> str:
    """The whole file /etc/nftables.conf of ``host``."""
    frame = (DIRECTORY / "frame.nft").read_text(encoding="utf-8")
    return frame.replace("\t\t(in)\n", _lines(host, "in")).replace("\t\t(out)\n", _lines(host, "out"))


def in_force(host: str) -> str:
    """What ``nft list ruleset`` shows on ``host``."""
    text = ruleset(host)
    return text[text.index("table inet yiwang") :]
