"""A run as a value: where its secrets are, and what Ansible will read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from yiwang.provider.ansible_run import Run, Work, build
from yiwang.provider.values import Secret

SECRET = "hidden-{{ lookup('env', 'HOME') }}"


class _Loader(yaml.SafeLoader):
    pass


def _unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> tuple[str, Any]:
    return "unsafe", loader.construct_scalar(node)


_Loader.add_constructor("!unsafe", _unsafe)


def read(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - derives from the safe loader


def run(**changes: Any) -> Run:
    work = {
        "role": "probe",
        "site": "here",
        "hosts": {
            "one": {"address": "192.0.2.1", "port": 22, "variables": {"probe_key": Secret("host-hidden"), "probe_number": 3}},
            "two": {"address": "192.0.2.2", "port": 22, "variables": {}},
        },
        "variables": {
            "probe_secret": Secret(SECRET),
            "probe_text": "{{ not evaluated }}",
            "probe_map": {"inner": [Secret("deep-hidden"), 1]},
        },
        **changes,
    }
    return build(Work(**work), Path("/run/dir"), ssh_config=Path("/run/ssh"), facts=Path("/run/facts"))


def test_secrets_are_in_the_fifo_and_nowhere_else() -> None:
    made = run()
    elsewhere = str((made.argv, dict(made.env), made.files, made))
    for secret in ("hidden-", "host-hidden", "deep-hidden"):
        assert secret in made.secrets
        assert secret not in elsewhere
    assert read(made.secrets)["probe_secret"] == ("unsafe", SECRET)
    assert read(made.secrets)["probe_map"] == {"inner": ["deep-hidden", 1]}


def test_values_are_data_and_only_our_references_are_templates() -> None:
    inventory = read(run().files["inventory.yml"])["all"]
    assert inventory["vars"]["probe_text"] == ("unsafe", "{{ not evaluated }}")
    assert inventory["hosts"]["one"] == {"probe_key": "{{ yiwang_host_secrets['one']['probe_key'] }}", "probe_number": 3}
    assert inventory["hosts"]["two"] == {}


def test_the_play() -> None:
    (play,) = read(run().files["playbook.yml"])
    assert play["roles"] == [{"role": "probe"}]
    assert play["force_handlers"] is True
    assert play["gather_facts"] is False
    first, second = read(run(bootstrap=frozenset({"two"}), bootstrap_user="debian").files["playbook.yml"])
    assert (first["hosts"], first["remote_user"], first["become"], first["gather_facts"]) == ("two", "debian", True, False)
    assert second["hosts"] == "all"
    assert read(run(entry="remove").files["playbook.yml"])[0]["tasks"][0]["ansible.builtin.import_role"]["tasks_from"] == "remove"


def test_looking_differs_from_doing() -> None:
    assert {"--check", "--diff"} <= set(run(check=True).argv)
    assert not {"--check", "--diff"} & set(run().argv)


def test_nothing_of_the_caller_reaches_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PULUMI_CONFIG_PASSPHRASE", "ANSIBLE_FORKS", "YIWANG_INVENTORY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "x")
    environment = run().env
    assert environment["ANSIBLE_CONFIG"] == "/run/dir/ansible.cfg"
    assert "x" not in environment.values()
    assert "forks = 2" in run().files["ansible.cfg"]
