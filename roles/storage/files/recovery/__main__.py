"""The program: settle, backup [--full], objects, list, drill [--strict], scratch TO, scratch-remove; the steps of a restore in place.

One JSON object on standard output; progress, and a failure in one line, on the other, in the language that ``--language`` names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from recovery import databases, inplace, objects, targets
from recovery.common import RecoveryError, TargetError, alone, leads, run, settings
from recovery.drill import drill
from recovery.texts import DEFAULT, LANGUAGES, speaking, text

Verb = Callable[[dict[str, Any], argparse.Namespace], dict[str, Any]]


def settle(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """The place of the backups; the first one is begun, and not waited for."""
    done = databases.settle()
    if not databases.backups():
        run("systemctl", "start", "--no-block", "yiwang-backup.service")
    return {"done": done, "site": given["site"]}


def backup(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything."""
    return {"databases": databases.backup(given["full_days"], full=arguments.full), "objects": objects.backup(given, exact=True)}


def only_objects(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """What is copied more often."""
    return {"objects": objects.backup(given, exact=False)}


def listed(_given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """What there is to go back to."""
    return {"databases": databases.backups(), "objects": objects.last()}


def drilled(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """A drill; its failure is the program's."""
    return {"drill": drill(given)}


def scratch(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Databases and objects of a time, beside the live ones, to look at and take from."""
    options = targets.target(arguments.to)
    directory = Path(given["directory"]) / "scratch"
    instance = databases.Scratch(given, directory / "postgresql", databases.SCRATCH_NAME)
    instance.remove()
    shutil.rmtree(directory, ignore_errors=True)
    databases.room(directory.parent, options)
    databases.flush()
    directory.mkdir(mode=0o711)
    (directory / "objects").mkdir(mode=0o700)
    databases.restore(instance.data, options)
    instance.start()
    found = objects.restore(given, targets.moment_of(arguments.to), directory / "objects")
    return {
        "socket": instance.socket,
        "directory": str(directory),
        "databases": sorted(databases.tables(instance.socket)),
        "objects": found,
    }


def unscratch(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """Take that away."""
    directory = Path(given["directory"]) / "scratch"
    databases.Scratch(given, directory / "postgresql", databases.SCRATCH_NAME).remove()
    shutil.rmtree(directory, ignore_errors=True)
    return {}


def checked(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Whether one could go back to there; nothing is done."""
    options = targets.target(arguments.to)
    targets.plain(arguments.to)
    if not inplace.under_way(given):
        databases.room(Path(given["directory"]), options)
    return {"options": options}


def state(given: dict[str, Any], _: argparse.Namespace) -> dict[str, Any]:
    """What a restore has to know of this host."""
    return {"leads": leads(), "restoring": inplace.under_way(given), "quiet": inplace.is_quiet(given)}


def kept(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """The step that keeps the object store's catalogue."""
    return inplace.keep(given, anew=arguments.anew)


def restored(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """The step of a restore that needs the time."""
    return inplace.restore(given, arguments.to)


def objects_back(given: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """What is missing in the buckets."""
    return {"objects": objects.restore(given, targets.moment_of(arguments.to), None)}


def step(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Verb:
    """A step that needs nothing but the settings."""
    return lambda given, _: function(given)


# What only the leader does: elsewhere it is left to it.
LEADERS = {"settle", "backup", "objects", "drill", "scratch"}
# What may run beside another one: it changes nothing, or has a lock of its own.
TOGETHER = {"list", "check", "state", "settle", "objects", "quiet", "resume"}
UNITS = {
    "backup": ("yiwang-backup.service", "yiwang-backup-objects.service"),
    "objects": ("yiwang-backup-objects.service",),
    "drill": ("yiwang-drill.service",),
}
TO = {"scratch", "check", "quiet", "restore", "objects-restore"}
VERBS: dict[str, Verb] = {
    "state": state,
    "settle": settle,
    "backup": backup,
    "objects": only_objects,
    "list": listed,
    "drill": drilled,
    "scratch": scratch,
    "scratch-remove": unscratch,
    "check": checked,
    "quiet": lambda given, arguments: inplace.quiet(given, arguments.to),
    "keep": kept,
    "halt": step(inplace.halt),
    "restore": restored,
    "begin": step(inplace.begin),
    "follow": step(inplace.follow),
    "resume": step(inplace.resume),
    "objects-restore": objects_back,
    "finish": step(inplace.finish),
}


def main() -> int:
    """Exit 1 with one line when it failed, 3 when what was asked for is not there."""
    parser = argparse.ArgumentParser(prog="yiwang-recovery")
    parser.add_argument("--language", choices=LANGUAGES, default=DEFAULT)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in VERBS:
        verb = verbs.add_parser(name)
        if name == "backup":
            verb.add_argument("--full", action="store_true")
        if name == "drill":
            # What failed is an answer to whoever asked, and a failed unit where the timer did.
            verb.add_argument("--strict", action="store_true")
        if name == "keep":
            verb.add_argument("--anew", action="store_true")
        if name in TO:
            verb.add_argument("to")
    arguments = parser.parse_args()
    with speaking(arguments.language):
        return answer(arguments)


def answer(arguments: argparse.Namespace) -> int:
    """Do it, and print what came of it: the exit code."""
    try:
        if arguments.verb in LEADERS and not leads():
            print(json.dumps({"skipped": text("follows")}, ensure_ascii=False))
            return 0
        with contextlib.nullcontext() if arguments.verb in TOGETHER else alone():
            said = VERBS[arguments.verb](settings(), arguments)
    except (RecoveryError, psycopg.Error, OSError) as error:
        print(str(error).partition("\n")[0], file=sys.stderr)
        return 3 if isinstance(error, TargetError) else 1
    print(json.dumps(said, ensure_ascii=False))
    failed = arguments.verb == "drill" and not said["drill"]["ok"]
    if not failed:
        forgive(arguments.verb)
    return int(failed and arguments.strict)


def forgive(verb: str) -> None:
    """What went well by hand is no failed unit any more."""
    for unit in UNITS.get(verb, ()):
        subprocess.run(["/usr/bin/systemctl", "reset-failed", unit], capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
