"""``--engine pulumi``: the verbs drive the Pulumi CLI, on a province whose hosts cannot be reached.

The CLI is the kit's own command line in front as ``pulumi``, and a real one where ``YIWANG_TEST_PULUMI`` names it.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
from deployment.offline import Offline

from yiwang.engine import lock
from yiwang.engine.store import Store
from yiwang.errors import ExitCode

pytestmark = pytest.mark.system

LIVE = os.environ.get("YIWANG_TEST_PULUMI")


def in_front(directory: Path) -> Path:
    """An executable ``pulumi`` that is the kit's own command line."""
    path = directory / "pulumi"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m yiwang pulumi "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module", params=["in front", *(["live"] if LIVE else [])])
def cli(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return in_front(tmp_path_factory.mktemp("cli")) if request.param == "in front" else Path(LIVE or "")


class Driven(Offline):
    """Every verb with ``--engine pulumi``."""

    cli: Path

    def environment(self, **extra: str) -> dict[str, str]:
        return super().environment(**{"YIWANG_PULUMI": str(self.cli), **extra})


@pytest.fixture(scope="module")
def begun(cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Driven:
    """The national stand-in after an ``up`` by the CLI; not to be changed."""
    made = Driven.make(tmp_path_factory.mktemp("driven") / "province")
    driven = Driven(made.inventory)
    object.__setattr__(driven, "cli", cli)
    done = driven("up", "--engine", "pulumi", "--site", "national", "--yes", "--json", check=False)
    assert done.returncode == ExitCode.HOST, done.stderr
    (site,) = json.loads(done.stdout)["sites"]
    assert site["counts"]["create"] > 4
    assert site["hosts"]["n-core"]["failed"][0]["unreachable"] is True
    return driven


@pytest.fixture
def driven(begun: Driven, tmp_path: Path) -> Driven:
    """A copy of it, to be changed."""
    copied = Driven(begun.copy(tmp_path / "province").inventory)
    object.__setattr__(copied, "cli", begun.cli)
    return copied


def test_what_the_cli_made_is_nothing_new_to_the_embedded_engine_and_back(driven: Driven) -> None:
    """All but the roles, whose host cannot be reached, is the same to both."""
    before = driven.json("outputs", "--show-secrets", "--site", "national")
    planned = [driven("plan", "--site", "national", "--json", *more, check=False) for more in ((), ("--engine", "pulumi"))]
    assert [done.returncode for done in planned] == [ExitCode.CHANGES] * 2, planned[1].stderr
    changes = [[entry["type"] for entry in json.loads(done.stdout)["sites"][0]["resources"]] for done in planned]
    # Base, and storage that waits for it.
    assert changes == [["yiwang:index:Role"] * 2] * 2
    assert driven("up", "--site", "national", "--yes", check=False).returncode == ExitCode.HOST
    assert driven("up", "--site", "national", "--yes", "--engine", "pulumi", check=False).returncode == ExitCode.HOST
    assert driven.json("outputs", "--show-secrets", "--site", "national", "--engine", "pulumi") == before


def test_nothing_of_a_secret_or_of_the_cli_stays_behind(driven: Driven) -> None:
    text = driven("outputs", "--site", "national", "--engine", "pulumi").stdout
    assert "PRIVATE KEY" not in text
    assert not list(driven.inventory.rglob("Pulumi.*.yaml"))
    assert not list((Path(__file__).parents[2] / "stacks").rglob("Pulumi.*.yaml"))


def test_a_first_plan_says_which_sites_have_to_wait(driven: Driven) -> None:
    done = driven("plan", "--engine", "pulumi", "--json", check=False)
    assert done.returncode == ExitCode.CHANGES, done.stderr
    sites = {site["site"]: site for site in json.loads(done.stdout)["sites"]}
    assert sites["province"]["counts"]["create"] > 10
    assert sites["jinan"]["counts"] == {}
    assert "can be planned once province is up" in sites["jinan"]["notes"][0]
    assert not driven.checkpoint("city", "jinan").exists()
    assert not driven.checkpoint("province", "province").exists(), "a plan leaves no trace"


def test_status_list_rotate_and_down(driven: Driven) -> None:
    status = driven("status", "--no-hosts", "--site", "national", "--engine", "pulumi", check=False)
    assert status.returncode == ExitCode.FINDINGS
    assert [entry["stack"] for entry in driven.json("state", "list", "--engine", "pulumi")] == ["national"]
    secret = {entry["urn"]: entry["outputs"] for entry in driven.resources("national", "national") if entry["type"].endswith("Secret")}
    rotated = driven("rotate", "n-core-rescue", "--site", "national", "--yes", "--engine", "pulumi", check=False)
    assert rotated.returncode == ExitCode.HOST, rotated.stderr
    now = {
        entry["urn"]: entry["outputs"]
        for entry in driven.resources("national", "national")
        if entry["type"].endswith("Secret") and not entry.get("delete")
    }
    assert now.keys() == secret.keys()
    assert now != secret
    down = driven("down", "--site", "national", "--yes", "--engine", "pulumi", check=False)
    assert down.returncode == ExitCode.OK, down.stderr
    assert driven.resources("national", "national") == []


def test_a_lock_of_somebody_else_is_exit_5(driven: Driven) -> None:
    with lock.held(Store(driven.inventory / ".state", "national", "national").lock_directory, "up"):
        done = driven("up", "--site", "national", "--yes", "--engine", "pulumi", "--quiet", check=False)
    assert done.returncode == ExitCode.LOCKED, done.stderr
    assert "locked" in done.stderr


def test_export_and_import_move_a_site_between_the_two(driven: Driven, tmp_path: Path) -> None:
    """From the embedded engine's state to a backend that only the CLI is told of, and back."""
    before = driven.json("outputs", "--show-secrets", "--site", "national")
    file, back = tmp_path / "national.json", tmp_path / "back.json"
    driven("state", "export", str(file), "--site", "national")
    assert "PRIVATE KEY" not in file.read_text()
    facts = driven.inventory / "province.yml"
    text = facts.read_text()
    shared = tmp_path / "shared"
    shared.mkdir()
    facts.write_text(f"{text}\nstate_backend: {shared.as_uri()}\n")
    refused = driven("plan", "--site", "national", "--quiet", check=False)
    assert refused.returncode == ExitCode.INPUT
    assert "--engine pulumi" in refused.stderr
    driven("state", "import", str(file), "--site", "national", "--engine", "pulumi", "--yes")
    assert driven.json("outputs", "--show-secrets", "--site", "national", "--engine", "pulumi") == before
    driven("state", "export", str(back), "--site", "national", "--engine", "pulumi")
    assert "PRIVATE KEY" not in back.read_text()
    assert '"ciphertext"' in back.read_text()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    other = file.read_text().replace("urn:pulumi:national::", "urn:pulumi:other::")
    (tmp_path / "other.json").write_text(other)
    wrong = ("state", "import", str(tmp_path / "other.json"), "--site", "national", "--engine", "pulumi", "--yes")
    assert driven(*wrong, check=False, TMPDIR=str(temporary)).returncode == ExitCode.INPUT
    assert list(temporary.iterdir()) == [], "a failed import leaves nothing"
    facts.write_text(text)
    driven.checkpoint("national", "national").unlink()
    driven("state", "import", str(back), "--site", "national", "--yes")
    assert driven.json("outputs", "--show-secrets", "--site", "national") == before


@pytest.mark.parametrize("content", ["", "{}", '{"version": 3}', '{"version": 3, "deployment": {"resources": [{"urn": "x"}]}}', "[1]"])
def test_what_is_no_export_is_refused_and_changes_nothing(content: str, driven: Driven, tmp_path: Path) -> None:
    before = driven.checkpoint("national", "national").read_bytes()
    file = tmp_path / "bad.json"
    file.write_text(content)
    done = driven("state", "import", str(file), "--site", "national", "--yes", check=False)
    assert done.returncode == ExitCode.INPUT, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert driven.checkpoint("national", "national").read_bytes() == before


def test_ctrl_c_reaches_the_cli(driven: Driven) -> None:
    process = driven.begin("plan", "--site", "province", "--engine", "pulumi")
    assert process.stderr is not None
    assert "comparing" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED, said


def test_without_a_cli_it_is_refused_in_one_line(driven: Driven) -> None:
    done = driven("plan", "--engine", "pulumi", "--quiet", check=False, YIWANG_PULUMI="/nowhere/pulumi")
    assert done.returncode == ExitCode.MACHINE
    (line,) = done.stderr.splitlines()
    assert "the Pulumi CLI (/nowhere/pulumi) is not on this machine" in line
    unknown = driven("plan", "--engine", "terraform", "--quiet", check=False)
    assert unknown.returncode == ExitCode.INPUT
    assert "there is no engine terraform; known: embedded, pulumi" in unknown.stderr
