"""Who gets into the lab's servers: the operator, by key, from the operators' addresses; and what keeps that way in open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from base import base_support

from yiwang import inventory
from yiwang.ssh import Access

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parent.parent.parent


def sign_in(lab: Any, host: str, user: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """SSH from where the operator sits, by the system's own client and nothing of ours but the address and the key."""
    state = lab.inventory / ".state" / "ssh"
    namespace = lab.json("lab", "status")["operator_namespace"]
    given = [
        "-oStrictHostKeyChecking=yes",
        f"-oHostKeyAlias={host}",
        f"-oUserKnownHostsFile={state / 'known_hosts'}",
        "-oConnectTimeout=10",
    ]
    command = ["ssh", "-F", "/dev/null", "-i", state / "id_ed25519", "-oIdentitiesOnly=yes", *given, *options]
    return subprocess.run(
        ["nsenter", f"--net={namespace}", *command, "-l", user, lab.hosts()[host]["ipv4"], "id -un"],
        env={**os.environ, "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_root_cannot_sign_in_even_with_a_key_that_it_accepts(lab: Any) -> None:
    key = (lab.inventory / ".state/ssh/id_ed25519.pub").read_text().strip()
    lab.ssh(
        "p-data",
        f'sudo sh -c \'mkdir -p /root/.ssh; grep -qxF "{key}" /root/.ssh/authorized_keys || echo "{key}" >> /root/.ssh/authorized_keys\'',
    )
    assert sign_in(lab, "p-data", "yiwang", "-oBatchMode=yes").stdout == "yiwang\n"
    denied = sign_in(lab, "p-data", "root", "-oBatchMode=yes")
    assert denied.returncode == 255
    assert "Permission denied (publickey)" in denied.stderr


def test_nobody_signs_in_with_a_password_even_the_right_one(lab: Any, tmp_path: Path) -> None:
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\ntouch $0.asked\necho Right-Password-1\n")
    ask.chmod(0o700)
    lab.ssh("p-data", "sudo useradd -m -s /bin/sh person && echo person:Right-Password-1 | sudo chpasswd")
    try:
        for method in ("password", "keyboard-interactive"):
            answers = {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
            denied = sign_in(lab, "p-data", "person", f"-oPreferredAuthentications={method}", "-oPubkeyAuthentication=no", **answers)
            assert denied.returncode == 255
            assert "Permission denied (publickey)" in denied.stderr
        assert not Path(f"{ask}.asked").exists(), "the server has asked for a password"
    finally:
        lab.ssh("p-data", "sudo userdel -r person 2>&1")


RIGHT = "s/^PasswordAuthentication.*/PasswordAuthentication no/"
WRONG = "s/^PasswordAuthentication.*/PasswordAuthentication yes/;/^AuthenticationMethods/d"


def seen(lab: Any, host: str) -> dict[str, Any]:
    """What the role sees when it looks at a host."""
    command = [sys.executable, "-m", "yiwang", "lab", "ssh", host, "sudo python3 -"]
    look = (ROOT / "roles/base/files/look.py").read_text()
    done = subprocess.run(command, input=look, env=lab.environment(), capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_role_sees_the_running_ssh_server_and_not_its_file(lab: Any) -> None:
    """A server that runs with other settings than its file has, and the file is the older one by its date."""
    before = seen(lab, "p-data")
    assert (before["sshd_offers"], before["stale"]) == ("publickey", [])
    assert before["session"]["peer"] == "10.77.30.2"
    lab.ssh("p-data", f"sudo sed -i '{WRONG}' /etc/ssh/sshd_config && sudo systemctl reload ssh")
    try:
        # A reload returns before the server has read its file.
        deadline = time.monotonic() + 60
        while seen(lab, "p-data")["sshd_offers"] != "publickey,password":
            assert time.monotonic() < deadline, lab.ssh("p-data", "sudo journalctl -u ssh -n 20")
        lab.ssh("p-data", f"sudo sed -i '{RIGHT}' /etc/ssh/sshd_config && sudo touch -d 2020-01-01 /etc/ssh/sshd_config")
        after = seen(lab, "p-data")
        assert after["sshd"]["passwordauthentication"] == "no"
        assert after["sshd_offers"] == "publickey,password"
        assert after["stale"] == ["Restart ssh"]
    finally:
        lab("up", "--yes", "--refresh", "--site", "province", "--host", "p-data")
    assert seen(lab, "p-data")["sshd_offers"] == "publickey"


def test_operators_whose_range_is_not_listed_are_refused_before_they_shut_themselves_out(lab: Any) -> None:
    facts = lab.inventory / "province.yml"
    text = facts.read_text()
    facts.write_text(text.replace("operators: [10.77.30.2/32", "operators: [10.77.30.200/32"))
    try:
        refused = lab("up", "--yes", "--site", "jinan", "--host", "c-jinan", check=False)
    finally:
        facts.write_text(text)
    assert refused.returncode not in {0, 70}
    said = refused.stdout + refused.stderr
    assert "The operator will not be locked out" in said
    assert "10.77.30.2 " in said
    assert "access.operators" in said
    assert lab.ssh("c-jinan", "sudo nft list ruleset") == base_support.in_force("c-jinan")
    lab("up", "--yes", "--site", "jinan", "--host", "c-jinan")


def play(lab: Any, tmp_path: Path, variables: dict[str, Any], *verbs: str) -> subprocess.CompletedProcess[str]:
    """Task files of the role on p-data, without the questions that preflight asks before them."""
    tasks = [{"name": each, "ansible.builtin.import_role": {"name": "base", "tasks_from": each}} for each in verbs]
    (tmp_path / "play.json").write_text(
        json.dumps([{"hosts": "all", "gather_facts": False, "become": True, "vars": variables, "tasks": tasks}])
    )
    run = Path("/dev/shm") / f"yiwang-test-{os.getpid()}"
    run.mkdir(mode=0o700)
    try:
        config = Access(inventory.load(lab.inventory), run).config
        settings = {"ANSIBLE_SSH_ARGS": f"-F {config}", "ANSIBLE_PIPELINING": "1", "ANSIBLE_ROLES_PATH": str(ROOT / "roles")}
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", "p-data,", tmp_path / "play.json"],
            env={**os.environ, **settings, "ANSIBLE_HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        subprocess.run(["ssh", "-F", config, "-O", "exit", "p-data"], check=False, capture_output=True)
    finally:
        shutil.rmtree(run)
    return done


def test_a_ruleset_that_shuts_the_operator_out_is_taken_back_by_the_host(lab: Any, tmp_path: Path) -> None:
    variables = {"base_firewall_input": [], "base_firewall_output": [], "base_ssh_port": 22}
    done = play(lab, tmp_path, variables, "look", "firewall")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the host has taken its former one back" in done.stdout
    assert lab.ssh("p-data", "sudo nft list ruleset") == base_support.in_force("p-data")
    assert lab.ssh("p-data", "sudo cat /etc/nftables.conf") == base_support.ruleset("p-data")
    # The next run takes it for what it is: not the one that was loaded, so that it is loaded again, on trial as ever.
    lab("up", "--yes", "--refresh", "--site", "province", "--host", "p-data")
    loaded = lab.ssh("p-data", "sudo cat /var/lib/yiwang/nftables.loaded").strip()
    assert lab.ssh("p-data", "sudo nft list ruleset | sha256sum").split()[0] == loaded


CLOUD = """
useradd --create-home --shell /bin/bash debian
install -d -m 0700 -o debian -g debian /home/debian/.ssh
grep -v "^#" /home/yiwang/.ssh/authorized_keys > /home/debian/.ssh/authorized_keys
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJustForTheTestsJustForTheTestsJustForTheTes guest" >> /home/debian/.ssh/authorized_keys
chown debian: /home/debian/.ssh/authorized_keys
echo "debian ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/90-cloud-init-users
sed -i /^AllowGroups/d /etc/ssh/sshd_config
systemctl reload ssh
rm /etc/sudoers.d/yiwang /home/yiwang/.ssh/authorized_keys
"""


def test_the_account_that_a_cloud_image_comes_with_is_closed_by_the_first_run(lab: Any) -> None:
    """A host as a cloud image leaves it: the automation account cannot sign in yet, `debian` can, and may do everything."""
    facts = lab.inventory / "province.yml"
    text = facts.read_text()
    one = ("up", "--yes", "--site", "province", "--host", "p-data")
    lab.ssh("p-data", f"sudo sh -ec '{CLOUD}'")
    assert sign_in(lab, "p-data", "debian", "-oBatchMode=yes").stdout == "debian\n"
    try:
        facts.write_text(text.replace("access:\n", "access:\n  bootstrap_user: debian\n"))
        lab(*one)
        assert sign_in(lab, "p-data", "yiwang", "-oBatchMode=yes").stdout == "yiwang\n"
        assert sign_in(lab, "p-data", "debian", "-oBatchMode=yes").returncode == 255
        assert lab.ssh("p-data", "sudo cut -d ' ' -f 3 /home/debian/.ssh/authorized_keys").split() == ["guest"]
        # Neither a rule of sudo is left, nor would one help: the account has expired.
        assert "not allowed to run sudo" in lab.ssh("p-data", "sudo sudo -l -U debian", check=False)
        lab.ssh("p-data", "echo 'debian,root ALL=(ALL) NOPASSWD:ALL' | sudo tee /etc/sudoers.d/other >&2")
        assert not lab.ssh("p-data", "sudo setpriv --reuid debian --regid debian --init-groups sudo -n id -u", check=False).strip()
        assert lab.json(*one, "--reapply")["sites"][0]["hosts"]["p-data"]["tasks"] == []
    finally:
        facts.write_text(text)
        lab.ssh("p-data", "sudo rm -f /etc/sudoers.d/other; sudo userdel --remove debian 2>&1", check=False)
        lab(*one)


def test_an_sshd_config_that_shuts_the_operator_out_is_taken_back_by_the_host(lab: Any, tmp_path: Path) -> None:
    """The automation account is not in the group that the new file asks for."""
    before = lab.ssh("p-data", "sudo sha256sum /etc/ssh/sshd_config")
    variables = {"base_automation_user": "nobody", "base_ssh_port": 22}
    done = play(lab, tmp_path, variables, "look", "ssh")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the host has taken its former one back" in done.stdout
    assert lab.ssh("p-data", "sudo sha256sum /etc/ssh/sshd_config") == before
    lab("up", "--yes", "--refresh", "--site", "province", "--host", "p-data")
