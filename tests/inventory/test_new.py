"""`yiwang new`: the example that is the manual is valid, and is written whole or not at all."""

from __future__ import annotations

import json
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml
from inventory.malformed import tree

from yiwang import cli, files
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import InventoryError, create, load
from yiwang.inventory.facts import _KEYS
from yiwang.standard import divisions, names


@pytest.mark.parametrize(
    ("arguments", "cities"),
    [
        (["--province", "370000"], ["370100", "370200"]),
        (["--province", "310000", "--city", "310115"], ["310115"]),
        (["--province", "460000", "--city", "469001", "--city", "460100", "--city", "460100"], ["460100", "469001"]),
        (["--province", "810000"], []),
    ],
)
def test_what_is_written_is_valid(arguments: list[str], cities: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new"
    assert cli.run(["new", str(target), *arguments, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["directory"] == str(target)
    province = load(target)
    assert province.code == arguments[1]
    assert [site.code for site in province.sites.values() if site.stack == "city"] == cities
    assert [site.title.zh for site in province.sites.values() if site.stack == "city"] == [divisions.table()[code].name for code in cities]
    assert cli.run(["inventory", "check", str(target)]) == ExitCode.OK


def test_every_province_has_a_name_in_english() -> None:
    assert set(names.PROVINCES) == {division.code for division in divisions.provinces()}


def test_as_many_cities_as_there_are(tmp_path: Path) -> None:
    cities = tuple(division.code for division in divisions.children("420000"))
    province = load(create.create(tmp_path / "new", "420000", cities))
    assert {site.code for site in province.sites.values() if site.stack == "city"} == set(cities)


def test_the_manual_shows_every_key(valid: Path) -> None:
    text = (valid / "province.yml").read_text(encoding="utf-8")
    assert [key for key in _KEYS if f"\n{key}:" not in text and f"\n# {key}:" not in text] == []


def test_the_keys_in_comments_are_valid_too(valid: Path, inventory: Path) -> None:
    """The example with its optional keys switched on."""
    text = (valid / "province.yml").read_text(encoding="utf-8")
    for key in ("state_dir: .state", "national:", "  identity: ", "  exchange: ", "  catalogue: "):
        assert f"# {key}" in text
        text = text.replace(f"# {key}", key)
    for key in ("user: yiwang", "bootstrap_user: root", "key_file:", 'phone: "', "domain: c370100"):
        assert f"# {key}" in text
        text = text.replace(f"# {key}", key)
    text = text.replace("  generate: true", "  # generate: true").replace("# file: /etc", "file: /etc")
    (inventory / "province.yml").write_text(text, encoding="utf-8")
    variables = (valid / "group_vars" / "all.yml").read_text(encoding="utf-8")
    lines = [line[2:] if line.startswith(("# base_", "#   ")) else line for line in variables.splitlines()]
    (inventory / "group_vars" / "all.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(yaml.safe_load("\n".join(lines))) >= 4
    province = load(inventory)
    assert province.sites["province"].placement == {"base": "servers", "storage": "servers"}
    assert province.national.identity == "https://id.gjzwfw.example"
    assert province.passphrase_source.file == Path("/etc/yiwang/passphrase")
    assert "URIs" in province.hosts["p-ops"].variables["base_apt_sources"]


def test_git_ignores_every_state_directory_that_the_inventory_may_name(inventory: Path) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    (inventory / "province.yml").write_text(text.replace("# state_dir: .state", "state_dir: .platform/state"), encoding="utf-8")
    assert load(inventory).state_dir == inventory / ".platform/state"
    subprocess.run(["git", "init", "-q", inventory], check=True)
    places = [".state/ssh/id_ed25519", ".platform/state/passphrase", "province.yml", ".gitignore"]
    ignored = subprocess.run(["git", "-C", inventory, "check-ignore", *places], capture_output=True, text=True, check=False)
    assert ignored.stdout.splitlines() == places[:2]


@pytest.mark.parametrize(
    ("place", "fine"),
    [("{}/state", False), ("{}", False), ("{}/.state", True), ("{}/.platform/state", True), ("{}-state", True), ("/", False)],
)
def test_an_absolute_state_dir_in_the_inventory_begins_with_a_dot(place: str, fine: bool, inventory: Path) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    (inventory / "province.yml").write_text(text.replace("# state_dir: .state", f"state_dir: {place.format(inventory)}"), encoding="utf-8")
    with nullcontext() if fine else pytest.raises(InventoryError, match="state_dir"):
        load(inventory)


@pytest.mark.parametrize("content", ["file", ".hidden"])
def test_a_directory_with_content_is_refused(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / content).write_text("mine")
    before = tree(tmp_path)
    assert cli.run(["new", str(target), "--province", "370000"]) == ExitCode.INPUT
    assert capsys.readouterr().err == f"error: {target} is not an empty directory; choose another directory\n"
    assert tree(tmp_path) == before


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    load(create.create(tmp_path / "new", "370000", ()))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--province", "37"], "error: --province: 37: expected the GB/T 2260 code of a province; known: 110000 北京市, "),
        (["--province", "370100"], "error: --province: 370100: expected the GB/T 2260 code of a province; "),
        (
            ["--province", "370000", "--city", "320100"],
            "error: --city: 320100: expected a division directly under 山东省; known: 370100 济南市, ",
        ),
        (["--province", "370000", "--city", "370102"], "error: --city: 370102: expected a division directly under 山东省; "),
    ],
)
def test_wrong_codes(arguments: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["new", str(tmp_path / "deep" / "new"), *arguments]) == ExitCode.INPUT
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert len(printed.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", [0, 2, 3])
def test_a_failure_leaves_nothing_behind(fails_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    def write(path: Path, text: str, mode: int) -> None:
        nonlocal written
        if written == fails_at:
            raise OSError(28, "No space left on device")
        written += 1
        files.write_atomic(path, text, mode)

    monkeypatch.setattr(create, "write_atomic", write)
    with pytest.raises(UserError) as raised:
        create.create(tmp_path / "new", "370000", ())
    assert raised.value.code == ExitCode.INPUT
    assert "No space left" in raised.value.report()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError):
        create.create(tmp_path / "file" / "new", "370000", ())
    with pytest.raises(UserError):
        create.create(tmp_path / "file", "370000", ())
