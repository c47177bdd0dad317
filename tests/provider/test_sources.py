"""The digest of a role's sources, and what its task files say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from yiwang import paths
from yiwang.provider import sources
from yiwang.provider.sources import StaticTask, role_digest


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    files = {
        "roles/web/tasks/main.yml": "- name: All\n  ansible.builtin.import_tasks: sub.yml\n",
        "roles/web/tasks/sub.yml": """
- name: Write
  ansible.builtin.template: {src: a.j2, dest: /etc/a}
- block:
    - name: Inner
      ansible.builtin.command: "true"
    - ansible.builtin.meta: flush_handlers
  rescue:
    - name: Never in a plan
      ansible.builtin.command: "true"
- name: By chance
  ansible.builtin.include_tasks: "{{ which }}.yml"
- name: Secretive
  ansible.builtin.copy: {content: !unsafe "{{ no }}", dest: "/etc/{{ name }}/{{ web_place }}/{{ web_list | first }}"}
""",
        "roles/web/defaults/main.yml": "web_place: '{{ web_root }}/x'\nweb_root: y\n",
        "roles/web/meta/sources.yml": "[requirements/web.txt, 'inventories/**/*.yml']\n",
        "roles/web/meta/facts.yml": "[network]\n",
        "templates/web/page.j2": "page",
        "requirements/web.txt": "a==1\n",
        "inventories/lab/hosts.yml": "all:\n",
        "roles/other/tasks/main.yml": "[]\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(paths, "data", lambda name: tmp_path / name)
    role_digest.cache_clear()
    yield tmp_path
    role_digest.cache_clear()


def digest() -> str:
    role_digest.cache_clear()
    return role_digest("web")


@pytest.mark.parametrize(
    "file", ["roles/web/tasks/sub.yml", "roles/web/new/file", "templates/web/page.j2", "requirements/web.txt", "inventories/lab/hosts.yml"]
)
def test_the_digest_sees_every_source(tree: Path, file: str) -> None:
    before = digest()
    assert digest() == before
    (tree / file).parent.mkdir(exist_ok=True)
    (tree / file).write_text("changed")
    assert digest() != before


@pytest.mark.parametrize("file", ["roles/web/tasks/__pycache__/x.pyc", "roles/other/tasks/main.yml", "requirements/other.txt"])
def test_the_digest_sees_nothing_else(tree: Path, file: str) -> None:
    before = digest()
    (tree / file).parent.mkdir(exist_ok=True)
    (tree / file).write_text("changed")
    assert digest() == before


def test_an_unknown_role_has_no_digest(tree: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing"):
        role_digest("nothing")


def test_tasks_and_their_files_are_known_beforehand(tree: Path) -> None:
    assert sources.static_tasks("web") == (
        StaticTask("Write", "/etc/a"),
        StaticTask("Inner"),
        StaticTask("Secretive", "/etc/…/y/x/…"),
    )


def test_only_facts_that_a_role_lists_are_gathered_and_once_for_all_roles(tree: Path) -> None:
    (tree / "roles/plain/tasks").mkdir(parents=True)
    assert sources.fact_subset("plain") == ()
    assert sources.fact_subset("web") == ("!all", "!min", "network")
    (tree / "roles/plain/meta").mkdir()
    (tree / "roles/plain/meta/facts.yml").write_text("[distribution]\n")
    assert sources.fact_subset("web") == sources.fact_subset("plain") == ("!all", "!min", "distribution", "network")
