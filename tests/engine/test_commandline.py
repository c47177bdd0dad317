"""`yiwang pulumi`: words and flags, where it looks, what it writes, and how it refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine.box_case import SOURCE, wait_for
from engine.commandline_case import PASSPHRASE, Project

from yiwang import cli
from yiwang.engine import lock
from yiwang.engine.commandline import arguments, keys, main
from yiwang.engine.commandline.failure import Code, CommandError
from yiwang.engine.commandline.settings import Settings
from yiwang.engine.passphrase import Manager
from yiwang.engine.store import Store

pytestmark = pytest.mark.system

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, stdout, stderr."""
    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        monkeypatch.delenv(name)
    for name, value in project.environment().items():
        monkeypatch.setenv(name, value)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(project.directory)
        capsys.readouterr()
        code = cli.run(["pulumi", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


# -- words and flags ----------------------------------------------------------


def test_flags_are_taken_as_the_cli_takes_them() -> None:
    call = arguments.parse(["--non-interactive", "config", "set", "--path", "k", "--secret", "-sdev", "--", "--value"])
    assert (call.words, call.arguments) == (("config", "set"), ("k", "--value"))
    assert call.flags == {"non-interactive": True, "path": True, "secret": True, "stack": "dev"}
    call = arguments.parse(
        ["up", "-yf", "--stack=dev", "-p", "4", "--refresh", "--run-program=false", "-ta", "--target", "b", "--color=never"]
    )
    assert call.flags["target"] == ["a", "b"]
    assert (call.flags["yes"], call.flags["skip-preview"], call.flags["parallel"]) == (True, True, 4)
    assert (call.flags["refresh"], call.flags["run-program"]) == (True, False)
    assert arguments.parse(["stack", "-s", "dev", "output", "name"]).arguments == ("name",)
    assert arguments.parse(["config", "set-all", "--secret", "a=b", "--plaintext", "c=d"]).texts("secret") == ("a=b",)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["import"], "import"),
        (["stack", "rename", "x"], "stack rename"),
        (["up", "--remote"], "up --remote"),
        (["preview", "--policy-pack", "x"], "preview --policy-pack"),
        (["up", "-x"], "up -x"),
        (["destroy", "somewhere"], "destroy somewhere"),
        (["--stack", "dev", "up"], "--stack"),
        (["stack", "--show-secrets", "select"], "stack select --show-secrets"),
        (["plugin", "install", "resource", "random"], "plugin install"),
        (["up", "--client", "10.0.0.1:80", "--yes"], "--client 10.0.0.1:80"),
        (["preview", "--event-log", "tcp://10.0.0.1:80"], "--event-log tcp://10.0.0.1:80"),
    ],
)
def test_what_is_not_there_is_refused_by_name(words: list[str], named: str, run: Run, project: Project) -> None:
    if "10.0.0.1" in named:
        assert run("stack", "init", "dev")[0] == Code.OK
    before = sorted(path for path in project.work.rglob("*"))
    code, out, err = run(*words)
    assert (code, out.splitlines()[1:]) == (Code.ERROR, [])
    assert f"`pulumi {named}`" in err
    assert len(err.splitlines()) == 1
    assert sorted(path for path in project.work.rglob("*")) == before


def test_a_refusal_speaks_the_language_of_the_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    assert run("import")[2] == "error: 内置引擎没有 pulumi import；请使用 Pulumi CLI\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["config", "get"], "accepts at least 1 arg(s), received 0"),
        (["up", "--parallel", "many"], 'invalid argument "many" for "--parallel" flag: it is a number'),
        (["up", "--yes=perhaps"], 'invalid argument "perhaps" for "--yes" flag: it is true or false'),
        (["up", "--stack"], "flag needs an argument: --stack"),
        (["up", "--skip-preview", "--stack", "none"], "no stack named 'none' found"),
        (["stack", "init", "a/b"], "invalid stack name 'a/b': it is <stack> or organization/<project>/<stack>"),
        (["-C", "nowhere", "stack", "ls"], "could not change to directory nowhere: No such file or directory"),
    ],
)
def test_wrong_input_is_one_line(words: list[str], said: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (out, err) == ("", f"error: {said}\n")
    assert code == (Code.NO_STACK if "no stack named" in said else Code.ERROR)


def test_every_command_has_a_handler_and_help(run: Run) -> None:
    assert {" ".join(words) for words in arguments.COMMANDS if words} == set(main._HANDLERS)
    for words in arguments.COMMANDS:
        code, out, err = run(*words, "--help")
        assert (code, err) == (Code.OK, "")
        assert "--stack" in out or not {"stack"} & {flag.name for flag in arguments.COMMANDS[words].flags}
    assert "--remote" not in run("preview", "--help")[1]


def test_without_confirmation_nothing_happens(run: Run) -> None:
    run("stack", "init", "dev")
    code, out, err = run("up", "--non-interactive")
    assert (code, out) == (Code.CONFIGURATION, "")
    assert "--yes or --skip-preview or --preview-only must be passed" in err
    assert run("stack", "rm", "dev", "--non-interactive")[0] == Code.CONFIGURATION


# -- where it looks -----------------------------------------------------------


@pytest.mark.parametrize("url", ["https://api.example.test", "s3://me:hush@bucket?region=x", "postgres://me:hush@host/db"])
def test_other_backends_are_refused_by_name(url: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    code, _, err = run("stack", "ls")
    assert code == Code.ERROR
    assert "`pulumi backend " in err
    assert url.partition("://")[0] in err
    assert "hush" not in err


def test_the_backend_of_the_project_and_of_the_last_login(run: Run, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    assert "PULUMI_BACKEND_URL" in run("stack", "ls")[2]
    home = Path(os.environ["PULUMI_HOME"])
    home.mkdir()
    (project.work / "login").mkdir()
    (home / "credentials.json").write_text(json.dumps({"current": f"file://{project.work}/login"}))
    assert run("stack", "init", "dev")[0] == Code.OK
    assert (project.work / "login" / ".pulumi" / "stacks" / "sample" / "dev.json").is_file()
    with (project.directory / "Pulumi.yaml").open("a") as file:
        file.write("backend: {url: 'file://./state'}\n")
    (project.directory / "state").mkdir()
    assert json.loads(run("stack", "ls", "--json")[1]) == []
    (project.directory / "below").mkdir()
    assert run("-C", "below", "stack", "init", "other")[0] == Code.OK
    assert (project.directory / "state" / ".pulumi" / "stacks" / "sample" / "other.json").is_file()


def test_the_selected_stack(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("stack")[2].startswith("error: no stack selected")
    run("stack", "init", "one")
    run("stack", "init", "two", "--no-select")
    assert run("stack", "--show-name")[1] == "one\n"
    assert run("stack", "select", "organization/sample/two")[0] == Code.OK
    assert [(entry["name"], entry["current"]) for entry in json.loads(run("stack", "ls", "--json")[1])] == [("one", False), ("two", True)]
    monkeypatch.setenv("PULUMI_STACK", "one")
    assert run("stack", "--show-name")[1] == "one\n"
    monkeypatch.delenv("PULUMI_STACK")
    assert run("stack", "select", "three")[0] == Code.NO_STACK
    assert run("stack", "select", "three", "--create")[0] == Code.OK
    assert run("stack", "rm", "--yes")[1] == "Stack 'three' has been removed!\n"
    assert run("stack")[2].startswith("error: no stack selected")


def test_the_passphrase(run: Run, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in run("stack", "init", "dev")[2]
    assert not list(project.backend.rglob("*.json"))
    (project.work / "key").write_text(f"{PASSPHRASE}\n")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(project.work / "key"))
    run("stack", "init", "dev")
    run("config", "set", "--secret", "token", "hush")
    assert run("config", "get", "token")[1] == "hush\n"
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    code, out, err = run("config", "get", "token")
    assert (code, out, err) == (Code.ERROR, "", "error: getting secrets manager: incorrect passphrase\n")
    assert run("up", "--yes")[2] == err


# -- configuration ------------------------------------------------------------


def test_settings_keep_what_else_is_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(
        "# who changes this tells the others\n"
        "config:\n"
        "  # the first\n"
        "  sample:one: 1 # kept\n"
        "  sample:two:\n"
        "    deep: [a]\n"
        "\n"
        "  # the third\n"
        "  sample:three: x\n"
        "# the end\n"
    )
    settings = Settings(path)
    settings.salt = "v1:abc"
    settings.config["sample:two"] = "flat"
    settings.config["sample:four"] = {"secure": "v1:x:y"}
    settings.save()
    assert path.read_text() == (
        "# who changes this tells the others\n"
        "encryptionsalt: v1:abc\n"
        "config:\n"
        "  # the first\n"
        "  sample:one: 1 # kept\n"
        "  sample:two: flat\n"
        "\n"
        "  # the third\n"
        "  sample:three: x\n"
        "  sample:four:\n"
        "    secure: v1:x:y\n"
        "# the end\n"
    )
    settings = Settings(path)
    for key in list(settings.config):
        del settings.config[key]
    settings.save()
    assert "one" not in path.read_text()
    assert Settings(path).salt == "v1:abc"


@pytest.mark.parametrize(
    "text", ["config: {sample:a: b}\n", "encryptionsalt: v1:x\n", "", "config:\n", "{encryptionsalt: v1:x, config: {a: 1}}\n"]
)
def test_settings_of_any_form(text: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    settings = Settings(path)
    before = dict(settings.config)
    settings.config["sample:new"] = "true"
    settings.salt = "v1:y"
    settings.save()
    found = yaml.safe_load(path.read_text())
    assert found == {"encryptionsalt": "v1:y", "config": {**before, "sample:new": "true"}}


@pytest.mark.parametrize("text", ["[1, 2]", "config: 7", "config: [a]", "a: b: c", "secretsprovider: awskms://x\n"])
def test_settings_that_are_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.dev.yaml"
    path.write_text(text)
    with pytest.raises(CommandError, match=r"Pulumi\.dev\.yaml"):
        Settings(path)


def test_paths_into_values() -> None:
    config: dict[str, Any] = {"p:plain": "x"}
    keys.put(config, "p:a.b[0]", 1, path=True)
    keys.put(config, "p:a.b[1]", "two", path=True)
    keys.put(config, 'p:["x.y"].z', True, path=True)
    keys.put(config, "p:plain.now", "deep", path=True)
    assert config == {"p:plain": {"now": "deep"}, "p:a": {"b": [1, "two"]}, "p:x.y": {"z": True}}
    assert keys.get(config, "p:a.b[1]", path=True) == (True, "two")
    assert keys.get(config, "p:a.b[2]", path=True) == (False, None)
    assert keys.get(config, "p:a.b.c", path=True) == (False, None)
    keys.remove(config, "p:a.b[0]", path=True)
    keys.remove(config, "p:nothing.here", path=True)
    assert config["p:a"] == {"b": ["two"]}
    for path in ("p:a[0]", "p:a.b[7]", "p:a.b[0].c", "p:[0]", "p:a[x"):
        with pytest.raises(CommandError):
            keys.put(config, path, 1, path=True)


def test_what_is_typed_for_a_place_inside() -> None:
    typed = ["true", "false", "0", "-5", "007", "-0", "1.5", "yes", "", "18446744073709551615", "18446744073709551616"]
    assert list(map(keys.coerced, typed)) == [True, False, 0, -5, "007", "-0", "1.5", "yes", "", 2**64 - 1, "18446744073709551616"]


def test_keys() -> None:
    assert keys.full_key("a", "p") == "p:a"
    assert keys.full_key("other:a", "p") == "other:a"
    assert keys.full_key("other:config:a", "p") == "other:a"
    for wrong in ("a:", ":a", "a:b:c"):
        with pytest.raises(CommandError, match="could not parse"):
            keys.full_key(wrong, "p")


def test_what_the_project_declares(run: Run, project: Project) -> None:
    with (project.directory / "Pulumi.yaml").open("a") as file:
        file.write(
            "config: {zone: internet, count: {type: integer, default: 3}, names: {type: array}, key: {type: string, secret: true}}\n"
        )
    run("stack", "init", "dev")
    assert json.loads(run("config", "--json")[1]) == {
        "sample:zone": {"value": "internet", "secret": False},
        "sample:count": {"value": "3", "secret": False},
    }
    assert run("config", "get", "count")[1] == "3\n"
    assert run("preview", "--non-interactive")[2] == "error: Stack 'dev' is missing configuration value 'key', 'names'\n"
    assert run("preview", "--skip-config-validation")[0] == Code.OK
    assert run("destroy", "--yes")[0] == Code.OK
    run("config", "set", "--path", "names[0]", "a")
    run("config", "set", "key", "open", "--plaintext")
    assert "must be encrypted as it's secret" in run("preview")[2]
    run("config", "set", "key", "closed", "--secret")
    assert run("preview")[0] == Code.OK


def test_configuration_reaches_the_program_as_the_cli_hands_it_over(run: Run, project: Project) -> None:
    project.write("""
import pulumi
c = pulumi.Config()
pulumi.export("all", [c.require("text"), c.require_int("number"), c.require_bool("flag"), c.require_object("deep"), c.require("given")])
pulumi.export("hidden", c.require_secret_object("mixed"))
pulumi.export("other", pulumi.Config("other").get("key"))
""")
    with (project.directory / "Pulumi.yaml").open("a") as file:
        file.write("config: {given: by-the-project, number: {type: integer}}\n")
    run("stack", "init", "dev")
    for words in (
        ["text", "007"],
        ["number", "5"],
        ["flag", "true"],
        ["--path", "deep.list[0].on", "true"],
        ["--path", "mixed.open", "x"],
        ["--path", "mixed.key", "hush", "--secret"],
        ["other:key", "o"],
    ):
        assert run("config", "set", "--stack", "dev", *words, *([] if "--secret" in words else ["--plaintext"]))[0] == Code.OK
    assert "hush" not in (project.directory / "Pulumi.dev.yaml").read_text()
    log = project.directory / "log"
    log.touch(mode=0o644)
    code, out, err = run("up", "--yes", "--skip-preview", "--suppress-outputs", "--show-secrets", "-c", "late=yes", "--event-log", "log")
    assert log.stat().st_mode & 0o777 == 0o600, "also where it was there with another mode"
    assert (code, err) == (Code.OK, ""), out
    assert "hush" not in out
    found = json.loads(run("stack", "output", "--json", "--show-secrets")[1])
    assert found["all"] == ["007", 5, True, {"list": [{"on": True}]}, "by-the-project"]
    assert (found["hidden"], found["other"]) == ({"open": "x", "key": "hush"}, "o")
    assert json.loads(run("stack", "output", "--json")[1])["hidden"] == "[secret]"
    assert run("config", "get", "late")[1] == "yes\n"
    assert run("config")[1].splitlines()[0].split() == ["KEY", "VALUE"]
    kept = [path for path in (project.backend / ".pulumi").rglob("*") if path.is_file()] + [project.directory / "log"]
    assert [path.name for path in kept if path.name.endswith(".history.json")] != []
    for path in kept:
        assert "hush" not in path.read_text(), path
        assert path.stat().st_mode & 0o077 == 0, path
    run("config", "set", "number", "many")
    assert run("up", "--yes")[2] == "error: Stack 'dev' with configuration key 'number' must be of type 'integer'\n"


def test_what_looks_like_a_secret_is_not_kept_in_clear(run: Run, project: Project) -> None:
    run("stack", "init", "dev")
    code, _, err = run("config", "set", "dbPassword", "correct horse")
    assert code == Code.ERROR
    assert "looks like a secret" in err
    assert "horse" not in err + (project.directory / "Pulumi.dev.yaml").read_text()
    assert run("config", "set", "dbPassword", "correct horse", "--plaintext")[0] == Code.OK


# -- state --------------------------------------------------------------------


@pytest.fixture
def filled(run: Run, project: Project) -> Project:
    """A stack with a secret output."""
    project.write("import pulumi\npulumi.export('open', [1])\npulumi.export('hidden', pulumi.Output.secret('hush'))\n")
    run("stack", "init", "dev")
    code, out, err = run("up", "--yes", "--skip-preview")
    assert (code, err) == (Code.OK, ""), out
    return project


def test_outputs(run: Run, filled: Project) -> None:
    assert run("stack", "output", "open")[1] == "[1]\n"
    assert run("stack", "output", "hidden")[1] == "[secret]\n"
    assert run("stack", "output", "hidden", "--show-secrets")[1] == "hush\n"
    assert run("stack", "output", "--shell")[1] == "hidden='[secret]'\nopen='[1]'\n"
    assert "Current stack outputs (2):" in run("stack", "output")[1]
    assert run("stack", "output", "none")[2] == "error: current stack does not have output property 'none'\n"


def test_export_and_import(run: Run, filled: Project) -> None:
    sealed = json.loads(run("stack", "export")[1])
    assert "hush" not in json.dumps(sealed)
    assert run("stack", "export", "--show-secrets", "--file", "out.json")[0] == Code.OK
    shown = json.loads((filled.directory / "out.json").read_text())
    assert shown["version"] == 3
    assert '"plaintext": "\\"hush\\""' in json.dumps(shown)
    for document in (sealed, shown):
        (filled.directory / "in.json").write_text(json.dumps(document))
        assert run("stack", "import", "--file", "in.json") == (Code.OK, "Import complete.\n", "")
        assert run("stack", "output", "hidden", "--show-secrets")[1] == "hush\n"
    assert "hush" not in (filled.backend / ".pulumi" / "stacks" / "sample" / "dev.json").read_text()
    assert run("preview", "--expect-no-changes", "--json")[0] == Code.OK


@pytest.mark.parametrize("text", ["", "7", "{}", '{"version": 3, "deployment": 7}', '{"version": 9, "deployment": {}}'])
def test_what_is_no_deployment_is_not_imported(text: str, run: Run, filled: Project) -> None:
    path = filled.backend / ".pulumi" / "stacks" / "sample" / "dev.json"
    before = path.read_bytes()
    (filled.directory / "in.json").write_text(text)
    code, out, err = run("stack", "import", "--file", "in.json")
    assert (code, out, len(err.splitlines())) == (Code.ERROR, "", 1)
    assert path.read_bytes() == before


def test_the_deployment_of_another_stack_is_not_imported(run: Run, filled: Project) -> None:
    run("stack", "export", "--file", "out.json")
    run("stack", "init", "other")
    code, _, err = run("stack", "import", "--file", "out.json")
    assert code == Code.ERROR
    assert "is from a different stack (dev != other)" in err
    assert json.loads(run("stack", "export")[1])["deployment"].get("resources", []) == []
    assert filled.directory.is_dir()


def test_what_is_wrong_with_a_deployment_is_told_in_the_words_of_the_cli(
    run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YIWANG_LANG", "zh")
    document = json.loads(run("stack", "export")[1])
    document["deployment"]["resources"] *= 2
    (filled.directory / "in.json").write_text(json.dumps(document))
    code, _, err = run("stack", "import", "--file", "in.json")
    assert code == Code.ERROR
    assert "is there twice" in err


def test_what_had_begun_is_left_out_of_an_import_and_named(run: Run, filled: Project) -> None:
    document = json.loads(run("stack", "export")[1])
    begun = {"urn": "urn:pulumi:dev::sample::t:i:T::begun", "type": "t:i:T", "custom": True}
    document["deployment"]["pending_operations"] = [{"type": "creating", "resource": begun}]
    (filled.directory / "in.json").write_text(json.dumps(document))
    code, _, err = run("stack", "import", "--file", "in.json")
    assert (code, err) == (Code.OK, f"warning: removing pending operation 'creating' on '{begun['urn']}' from snapshot\n")
    assert "pending_operations" not in json.loads(run("stack", "export")[1])["deployment"]


def test_a_deployment_that_was_changed_is_imported_only_by_force(run: Run, filled: Project) -> None:
    document = json.loads(run("stack", "export")[1])
    document["deployment"]["manifest"]["magic"] = "0" * 64
    (filled.directory / "in.json").write_text(json.dumps(document))
    code, _, err = run("stack", "import", "--file", "in.json")
    assert code == Code.ERROR
    assert "manifest.magic does not fit" in err
    assert run("stack", "import", "--file", "in.json", "--force")[0] == Code.OK
    assert run("stack", "export")[0] == Code.OK


@pytest.mark.parametrize(("change", "said"), [({"type": None}, "resources[0].type"), ({"id": "x", "custom": False}, "resources[0].id")])
def test_a_resource_that_is_not_whole_is_not_imported(change: dict[str, Any], said: str, run: Run, filled: Project) -> None:
    document = json.loads(run("stack", "export")[1])
    document["deployment"]["resources"][0].update(change)
    (filled.directory / "in.json").write_text(json.dumps(document))
    code, _, err = run("stack", "import", "--file", "in.json", "--force")
    assert (code, len(err.splitlines())) == (Code.ERROR, 1)
    assert said in err


def test_outputs_are_shown_without_the_passphrase_secrets_are_not(run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = json.loads(run("stack", "output", "--json")[1])
    assert "[secret]" in shown.values()
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert json.loads(run("stack", "output", "--json")[1]) == shown
    assert "[secret]" in run("stack")[1]
    code, _, err = run("stack", "output", "--show-secrets")
    assert code == Code.ERROR
    assert "passphrase must be set" in err


@pytest.mark.parametrize("words", [["up", "--yes"], ["preview"], ["refresh", "--yes"], ["destroy", "--yes", "--skip-preview"]])
def test_a_wrong_passphrase_is_told_first(words: list[str], run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    before = sorted(filled.backend.rglob("*"))
    assert run(*words) == (Code.ERROR, "", "error: getting secrets manager: incorrect passphrase\n")
    assert sorted(filled.backend.rglob("*")) == before


@pytest.mark.parametrize("words", [["up", "--yes"], ["preview"], ["destroy", "--yes", "--run-program"]])
def test_a_program_that_is_not_there_is_told_in_a_sentence(words: list[str], run: Run, filled: Project) -> None:
    (filled.directory / "__main__.py").unlink()
    code, out, err = run(*words)
    assert (code, "Traceback" in out + err) == (Code.ERROR, False)
    assert f"there is no program {filled.directory / '__main__.py'}" in err
    filled.write("")
    (filled.directory / "Pulumi.yaml").write_text("name: sample\nruntime: python\nmain: elsewhere\n")
    assert f"there is no program {filled.directory / 'elsewhere'}" in run(*words)[2]


def test_cancel_lets_go_of_every_lock(run: Run, filled: Project) -> None:
    """Of the CLI's too, whose holder nobody can judge; a process of this machine has to end first."""
    store = Store(filled.backend, "sample", "dev")
    store.lock_directory.mkdir(parents=True, exist_ok=True)
    (store.lock_directory / "other.json").write_text('{"pid": 1, "username": "u", "hostname": "h", "timestamp": "t"}')
    assert run("up", "--yes")[0] == Code.ERROR
    assert run("cancel", "--yes")[0] == Code.OK
    assert store.locks() == []


def test_cancel_leaves_the_lock_of_who_came_in_meanwhile(run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(filled.backend, "sample", "dev")

    def stop(holder: lock.Lock) -> None:
        holder.path.unlink()
        (store.lock_directory / "next.json").write_text("{}")

    monkeypatch.setattr(lock, "stop", stop)
    with lock.held(store.lock_directory, "up"):
        assert run("cancel", "--yes")[0] == Code.OK
    assert [found.path.name for found in store.locks()] == ["next.json"]


def test_a_backend_that_is_no_directory_is_told(run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    file = filled.work / "file"
    file.write_text("")
    for backend in (file, file / "below"):
        monkeypatch.setenv("PULUMI_BACKEND_URL", backend.as_uri())
        code, _, err = run("stack", "ls")
        assert (code, err) == (Code.ERROR, f"error: the backend {backend} is no directory\n")


def test_a_backend_of_another_version_is_refused(run: Run, filled: Project) -> None:
    marker = filled.backend / ".pulumi" / "meta.yaml"
    marker.write_text("version: 2\n")
    code, _, err = run("stack", "ls")
    assert (code, len(err.splitlines())) == (Code.ERROR, 1)
    assert f"{marker} has version 2" in err
    marker.write_text("[")
    assert f"{marker} has version None" in run("up", "--yes")[2]


def test_a_malformed_project_is_one_line(run: Run, filled: Project) -> None:
    path = filled.directory / "Pulumi.yaml"
    for settings, said in (
        ("main: 5", "main should be text"),
        ("backend: x", "backend should be a map"),
        ("options: []", "options should be a map"),
    ):
        path.write_text(f"name: sample\nruntime: python\n{settings}\n")
        for words in (("up", "--yes"), ("stack", "ls")):
            assert run(*words) == (Code.ERROR, "", f"error: {path}: {said}\n")


def test_a_home_that_is_a_file_is_one_line(run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    home = filled.work / "file"
    home.write_text("")
    monkeypatch.setenv("PULUMI_HOME", str(home))
    for words in (("stack", "ls"), ("stack", "select", "dev"), ("up", "--yes")):
        code, _, err = run(*words)
        assert (code, len(err.splitlines())) == (Code.ERROR, 1), err
        assert str(home) in err


def test_a_selection_that_cannot_be_written_down_is_no_failure(run: Run, filled: Project) -> None:
    home = Path(os.environ["PULUMI_HOME"])
    shutil.rmtree(home / "workspaces")
    (home / "workspaces").write_text("")
    code, _, err = run("stack", "init", "two")
    assert (code, err.startswith("warning: could not write down which stack is selected")) == (Code.OK, True), err
    assert Store(filled.backend, "sample", "two").path.is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": None}, "its kind is missing or damaged"),
        ({"endTime": "x"}, "its endTime is missing or damaged"),
        ({"config": ["x"]}, "its config is missing or damaged"),
        ({"resourceChanges": 5}, "its resourceChanges is missing or damaged"),
    ],
)
def test_a_damaged_history_is_one_line(change: dict[str, Any], said: str, run: Run, filled: Project) -> None:
    assert run("up", "--yes")[0] == Code.OK
    path = next((filled.backend / ".pulumi" / "history").rglob("*.history.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for more in ([], ["--json"]):
        assert run("stack", "history", *more) == (Code.ERROR, "", f"error: reading history file: {said}\n")


def test_times_that_are_none_are_shown_as_none(run: Run, filled: Project) -> None:
    assert run("up", "--yes")[0] == Code.OK
    path = next((filled.backend / ".pulumi" / "history").rglob("*.history.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "startTime": 10**30}))
    assert run("stack", "history")[0] == Code.OK
    state = Store(filled.backend, "sample", "dev").path
    recorded = json.loads(state.read_text())
    recorded["checkpoint"]["latest"]["manifest"]["time"] = "yesterday"
    state.write_text(json.dumps(recorded))
    assert "Last updated: n/a (yesterday)" in run("stack")[1]


def test_a_state_that_contradicts_itself_is_exported_with_its_secrets(run: Run, filled: Project) -> None:
    """It is the way to mend it."""
    filled.write("import pulumi\npulumi.export('k', pulumi.Output.secret('hush'))\n")
    assert run("up", "--yes")[0] == Code.OK
    state = Store(filled.backend, "sample", "dev").path
    recorded = json.loads(state.read_text())
    resources = recorded["checkpoint"]["latest"]["resources"]
    resources.append(resources[0])
    state.write_text(json.dumps(recorded))
    assert run("up", "--yes")[0] == Code.ERROR
    code, out, err = run("stack", "export", "--show-secrets")
    assert (code, err) == (Code.OK, "")
    shown = json.loads(out)["deployment"]
    assert [entry["outputs"]["k"]["plaintext"] for entry in shown["resources"]] == ['"hush"', '"hush"']
    assert shown["manifest"] == recorded["checkpoint"]["latest"]["manifest"]


@pytest.mark.parametrize("empty", [{}, "", 0])
def test_a_damaged_import_changes_nothing(empty: Any, run: Run, filled: Project) -> None:
    assert run("up", "--yes")[0] == Code.OK
    before = Store(filled.backend, "sample", "dev").path.read_bytes()
    (filled.work / "x.json").write_text(json.dumps({"version": 3, "deployment": {"resources": empty}}))
    code, _, err = run("stack", "import", "--file", str(filled.work / "x.json"))
    assert (code, "resources should be a list" in err) == (Code.ERROR, True), err
    assert Store(filled.backend, "sample", "dev").path.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("config: &a\n  sample:k: &x {a: 1}\n  sample:l: *x\n", ("config", "set", "--path", "k.a", "2")),
        ("config:\n  sample:base: &x {a: 1}\n  sample:l: {<<: *x, c: 2}\n", ("config", "rm", "base")),
    ],
)
def test_settings_with_anchors_are_not_broken(settings: str, words: tuple[str, ...], run: Run, filled: Project) -> None:
    path = filled.directory / "Pulumi.dev.yaml"
    path.write_text(path.read_text() + settings)
    before = path.read_bytes()
    code, _, err = run(*words)
    assert (code, len(err.splitlines())) == (Code.ERROR, 1)
    assert "edit it by hand" in err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "value", ["1e3", "12e4567", "1e999", "0x1F", "0o7", "yes", "2026-01-02", "1:30", "~", "a\u2028b", "a\x85b", "- x", "#", "", " ", "中文"]
)
def test_values_come_back_as_they_were_set(value: str, run: Run, filled: Project) -> None:
    for words in (("k",), ("--path", "o.k"), ("--path", "l[0]")):
        assert run("config", "set", *words, "--", value)[0] == Code.OK
        assert run("config", "get", *words)[1] == f"{value}\n"
    assert run("config", "set", "other", "x")[0] == Code.OK
    assert run("config", "get", "k")[1] == f"{value}\n"
    found = yaml.safe_load((filled.directory / "Pulumi.dev.yaml").read_text())["config"]
    assert found["sample:k"] == value, "other readers of YAML take it for another type"


def test_a_damaged_journal_of_one_stack_does_not_hide_the_others(run: Run, filled: Project) -> None:
    assert run("stack", "init", "other")[0] == Code.OK
    path = Store(filled.backend, "sample", "dev").journal_path
    path.write_text("{}\n")
    code, out, err = run("stack", "ls", "--json")
    assert (code, [entry["name"] for entry in json.loads(out)]) == (Code.OK, ["dev", "other"])
    assert err.startswith("warning: line 1 of the journal")


@pytest.mark.parametrize("key", ["", "bin\udcff", ":", "sample:"])
def test_keys_that_could_not_be_read_back_are_refused(key: str, run: Run, filled: Project) -> None:
    before = (filled.directory / "Pulumi.dev.yaml").read_bytes()
    code, _, err = run("config", "set", key, "1")
    assert (code, len(err.splitlines())) == (Code.ERROR, 1), err
    assert (filled.directory / "Pulumi.dev.yaml").read_bytes() == before


def test_keys_that_are_there_twice_are_refused(run: Run, filled: Project) -> None:
    path = filled.directory / "Pulumi.yaml"
    path.write_text("name: sample\nruntime: python\nname: another\n")
    assert run("stack", "ls") == (Code.ERROR, "", f"error: {path} is no valid YAML mapping\n")


def test_a_backend_that_is_not_there_is_no_empty_one(run: Run, filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = filled.work / "unmounted" / "deep"
    monkeypatch.setenv("PULUMI_BACKEND_URL", gone.as_uri())
    for words in (("stack", "ls"), ("stack", "init", "z"), ("up", "--yes", "-s", "dev")):
        code, _, err = run(*words)
        assert (code, err) == (Code.ERROR, f"error: unable to open bucket {gone.as_uri()}: {gone}: no such directory\n")
    assert not gone.parent.exists()


@pytest.mark.parametrize("name", ["history", "journals", "locks"])
def test_a_file_where_a_directory_has_to_be_is_one_line(name: str, run: Run, filled: Project) -> None:
    path = filled.backend / ".pulumi" / name
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("")
    code, _, err = run("up", "--yes")
    assert (code, "Traceback" in err, f"{path}" in err) == (Code.ERROR, False, True), err


TWO = "import pulumi\nfrom pulumi.dynamic import CreateResult, Resource, ResourceProvider, UpdateResult\n"
TWO += "class P(ResourceProvider):\n    def create(self, props): return CreateResult('i', props)\n"
TWO += "    def update(self, id, olds, news): return UpdateResult(news)\n"
TWO += "class Thing(Resource): pass\nThing(P(), 'a', {'v': %s, 'w': 1, 'pw': pulumi.Output.secret('%s')})\n"


def test_what_changes_is_shown_before_it_does(run: Run, filled: Project) -> None:
    filled.write(TWO % (1, "hush"))
    assert "      + v: 1" in run("preview", "--diff")[1]
    assert run("up", "--yes", "--skip-preview")[0] == Code.OK
    filled.write(TWO % (2, "hush hush"))
    short = run("preview")[1]
    assert "[diff: ~pw,~v]" in short
    assert "=>" not in short
    whole = run("preview", "--diff")[1]
    assert "      ~ v: 1 => 2" in whole
    assert "      ~ pw: [secret] => [secret]" in whole
    assert "hush" not in whole


def at_a_terminal(project: Project, words: list[str], *typed: str) -> tuple[int, str]:
    """Run at a terminal of its own, answer each question in turn; exit code and all that was shown."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(project.directory)
        os.execve(sys.executable, [sys.executable, "-m", "yiwang", "pulumi", *words], project.environment())  # noqa: S606 - a program of ours
    shown = b""
    answers = list(typed)
    try:
        while select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 4096)
            if answers and shown.rstrip().endswith((b"value:", b"(yes/no/details)")):
                os.write(terminal, f"{answers.pop(0)}\n".encode())
                shown += b"|"
    except OSError:
        # The other end is closed: it has ended.
        pass
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_a_secret_is_asked_for_and_not_shown(run: Run, filled: Project) -> None:
    code, shown = at_a_terminal(filled, ["config", "set", "--secret", "pw"], "hush hush")
    assert (code, "hush" in shown) == (Code.OK, False), shown
    assert run("config", "get", "pw")[1] == "hush hush\n"


def test_details_are_shown_before_the_answer(filled: Project) -> None:
    filled.write(TWO % (1, "hush"))
    code, shown = at_a_terminal(filled, ["up"], "details", "no")
    assert code == Code.CANCELLED, shown
    assert "+ v: 1" in shown
    assert "hush" not in shown


def test_an_unknown_color_is_refused(run: Run, filled: Project) -> None:
    del filled
    assert "unsupported color option: 'sometimes'" in run("preview", "--color", "sometimes")[2]


def test_a_stack_whose_settings_cannot_be_written_is_not_made(run: Run, project: Project) -> None:
    (project.directory / "Pulumi.yaml").write_text("name: sample\nruntime: python\nstackConfigDir: file\n")
    (project.directory / "file").write_text("")
    code, _, err = run("stack", "init", "dev")
    assert (code, len(err.splitlines())) == (Code.ERROR, 1)
    assert json.loads(run("stack", "ls", "--json")[1]) == []


def test_a_user_without_a_home(project: Project) -> None:
    done = project.pulumi("stack", "ls", HOME="", PULUMI_HOME="")
    assert (done.returncode, "Traceback" in done.stderr) == (Code.OK, False), done.stderr


def test_a_stack_with_resources_is_not_removed(run: Run, filled: Project) -> None:
    filled.write("import pulumi\npulumi.ComponentResource('a:b:C', 'c')\n")
    assert run("up", "--yes", "--skip-preview")[0] == Code.OK
    code, _, err = run("stack", "rm", "dev", "--yes")
    assert code == Code.ERROR
    assert "'dev' still has resources; removal rejected" in err
    assert run("destroy", "--yes", "--skip-preview", "--remove")[0] == Code.OK
    assert json.loads(run("stack", "ls", "--json")[1]) == []
    assert not (filled.backend / ".pulumi" / "history" / "sample" / "dev").exists()


def test_expected_changes(run: Run, filled: Project) -> None:
    assert run("preview", "--expect-no-changes")[0] == Code.OK
    filled.write("import pulumi\npulumi.ComponentResource('a:b:C', 'c')\n")
    code, out, err = run("preview", "--expect-no-changes")
    assert (code, err) == (Code.CHANGES, "error: no changes were expected for preview but changes were proposed\n")
    assert "+ 1 to create" in out


@pytest.mark.parametrize(
    "words", [["preview", "--event-log", "none/log"], ["preview", "--save-plan", "none/plan"], ["stack", "export", "--file", "none/out"]]
)
def test_a_file_that_cannot_be_written_is_named(words: list[str], run: Run, filled: Project) -> None:
    code, _, err = run(*words)
    assert (code, err) == (Code.ERROR, f"error: could not write {words[-1]}: No such file or directory\n")
    assert filled.directory.is_dir()


def test_what_another_backend_has_selected_is_kept(run: Run, filled: Project) -> None:
    """As newer versions of the CLI write it: a stack for each backend."""
    (path,) = (filled.work / "home" / "workspaces").glob("sample-*-workspace.json")
    path.write_text(json.dumps({"stacks": {"https://api.example.test": "me/sample/dev"}}))
    run("stack", "select", "dev")
    assert run("stack", "--show-name")[1] == "dev\n"
    assert json.loads(path.read_text())["stacks"]["https://api.example.test"] == "me/sample/dev"


def test_json_of_a_run_is_its_events(run: Run, filled: Project) -> None:
    code, out, _ = run("refresh", "--yes", "--skip-preview", "--json")
    assert code == Code.OK
    kinds = [next(key for key in json.loads(line) if key not in {"sequence", "timestamp"}) for line in out.splitlines()]
    assert kinds == ["preludeEvent", "resourcePreEvent", "resOutputsEvent", "summaryEvent", "cancelEvent"]
    assert filled.directory.is_dir()


# -- runs that end otherwise --------------------------------------------------


@pytest.fixture
def boxes(tmp_path: Path) -> Project:
    """The boxes of tests/engine/box, whose provider takes its time when BOX_DELAY says so."""
    made = Project(tmp_path)
    shutil.rmtree(made.directory)
    shutil.copytree(SOURCE, made.directory, ignore=shutil.ignore_patterns("__pycache__"))
    made.ok("stack", "init", "dev")
    return made


def _world(project: Project) -> dict[str, str]:
    return {"BOX_WORLD": str(project.work / "world.json"), "STEP": "1"}


def _calls(project: Project) -> list[str]:
    path = project.work / "world.json"
    try:
        found: list[str] = json.loads(path.read_text())["calls"] if path.exists() else []
    except ValueError:
        return []
    return found


def test_killed_in_the_middle(boxes: Project) -> None:
    """The export tells what was under way; the next run finishes, and each object is made once."""
    process = boxes.start("up", "--yes", "--skip-preview", "--event-log", "log", **_world(boxes), BOX_DELAY="3")
    assert wait_for(lambda: any(call.startswith("create ") for call in _calls(boxes)))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode < 0
    exported = json.loads(boxes.ok("stack", "export", "--show-secrets"))["deployment"]
    assert {entry["type"] for entry in exported["pending_operations"]} == {"creating"}
    assert json.loads(boxes.ok("stack", "export"))["deployment"]["pending_operations"]
    done = boxes.pulumi("up", "--yes", "--skip-preview", **_world(boxes))
    assert done.returncode == 0, done.stdout
    assert "an earlier run was interrupted: creating urn:pulumi:dev::box::" in done.stdout
    world = json.loads((boxes.work / "world.json").read_text())
    assert set(world["created"].values()) == {1}
    assert boxes.pulumi("preview", "--expect-no-changes", **_world(boxes)).returncode == 0
    for line in (boxes.directory / "log").read_text().splitlines()[:-1]:
        json.loads(line)
    assert "hidden-in-a-box" not in (boxes.directory / "log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupted_once_finishes_what_runs_and_saves(number: signal.Signals, boxes: Project) -> None:
    process = boxes.start("up", "--yes", "--skip-preview", **_world(boxes), BOX_DELAY="1")
    assert wait_for(lambda: any(call.startswith("create ") for call in _calls(boxes)))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (Code.ERROR, ""), out
    exported = json.loads(boxes.ok("stack", "export"))["deployment"]
    assert "pending_operations" not in exported
    assert [entry for entry in exported["resources"] if entry["type"] == "box:index:Box"]
    assert boxes.json("stack", "history")[0]["result"] == "failed"


def test_cancel_ends_a_run_and_waits_for_its_steps(boxes: Project) -> None:
    """The stack is free afterwards, and what the run was about is recorded: nobody else was let in beside it."""
    process = boxes.start("up", "--yes", "--skip-preview", **_world(boxes), BOX_DELAY="1")
    assert wait_for(lambda: any(call.startswith("create ") for call in _calls(boxes)))
    done = boxes.pulumi("cancel", "--yes")
    assert (done.returncode, process.poll() is None or process.returncode == Code.ERROR) == (0, True), done.stderr
    assert f"process {process.pid}" in done.stderr
    assert "pending_operations" not in json.loads(boxes.ok("stack", "export"))["deployment"]
    boxes.ok("up", "--yes", "--skip-preview", **_world(boxes))
    process.communicate(timeout=60)
    assert process.returncode == Code.ERROR
    assert set(json.loads((boxes.work / "world.json").read_text())["created"].values()) == {1}


def test_a_plan_is_saved_and_kept_to(boxes: Project) -> None:
    boxes.ok("preview", "--save-plan", "plan.json", **_world(boxes))
    assert "hidden-in-a-box" not in (boxes.directory / "plan.json").read_text()
    boxes.ok("up", "--yes", "--skip-preview", "--plan", "plan.json", **_world(boxes))
    boxes.ok("preview", "--save-plan", "plan.json", **_world(boxes))
    done = boxes.pulumi("up", "--yes", "--skip-preview", "--plan", "plan.json", **{**_world(boxes), "STEP": "2"})
    assert done.returncode == Code.ERROR
    assert "violates plan" in done.stdout


def test_a_virtual_environment_of_the_project(tmp_path: Path) -> None:
    settings = "runtime: {name: python, options: {virtualenv: env}}\n"
    project = Project(tmp_path, "import pulumi, sys\npulumi.export('prefix', sys.prefix)\n")
    (project.directory / "Pulumi.yaml").write_text(f"name: sample\n{settings}")
    project.ok("stack", "init", "dev")
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == Code.ERROR
    assert "there is no " in done.stderr
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project.directory / "env"], check=True)
    own = next((project.directory / "env" / "lib").glob("python*")) / "site-packages"
    (own / "ours.pth").write_text(str(next(Path(path) for path in sys.path if path.endswith("site-packages"))))
    project.ok("up", "--yes", "--skip-preview")
    assert project.ok("stack", "output", "prefix") == f"{project.directory / 'env'}\n"


def test_another_key_in_the_settings_than_in_the_state(run: Run, filled: Project) -> None:
    """As after a checkpoint was copied in: each is read with its own."""
    other = Manager(PASSPHRASE)
    path = filled.directory / "Pulumi.dev.yaml"
    path.write_text(yaml.safe_dump({"encryptionsalt": other.state, "config": {"sample:token": {"secure": other.encrypt("mine")}}}))
    assert run("config", "get", "token")[1] == "mine\n"
    assert run("preview", "--non-interactive")[0] == Code.OK
    assert run("stack", "output", "hidden", "--show-secrets")[1] == "hush\n"


def test_a_directory_for_settings_is_made_when_they_are_written(tmp_path: Path) -> None:
    project = Project(tmp_path, settings="stackConfigDir: settings/here\n")
    assert project.pulumi("stack", "init", "dev").returncode == 0
    done = project.pulumi("config", "set", "key", "value", "--stack", "dev")
    assert done.returncode == 0, done.stderr
    assert "value" in (project.directory / "settings" / "here" / "Pulumi.dev.yaml").read_text()
