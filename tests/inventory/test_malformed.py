"""Bad input: exactly the expected lines with file and key, the documented exit code, no traceback, nothing changed on disk."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from inventory import malformed, malformed_external
from inventory.malformed import Case, tree

from yiwang import cli
from yiwang.errors import ExitCode
from yiwang.inventory import InventoryError, load

CASES = (*malformed.CASES, *malformed_external.CASES)


def spoil(inventory: Path, case: Case) -> None:
    for change in case.changes:
        change(inventory)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_malformed_inventory(case: Case, inventory: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(inventory, case)
    before = tree(inventory)
    code = cli.run(["inventory", "check", str(inventory)])
    printed = capfd.readouterr()
    assert printed.err.splitlines() == [f"error: {inventory}/{line}" for line in case.lines]
    assert printed.out == ""
    assert code == ExitCode.INPUT
    assert tree(inventory) == before
    monkeypatch.setenv("YIWANG_LANG", "zh")
    check_in_chinese(case, inventory)


def check_in_chinese(case: Case, inventory: Path) -> None:
    """The same findings in Chinese, from the same resolved inventory."""
    with pytest.raises(InventoryError) as raised:
        load(inventory)
    lines = raised.value.report().splitlines()
    places = [re.match(r"[^ ]*: (?:[\w.\[\]-]+: )?", line) for line in case.lines]
    assert len(lines) == len(case.lines)
    for line, place in zip(lines, places, strict=True):
        assert place is not None
        assert line.startswith(f"{inventory}/{place[0].split(':')[0]}")
        assert re.search(r"[\u4e00-\u9fff]", line), "not in Chinese"
        assert "inventory." not in line, "a text is missing"


def test_the_table_covers_at_least_what_was_promised() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) >= 25
    assert all(case.lines for case in CASES)


def test_a_finding_in_chinese_is_joined_in_chinese(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    (inventory / "hosts.yml").unlink()
    with pytest.raises(InventoryError) as raised:
        load(inventory)
    assert "；" in raised.value.report()
    assert "; " not in raised.value.report()


def test_findings_as_json(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (inventory / "province.yml").read_text(encoding="utf-8")
    (inventory / "province.yml").write_text(text.replace("code: 370000", "code: 990000"), encoding="utf-8")
    assert cli.run(["inventory", "check", str(inventory), "--json"]) == ExitCode.INPUT
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [(finding["file"], finding["key"], finding["value"]) for finding in found["findings"]] == [("province.yml", "code", "990000")]


def test_every_verb_reports_the_same_lines(inventory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (inventory / "hosts.yml").unlink()
    for verb in (["inventory", "check"], ["inventory", "show"]):
        assert cli.run([*verb, "-i", str(inventory)]) == ExitCode.INPUT
        assert capsys.readouterr().err.startswith(f"error: {inventory}/hosts.yml: the file is missing")


@pytest.mark.parametrize("secret", ["hunter2", "ghp_" + "a" * 36, "MIIEvQIBADANBg"])
def test_no_finding_shows_a_secret(secret: str, inventory: Path) -> None:
    pem = "-----BEGIN " + f"PRIVATE KEY-----\\n{secret}"
    lines = [
        f"base_password: {secret}",
        f"base_journal_size: {{token: {secret}}}",
        f'base_apt_conf: "{pem}"',
        f"nginx: {{clientSecret: [{secret}x, {{a: {secret}}}]}}",
        f"base_apt_sources: https://user:{secret}@mirror.example",
    ]
    (inventory / "group_vars" / "all.yml").write_text("\n".join(lines))
    with pytest.raises(InventoryError) as raised:
        load(inventory)
    told = [finding.line for finding in raised.value.findings if "no secret" in finding.expected]
    assert told == [1, 2, 3, 4, 5]
    assert secret not in raised.value.report()
    assert all(secret not in repr(finding) for finding in raised.value.findings)


def test_a_secret_never_reaches_the_cache(inventory: Path, cache: Path) -> None:
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars" / "p-ops.yml").write_text("base_api_token: never-in-the-cache\n")
    with pytest.raises(InventoryError):
        load(inventory)
    assert not any(b"never-in-the-cache" in path.read_bytes() for path in cache.rglob("*") if path.is_file())


def test_what_is_not_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "absent"):
        assert cli.run(["inventory", "check", str(tmp_path / name)]) == ExitCode.INPUT
        assert len(capsys.readouterr().err.splitlines()) == 1
