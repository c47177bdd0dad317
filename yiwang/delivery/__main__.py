"""``python -m yiwang.delivery ensure kit --python 3.11 --machine x86_64 --libc 2.36``: makes the files, prints one JSON object."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from yiwang import delivery
from yiwang.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="yiwang.delivery", description=__doc__)
    parser.add_argument("verb", choices=["ensure"])
    parser.add_argument("extra")
    for name in ("python", "machine", "libc"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(arguments)
    try:
        made = delivery.ensure(options.extra, delivery.Target(options.python, options.machine, options.libc))
    except UserError as error:
        print(error.report(), file=sys.stderr)
        return error.code
    print(json.dumps(dataclasses.asdict(made), default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
