"""The role as files: its variables, its verbs, and rules that a linter does not know."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    owed = {f"Restart {name}" for name in services} | set(re.findall(r'append\("([^"]+)"\)', look))
    assert {"Restart chrony", "Restart ssh", "Restart systemd-journald"} <= owed
    assert owed == handlers


def test_each_capability_that_the_role_asks_for_is_reported_when_it_is_missing() -> None:
    needs = {need["capability"] for need in load("vars/main.yml")["_base_needs"]}
    used: set[str] = set()
    for path in [*(ROLE / "tasks").glob("*.yml"), *(ROLE / "templates").rglob("*.j2")]:
        used |= set(re.findall(r"base_capabilities\.(\w+)", path.read_text()))
    assert used == needs
    assert needs <= set(load("defaults/main.yml")["base_capabilities"])


def test_looking_at_a_host_gives_the_facts_that_the_tasks_read() -> None:
    done = subprocess.run([sys.executable, ROLE / "files/look.py", "bash", "no-such-package"], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["os"]["id"]
    assert "no-such-package" not in seen["packages"]
    text = "".join(path.read_text() for path in [*(ROLE / "tasks").glob("*.yml"), ROLE / "vars/main.yml"])
    assert set(re.findall(r"_base_look_result\.(\w+)", text)) <= set(seen)


@pytest.mark.parametrize("template", sorted((ROLE / "templates").rglob("*.j2"), key=str), ids=lambda path: path.name)
def test_each_template_says_that_it_is_managed_and_is_used_under_its_path(template: Path) -> None:
    assert "{{ _base_managed }}" in template.read_text()
    name = template.relative_to(ROLE / "templates").as_posix()
    used = [json.dumps(task) for _, task in tasks() if name in json.dumps(task)]
    assert len(used) == 1
    assert f"/{name.removesuffix('.j2')}" in used[0]
