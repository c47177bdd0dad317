"""What holds for the project as a whole: names, import directions, catalogues, what the wheel carries."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

from yiwang.cli import VERBS, run
from yiwang.errors import ExitCode
from yiwang.inventory.model import COMPONENTS

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "yiwang"

# Who may import whom: everything above what is named, nothing else of ours. `core` is the modules directly in yiwang/.
CORE = {"errors", "messages", "paths", "files", "rundir", "output", "processes", "ssh", "keys"}
MAY_IMPORT = {
    "standard": set(),
    # On the servers: of the rest only the catalogue of texts.
    "sealing": {"standard", "messages"},
    "inventory": CORE | {"standard"},
    "engine": CORE,
    "lab": CORE,
    "delivery": CORE,
    "provider": CORE | {"inventory", "delivery"},
    "components": CORE | {"inventory", "provider", "delivery"},
    "deployment": CORE | {"inventory", "engine"},
    "preflight": CORE | {"inventory", "deployment", "delivery"},
}


def modules(package: str) -> list[Path]:
    return sorted((PACKAGE / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "yiwang")


def test_each_package_imports_only_what_lies_below_it() -> None:
    wrong = []
    for package, allowed in MAY_IMPORT.items():
        for path in modules(package):
            parts = {name.split(".")[1] for name in imported(path) if name.startswith("yiwang.")} - {"__version__"}
            wrong += [f"{path.relative_to(ROOT)} imports yiwang.{part}" for part in sorted(parts - allowed - {package})]
    assert wrong == []


def test_the_packages_of_the_table_are_there() -> None:
    assert [package for package in MAY_IMPORT if not modules(package)] == []


def test_engine_and_lab_know_nothing_of_the_nouns() -> None:
    words = re.compile(r"\b(province|city|cities|portal|keycloak|nats|seaweed\w*|patroni)\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in ("engine", "lab")
        for path in modules(package)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line) and "no knowledge of" not in line
    ]
    assert found == []


def test_roles_are_named_after_components_and_back() -> None:
    roles = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
    modules_of_components = {path.stem for path in (PACKAGE / "components").glob("*.py")} & set(COMPONENTS)
    assert roles == modules_of_components
    assert roles <= set(COMPONENTS)


def test_every_role_has_the_verbs_of_the_design() -> None:
    verbs = {"preflight", "install", "configure", "run", "verify", "remove"}
    missing = {
        role.name: sorted(verbs - {path.stem for path in (role / "tasks").glob("*.yml")})
        for role in (ROOT / "roles").iterdir()
        if role.is_dir()
    }
    assert {name: lacking for name, lacking in missing.items() if lacking} == {}


def catalogue_entries() -> dict[str, dict[str, str]]:
    entries = {}
    for path in (PACKAGE / "locale").glob("*.yaml"):
        for key, texts in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            entries[f"{path.stem}.{key}"] = texts
    return entries


def test_every_text_has_both_languages_with_the_same_placeholders() -> None:
    wrong = []
    for key, texts in catalogue_entries().items():
        if set(texts) != {"zh", "en"}:
            wrong.append(f"{key}: {sorted(texts)}")
            continue
        holes = {language: set(re.findall(r"\{(\w+)", text)) for language, text in texts.items()}
        if holes["zh"] != holes["en"]:
            wrong.append(f"{key}: {holes}")
    assert wrong == []


def test_paths_named_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`((?:yiwang|roles|stacks|inventories|tests)/[\w./-]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(
    verb: str, language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIWANG_LANG", language)
    assert run([verb, "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    if "COMMAND" not in text:
        assert f"yiwang {verb}" in text.split("Options:")[1], "no example below the options"
        assert "--json" in text
        assert "--quiet" in text


def test_the_wheel_carries_no_dot_directory_of_an_inventory(tmp_path: Path) -> None:
    """Wherever in it the state lies."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    kept = ["yiwang/__init__.py", "inventories/shandong/province.yml", "inventories/shandong/group_vars/all.yml"]
    left_out = ["inventories/shandong/.platform/state/passphrase", "inventories/shandong/.state/ssh/id_ed25519", "yiwang/__pycache__/a.pyc"]
    for name in (*kept, *left_out):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('__version__ = "0"\n')
    for tree in ("roles", "stacks", "requirements"):
        (tmp_path / tree).mkdir()
    included = {file.relative_path for file in WheelBuilder(str(tmp_path)).recurse_included_files()}
    assert included == set(kept)


def test_requirement_files_pin_every_package_by_hash_and_name_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        for block in re.split(r"\n(?=\S)", text.strip()):
            if not block.startswith("#"):
                assert "==" in block, f"{path}: {block[:60]}"
                assert "--hash=sha256:" in block, f"{path}: {block[:60]}"


def test_no_log_is_a_literal() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in (ROOT / "roles").rglob("*.yml")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\bno_log:", line) and not re.search(r"\bno_log: true\s*(#.*)?$", line) and "argument_specs" not in path.name
    ]
    assert wrong == []


def test_every_test_function_is_in_a_file_that_is_collected() -> None:
    stray = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if "reference" not in path.parts
        and not path.name.startswith("test_")
        and re.search(r"^(async )?def test_", path.read_text(), re.MULTILINE)
    ]
    assert stray == []
