"""`yiwang inventory show`: the resolved inventory as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from yiwang import cli
from yiwang.errors import ExitCode
from yiwang.inventory import load
from yiwang.paths import data


def test_json_holds_the_whole_model(valid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["inventory", "show", "--json", "-i", str(valid)]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    province = load(valid)
    assert list(found["sites"]) == list(province.sites)
    hosts = {host["name"]: host for site in found["sites"].values() for host in site["hosts"]}
    assert {name: host["ipv6"] for name, host in hosts.items()} == {name: str(host.ipv6) for name, host in province.hosts.items()}
    assert found["zones"]["internet"] == {"name": "internet", "ipv4": ["192.0.2.0/24"], "ipv6": ["2001:db8:0:10::/64"]}
    assert found["access"]["operators"] == ["203.0.113.2/32", "2001:db8:0:30::2/128"]
    assert found["paths"][0]["ports"] == [22]


@pytest.mark.parametrize(("language", "words"), [("en", ["Jinan", "operators sign in"]), ("zh", ["济南市", "运维人员登录主机", "站点"])])
def test_text_in_both_languages(
    language: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIWANG_LANG", language)
    assert cli.run(["inventory", "show", str(data("inventories") / "lab")]) == ExitCode.OK
    text = capsys.readouterr().out
    assert all(word in text for word in [*words, "c-qingdao", "fd77:0:0:20::22", "10.77.30.0/24"])
    assert "inventory." not in text


def test_the_directory_comes_from_the_argument_the_option_or_the_environment(
    valid: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("YIWANG_INVENTORY", str(valid))
    for arguments in ([], ["-i", str(valid)], [str(valid)]):
        assert cli.run(["inventory", "check", "--json", *arguments]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out) == {"directory": str(valid), "ok": True, "sites": 3, "hosts": 6, "findings": []}
