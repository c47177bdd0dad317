"""What tests of three members use: which there are, who leads, and a client that writes all the time."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from storage.live_case import databases, journal, psql, wait_for
from tests_support import Yiwang

MEMBERS = ("p-data", "p-data-2", "p-data-3")
ADDED = {
    "p-data-2": {"ansible_host": "10.77.20.13", "yiwang_ipv6": "fd77:0:0:20::13", "yiwang_zone": "extranet"},
    "p-data-3": {"ansible_host": "10.77.20.14", "yiwang_ipv6": "fd77:0:0:20::14", "yiwang_zone": "extranet"},
}
# One row a statement, each by a connection of its own; what was acknowledged is written down with its time.
WRITER = """
export PGPASSWORD=$(cat) PGCONNECT_TIMEOUT=3
for n in $(seq 1 100000); do
  [ -e /tmp/stop ] && break
  timeout 20 psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "insert into written values ($n)" 2>/dev/null || continue
  echo "$n $(date +%s.%N)" >> /tmp/acknowledged
done
"""


@contextmanager
def three(lab: Yiwang, variables: str, before: Callable[[Yiwang], None] = lambda _lab: None) -> Iterator[Yiwang]:
    """The province with one host for data, after ``before`` with three; at the end it is what it was."""
    hosts, file = lab.inventory / "hosts.yml", lab.inventory / "group_vars" / "data.yml"
    former = hosts.read_text()
    written = yaml.safe_load(former)
    written["all"]["children"]["province"]["hosts"] |= ADDED
    written["all"]["children"]["data"]["hosts"] |= dict.fromkeys(ADDED)
    try:
        file.write_text(variables)
        lab("up", "--site", "province", "--yes")
        before(lab)
        hosts.write_text(yaml.safe_dump(written))
        lab("lab", "up")
        lab("up", "--site", "province", "--yes")
        yield lab
    finally:
        hosts.write_text(former)
        file.unlink(missing_ok=True)
        # A member that is alone again is another cluster: it begins anew.
        lab("lab", "down", *(word for host in MEMBERS for word in ("--host", host)))
        lab("lab", "up")
        lab("host", "trust", "p-data", "--yes")
        lab("up", "--site", "province", "--yes")


def reached(yiwang: Yiwang) -> tuple[str, str]:
    found = databases(yiwang)["ledger"]
    return found["url"], found["password"]


def cluster(yiwang: Yiwang, host: str = "p-data") -> dict[str, dict[str, str]]:
    """Member -> what Patroni says of it; empty where nothing answers."""
    said = yiwang.ssh(host, "sudo yiwang-patronictl list -f yaml 2>/dev/null", check=False)
    return {entry["Member"]: entry for entry in yaml.safe_load(said) or []}


def leader(yiwang: Yiwang, host: str = "p-data") -> str:
    return next((name for name, entry in cluster(yiwang, host).items() if entry["Role"] == "Leader"), "")


def whole(yiwang: Yiwang, host: str = "p-data") -> bool:
    """Whether there is a leader with a synchronous follower and another one, all of one history."""
    found = cluster(yiwang, host)
    roles = sorted(entry["Role"] for entry in found.values())
    running = all(entry["State"] in {"running", "streaming"} for entry in found.values())
    return roles == ["Leader", "Replica", "Sync Standby"] and running and len({entry["TL"] for entry in found.values()}) == 1


def until_whole(yiwang: Yiwang, host: str = "p-data") -> None:
    """Wait until it is; the journals of all members say why it is not."""
    wait_for(
        lambda: whole(yiwang, host), 120, lambda: "\n".join([str(cluster(yiwang, host)), *(journal(yiwang, each) for each in MEMBERS)])
    )


@dataclass
class Written:
    """What a client wrote while something failed. ``gap``: the longest time without an acknowledged write, in seconds."""

    acknowledged: set[int]
    there: set[int]
    gap: float


class Writer:
    """A client on the core's host that writes all the time."""

    def __init__(self, yiwang: Yiwang) -> None:
        self._yiwang = yiwang
        self._url, self._password = reached(yiwang)
        assert psql(yiwang, "p-core", self._url, self._password, "drop table if exists written; create table written (n int)")[0]
        script = base64.b64encode(WRITER.encode()).decode()
        yiwang.ssh("p-core", f"rm -f /tmp/stop /tmp/acknowledged; echo {script} | base64 -d > /tmp/writer")
        word = base64.b64encode(self._password.encode()).decode()
        yiwang.ssh("p-core", f"echo {word} | base64 -d | setsid bash /tmp/writer '{self._url}' > /dev/null 2>&1 &")
        self.more()

    def count(self) -> int:
        return int(self._yiwang.ssh("p-core", "wc -l < /tmp/acknowledged || echo 0", check=False).split()[-1])

    def more(self, number: int = 20, seconds: float = 60) -> None:
        """Wait until so many further writes were acknowledged."""
        begin = self.count()
        wait_for(lambda: self.count() >= begin + number, seconds, lambda: "no write is acknowledged")

    def end(self) -> Written:
        self._yiwang.ssh("p-core", "touch /tmp/stop")
        wait_for(
            lambda: "writer" not in self._yiwang.ssh("p-core", "pgrep -af /tmp/[w]riter", check=False),
            30,
            lambda: "the writer does not end",
        )
        lines = [line.split() for line in self._yiwang.ssh("p-core", "cat /tmp/acknowledged; rm /tmp/writer /tmp/stop").splitlines()]
        times = [float(moment) for _, moment in lines]
        ok, said = psql(self._yiwang, "p-core", self._url, self._password, "select n from written")
        assert ok, said
        gap = max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
        return Written({int(number) for number, _ in lines}, {int(line) for line in said.split()}, gap)
