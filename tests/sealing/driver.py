"""Runs on a server, where the package, a database and a locked bucket are: does one thing with them and says how it went, as JSON.

python -m sealing.driver SCENARIO < settings        settings: those of ``python -m yiwang.sealing``, with one bucket, ``papers``
"""

from __future__ import annotations

import json
import sys

from sealing import scenarios, troubles
from sealing.place import SCENARIOS, Place


def main() -> None:
    given = json.load(sys.stdin)
    assert {work.__module__ for work in SCENARIOS.values()} == {scenarios.__name__, troubles.__name__}
    print(json.dumps(SCENARIOS[sys.argv[1]](Place(given)), default=str))


if __name__ == "__main__":
    main()
