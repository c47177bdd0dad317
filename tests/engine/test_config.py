"""Configuration: what the files may hold, and what of it a program gets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine.box_case import Box, errors
from engine.commandline_case import PASSPHRASE, Project

from yiwang import engine
from yiwang.engine.passphrase import Manager
from yiwang.engine.project import Config, load_config, load_project, stack_settings
from yiwang.errors import UserError

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def secrets() -> Manager:
    return Manager("open sesame")


def config(directory: Path, secrets: Manager, stack: str, project: str = "", **extra: str) -> Config:
    (directory / "Pulumi.yaml").write_text(f"name: p\nruntime: python\n{project}")
    (directory / "Pulumi.dev.yaml").write_text(stack)
    loaded = load_project(directory)
    return load_config(loaded, stack_settings(loaded, "dev"), secrets, extra, {}, "dev")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text", "text"),
        ("5", "5"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("yes", "yes"),
        ("'05'", "05"),
        ("1:30", "1:30"),
        ("2026-01-02", "2026-01-02"),
        ("null", "null"),
        ("[1, a, true]", '[1,"a",true]'),
        ("{b: 1, a: {c: <x>}}", '{"a":{"c":"\\u003cx\\u003e"},"b":1}'),
        ("中文", "中文"),
    ],
)
def test_values_as_the_cli_gives_them_to_a_program(written: str, value: str, tmp_path: Path, secrets: Manager) -> None:
    found = config(tmp_path, secrets, f"config:\n  p:k: {written}\n")
    assert dict(found.values) == {"p:k": value}
    assert not found.secret_keys


MALFORMED = [
    ("plugins: {providers: [{name: box}]}", "plugins.providers[0].path should be text"),
    ("plugins: {providers: [box]}", "plugins.providers[0] should be a map"),
    ("plugins: [box]", "plugins should be a map"),
    ("plugins: {providers: {}}", "plugins.providers should be a list"),
    ("main: 5", "main should be text"),
    ("runtime: {name: python, options: [x]}", "runtime.options should be a map"),
    ("runtime: {name: python, options: {virtualenv: [x]}}", "runtime.options.virtualenv should be text"),
    ("name: 5", "name should be text"),
    ("name: ../up", "name should be a name of letters, digits, -, _ and ."),
    ("name: ..", "name should be a name of letters, digits, -, _ and ."),
    ("config: {a: .inf}", "is no valid YAML mapping"),
]


@pytest.mark.parametrize(("project", "said"), MALFORMED)
def test_a_malformed_project_is_told_by_its_key(project: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.yaml"
    given = yaml.safe_load(project)
    path.write_text(yaml.safe_dump({"name": "p", "runtime": "python", **given}))
    with pytest.raises(UserError) as refused:
        load_project(tmp_path)
    assert str(path) in refused.value.text
    assert said in refused.value.text


@pytest.mark.parametrize(
    ("stack", "said"), [("config: [a]", "config should be a map"), ("encryptionsalt: 5", "encryptionsalt should be text")]
)
def test_malformed_settings_are_told_by_their_key(stack: str, said: str, tmp_path: Path, secrets: Manager) -> None:
    with pytest.raises(UserError, match=rf"Pulumi\.dev\.yaml: {said}"):
        config(tmp_path, secrets, stack)


def test_secrets_anywhere_in_a_value(tmp_path: Path, secrets: Manager) -> None:
    sealed = {"secure": secrets.encrypt("pw")}
    written = {"config": {"plain": 1, "p:s": sealed, "p:o": {"list": [{"pw": sealed}], "n": 1}, "other:config:k": "v"}}
    found = config(tmp_path, secrets, yaml.safe_dump(written), plain="2")
    assert dict(found.values) == {"p:plain": "2", "p:s": "pw", "p:o": '{"list":[{"pw":"pw"}],"n":1}', "other:k": "v"}
    assert found.secret_keys == {"p:s", "p:o"}
    with pytest.raises(UserError, match="secret in configuration p:"):
        config(tmp_path, Manager("another"), yaml.safe_dump(written))


@pytest.mark.parametrize(
    ("project", "stack", "found"),
    [
        ("{p:k: {type: integer, default: 5}}", "{}", {"p:k": "5"}),
        ("{k: {type: integer, default: 5}}", "{p:k: 6}", {"p:k": "6"}),
        ("{k: word, q:region: {value: here}}", "{}", {"p:k": "word", "q:region": "here"}),
        ("{k: {type: array, items: {type: string}}}", "{k: [a]}", {"p:k": '["a"]'}),
        ("{k: {type: integer}, q:r: {description: optional}}", "{}", "Stack 'dev' is missing configuration value 'k'"),
        ("{k: {type: integer}}", "{k: word}", "configuration key 'k' must be of type 'integer'"),
        ("{k: {type: boolean}}", "{k: yes}", "must be of type 'boolean'"),
        ("{k: {type: array, items: {type: string}}}", "{k: [1]}", "must be of type 'array'"),
        ("{k: {type: string, secret: true}}", "{k: x}", "must be encrypted as it's secret"),
    ],
)
def test_what_the_project_says_of_its_keys(project: str, stack: str, found: Any, tmp_path: Path, secrets: Manager) -> None:
    if isinstance(found, dict):
        assert dict(config(tmp_path, secrets, f"config: {stack}\n", f"config: {project}\n").values) == found
        return
    with pytest.raises(UserError) as caught:
        config(tmp_path, secrets, f"config: {stack}\n", f"config: {project}\n")
    assert found in caught.value.text


def test_a_program_gets_all_of_it(tmp_path: Path) -> None:
    program = """
config = pulumi.Config()
found = [config.require_int("number"), config.require_bool("flag"), config.require_object("object")]
Box("a", found=found, secret=config.require_secret_object("deep"))
"""
    box = Box(tmp_path, program=program)
    sealed = Manager("open sesame")
    written = {
        "encryptionsalt": sealed.state,
        "config": {"box:number": 5, "box:flag": True, "box:object": {"a": [1]}, "box:deep": {"x": {"secure": sealed.encrypt("pw")}}},
    }
    (tmp_path / "prog" / "Pulumi.dev.yaml").write_text(yaml.safe_dump(written))
    made = box.run("up", 1)
    assert made.ok, errors(made)
    inputs = box.states()["a"].inputs
    assert inputs["found"] == [5, True, {"a": [1]}]
    assert inputs["secret"]["value"] == {"x": "pw"}
    assert '"pw"' not in box.store.path.read_text()


def test_keys_that_are_none_are_named(tmp_path: Path, secrets: Manager) -> None:
    with pytest.raises(UserError, match="could not parse a:b:c as a configuration key"):
        config(tmp_path, secrets, "config: {'a:b:c': 1}\n")


def test_the_command_line_reads_a_stack_as_the_engine_does(tmp_path: Path) -> None:
    """Otherwise a stack would change when it is run by the other way in."""
    program = "import pulumi\nc = pulumi.Config()\npulumi.export('found', [c.get('obj'), c.get('word'), c.get('list')])\n"
    box = Project(tmp_path, program, "config: {list: {type: array, default: [z, <a>]}}\n")
    box.ok("stack", "init", "dev")
    with (box.directory / "Pulumi.dev.yaml").open("a") as file:
        file.write("config: {sample:obj: {z: 1, a: '<x> & y'}, 'sample:config:word': '<x>'}\n")
    box.ok("up", "--yes", "--skip-preview")
    found = ['{"a":"\\u003cx\\u003e \\u0026 y","z":1}', "<x>", '["z","\\u003ca\\u003e"]']
    assert box.json("stack", "output") == {"found": found}
    assert [box.ok("config", "get", key).rstrip() for key in ("obj", "word", "list")] == found
    stack = engine.Stack(box.directory, "dev", box.backend, PASSPHRASE)
    result = asyncio.run(engine.preview(stack))
    assert (result.outputs, result.changes) == ({"found": found}, {})
