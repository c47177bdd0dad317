"""The verbs that run stacks, on a province whose hosts cannot be reached: what they say, refuse, change and exit with."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
from deployment.offline import Offline

from yiwang import inventory
from yiwang.deployment.engines import environment
from yiwang.deployment.selection import select
from yiwang.engine import lock
from yiwang.engine.store import Store
from yiwang.errors import ExitCode

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Offline:
    """A province on which nothing was run; not to be changed."""
    return Offline.make(tmp_path_factory.mktemp("fresh") / "province")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Offline, int, dict[str, object], str]:
    """A province after its first `up`, which made secrets and certificates and reached no host."""
    made = Offline.make(tmp_path_factory.mktemp("begun") / "province")
    done = made("up", "--yes", "--json", check=False)
    return made, done.returncode, json.loads(done.stdout), done.stderr


@pytest.fixture
def recorded(begun: tuple[Offline, int, dict[str, object], str], tmp_path: Path) -> Offline:
    """A copy of it, to be changed."""
    return begun[0].copy(tmp_path / "province")


def store(yiwang: Offline, stack: str) -> Store:
    return Store(yiwang.inventory / ".state", stack, stack)


def tainted(yiwang: Offline) -> list[str]:
    return [entry["urn"] for entry in yiwang.resources("national", "national") if entry.get("taint") and not entry.get("delete")]


def test_an_up_that_reaches_no_host_says_so_and_exits_6(begun: tuple[Offline, int, dict[str, object], str]) -> None:
    _, code, found, said = begun
    assert code == ExitCode.HOST
    sites = {site["site"]: site for site in found["sites"]}  # type: ignore[attr-defined]
    assert sites["province"]["counts"] == {"create": 28}
    assert sites["province"]["code"] == ExitCode.HOST
    assert sites["province"]["hosts"]["p-core"]["failed"][0]["unreachable"] is True
    for city in ("jinan", "qingdao"):
        assert (sites[city]["counts"], sites[city]["resources"]) == ({}, [])
        assert sites[city]["error"] == "not started, province failed"
    assert said.count("failed on p-core") == 1
    assert "done: " not in said


def test_plan_shows_what_is_left_and_hides_nothing(recorded: Offline) -> None:
    done = recorded("plan", "--site", "national", check=False)
    assert done.returncode == ExitCode.CHANGES
    assert done.stdout.splitlines()[-1] == "plan: create 2; 1 of 1 sites change"


@pytest.mark.parametrize("verb", [("plan",), ("up", "--yes")])
def test_a_mistake_in_the_programs_input_is_one_line_with_the_fix(verb: tuple[str, ...], fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    yiwang.public_key.unlink()
    done = yiwang(*verb, "--quiet", check=False)
    assert done.returncode == ExitCode.INPUT
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "there is no public key" in line
    assert "yiwang host key" in line


def test_with_json_the_same_is_a_document(fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    yiwang.public_key.unlink()
    done = yiwang("plan", "--json", check=False)
    found = json.loads(done.stdout)
    assert (found["ok"], found["code"]) == (False, ExitCode.INPUT)
    assert "no public key" in found["error"]


def test_a_city_without_its_province_is_refused_with_the_way(fresh: Offline, recorded: Offline) -> None:
    for yiwang in (fresh, recorded):
        done = yiwang("up", "--site", "jinan", "--yes", "--quiet", check=False)
        assert done.returncode == ExitCode.INPUT
        (line,) = done.stderr.splitlines()
        assert "jinan needs what province exports" in line
        assert "yiwang up --site province" in line


def test_a_city_its_province_does_not_know_yet_is_refused_with_the_way(recorded: Offline) -> None:
    """A new city needs its province once more; what is exported so far knows nothing of it."""
    recorded.export("province", {"root_certificate": "x", "qingdao_authority_chain": "x", "qingdao_authority_key": "x"})
    done = recorded("up", "--site", "jinan", "--yes", "--quiet", check=False)
    assert done.returncode == ExitCode.INPUT, done.stderr
    (line,) = done.stderr.splitlines()
    assert "province has made no authority for site jinan yet" in line
    assert "yiwang up --site province --site jinan" in line


def test_what_the_shell_exports_reaches_no_provider(recorded: Offline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit, a removal of data and the like come from options; a variable that is set by chance changes nothing."""
    stray = {"YIWANG_LIMIT": "nobody", "YIWANG_DESTROY_DATA": "1", "YIWANG_REAPPLY": "1", "YIWANG_UPGRADE": "1", "YIWANG_PLAN_DETAIL": "1"}
    for name, value in stray.items():
        monkeypatch.setenv(name, value)
    done = recorded("up", "--site", "national", "--yes", check=False)
    assert done.returncode == ExitCode.HOST, "its host is to be visited, and cannot be reached"
    province = inventory.load(recorded.inventory)
    found = environment(province, select(province, ["national"]), recorded.inventory)
    assert {name: found[name] for name in stray} == dict.fromkeys(stray, "")


def test_what_only_looks_makes_no_passphrase(fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    passphrase = yiwang.inventory / ".state" / "passphrase"
    passphrase.unlink()
    assert yiwang("plan", "--site", "national", check=False).returncode == ExitCode.CHANGES
    yiwang("outputs", "--site", "national")
    yiwang("status", "--no-hosts", check=False)
    assert not passphrase.exists()


def test_status_is_not_well_where_nothing_can_be_told(recorded: Offline) -> None:
    recorded.public_key.unlink()
    done = recorded("status", "--site", "national", check=False)
    assert done.returncode == ExitCode.FINDINGS
    assert "national: there is no public key" in done.stdout
    found = json.loads(recorded("status", "--site", "national", "--json", check=False).stdout)
    assert found["components"] == []
    assert [(site["site"], site["ok"]) for site in found["sites"]] == [("national", False)]
    assert "no public key" in found["sites"][0]["error"]


def test_status_names_what_is_not_deployed(recorded: Offline) -> None:
    done = recorded("status", "--site", "national", check=False)
    assert done.returncode == ExitCode.FINDINGS
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [["national", "base"], ["national", "storage"]]
    assert "not deployed" in done.stdout


@pytest.mark.parametrize("verb", [("plan",), ("status",)])
def test_ctrl_c_exits_130(verb: tuple[str, ...], fresh: Offline) -> None:
    process = fresh.begin(*verb, "--site", "national")
    assert process.stderr is not None
    assert "comparing" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, said


def test_a_reader_that_goes_away_stops_no_up(fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    assert yiwang.unread("up", "--site", "national", "--yes") == ExitCode.HOST
    kinds = {entry["type"] for entry in yiwang.resources("national", "national")}
    assert {"yiwang:index:Secret", "yiwang:index:Certificate"} <= kinds


def test_a_lock_on_one_site_names_it_and_leaves_the_others_running(fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    with lock.held(store(yiwang, "province").lock_directory, "up"):
        done = yiwang("up", "--site", "province", "--site", "national", "--yes", "--json", check=False)
        sites = {site["site"]: site for site in json.loads(done.stdout)["sites"]}
        assert sites["province"]["code"] == ExitCode.LOCKED
        assert "yiwang state unlock --site province" in sites["province"]["error"]
        assert sites["national"]["counts"]["create"] > 1, "the other site went on"
        assert done.returncode == ExitCode.FAILED
        alone = yiwang("up", "--site", "province", "--yes", "--quiet", check=False)
        assert alone.returncode == ExitCode.LOCKED
        assert alone.stderr.count("site province: the state is locked") == 1


def test_rotate_marks_nothing_until_somebody_says_yes(recorded: Offline) -> None:
    before = recorded.checkpoint("national", "national").read_bytes()
    declined = recorded("rotate", "n-core-rescue", "--site", "national", check=False)
    assert declined.returncode == ExitCode.INPUT, "there is nobody to ask"
    assert "replace Secret n-core-rescue" in declined.stderr
    unknown = recorded("rotate", "n-core-rescu", "--site", "national", "--yes", check=False)
    assert unknown.returncode == ExitCode.INPUT
    assert "did you mean n-core-rescue?" in unknown.stderr
    key = recorded.public_key.read_bytes()
    recorded.public_key.unlink()
    assert recorded("rotate", "n-core-rescue", "--site", "national", "--yes", check=False).returncode == ExitCode.INPUT
    recorded.public_key.write_bytes(key)
    assert recorded.checkpoint("national", "national").read_bytes() == before


def test_rotate_makes_the_secret_anew_and_leaves_no_mark(recorded: Offline) -> None:
    before = recorded.json("outputs", "--site", "national", "--show-secrets")
    ids = {entry["urn"]: entry["outputs"] for entry in recorded.resources("national", "national") if entry["type"].endswith("Secret")}
    done = recorded("rotate", "n-core-rescue", "--site", "national", "--yes", "--json", check=False)
    assert done.returncode == ExitCode.HOST, "the new one cannot be delivered"
    (site,) = json.loads(done.stdout)["sites"]
    assert [entry["operation"] for entry in site["resources"] if entry["type"].endswith("Secret")] == ["replace"]
    now = [entry for entry in recorded.resources("national", "national") if entry["type"].endswith("Secret") and not entry.get("delete")]
    assert [entry["urn"].rpartition("::")[2] for entry in now if entry["outputs"] != ids[entry["urn"]]] == ["n-core-rescue"]
    assert tainted(recorded) == []
    assert recorded.json("outputs", "--site", "national", "--show-secrets") == before


def test_rotate_that_cannot_begin_takes_its_mark_back(recorded: Offline) -> None:
    with lock.held(store(recorded, "national").lock_directory, "up"):
        done = recorded("rotate", "n-core-rescue", "--site", "national", "--yes", "--quiet", check=False)
    assert done.returncode == ExitCode.LOCKED
    assert "--site national" in done.stderr
    assert tainted(recorded) == []


def test_down_keeps_a_province_whose_cities_are_recorded(recorded: Offline) -> None:
    recorded.rename("national", "national", "elsewhere")
    source = recorded.checkpoint("national", "elsewhere")
    city = recorded.checkpoint("city", "jinan")
    city.parent.mkdir()
    city.write_text(source.read_text().replace("urn:pulumi:elsewhere::national::", "urn:pulumi:jinan::city::"))
    before = recorded.checkpoint("province", "province").read_bytes()
    done = recorded("down", "--site", "province", "--yes", check=False)
    assert done.returncode == ExitCode.INPUT
    assert "sites below province are still recorded: jinan" in done.stderr
    assert "yiwang down --site province --site jinan" in done.stderr
    assert recorded.checkpoint("province", "province").read_bytes() == before


def test_down_takes_a_site_away_and_asks_before(recorded: Offline) -> None:
    asked = recorded("down", "--site", "national", check=False)
    assert asked.returncode == ExitCode.INPUT
    assert recorded.resources("national", "national")
    done = recorded("down", "--site", "national", "--yes", check=False)
    assert done.returncode == ExitCode.OK, done.stderr
    assert recorded.resources("national", "national") == []
    assert done.stdout.splitlines()[-1].startswith("done: delete ")
    again = recorded("down", "--site", "national", "--yes")
    assert again.stdout.splitlines()[-1] == "no changes; sites: national"


def test_a_site_whose_host_is_dead_can_be_taken_away(recorded: Offline) -> None:
    """The role was once applied on two hosts; neither answers any more."""
    recorded.apply("national", "national", "n-core", "n-old")
    failed = recorded("down", "--site", "national", "--destroy-data", "--yes", check=False)
    assert failed.returncode == ExitCode.HOST
    way = f"yiwang down --site national --destroy-data --inventory {recorded.inventory}"
    assert way in failed.stderr, "what goes on is the verb that failed"
    assert "yiwang up" not in failed.stdout + failed.stderr
    assert all(f"if it will never answer again, add --gone {host}" in failed.stderr for host in ("n-core", "n-old"))
    slip = recorded("down", "--site", "national", "--gone", "n-cor", "--yes", check=False)
    assert slip.returncode == ExitCode.INPUT
    assert "n-core" in slip.stderr
    half = recorded("down", "--site", "national", "--gone", "n-old", "--yes", check=False)
    assert half.returncode == ExitCode.HOST
    assert "yiwang down --site national --gone n-old --inventory" in half.stderr
    both = ("down", "--site", "national", "--gone", "n-old", "--gone", "n-core")
    assert recorded(*both, check=False).returncode == ExitCode.INPUT, "it asks"
    done = recorded(*both, "--yes", "--json")
    hosts = json.loads(done.stdout)["sites"][0]["hosts"]
    assert all("declared gone" in host["gone"][0] for host in hosts.values())
    assert set(hosts) == {"n-core", "n-old"}
    assert "n-old" in done.stderr
    assert recorded.resources("national", "national") == []


def test_a_site_that_left_the_inventory_is_listed_and_can_be_taken_away(recorded: Offline) -> None:
    recorded.rename("national", "national", "elsewhere")
    way = "yiwang down --site elsewhere"
    planned = recorded("plan", "--json", check=False)
    assert way in planned.stderr
    assert [gone["site"] for gone in json.loads(planned.stdout)["departed"]] == ["elsewhere"]
    status = recorded("status", "--no-hosts", check=False)
    assert status.returncode == ExitCode.FINDINGS
    assert way in status.stdout
    refused = recorded("up", "--site", "elsewhere", "--yes", check=False)
    assert refused.returncode == ExitCode.INPUT
    assert way in refused.stderr
    assert recorded("state", "unlock", "--site", "elsewhere").stdout.strip() == "nothing is locked"
    recorded("down", "--site", "elsewhere", "--yes")
    assert recorded.resources("national", "elsewhere") == []
    assert recorded.json("plan", check=False)["departed"] == []


def test_a_typed_name_that_is_nearly_a_site_is_answered_with_the_site(recorded: Offline) -> None:
    recorded.rename("national", "national", "elsewhere")
    for arguments in (["plan", "--site", "jinang"], ["state", "unlock", "--site", "jinang"], ["outputs", "--site", "jinang"]):
        done = recorded(*arguments, check=False)
        assert done.returncode == ExitCode.INPUT
        assert "did you mean jinan?" in done.stderr
    assert "did you mean elsewhere?" in recorded("down", "--site", "elsewher", "--yes", check=False).stderr


def test_unlock_wants_force_unless_the_holder_is_known_to_be_gone(recorded: Offline) -> None:
    directory = store(recorded, "national").lock_directory
    directory.mkdir(parents=True, exist_ok=True)
    # As the Pulumi CLI writes it: nothing in it says whether the process still lives.
    (directory / "a.json").write_text(json.dumps({"pid": 1, "username": "x", "hostname": "y", "timestamp": "2026-01-01T00:00:00Z"}))
    refused = recorded("state", "unlock", "--site", "national", check=False)
    assert refused.returncode == ExitCode.LOCKED
    assert "site national" in refused.stderr
    assert "--force" in refused.stderr
    assert len(list(directory.glob("*.json"))) == 1
    recorded("state", "unlock", "--site", "national", "--force")
    assert list(directory.glob("*.json")) == []


def test_a_state_directory_that_cannot_be_written_is_one_line_and_exit_4(fresh: Offline, tmp_path: Path) -> None:
    yiwang = fresh.copy(tmp_path / "province")
    for name in ("passphrase", "ssh/id_ed25519.pub"):
        shutil.copy2(yiwang.inventory / ".state" / name, tmp_path)
    (tmp_path / "id_ed25519").write_text("none\n")
    facts = yiwang.inventory / "province.yml"
    text = facts.read_text().replace("generate: true", f"file: {tmp_path}/passphrase")
    facts.write_text(text.replace("access:\n", f"access:\n  key_file: {tmp_path}/id_ed25519\n") + "\nstate_dir: /sys/yiwang\n")
    done = yiwang("up", "--site", "national", "--yes", "--quiet", check=False)
    assert done.returncode == ExitCode.MACHINE, done.stderr
    (line,) = done.stderr.splitlines()
    assert "this machine cannot use /sys/yiwang" in line
