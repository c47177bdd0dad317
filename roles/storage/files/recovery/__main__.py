"""The program: settle, backup [--full], objects, list, drill, scratch TO, scratch-remove.

One JSON object on standard output; progress, and a failure in one line, on the other.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import psycopg

from recovery import databases, objects
from recovery.common import RecoveryError, alone, leads, run, settings
from recovery.drill import drill

FOLLOWS: dict[str, Any] = {"skipped": "another member leads"}


def settle(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """The place of the backups; the first one is begun, and not waited for."""
    done = databases.settle()
    if not databases.backups():
        run("systemctl", "start", "--no-block", "yiwang-backup.service")
    return {"done": done, "site": given["site"]}


def backup(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    return {"databases": databases.backup(given["full_days"], full=arguments.full), "objects": objects.backup(given)}


def only_objects(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """What is copied more often."""
    return {"objects": objects.backup(given)}


def listed(_given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """What there is to go back to."""
    return {"databases": databases.backups(), "objects": objects.last()}


def drilled(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """A drill; its failure is the program's."""
    return {"drill": drill(given)}


def scratch(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Databases and objects of a time, beside the live ones, to look at and take from."""
    options = databases.target(arguments.to)
    directory = Path(given["directory"]) / "scratch"
    instance = databases.Scratch(given, directory / "postgresql")
    instance.remove()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o711)
    databases.restore(instance.data, options)
    instance.start()
    found = objects.restore(given, arguments.to, directory / "objects")
    return {
        "socket": databases.SCRATCH_SOCKET,
        "directory": str(directory),
        "databases": sorted(databases.tables(databases.SCRATCH_SOCKET)),
        "objects": found,
    }


def unscratch(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """Take that away."""
    directory = Path(given["directory"]) / "scratch"
    databases.Scratch(given, directory / "postgresql").remove()
    shutil.rmtree(directory, ignore_errors=True)
    return {}


VERBS = {
    "settle": settle,
    "backup": backup,
    "objects": only_objects,
    "list": listed,
    "drill": drilled,
    "scratch": scratch,
    "scratch-remove": unscratch,
}


def main() -> int:
    """Exit 1 with one line when it failed."""
    parser = argparse.ArgumentParser(prog="yiwang-recovery")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in VERBS:
        verb = verbs.add_parser(name)
        if name == "backup":
            verb.add_argument("--full", action="store_true")
        if name == "scratch":
            verb.add_argument("to")
    arguments = parser.parse_args()
    try:
        if not leads() and arguments.verb not in {"list", "scratch-remove"}:
            print(json.dumps(FOLLOWS))
            return 0
        if arguments.verb == "list":
            said = listed({}, arguments)
        else:
            with alone():
                said = VERBS[arguments.verb](settings(), arguments)
    except (RecoveryError, psycopg.Error, OSError) as error:
        print(str(error).partition("\n")[0], file=sys.stderr)
        return 1
    print(json.dumps(said, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
