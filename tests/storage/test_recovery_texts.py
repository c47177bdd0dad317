"""What the program of the backups says to people, in two languages; without servers."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
import yaml

from yiwang.deployment import recovery
from yiwang.errors import ExitCode, UserError
from yiwang.ssh import Completed

ROLE = Path(__file__).parent.parent.parent / "roles" / "storage"
SOURCES = sorted((ROLE / "files" / "recovery").glob("*.py"))
SAYS = {"text", "say", "RecoveryError", "TargetError"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def calls() -> Iterator[ast.Call]:
    """Everything that is said by a key, but for the two places that pass on what they are given."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in SAYS:
                continue
            if path.name != "common.py" or all(keyword.arg for keyword in node.keywords):
                yield node


def keys(key: ast.expr) -> Iterator[str]:
    """The keys that an argument may be; one that is none of the table where it is put together."""
    if isinstance(key, ast.IfExp):
        yield from (*keys(key.body), *keys(key.orelse))
    else:
        yield str(key.value) if isinstance(key, ast.Constant) else ast.unparse(key)


def fields(text: str) -> set[tuple[str, str]]:
    """What is filled into a text, and how it is written."""
    return {(name, form or "") for _, name, form, _ in Formatter().parse(text) if name is not None}


def test_every_key_that_is_used_exists_and_every_text_is_used(program: Any) -> None:
    assert {key for call in calls() for key in keys(call.args[0])} == set(program("texts").TEXTS)


def test_what_is_filled_in_is_what_the_texts_have(program: Any) -> None:
    texts = program("texts").TEXTS
    for call in calls():
        given = {keyword.arg for keyword in call.keywords}
        for key in keys(call.args[0]):
            assert {name for name, _ in fields(texts[key]["en"])} == given, key


def test_both_languages_say_the_same(program: Any) -> None:
    module = program("texts")
    for key, text in module.TEXTS.items():
        assert set(text) == set(module.LANGUAGES), key
        assert fields(text["zh"]) == fields(text["en"]), key
        assert CHINESE.search(text["zh"]), key
        assert text["en"].isascii(), key


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (["--language", "zh"], "yesterday：应为时刻（2026-01-31T08:30:00+08:00）、备份名，或 latest"),
        (["--language", "en"], "yesterday: expected a time (2026-01-31T08:30:00+08:00), a backup, or latest"),
        ([], "yesterday: expected a time (2026-01-31T08:30:00+08:00), a backup, or latest"),
    ],
)
def test_a_target_that_is_none_is_told_in_the_language_asked_for(
    program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: list[str], said: str
) -> None:
    main, targets = program("__main__"), program("targets")
    monkeypatch.setattr(main, "settings", dict)
    monkeypatch.setattr(targets, "info", lambda: {"backup": [{"label": "20260101-020000F"}]})
    monkeypatch.setattr(sys, "argv", ["yiwang-recovery", *language, "check", "yesterday"])
    assert main.main() == 3
    assert capsys.readouterr() == ("", f"{said}\n")


def test_another_programs_words_stay_its_own(program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main, common = program("__main__"), program("common")
    words = "import sys; sys.exit('ERROR: [056]: unable to find primary cluster')"
    monkeypatch.setattr(main, "settings", dict)
    monkeypatch.setitem(main.VERBS, "list", lambda *_: {"said": common.run(sys.executable, "-c", words)})
    monkeypatch.setattr(sys, "argv", ["yiwang-recovery", "--language", "zh", "list"])
    assert main.main() == 1
    name = Path(sys.executable).name
    assert capsys.readouterr().err == f"{name} 失败：ERROR: [056]: unable to find primary cluster\n"


def test_a_member_that_follows_says_so(program: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main = program("__main__")
    monkeypatch.setattr(main, "leads", lambda: False)
    monkeypatch.setattr(sys, "argv", ["yiwang-recovery", "--language", "zh", "backup"])
    assert main.main() == 0
    assert json.loads(capsys.readouterr().out) == {"skipped": "主库在另一成员上"}


def test_a_failed_drill_is_on_record_in_english(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drill, common, texts = program("drill"), program("common"), program("texts")
    records: list[dict[str, Any]] = []

    def fails(*_: object) -> dict[str, Any]:
        raise common.RecoveryError("database_lost", database="drafts")

    def keeps(found: dict[str, Any]) -> dict[str, Any]:
        records.append(found)
        return {**found, "kept": True}

    class Nothing:
        def __init__(self, *_: object) -> None: ...

        def remove(self) -> None: ...

    monkeypatch.setattr(drill, "databases_drill", fails)
    monkeypatch.setattr(drill.databases, "Scratch", Nothing)
    monkeypatch.setattr(drill, "record", keeps)
    with texts.speaking("zh"):
        told = drill.drill({"site": "province", "host": "p-data", "directory": str(tmp_path)})
    assert told["error"] == "数据库 drafts 未能恢复"
    assert told.pop("kept")
    assert records == [{**told, "error": "the database drafts did not come back"}]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_kit_passes_its_language_and_shows_the_answer(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    commands: list[str] = []

    class Host:
        async def follow(self, _host: str, command: str, _listen: object) -> Completed:
            commands.append(command)
            return Completed(3, "", "正在恢复数据库\nyesterday：应为时刻\n")

    monkeypatch.setenv("YIWANG_LANG", language)
    asked = recovery.Recovery.__new__(recovery.Recovery)
    monkeypatch.setattr(asked, "_access", Host(), raising=False)
    monkeypatch.setattr(asked, "_console", None, raising=False)
    part = recovery.Part("province", "storage", ("p-data",), "/usr/local/sbin/yiwang-recovery")
    with pytest.raises(UserError, match="yesterday：应为时刻") as raised:
        asyncio.run(asked.ask(part, "p-data", "check", "2026-01-01 08:00"))
    assert raised.value.code == ExitCode.INPUT
    assert commands == [f"sudo -n /usr/local/sbin/yiwang-recovery --language {language} check '2026-01-01 08:00'"]


def test_the_role_delivers_every_module_and_asks_in_its_language() -> None:
    tasks = (ROLE / "tasks" / "recovery.yml").read_text(encoding="utf-8")
    delivered = re.findall(r"path: (\S+)/recovery/(\w+\.py), content: .* 'recovery/(\w+\.py)'\)", tasks)
    assert sorted(delivered) == [("/usr/local/lib/yiwang/storage", path.name, path.name) for path in SOURCES]
    run = yaml.safe_load((ROLE / "tasks" / "recovery_run.yml").read_text(encoding="utf-8"))
    (argv,) = [task["ansible.builtin.command"]["argv"] for task in run if "ansible.builtin.command" in task]
    assert argv == ["/usr/local/sbin/yiwang-recovery", "--language", "{{ _storage_language }}", "settle"]
