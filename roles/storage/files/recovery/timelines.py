"""Which way the databases went: each promotion begins a timeline, and one that comes from a restore leaves something behind.

The place of the backups has a history file of each, archived when it began: that holds for the site as a whole, whichever member led.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from recovery.common import run

# Written by PostgreSQL into the history of a member that took over: nothing was left behind.
CONTINUED = "no recovery target specified"
HISTORY = re.compile(r"([0-9A-F]{8})\.history(?:\.gz|\.lz4|\.zst|\.bz2)?")
COMMAND = "/usr/local/sbin/yiwang-pgbackrest"


@dataclass(frozen=True)
class Timeline:
    """``began``: when its history came to the backups. ``ancestors``: number -> where it was left. ``rewound``: it begins in the past."""

    number: int
    began: datetime
    ancestors: Mapping[int, int]
    rewound: bool


def position(written: str) -> int:
    """``A/3000000`` as a number."""
    high, low = written.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def parse(number: int, began: datetime, text: str) -> Timeline:
    """One history file: a line for each timeline before, the one it comes from last."""
    ancestors, reason = {}, CONTINUED
    for line in text.splitlines():
        fields = line.split("\t", 2)
        if len(fields) == 3 and fields[0].strip().isdigit():
            ancestors[int(fields[0])] = position(fields[1].strip())
            reason = fields[2].strip()
    return Timeline(number, began, ancestors, rewound=reason != CONTINUED)


def known(place: str) -> list[Timeline]:
    """The timelines of a cluster whose log is in ``place`` (such as archive/province/15-1), without the first, which has no history."""
    listed = json.loads(run(COMMAND, "repo-ls", place, "--output=json", user="postgres") or "{}")
    found = []
    for name, entry in sorted(listed.items()):
        matched = HISTORY.fullmatch(name)
        if matched:
            text = run(COMMAND, "repo-get", f"{place}/{name}", user="postgres")
            found.append(parse(int(matched[1], 16), datetime.fromtimestamp(entry["time"], UTC), text))
    return found


def of(moment: datetime, timelines: Sequence[Timeline]) -> Timeline | None:
    """The one that was written at that moment, or goes on from it: the newest that no later restore has led to. None: the first."""
    later = {each.number for each in timelines if each.rewound and each.began > moment}
    found = [each for each in timelines if each.number not in later and not later & each.ancestors.keys()]
    return max(found, key=lambda each: each.number, default=None)


def leads_to(number: int, end: int, timeline: Timeline | None) -> bool:
    """Whether one comes to a timeline from a backup that was taken on the timeline ``number`` and ended at the position ``end``."""
    if timeline is None or timeline.number <= number:
        # Histories as old as the oldest backup are no longer kept.
        return timeline is None or timeline.number == number
    left = timeline.ancestors.get(number)
    return left is not None and end <= left
