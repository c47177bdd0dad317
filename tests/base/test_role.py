"""The role as files: its variables, its verbs, and rules that a linter does not know."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import combine

from yiwang.components.base import external_authority

ROLE = Path(__file__).parent.parent.parent / "roles" / "base"
VERBS = {"main", "preflight", "install", "configure", "run", "verify", "remove", "bootstrap"}
LONGEST = 80


def load(name: str) -> Any:
    return yaml.safe_load((ROLE / name).read_text())


def tasks() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in [*sorted((ROLE / "tasks").glob("*.yml")), ROLE / "handlers" / "main.yml"]:
        for task in yaml.safe_load(path.read_text()):
            yield path, task


def test_defaults_and_specifications_agree_in_keys_and_values() -> None:
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert load("defaults/main.yml") == {name: option["default"] for name, option in options.items()}


def test_what_the_kit_sets_says_so_and_secrets_are_among_it() -> None:
    """The inventory refuses what is described as set by the kit, so that nobody writes a key or a password there."""
    text = (ROLE / "defaults/main.yml").read_text()
    computed = set(re.findall(r"^(base_\w+):", text[text.index("--- Set by the kit") :], re.MULTILINE))
    options = load("meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert {name for name, option in options.items() if option["description"].startswith("Set by the kit")} == computed
    assert {name for name, option in options.items() if option.get("no_log")} == {"base_tls_key", "base_rescue_password"}


def test_the_verbs_are_there_and_the_entry_is_a_table_of_contents() -> None:
    files = {path.stem: path for path in (ROLE / "tasks").glob("*.yml")}
    assert set(files) >= VERBS
    assert all("ansible.builtin.import_tasks" in task for task in load("tasks/main.yml"))
    assert {name for name, path in files.items() if len(path.read_text().splitlines()) >= LONGEST} == set()


def test_every_task_file_is_reached_from_a_verb() -> None:
    reached = {"main", "remove", "bootstrap"}
    for _ in range(4):
        called = [task for path, task in tasks() if path.stem in reached]
        reached |= {Path(task[key]).stem for task in called for key in task if key.endswith(("import_tasks", "include_tasks"))}
    assert {path.stem for path in (ROLE / "tasks").glob("*.yml")} == reached


def test_a_task_that_handles_a_secret_is_never_logged() -> None:
    secret = ("base_tls_key", "base_rescue_password", "__base_rescue")
    seen = 0
    for path, task in tasks():
        handled = json.dumps({key: value for key, value in task.items() if key not in {"register", "when", "name"}})
        if any(name in handled for name in secret):
            seen += 1
            assert task.get("no_log") is True, f"{path.name}: {task['name']}"
        assert task.get("no_log") in {None, True}, f"{path.name}: {task['name']}: no_log is no literal"
    assert seen == 3


def test_modes_are_quoted() -> None:
    for path in ROLE.rglob("*.yml"):
        assert not re.findall(r"\bmode: *0?\d", path.read_text()), path


def test_names_of_variables_say_who_may_set_them() -> None:
    assert all(name.startswith("_base_") for name in load("vars/main.yml"))
    assert all(task["register"].startswith("__base_") for _, task in tasks() if "register" in task)


def test_what_an_interrupted_run_owes_is_a_handler() -> None:
    handlers = {task["name"] for path, task in tasks() if path.parent.name == "handlers"}
    look = (ROLE / "files/look.py").read_text()
    services = re.findall(r'^    "([\w-]+)": \(.+\),$', look, re.MULTILINE)
    owed = {f"Restart {name}" for name in services if name != "trust"} | set(re.findall(r'append\("([^"]+)"\)', look))
    assert {"Restart chrony", "Restart ssh", "Restart systemd-journald"} <= owed
    assert owed == handlers


def test_each_capability_that_the_role_asks_for_is_reported_when_it_is_missing() -> None:
    needs = {need["capability"] for need in load("vars/main.yml")["_base_needs"]}
    used: set[str] = set()
    for path in [*(ROLE / "tasks").glob("*.yml"), *(ROLE / "templates").rglob("*.j2")]:
        used |= set(re.findall(r"base_capabilities\.(\w+)", path.read_text()))
    assert needs == set(load("defaults/main.yml")["base_capabilities"])
    assert needs - used == {"audit"}, "no task has rules of the audit log yet"


def test_what_the_role_says_to_people_is_there_in_both_languages() -> None:
    told = load("vars/main.yml")
    texts = [*told["_base_refusals"].values(), *(need["what"] for need in told["_base_needs"]), told["_base_settings_missing"]]
    for text in texts:
        assert set(text) == {"zh", "en"}
        assert re.search("[\u4e00-\u9fff]", text["zh"])
        assert text["en"].isascii()
        # Both say the same: they name the same values.
        values = [re.findall(r"_base_\w+(?:\.\w+)*|base_\w+", text[language]) for language in ("zh", "en")]
        assert sorted(values[0]) == sorted(values[1])
    spoken = [
        task[module].get("fail_msg", task[module].get("msg"))
        for _, task in tasks()
        for module in task
        if module.endswith((".assert", ".fail"))
    ]
    assert sorted(spoken) == sorted(f"{{{{ _base_refusals.{name}[_base_language] }}}}" for name in told["_base_refusals"])


@pytest.fixture
def look() -> dict[str, Any]:
    """The names of files/look.py, without running it."""
    return runpy.run_path(str(ROLE / "files/look.py"))


def test_a_kernel_setting_that_the_kernel_lacks_keeps_no_other_back(look: dict[str, Any], tmp_path: Path) -> None:
    """A host without IPv6: the file as it is written, a key that does not exist, and the command of the handler."""
    lines = (ROLE / "templates/etc/sysctl.d/90-yiwang.conf.j2").read_text().splitlines()
    assert all(line.startswith(("#", "-")) for line in lines)
    file = tmp_path / "90-yiwang.conf"
    file.write_text("# text\n-net.ipv6.conf.nowhere.accept_redirects = 0\n-net.ipv4.tcp_syncookies = 1\n")
    look["settings"].__globals__["SETTINGS"] = str(file)
    found = look["settings"]()
    assert found["net.ipv6.conf.nowhere.accept_redirects"] == ("0", None)
    assert found["net.ipv4.tcp_syncookies"] == ("1", Path("/proc/sys/net/ipv4/tcp_syncookies").read_text().strip())
    (handler,) = [task for _, task in tasks() if task["name"] == "Apply the kernel settings"]
    command = handler["ansible.builtin.command"]["cmd"].replace("/etc/sysctl.d/90-yiwang.conf", str(file)).split()
    subprocess.run(["unshare", "--net", "--map-root-user", *command], check=True)


def test_the_ssh_session_is_found_above_sudo(look: dict[str, Any]) -> None:
    """As a child of a process that has the variable, itself without it."""
    code = f"import json, runpy; print(json.dumps(runpy.run_path({str(ROLE / 'files/look.py')!r})['session']()))"
    shell = f"env -u SSH_CONNECTION {sys.executable} -c {shlex.quote(code)}; true"
    environment = {"PATH": os.environ["PATH"], "SSH_CONNECTION": "192.0.2.10 40000 192.0.2.20 2222"}
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == {"peer": "192.0.2.10", "host": "192.0.2.20", "port": "2222"}


def test_what_a_service_has_read_is_told_without_comparing_clocks(look: dict[str, Any], tmp_path: Path) -> None:
    """The script of the handlers writes the record, look.py compares: also when the clock was ahead, or somebody sets a file's time."""
    file, names = tmp_path / "file", look["unread"].__globals__
    record, pattern = tmp_path / "read", f"{tmp_path}/fil*"
    names["RECORDS"], names["READS"] = record, {"service": (pattern,)}
    script = (ROLE / "files/reread.sh").read_text().replace("/var/lib/yiwang/read", str(record))

    def reread(command: str = "true") -> int:
        return subprocess.run(["/bin/sh", "-c", script, "reread", "service", command, pattern], check=False).returncode

    assert not look["unread"]("service"), "nothing to read, nothing read"
    file.write_text("text\n")
    assert look["unread"]("service")
    assert reread("false") != 0
    assert look["unread"]("service"), "a service that did not start has read nothing"
    assert reread() == 0
    assert not look["unread"]("service")
    os.utime(file, (4e9, 4e9))  # as a clock that is years ahead leaves it
    assert look["unread"]("service")
    assert reread() == 0
    assert not look["unread"]("service")
    file.write_text("other\n")
    os.utime(file, (0, 0))
    assert look["unread"]("service")
    reread(f"echo late > {file}")
    assert look["unread"]("service"), "what changes while the service starts may not have been read"
    file.unlink()
    assert look["unread"]("service")
    assert reread() == 0
    assert not look["unread"]("service")


def test_the_files_that_services_read_are_the_same_for_those_who_write_and_who_look(look: dict[str, Any]) -> None:
    assert {name: list(files) for name, files in look["READS"].items()} == load("vars/main.yml")["_base_reads"]
    written = json.dumps([task for _, task in tasks()]) + json.dumps(load("vars/main.yml"))
    assert all(file in written for files in look["READS"].values() for file in files)


def test_the_first_account_loses_its_own_rules_and_the_operators_keys_and_no_others(tmp_path: Path) -> None:
    close = runpy.run_path(str(ROLE / "files/close_account.py"))
    close["rules_of"].__globals__["ROOT"] = tmp_path
    (tmp_path / "etc/sudoers.d").mkdir(parents=True)
    for name, text in {
        "90-cloud-init-users": "# Created by cloud-init\n\ndebian ALL=(ALL) NOPASSWD:ALL\n",
        "people": "debian ALL=(ALL) ALL\nwang ALL=(ALL) ALL\n",
        "README": "# nothing\n",
        "debian2": "debian2 ALL=(ALL) NOPASSWD:ALL\n",
    }.items():
        (tmp_path / "etc/sudoers.d" / name).write_text(text)
    assert [path.name for path in close["rules_of"]("debian")] == ["90-cloud-init-users"]
    lines = ["ssh-ed25519 AAAAours a comment\n", 'from="10.0.0.0/8" ssh-ed25519 AAAAours\n', "ssh-ed25519 AAAAother\n", "# text\n"]
    assert close["without"]("".join(lines), ["ssh-ed25519 AAAAours"]) == "".join(lines[2:])


def test_the_first_contact_reads_package_lists_that_were_never_read(tmp_path: Path) -> None:
    """The task's own command, with an apt-get that knows no package before its update."""
    apt = tmp_path / "apt-get"
    apt.write_text('#!/bin/sh\ncd "$(dirname "$0")"\nif [ "$1" = update ]; then touch lists; else [ -e lists ] && touch sudo; fi\n')
    apt.chmod(0o755)
    (task,) = [task for path, task in tasks() if path.name == "bootstrap.yml" and "ansible.builtin.shell" in task]
    shell = ["/bin/sh", "-c", task["ansible.builtin.shell"]["cmd"]]
    subprocess.run(shell, check=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (tmp_path / "sudo").exists()


def test_the_kits_own_root_keeps_its_name() -> None:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no HTML
    environment.filters.update(combine=combine, to_json=json.dumps)
    given = {"base_trust": {"province": "the kit's"}, "base_ca_certificates": {"province": "another", "mirror": "a mirror's"}}
    files = json.loads(environment.from_string(load("vars/main.yml")["_base_trust_json"]).render(given))
    assert {Path(file["path"]).stem: file["content"] for file in files} == {"yiwang-province": "the kit's", "yiwang-mirror": "a mirror's"}


def test_each_authority_of_what_is_brought_along_has_a_file_of_its_own() -> None:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no HTML
    environment.filters.update(to_json=json.dumps)
    template = environment.from_string(load("vars/main.yml")["_base_external_json"])
    for given in ({}, {"database-portal": "one\n"}, {"database-portal": "one", "bucket-files": "two\n\n"}):
        files = json.loads(template.render(base_external_authorities=given))
        assert {file["path"]: file["content"] for file in files} == {
            external_authority(name): f"{content.strip()}\n" for name, content in given.items()
        }


def test_looking_at_a_host_gives_the_facts_that_the_tasks_read() -> None:
    done = subprocess.run([sys.executable, ROLE / "files/look.py", "bash", "no-such-package"], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["os"]["id"]
    assert "no-such-package" not in seen["packages"]
    text = "".join(path.read_text() for path in [*(ROLE / "tasks").glob("*.yml"), ROLE / "vars/main.yml"])
    assert "session" in seen  # read through a variable of its own
    assert set(re.findall(r"_base_look_result\.(\w+)", text)) <= set(seen)


@pytest.mark.parametrize("template", sorted((ROLE / "templates").rglob("*.j2"), key=str), ids=lambda path: path.name)
def test_each_template_says_that_it_is_managed_and_is_used_under_its_path(template: Path) -> None:
    assert "{{ _base_managed }}" in template.read_text()
    name = template.relative_to(ROLE / "templates").as_posix()
    # Compared in one task and landed in another, a template is read through a variable.
    through = [variable for variable, value in load("vars/main.yml").items() if name in json.dumps(value)]
    used = [json.dumps(task) for _, task in tasks() if any(each in json.dumps(task) for each in (name, *through))]
    assert len(used) == 1 or len(through) == 1
    assert f"/{name.removesuffix('.j2')}" in "".join(used)
