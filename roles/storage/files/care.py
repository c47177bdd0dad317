"""Does once an hour what the object store has to be told to do: by one of its hosts, the one whose master leads; the others skip.

Arguments: this host's name, how many hosts the store has. Exit 1 where a command failed, which the store's shell itself does not tell
by its own code, or where nobody leads.
"""  # noqa: INP001 - sent to hosts

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time

PORT, S3_PORT = 9333, 18333
SHELL = ["runuser", "-u", "yiwang-objects", "-g", "yiwang-objects", "-G", "yiwang-tls", "--", "/opt/yiwang/storage/bin/weed", "shell"]
DIRECTORY = "/run/yiwang-objects"
SECONDS = 1800
# A store that has just been started, or whose leader has just gone, has one again by then.
LEADER_SECONDS = 60.0
# What lines tell of a failure: the shell exits 0 then. Those of its log (I1126 …) tell of none: it tries again.
WRONG = re.compile(r"^(?:error|unknown command|invalid value)|\berror: |rpc error|(?<!\b0 )\bfailed\b(?![=:] ?0)", re.IGNORECASE)
LOG = re.compile(r"^[IW]\d{4} ")


def leads(host: str) -> bool:
    """Whether this host's master leads. Raises OSError where it does not answer, or knows of no leader.

    It answers the store's own hosts alone, without TLS.
    """
    connection = http.client.HTTPConnection(host, PORT, timeout=10)
    try:
        connection.request("GET", "/cluster/status")
        found = json.loads(connection.getresponse().read())
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
    if not found.get("Leader"):
        raise OSError("the object store has no leader")
    return bool(found.get("IsLeader"))


def turn(host: str) -> bool:
    """Whether it is this host's turn, once that is known. Raises OSError where it never is."""
    deadline = time.monotonic() + LEADER_SECONDS
    while True:
        try:
            return leads(host)
        except OSError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(2)


def commands(host: str, hosts: int) -> list[str]:
    """What is done. Volumes of when there was one host get a second place; those whose host was made anew get theirs again."""
    second = ["volume.configure.replication -collectionPattern=* -replication=001", "volume.fix.replication -apply"]
    return [
        *(second if hosts > 1 else ()),
        "s3.clean.uploads -timeAgo=168h",
        f"s3.lifecycle.run-shard -s3={host}:{S3_PORT} -shards=0-15 -events=0 -runtime=10m",
    ]


def wrong(said: str, code: int) -> str:
    """What went wrong, by what the shell said and how it ended; nothing where nothing did."""
    lines = (line.strip() for line in said.splitlines())
    told = next((line for line in lines if WRONG.search(line) and not LOG.match(line)), "")
    return told or (f"exit {code}" if code else "")


def run(command: str) -> str:
    """Do one thing; what went wrong."""
    try:
        done = subprocess.run(
            SHELL,
            input=f"lock\n{command}\nunlock\nexit\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=DIRECTORY,
        )
    except subprocess.TimeoutExpired:
        return f"no end in {SECONDS} s"
    print(done.stdout, end="", flush=True)
    return wrong(done.stdout, done.returncode)


def main() -> int:
    """Everything, also after one that failed."""
    host, hosts = sys.argv[1], int(sys.argv[2])
    try:
        if not turn(host):
            print("another host of the object store leads")
            return 0
    except OSError as error:
        print(f"{host}:{PORT}: {error}", file=sys.stderr)
        return 1
    failures = {command: said for command in commands(host, hosts) if (said := run(command))}
    for command, said in failures.items():
        print(f"{command.partition(' ')[0]}: {said}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
