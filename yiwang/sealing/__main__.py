"""``python -m yiwang.sealing``: what an operator or a timer runs on a server. All settings come by standard input, no secret by argument.

JSON: ``database`` (a URL of libpq) and ``password``; ``evidence`` and each of ``buckets`` (by name) as places of the kit's outputs, with
``authority``; ``keys``: key-encryption keys, the current one first. Exit codes are those of the kit: 0, 1 failed, 3 input, 7 findings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from yiwang.sealing.check import verify
from yiwang.sealing.erasure import Erasure
from yiwang.sealing.errors import KeyInvalidError, PersonalDataError, SealingError, ValueInvalidError, words
from yiwang.sealing.keys import KeyRing
from yiwang.sealing.restore import replay
from yiwang.sealing.rotation import rewrap
from yiwang.sealing.schema import migrate
from yiwang.sealing.store import connect

OK, FAILED, INPUT, FINDINGS = 0, 1, 3, 7


@dataclass(frozen=True)
class Run:
    """The connection, the settings and the arguments."""

    connection: Any
    given: Mapping[str, Any]
    asked: argparse.Namespace


def _migrate(run: Run) -> int:
    print(words("sealing.done_migrate", None, names=", ".join(migrate(run.connection)) or "-"))
    return OK


def _verify(run: Run) -> int:
    stores = {name: connect(place) for name, place in run.given["buckets"].items()}
    said = verify(run.connection, stores, connect(run.given["evidence"]), KeyRing(*run.given["keys"]), sample=run.asked.sample)
    for finding in said.findings:
        print(finding.text())
    counted = {"alive": said.alive, "erased": said.erased, "proofs": said.proofs, "findings": len(said.findings)}
    print(words("sealing.done_verify", None, **counted))
    return FINDINGS if said.findings else OK


def _replay(run: Run) -> int:
    said = replay(run.connection, connect(run.given["evidence"]), dry=run.asked.dry_run)
    for proof in said.erased:
        print(f"{proof.bucket}/{proof.object}")
    for finding in said.findings:
        print(finding.text())
    counted = {"recorded": len(said.recorded), "erased": len(said.erased), "finished": len(said.finished)}
    print(words("sealing.done_replay", None, **counted))
    return FINDINGS if said.findings else OK


def _finish(run: Run) -> int:
    done = Erasure(run.connection, connect(run.given["evidence"])).finish()
    print(words("sealing.done_erase", None, count=len(done)))
    return OK


def _due(run: Run) -> int:
    done = Erasure(run.connection, connect(run.given["evidence"])).due(by=run.asked.by)
    print(words("sealing.done_erase", None, count=len(done.now)))
    return OK


def _rewrap(run: Run) -> int:
    print(words("sealing.done_rewrap", None, count=rewrap(run.connection, KeyRing(*run.given["keys"]))))
    return OK


Command = Callable[[Run], int]
COMMANDS: Mapping[str, tuple[Command, str]] = {
    "migrate": (_migrate, "sealing.help_migrate"),
    "verify": (_verify, "sealing.help_verify"),
    "replay": (_replay, "sealing.help_replay"),
    "finish": (_finish, "sealing.help_finish"),
    "due": (_due, "sealing.help_due"),
    "rewrap": (_rewrap, "sealing.help_rewrap"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one of them; what is wrong is one line."""
    asked = _parser().parse_args(arguments)
    try:
        given = json.load(sys.stdin)
        with psycopg.connect(given["database"], password=given.get("password"), autocommit=True) as connection:
            return COMMANDS[asked.command][0](Run(connection, given, asked))
    except SealingError as error:
        print(error.text(), file=sys.stderr)
        return INPUT if isinstance(error, (KeyInvalidError, PersonalDataError, ValueInvalidError)) else FAILED
    except psycopg.Error as error:
        reason = error.diag.message_primary or str(error).partition("\n")[0]
        print(words("sealing.database_failed", None, reason=reason), file=sys.stderr)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Only which setting: its value may be a secret.
        reason = str(error) if isinstance(error, KeyError) else type(error).__name__
        print(words("sealing.settings_invalid", None, reason=reason), file=sys.stderr)
        return INPUT
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m yiwang.sealing", description=words("sealing.help", None))
    below = parser.add_subparsers(dest="command", required=True)
    made = {name: below.add_parser(name, help=words(key, None)) for name, (_, key) in COMMANDS.items()}
    made["verify"].add_argument("--sample", type=int, help=words("sealing.help_sample", None))
    made["replay"].add_argument("--dry-run", action="store_true", help=words("sealing.help_dry", None))
    made["due"].add_argument("--by", required=True, help=words("sealing.help_by", None))
    return parser


if __name__ == "__main__":
    sys.exit(main())
