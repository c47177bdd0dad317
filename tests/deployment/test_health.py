"""What is recorded of a site against what its program wants, and what a host's answer to `systemctl is-active` means."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest

from yiwang import engine, inventory
from yiwang.deployment.health import HostHealth, SiteStatus, components, judge
from yiwang.engine import checkpoint
from yiwang.engine.checkpoint import Deployment
from yiwang.engine.passphrase import Manager
from yiwang.engine.resource import Resource
from yiwang.engine.store import Store
from yiwang.paths import data
from yiwang.ssh import Access, Completed


@pytest.fixture
def access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setenv("YIWANG_LANG", "en")
    province = inventory.load(data("inventories") / "lab")

    class Elsewhere:
        access, hosts, state_dir = province.access, province.hosts, tmp_path

    return Access(Elsewhere(), tmp_path)


UNITS = ["chrony", "nftables"]


@pytest.mark.parametrize(
    ("answer", "health", "failed"),
    [
        (Completed(0, "active\nactive\n", ""), "ok", []),
        (Completed(3, "active\ninactive\n", ""), "failed", ["nftables"]),
        (Completed(127, "", "bash: systemctl: command not found"), "failed", UNITS),
        (Completed(1, "active\n", "Failed to connect to bus"), "failed", ["nftables"]),
        (Completed(255, "", "ssh: connect to host x port 22: Connection refused"), "unreachable", []),
        (Completed(255, "", "yiwang@x: Permission denied (publickey)."), "denied", []),
        (Completed(255, "", "No ED25519 host key is known for p-core\nHost key verification failed."), "key_unknown", []),
        (Completed(255, "", "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @"), "key_changed", []),
    ],
)
def test_nothing_is_well_that_said_nothing(answer: Completed, health: str, failed: list[str], access: Access) -> None:
    found = HostHealth("p-core", applied=True, units=list(UNITS))
    judge(found, answer, access)
    assert (found.health, found.failed_units) == (health, failed)
    assert (found.detail == "") == (health == "ok" or (health == "failed" and answer.code == 3))


ALARM = '[{"zh": "磁盘将满", "en": "the disk is nearly full"}]\n'


@pytest.mark.parametrize(
    ("answer", "health", "detail"),
    [
        (Completed(0, "active\nactive\n--\n[]\n", ""), "ok", ""),
        (Completed(0, f"active\nactive\n--\n{ALARM}", ""), "alarm", "the disk is nearly full"),
        (Completed(3, f"active\nfailed\n--\n{ALARM}", ""), "failed", "the disk is nearly full"),
        (
            Completed(0, "active\nactive\n--\n", "sudo: a password is required"),
            "alarm",
            "/x/health on p-core told nothing: sudo: a password",
        ),
        (Completed(0, "active\nactive\n--\n5", ""), "alarm", "/x/health on p-core told nothing: exit code 0"),
        (Completed(255, "", "ssh: connect to host x port 22: Connection refused"), "unreachable", "Connection refused"),
    ],
)
def test_alarms_are_told(answer: Completed, health: str, detail: str, access: Access) -> None:
    found = HostHealth("p-core", applied=True, units=list(UNITS), program="/x/health")
    judge(found, answer, access)
    assert found.health == health
    assert detail in found.detail
    assert bool(detail) == bool(found.detail)


def test_the_reason_is_told_with_the_fix(access: Access) -> None:
    found = HostHealth("p-core", applied=True, units=list(UNITS))
    judge(found, Completed(255, "", "REMOTE HOST IDENTIFICATION HAS CHANGED"), access)
    assert "yiwang host trust p-core" in found.detail
    judge(found, Completed(127, "", "sh: systemctl: not found"), access)
    assert found.detail == "p-core did not tell the state of chrony, nftables: sh: systemctl: not found"


def test_a_host_without_units_answers_for_itself(access: Access) -> None:
    for code, health in ((0, "ok"), (1, "failed")):
        found = HostHealth("p-core", applied=True)
        judge(found, Completed(code, "", ""), access)
        assert found.health == health


def test_of_a_role_that_is_not_there_a_host_says_nothing(access: Access) -> None:
    found = HostHealth("p-core", applied=False)
    judge(found, Completed(0, "", ""), access)
    assert found.health == "unknown"


def test_a_site_with_an_error_or_with_nothing_is_not_well() -> None:
    assert not SiteStatus("jinan", []).ok
    assert not SiteStatus("jinan", [], "no key").ok


ROLE, CERTIFICATE = "yiwang:index:Role", "yiwang:index:Certificate"
URN = "urn:pulumi:jinan::city::{}::{}"
NOW = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
FINE = engine.Result(True, {}, 0, (), {}, (), ())


@pytest.fixture
def stack(tmp_path: Path) -> engine.Stack:
    """A city with one role on two hosts, one of which is due a visit, and a certificate."""
    results = {
        "c-one": {"applied": "x", "facts": {"units": UNITS}, "skipped": [{"capability": "clock", "what": {"zh": "时钟", "en": "x"}}]},
        "c-two": {},
    }
    recorded = [
        Resource(
            urn=URN.format(ROLE, "base"),
            type=ROLE,
            custom=True,
            id="jinan/base",
            inputs={"role": "base", "hosts": {"c-one": {}, "c-two": {}}},
            outputs={"results": results},
            modified="2026-05-01T10:00:00Z",
        ),
        Resource(
            urn=URN.format(CERTIFICATE, "c"), type=CERTIFICATE, custom=True, id="c", outputs={"notAfter": "2026-06-11T00:00:00+00:00"}
        ),
    ]
    store = Store(tmp_path, "city", "jinan")
    store.write(checkpoint.dump(Deployment(recorded), Manager("open sesame"), store.full_name))
    return engine.Stack(data("stacks") / "city", "jinan", tmp_path, "open sesame")


def step(op: str, name: str = "base") -> engine.StepFinished:
    return engine.StepFinished(op=op, urn=URN.format(ROLE, name), type=ROLE, name=name)


def test_what_is_recorded_is_compared_with_what_is_wanted(stack: engine.Stack) -> None:
    (found,) = components("jinan", engine.state.resources(stack), FINE, NOW)
    assert (found.component, found.desired, found.last_applied, found.certificate_days) == ("base", "applied", "2026-05-01T10:00:00Z", 10)
    assert [(host.host, host.applied, host.units) for host in found.hosts] == [("c-one", True, UNITS), ("c-two", False, [])]
    assert not found.ok, "one of its hosts is due a visit"


@pytest.mark.parametrize(
    ("preview", "desired"),
    [
        (dataclasses.replace(FINE, steps=(step("update"),)), {"base": "changes"}),
        (dataclasses.replace(FINE, steps=(step("same"),)), {"base": "applied"}),
        (dataclasses.replace(FINE, steps=(step("create", "storage"),)), {"base": "applied", "storage": "absent"}),
        (dataclasses.replace(FINE, ok=False), {"base": "changes"}),
        (None, {"base": "changes"}),
    ],
)
def test_the_state_of_components(preview: engine.Result | None, desired: dict[str, str], stack: engine.Stack) -> None:
    assert {found.component: found.desired for found in components("jinan", engine.state.resources(stack), preview, NOW)} == desired
