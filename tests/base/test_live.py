"""The role on the lab's servers: what is in force there, not what files say."""

from __future__ import annotations

import contextlib
import difflib
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from base import base_support
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("host", base_support.HOSTS)
def test_the_ruleset_in_force_is_the_expected_one_as_a_whole(lab: Any, host: str) -> None:
    """Also finds rules that nobody asked for."""
    live, wanted = lab.ssh(host, "sudo nft list ruleset"), base_support.in_force(host)
    difference = "".join(difflib.unified_diff(wanted.splitlines(keepends=True), live.splitlines(keepends=True), "expected", "in force"))
    assert not difference, difference
    assert lab.ssh(host, "sudo cat /etc/nftables.conf") == base_support.ruleset(host)


@pytest.mark.parametrize("host", ["n-core", "p-edge", "p-ops", "c-jinan"])
def test_hosts_are_hardened_and_their_services_run(lab: Any, host: str) -> None:
    sshd = lab.ssh(host, "sudo sshd -T")
    for line in ("permitrootlogin no", "passwordauthentication no", "maxauthtries 4", "x11forwarding no", "allowtcpforwarding no"):
        assert f"{line}\n" in sshd
    assert lab.ssh(host, "systemctl is-active nftables chrony ssh systemd-journald").split() == ["active"] * 4
    assert lab.ssh(host, "bash -lc 'echo $TMOUT'").strip() == "600"
    assert lab.ssh(host, "ls /var/log/journal").strip() == lab.ssh(host, "cat /etc/machine-id").strip()


def test_what_the_automation_account_does_as_root_is_in_the_journal(lab: Any) -> None:
    mark = "never-seen-before-7f3a"
    lab.ssh("p-core", f"sudo true {mark}")
    assert f"COMMAND=/usr/bin/true {mark}" in lab.ssh("p-core", "sudo journalctl -q -t sudo --no-pager -n 20")


def test_roots_password_is_the_one_that_outputs_shows_and_opens_no_door_but_the_console(lab: Any) -> None:
    assert lab.ssh("p-core", "sudo passwd -S root").split()[1] == "P"
    hashes = {host: lab.ssh(host, "sudo getent shadow root").split(":")[1] for host in ("p-core", "p-data")}
    hidden = lab.json("outputs", "--site", "province")["province"]["rescue_passwords"]
    shown = lab.json("outputs", "--site", "province", "--show-secrets")["province"]["rescue_passwords"]
    assert set(hidden.values()) == {"[secret]"}
    for host, found in hashes.items():
        command = ["openssl", "passwd", "-6", "-salt", found.split("$")[2], "-stdin"]
        assert subprocess.run(command, input=shown[host], capture_output=True, text=True, check=True).stdout.strip() == found
    assert len(set(hashes.values())) == len(hashes)


def test_a_host_proves_its_name_with_a_certificate_that_the_others_trust(lab: Any) -> None:
    """City and province have different intermediates under the same root; each host trusts through its system's store."""
    for host, name in (("p-core", "p-core.sd.zwfw.example"), ("c-jinan", "c-jinan.jinan.sd.zwfw.example")):
        certificate = lab.ssh(host, "cat /etc/yiwang/tls/host.crt")
        verify = (
            "cat > /tmp/seen.pem && openssl verify -CApath /etc/ssl/certs -untrusted /tmp/seen.pem -verify_hostname "
            + name
            + " /tmp/seen.pem"
        )
        answer = lab.ssh("c-qingdao", f"echo '{certificate}' | ({verify}); rm -f /tmp/seen.pem")
        assert answer.strip() == "/tmp/seen.pem: OK"
        assert lab.ssh(host, "sudo stat -c '%U:%G %a' /etc/yiwang/tls/host.key").strip() == "root:yiwang-tls 640"


def test_hosts_know_each_other_by_name_in_both_families_but_no_other_city(lab: Any) -> None:
    known = lab.ssh("c-jinan", "getent ahosts p-core.sd.zwfw.example")
    assert "10.77.20.11" in known
    assert re.search(r"fd77:0:0:20::11", known)
    assert "c-qingdao" not in lab.ssh("c-jinan", "cat /etc/hosts")


def test_clocks_follow_the_operations_host(lab: Any) -> None:
    sources = lab.ssh("c-jinan", "sudo chronyc -n -c sources")
    assert sources.split(",")[2] == "10.77.30.11"


def test_the_operations_host_runs_the_kit_and_the_others_do_not(lab: Any) -> None:
    assert lab.ssh("p-ops", "yiwang version").startswith("yiwang ")
    assert not lab.ssh("p-core", "ls /opt/yiwang /usr/local/bin/yiwang 2>/dev/null", check=False).strip()


def test_what_somebody_changed_by_hand_is_found_and_put_back(lab: Any) -> None:
    chrony = lab.ssh("p-data", "systemctl show chrony --property=ExecMainPID")
    damage = (
        # A file newer than the service that reads it is what a run leaves behind that was killed before the restart.
        "touch /etc/chrony/chrony.conf",
        "nft flush ruleset",
        "echo PermitRootLogin yes >> /etc/ssh/sshd_config",
        "rm /etc/profile.d/yiwang.sh",
        # What an earlier run wrote when the host could still do it.
        "mkdir -p /etc/modprobe.d",
        "touch /etc/modprobe.d/yiwang.conf /etc/sysctl.d/90-yiwang.conf",
    )
    try:
        lab.ssh("p-data", f"sudo sh -ec '{'; '.join(damage)}'")
    finally:
        lab("up", "--yes", "--refresh", "--site", "province", "--host", "p-data")
    assert lab.ssh("p-data", "sudo nft list ruleset") == base_support.in_force("p-data")
    assert "permitrootlogin no\n" in lab.ssh("p-data", "sudo sshd -T")
    assert lab.ssh("p-data", "bash -lc 'echo $TMOUT'").strip() == "600"
    assert lab.ssh("p-data", "systemctl show chrony --property=ExecMainPID") != chrony
    assert not lab.ssh("p-data", "ls /etc/modprobe.d/yiwang.conf /etc/sysctl.d/90-yiwang.conf 2>/dev/null", check=False)


def authority(name: str) -> str:
    """A certificate authority of somebody else's (PEM)."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=30))
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@contextlib.contextmanager
def host_variables(lab: Any, host: str, **variables: Any) -> Iterator[None]:
    """While the body runs, the inventory says this of the host besides what it says anyway."""
    file: Path = lab.inventory / "host_vars" / f"{host}.yml"
    file.parent.mkdir(exist_ok=True)
    before = file.read_text() if file.exists() else None
    file.write_text((before or "") + yaml.safe_dump(variables))
    try:
        yield
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_text(before)


def test_an_authority_that_the_inventory_no_longer_names_is_trusted_no_more(lab: Any) -> None:
    links = "find /etc/ssl/certs -lname '*yiwang-mirror*'; find /etc/ssl/certs -xtype l; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt"
    one = ("--yes", "--site", "province", "--host", "p-data")
    before = lab.ssh("p-data", links).split()
    with host_variables(lab, "p-data", base_ca_certificates={"mirror": authority("mirror")}):
        lab("up", *one)
        pem, named, bundle = lab.ssh("p-data", links).split()
        assert Path(pem).parent == Path(named).parent == Path("/etc/ssl/certs")
        assert int(bundle) == int(before[-1]) + 1
    lab("up", *one)
    assert lab.ssh("p-data", links).split() == before
    assert lab.json("up", *one, "--reapply")["sites"][0]["hosts"]["p-data"]["tasks"] == []
