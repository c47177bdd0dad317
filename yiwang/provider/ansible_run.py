"""One run of ansible-playbook as a value: its files, environment and argument list. Nothing is started here."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from yiwang import messages, paths
from yiwang.provider import sources, values

CALLBACK = "events"
"""Name of the FIFO on which the run reports."""
SECRETS = "secrets"
"""Name of the FIFO through which secret variables reach the run."""
LOG = "output.log"
"""What ansible-playbook itself prints: only of interest when it ends without a report."""
HOST_SECRETS = "yiwang_host_secrets"


@dataclass(frozen=True)
class Work:
    """What is to be done: an entry (a task file) of a role on hosts.

    ``hosts`` and ``variables`` as in the inputs of a role, secrets marked. ``bootstrap``: those hosts on which the role's
    ``bootstrap.yml`` runs before, as ``bootstrap_user``. ``check``: look only, and report differences. ``dismissed``: the
    hosts are no longer listed, one that does not answer is no failure. ``unknown``: nobody knows which were visited before.
    ``verb``: what goes on after a failure.
    """

    role: str
    site: str
    hosts: Mapping[str, Mapping[str, Any]]
    variables: Mapping[str, Any]
    entry: str = "main"
    check: bool = False
    bootstrap: frozenset[str] = frozenset()
    bootstrap_user: str = "root"
    destroy_data: bool = False
    upgrade: bool = False
    dismissed: bool = False
    unknown: bool = False
    verb: Literal["up", "down"] = "up"


@dataclass(frozen=True)
class Run:
    """Everything about a run. ``secrets`` is YAML for the FIFO, empty when there are none; it is in no file."""

    work: Work
    directory: Path
    argv: tuple[str, ...]
    env: Mapping[str, str]
    files: Mapping[str, str]
    secrets: str = field(repr=False)


class _Dumper(yaml.SafeDumper):
    """Writes texts with template marks as ``!unsafe``: values are data, never templates."""


class _Template(str):
    """A text of our own that Ansible shall evaluate."""

    __slots__ = ()


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    marked = any(mark in text for mark in ("{{", "{%", "{#"))
    return dumper.represent_scalar("!unsafe" if marked else "tag:yaml.org,2002:str", text, style='"' if marked or "\n" in text else None)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Template, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'))


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=4096)


def build(work: Work, directory: Path, *, ssh_config: Path, facts: Path) -> Run:
    """The run of ``work`` in the private directory ``directory`` (on a tmpfs); ``facts`` caches gathered facts."""
    secret: dict[str, Any] = {}
    public: dict[str, Any] = {}
    for name, value in work.variables.items():
        (secret if values.secret(value) else public)[name] = values.reveal(value)
    host_secrets = {
        host: {name: values.reveal(value) for name, value in entry.get("variables", {}).items() if values.secret(value)}
        for host, entry in work.hosts.items()
    }
    if any(host_secrets.values()):
        secret[HOST_SECRETS] = host_secrets
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "--inventory", str(directory / "inventory.yml")]
    if secret:
        argv += ["--extra-vars", f"@{directory / SECRETS}"]
    if work.check:
        argv += ["--check", "--diff"]
    return Run(
        work=work,
        directory=directory,
        argv=(*argv, str(directory / "playbook.yml")),
        env=_environment(directory),
        files={
            "inventory.yml": _yaml(_inventory(work, public)),
            "playbook.yml": _yaml(_playbook(work)),
            "ansible.cfg": _settings(work, directory, ssh_config, facts),
        },
        secrets=_yaml(secret) if secret else "",
    )


def _inventory(work: Work, public: dict[str, Any]) -> dict[str, Any]:
    ours = {
        "yiwang_site": work.site,
        "yiwang_role": work.role,
        "yiwang_templates": str(paths.data("templates")),
        "yiwang_destroy_data": work.destroy_data,
        "yiwang_upgrade": work.upgrade,
        "yiwang_language": messages.language(),
    }
    return {"all": {"vars": {**public, **ours}, "hosts": {host: _host_variables(host, entry) for host, entry in work.hosts.items()}}}


def _host_variables(host: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A host's own variables; the secret ones are references into what comes through the FIFO."""
    return {
        name: _Template(f"{{{{ {HOST_SECRETS}['{host}']['{name}'] }}}}") if values.secret(value) else value
        for name, value in entry.get("variables", {}).items()
    }


def _playbook(work: Work) -> list[dict[str, Any]]:
    plays: list[dict[str, Any]] = []
    if work.bootstrap:
        plays.append(
            {
                "name": f"{work.role}: first contact",
                "hosts": ",".join(sorted(work.bootstrap)),
                "gather_facts": False,
                "remote_user": work.bootstrap_user,
                "become": work.bootstrap_user != "root",
                "tasks": [{"name": "First contact", "ansible.builtin.import_role": {"name": work.role, "tasks_from": "bootstrap"}}],
            }
        )
    subset = sources.fact_subset(work.role)
    play: dict[str, Any] = {
        "name": f"{work.role}: {work.entry}",
        "hosts": "all",
        "gather_facts": bool(subset),
        **({"gather_subset": list(subset)} if subset else {}),
        "become": True,
        # A host that fails in the middle still gets the restarts of what it has changed: a rerun would not notify again.
        "force_handlers": True,
    }
    if work.entry == "main":
        play["roles"] = [{"role": work.role}]
    else:
        play["tasks"] = [{"name": work.entry, "ansible.builtin.import_role": {"name": work.role, "tasks_from": work.entry}}]
    return [*plays, play]


def _settings(work: Work, directory: Path, ssh_config: Path, facts: Path) -> str:
    here = Path(__file__).parent
    sections: dict[str, dict[str, Any]] = {
        "defaults": {
            "forks": len(work.hosts),
            "gathering": "smart",
            "fact_caching": "jsonfile",
            "fact_caching_connection": facts,
            "roles_path": paths.data("roles"),
            # Every role writes its files by the module of the role that is on every host.
            "library": paths.data("roles") / "base" / "library",
            "local_tmp": directory / "tmp",
            "home": directory / "home",
            "callback_plugins": here / "callback",
            "stdout_callback": "yiwang_events",
            "interpreter_python": "/usr/bin/python3",
            "retry_files_enabled": False,
            "deprecation_warnings": False,
            "nocows": True,
        },
        "inventory": {"enable_plugins": "yaml", "unparsed_is_failed": True},
        "connection": {"pipelining": True},
        "ssh_connection": {"ssh_args": f"-F {ssh_config}", "pipelining": True},
        "diff": {"context": 3},
    }
    return "".join(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()) + "\n" for name, lines in sections.items())


_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_INHERITED = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "XDG_CACHE_HOME", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        *_PROXIES,
        *(name.upper() for name in _PROXIES),
    }
)


def _environment(directory: Path) -> dict[str, str]:
    """A small environment of our own: nothing of the caller's (passphrases, Ansible settings) reaches the run.

    A role may fetch what its hosts need (yiwang.delivery): where pip looks, proxies and trust stay as the caller has them.
    """
    inherited = {name: value for name, value in os.environ.items() if name in _INHERITED or name.startswith("PIP_")}
    return {
        **inherited,
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(directory / "tmp"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "YIWANG_CALLBACK": str(directory / CALLBACK),
    }
