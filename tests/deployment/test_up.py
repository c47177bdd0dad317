"""`yiwang up` on real servers: idempotence, kills, a host made anew, one site alone."""

from __future__ import annotations

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from tests_support import Yiwang

pytestmark = pytest.mark.lab

# Everything `up` records for the lab's sites, counted from the inventory's own words: see `recorded`.
SITES = ("national", "province", "jinan", "qingdao")


def counts(found: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {site["site"]: site["counts"] for site in found["sites"]}


def recorded(yiwang: Yiwang) -> list[str]:
    """The URNs in all checkpoints, with their multiplicity."""
    urns = []
    for path in sorted((yiwang.inventory / ".state" / ".pulumi" / "stacks").glob("*/*.json")):
        latest = json.loads(path.read_text())["checkpoint"]["latest"]
        urns += [f"{resource['urn']}{'#delete' if resource.get('delete') else ''}" for resource in latest["resources"]]
        assert not latest.get("pending_operations"), path
    return sorted(urns)


def processes_of(yiwang: Yiwang) -> list[str]:
    """Command lines of the processes that work on this inventory (by their environment), without this test's own."""
    marker = f"YIWANG_INVENTORY={yiwang.inventory}".encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return found


def wait_until_gone(yiwang: Yiwang, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while left := [line for line in processes_of(yiwang) if "[mux]" not in line]:
        assert time.monotonic() < deadline, f"still running after the kill: {left}"
        time.sleep(0.1)


def test_second_up_changes_nothing(lab: Yiwang) -> None:
    assert counts(lab.json("up", "--yes")) == {site: {} for site in SITES}


def test_plan_of_an_unchanged_province_exits_0(lab: Yiwang) -> None:
    assert lab("plan", check=False).returncode == 0


def test_every_role_run_again_changes_no_host(lab: Yiwang) -> None:
    found = lab.json("up", "--yes", "--reapply")
    # The province has the store for backups besides.
    assert counts(found) == {site: {"update": 3 if site == "province" else 2} for site in SITES}
    changed = {host: part for site in found["sites"] for host, part in site["hosts"].items() if part["tasks"] or part["files"]}
    assert changed == {}


def test_two_plans_of_the_same_change_are_equal_to_the_byte(lab: Yiwang) -> None:
    with ChangedSetting(lab, "64M"):
        first, second = (lab("plan", "--json", "--site", "national", "--site", "jinan", "--site", "qingdao", check=False) for _ in range(2))
    assert first.returncode == 2
    assert first.stdout == second.stdout


class ChangedSetting:
    """A role variable of all hosts set to another value while the body runs; the hosts follow it back afterwards."""

    def __init__(self, yiwang: Yiwang, value: str, site: str = "all") -> None:
        self.yiwang, self.value = yiwang, value
        self.path = yiwang.inventory / "group_vars" / f"{site}.yml"
        self.before = self.path.read_text() if self.path.exists() else None

    def __enter__(self) -> Self:
        self.set(self.value)
        return self

    def set(self, value: str) -> None:
        self.path.write_text(f"{self.before or '---'}\nbase_journal_size: {value}\n")

    def __exit__(self, *_: object) -> None:
        if self.before is None:
            self.path.unlink()
        else:
            self.path.write_text(self.before)


def test_plan_names_the_file_on_the_host_that_would_change(lab: Yiwang) -> None:
    with ChangedSetting(lab, "65M", site="jinan"):
        done = lab("plan", "--json", check=False)
        assert done.returncode == 2
        sites = {site["site"]: site for site in json.loads(done.stdout)["sites"]}
        assert [name for name, site in sites.items() if site["counts"]] == ["jinan"]
        files = sites["jinan"]["hosts"]["c-jinan"]["files"]
        assert any("+SystemMaxUse=65M" in file["diff"] for file in files), files
        assert "65M" not in lab.ssh("c-jinan", "cat /etc/systemd/journald.conf.d/*"), "plan changed the host"


def logins(yiwang: Yiwang, *, without: str = "") -> dict[str, int]:
    """How many times anybody has signed in on each host; this reading signs in as well, always as often."""
    command = "sudo journalctl -t sshd -o cat | grep -c 'Accepted publickey' || true"
    return {host: int(yiwang.ssh(host, command).split()[-1]) for host in yiwang.hosts() if host != without}


def visited(first: dict[str, int], second: dict[str, int], third: dict[str, int]) -> set[str]:
    """The hosts on which more happened between the second reading and the third than between the first and the second."""
    return {host for host in first if third[host] - second[host] > second[host] - first[host]}


def test_one_citys_up_visits_that_city_only(lab: Yiwang) -> None:
    with ChangedSetting(lab, "66M"):
        idle = logins(lab), logins(lab)
        found = lab.json("up", "--site", "qingdao", "--yes")
        assert visited(*idle, logins(lab)) == {"c-qingdao"}
        assert counts(found) == {"qingdao": {"update": 1}}
        assert "66M" in lab.ssh("c-qingdao", "cat /etc/systemd/journald.conf.d/*")
    lab("up", "--yes")


def test_a_host_made_anew_is_trusted_and_rebuilt_alone(lab: Yiwang) -> None:
    lab("lab", "down", "--host", "p-core")
    lab("lab", "up")
    refused = lab("up", "--site", "province", "--host", "p-core", "--yes", check=False)
    assert refused.returncode == 6
    assert "yiwang host trust p-core" in refused.stderr
    lab("host", "trust", "p-core", "--yes")
    idle = logins(lab, without="p-core"), logins(lab, without="p-core")
    lab("up", "--site", "province", "--host", "p-core", "--yes")
    assert visited(*idle, logins(lab, without="p-core")) == set()
    assert "active" in lab.ssh("p-core", "systemctl is-active nftables chrony")
    assert counts(lab.json("up", "--yes")) == {site: {} for site in SITES}


@dataclass
class Kill:
    """How a killed ``up`` went: whether the kill came before its end, and what the rerun said of it."""

    landed: bool
    said: str


def kill_and_rerun(yiwang: Yiwang, moment: float) -> Kill:
    """Start an `up`, kill it after `moment` seconds (its processes have to end by themselves), and run it again."""
    process = yiwang.start("up", "--yes")
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
    wait_until_gone(yiwang)
    return Kill(process.returncode == -signal.SIGKILL, yiwang("up", "--yes").stderr)


def until_landed(number: int, kill: Callable[[int], Kill]) -> None:
    """Kill until ``number`` kills have hit: the moments are random, and a run that ended before its kill shows nothing."""
    landed = attempts = 0
    while landed < number:
        assert attempts < 3 * number, f"{landed} of {attempts} kills landed"
        landed += kill(attempts).landed
        attempts += 1


def check_complete(yiwang: Yiwang, urns: list[str]) -> None:
    assert recorded(yiwang) == urns
    assert [urn for urn, number in collections.Counter(recorded(yiwang)).items() if number > 1] == []
    assert yiwang("plan", check=False).returncode == 0


def kills(lab: Yiwang, number: int, site: str) -> None:
    """Updates of one setting on the hosts of ``site`` (``all`` for every one), killed at random moments."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    urns = recorded(lab)
    secrets = lab("outputs", "--show-secrets", "--json").stdout
    hosts = [name for name, host in lab.hosts().items() if site in {"all", *host["groups"]}]
    assert hosts
    with ChangedSetting(lab, "70M", site) as setting:
        started = time.monotonic()
        lab("up", "--yes")
        length = (time.monotonic() - started) * 0.9

        def change_and_kill(index: int) -> Kill:
            setting.set(f"{71 + index}M")
            done = kill_and_rerun(lab, chance.uniform(2, length))
            check_complete(lab, urns)
            for host in hosts:
                assert f"{71 + index}M" in lab.ssh(host, "cat /etc/systemd/journald.conf.d/*"), host
            return done

        until_landed(number, change_and_kill)
        # Killed half way, and then wanted as it was before: what the killed one did is read back and undone.
        setting.set("70M")
        lab("up", "--yes")
        setting.set("99M")
        process = lab.start("up", "--yes")
        wait_for(lambda: "99M" in lab.ssh(hosts[0], "cat /etc/systemd/journald.conf.d/*"), 120)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        setting.set("70M")
        wait_until_gone(lab)
        assert "an earlier run ended while working on" in lab("up", "--yes").stderr
        for host in hosts:
            assert "70M" in lab.ssh(host, "cat /etc/systemd/journald.conf.d/*"), host
    lab("up", "--yes")
    assert lab("outputs", "--show-secrets", "--json").stdout == secrets


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def creation_kills(lab: Yiwang, number: int) -> None:
    """The same for a first run: the state is put aside, so that everything is made again on hosts that are there."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    urns = recorded(lab)

    def forget_and_kill(_: int) -> Kill:
        shutil.rmtree(lab.inventory / ".state" / ".pulumi")
        done = kill_and_rerun(lab, chance.uniform(2, 14))
        check_complete(lab, urns)
        return done

    until_landed(number, forget_and_kill)


def test_killed_updates_are_finished_by_a_rerun(lab: Yiwang) -> None:
    kills(lab, 2, "jinan")


def test_killed_first_runs_are_finished_by_a_rerun(lab: Yiwang) -> None:
    creation_kills(lab, 1)


@pytest.mark.soak
def test_twenty_kills(lab: Yiwang) -> None:
    kills(lab, 14, "all")
    creation_kills(lab, 6)
