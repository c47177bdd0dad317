"""Preflight: what the inventory asks of a host, and what is tried on the operator's own machine."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from yiwang import cli, delivery
from yiwang.delivery import dependencies, store
from yiwang.deployment.engines import choose
from yiwang.engine import lock
from yiwang.engine.store import Store
from yiwang.errors import ExitCode
from yiwang.inventory import Province, load
from yiwang.inventory.create import create
from yiwang.inventory.model import National
from yiwang.preflight import machine, needs
from yiwang.preflight.model import Finding, Needs, Seen
from yiwang.ssh import Endpoint

TARGET = delivery.Target("3.11", "x86_64", "2.36")


@pytest.fixture
def province(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Province:
    """A new inventory; with a key pair where it says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("YIWANG_LANG", "en")
    found = load(create(tmp_path / "inventory", "370000", ()))
    key = found.access.key_file
    key.parent.mkdir(parents=True, mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return found


def verdicts(found: Iterator[Finding] | list[Finding]) -> dict[str, str]:
    rows = list(found)
    assert all(finding.fix for finding in rows if finding.verdict == "fail")
    return {finding.check: finding.verdict for finding in rows}


# --- What a host needs ----------------------------------------------------------------------------------------------


def test_needs_come_from_the_inventory(province: Province) -> None:
    site = province.sites["province"]
    host = next(host for host in site.hosts if host.name == "p-ops")
    variables = {
        "base_kit": True,
        "base_time_servers": ["ntp.sd.example", "203.0.113.5", "2001:db8::5"],
        "base_apt_sources": "Types: deb\nURIs: https://mirror.sd.example:8443/debian http://203.0.113.6/security\nSuites: bookworm",
        "base_ca_certificates": {"sd": "-----BEGIN CERTIFICATE-----"},
    }
    national = National(identity="https://id.gjzwfw.example/x", exchange="exchange.gjzwfw.example")
    found = needs.of(replace(province, national=national), site, replace(host, variables=variables))
    assert found.names == {
        "ntp.sd.example": "time",
        "mirror.sd.example": "packages",
        "id.gjzwfw.example": "national",
        "exchange.gjzwfw.example": "national",
    }
    assert "mirror.sd.example" in found.apt_sources
    assert "BEGIN CERTIFICATE" in found.authorities
    assert set(found.disk) == {"/", "/var", "/opt"}
    assert set(found.environments) == {"kit", "storage"}
    assert found.environments["kit"].startswith("/opt/yiwang/kit/complete-")
    assert [str(network) for network in found.operators] == ["203.0.113.2/32", "2001:db8:0:30::2/128"]


def test_a_proxy_is_what_has_to_resolve(province: Province) -> None:
    site = province.sites["province"]
    variables = {"base_apt_sources": "URIs: http://mirror.example/", "base_apt_conf": 'Acquire::http::Proxy "http://proxy.example:3128";'}
    assert needs.of(province, site, replace(site.hosts[0], variables=variables)).names == {"proxy.example": "packages"}


def test_a_host_without_names_needs_none(province: Province) -> None:
    site = next(site for site in province.sites.values() if site.stack == "city")
    found = needs.of(province, site, site.hosts[0])
    assert found.names == {}
    assert set(found.disk) == {"/", "/var"}
    assert found.environments == {}


def test_a_host_for_data_needs_the_packages_of_storage(province: Province) -> None:
    site = province.sites["province"]
    (host,) = (host for host in site.hosts if host.name == "p-data")
    found = needs.of(province, site, host)
    assert found.environments == {"storage": f"/opt/yiwang/storage/complete-{delivery.digest('storage', own=False)}"}


# --- The operator's machine -----------------------------------------------------------------------------------------


def test_a_new_inventory_with_a_key_passes_and_nothing_is_made(province: Province) -> None:
    before = sorted(province.directory.rglob("*"))
    assert set(verdicts(machine.before(province)).values()) == {"ok"}
    assert sorted(province.directory.rglob("*")) == before


def test_key_missing(province: Province) -> None:
    province.access.key_file.unlink()
    assert verdicts(machine.keys(province.access.key_file)) == {"key_file": "fail", "public_key": "ok"}


def test_public_key_missing(province: Province) -> None:
    province.access.key_file.with_suffix(".pub").unlink()
    assert verdicts(machine.keys(province.access.key_file)) == {"key_file": "ok", "public_key": "fail"}


def test_public_key_of_another_key(province: Province) -> None:
    key = province.access.key_file
    other = key.with_name("other")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    other.with_suffix(".pub").replace(key.with_suffix(".pub"))
    assert verdicts(machine.keys(key)) == {"key_file": "ok", "public_key": "fail"}


@pytest.mark.parametrize("spoil", ["passphrase", "mode", "text"])
def test_key_that_ssh_cannot_use_alone(spoil: str, province: Province) -> None:
    key = province.access.key_file
    if spoil == "passphrase":
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(key)], check=True, stdout=subprocess.DEVNULL)
    elif spoil == "mode":
        key.chmod(0o644)
    else:
        key.write_text("no key\n")
    assert verdicts(machine.keys(key))["key_file"] == "fail"


def test_passphrase_sources(province: Province, tmp_path: Path) -> None:
    def tried(**source: object) -> Finding:
        other = replace(province, passphrase_source=replace(province.passphrase_source, **source))  # type: ignore[arg-type]
        return next(machine.passphrase(other, choose(other)))

    file = tmp_path / "passphrase"
    assert tried(kind="file", file=file).verdict == "fail"
    file.write_text("open sesame\n")
    file.chmod(0o644)
    assert tried(kind="file", file=file).verdict == "fail"
    file.chmod(0o600)
    assert tried(kind="file", file=file).verdict == "ok"
    assert tried(kind="command", command=("false",)).verdict == "fail"
    assert tried(kind="command", command=("echo", "open sesame")).verdict == "ok"


def test_a_state_whose_passphrase_is_gone(province: Province) -> None:
    recorded = province.state_dir / ".pulumi" / "stacks" / "province" / "province.json"
    recorded.parent.mkdir(parents=True)
    recorded.write_text("{}")
    assert verdicts(machine.passphrase(province, choose(province))) == {"passphrase": "fail"}


def test_state_that_somebody_holds(province: Province) -> None:
    kept = Store(province.state_dir, "province", "province")
    kept.prepare()
    kept.journal_path.write_text("")
    with lock.held(kept.lock_directory, "up"):
        found = list(machine.state(province, choose(province)))
    assert [(finding.check, finding.verdict) for finding in found] == [("state_dir", "ok"), ("lock", "fail")]
    assert str(os.getpid()) in found[1].text
    assert verdicts(machine.state(province, choose(province))) == {"state_dir": "ok", "lock": "ok"}


def test_state_that_cannot_be_written_keeps_us_from_the_hosts(
    province: Province, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, who runs these tests, may write everywhere.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != province.state_dir and allowed(path, mode))
    assert cli.run(["preflight", "-i", str(province.directory), "--json"]) == ExitCode.FINDINGS
    found = json.loads(capsys.readouterr().out)["findings"]
    assert "state_dir" in {finding["check"] for finding in found if finding["verdict"] == "fail"}
    assert {finding["verdict"] for finding in found if finding["host"] != "-"} == {"skip"}
    assert cli.run(["preflight", "-i", str(province.directory)]) == ExitCode.FINDINGS
    skipped = [line for line in capsys.readouterr().out.splitlines() if line.startswith("skip")]
    assert skipped == ["skip  p-edge, p-core, p-data, p-ops, c-370100, c-370200  reachable: " + found[-1]["text"]]


# --- The package index ----------------------------------------------------------------------------------------------


def seen(extra: str = "kit", **facts: str) -> Seen:
    wanted = Needs(environments={extra: f"/opt/yiwang/{extra}/complete-x"} if extra else {})
    known = {"python": "3.11.2", "architecture": "x86_64", "libc": "2.36", **facts}
    return Seen("province", "p-ops", Endpoint("192.0.2.1"), wanted, facts=known)


def test_the_index_is_asked_only_for_what_has_to_be_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("YIWANG_LANG", "en")
    unseen = replace(seen(), facts={})
    assert asyncio.run(machine.after([seen(""), replace(seen(), facts={**seen().facts, "environment kit": "there"}), unseen])) == []
    found = asyncio.run(machine.after([seen(), seen("storage"), seen()]))
    assert [(finding.check, finding.verdict) for finding in found] == [("package_index", "fail")] * 2
    assert found[0].fix
    store.ensure(*dependencies._wanted("kit", TARGET)[1:], lambda fresh: (fresh / "archive").touch())
    assert [finding.verdict for finding in asyncio.run(machine.after([seen()]))] == ["ok"]
