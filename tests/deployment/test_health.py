"""What a host's answer to `systemctl is-active` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from yiwang import inventory
from yiwang.deployment.health import HostHealth, SiteStatus, judge
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


def test_a_site_with_an_error_or_with_nothing_is_not_well() -> None:
    assert not SiteStatus("jinan", []).ok
    assert not SiteStatus("jinan", [], "no key").ok
