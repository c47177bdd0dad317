"""What each program asks for, as its stack would register it: mocks record every registration and make outputs up from its name."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import json
import runpy
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pulumi
import pytest
import yaml
from inventory.malformed import CERTIFICATE as CERTIFICATE_OF_AN_AUTHORITY
from pulumi.runtime import mocks as pulumi_mocks

from yiwang.components import ExternalStorage, context
from yiwang.errors import ExitCode, UserError
from yiwang.inventory import load
from yiwang.inventory.external import External

ROOT = Path(__file__).parent.parent.parent
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJustForTheTestsJustForTheTestsJustForTheTes"

SIGNATURE, SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
CHAIN, KEY = "chain of {}", "key of {}"


@dataclass(frozen=True)
class Registered:
    type: str
    name: str
    inputs: dict[str, Any]


class Recorder(pulumi_mocks.Mocks):
    """Keeps ``(type, name, inputs)`` of every registration; ``reference`` is what stack references give."""

    def __init__(self, reference: dict[str, Any]) -> None:
        self.resources: list[Registered] = []
        self.reference = reference

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.resources.append(Registered(args.typ, args.name, dict(args.inputs)))
        computed: dict[str, dict[str, Any]] = {
            "yiwang:index:Certificate": {
                "chain": CHAIN.format(args.name),
                "certificate": f"certificate of {args.name}",
                "privateKey": KEY.format(args.name),
                "fingerprint": f"fingerprint of {args.name}",
            },
            "yiwang:index:Secret": {"value": f"secret of {args.name}"},
            "pulumi:pulumi:StackReference": {"outputs": self.reference, "secretOutputNames": []},
        }
        return f"{args.name}-id", {**args.inputs, **computed.get(args.typ, {})}

    def call(self, args: pulumi_mocks.MockCallArgs) -> NoReturn:
        raise AssertionError(f"a program called {args.token}")


def plain(value: Any) -> Any:
    """The value without the marks of secrets."""
    if isinstance(value, dict):
        return plain(value["value"]) if value.get(SIGNATURE) == SECRET_SIGNATURE else {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def unmarked(value: Any) -> set[str]:
    """Every text that no mark of a secret covers."""
    if isinstance(value, dict):
        return set() if value.get(SIGNATURE) == SECRET_SIGNATURE else set().union(*(unmarked(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(unmarked(inner) for inner in value))
    return {value} if isinstance(value, str) else set()


@dataclass
class Run:
    resources: list[Registered]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        return {resource.name: plain(resource.inputs) for resource in self.resources if resource.type == kind}

    @property
    def role(self) -> dict[str, Any]:
        return self.of("yiwang:index:Role")["base"]


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's inventory, with an operator's key."""
    directory = tmp_path / "lab"
    shutil.copytree(ROOT / "inventories" / "lab", directory, ignore=shutil.ignore_patterns(".state"))
    keys = directory / ".state" / "ssh"
    keys.mkdir(parents=True)
    (keys / "id_ed25519.pub").write_text(f"{PUBLIC_KEY} someone@somewhere\n")
    monkeypatch.setenv("YIWANG_INVENTORY", str(directory))
    monkeypatch.setenv("YIWANG_LANG", "en")
    return directory


@pytest.fixture(scope="session")
def loop() -> asyncio.AbstractEventLoop:
    """The event loop of all programs, never closed: the SDK keeps the first program's root resource, and loops of threads, on it."""
    return asyncio.new_event_loop()


@pytest.fixture
def run(inventory: Path, loop: asyncio.AbstractEventLoop) -> Callable[..., Run]:
    """Runs ``stacks/<program>`` as the stack ``site``."""

    def runner(program: str, site: str, reference: dict[str, Any] | None = None) -> Run:
        asyncio.set_event_loop(loop)  # an earlier test may have taken the thread's own away
        recorder = Recorder(reference or {})
        pulumi.runtime.set_mocks(recorder, project=program, stack=site, preview=False)
        pulumi.runtime.test(lambda: runpy.run_path(str(ROOT / "stacks" / program), run_name="__main__") and None)()  # type: ignore[no-untyped-call]
        return Run(recorder.resources)

    return runner


CERTIFICATE = "yiwang:index:Certificate"
SECRET = "yiwang:index:Secret"
REFERENCE = {
    "root_certificate": "certificate of root",
    "jinan_authority_chain": CHAIN.format("jinan-authority"),
    "jinan_authority_key": KEY.format("jinan-authority"),
    "backup_access_keys": {"jinan": "access key of jinan-backup"},
    "backup_keys": {"jinan": "secret key of jinan-backup"},
}


def test_province_makes_an_authority_for_itself_and_each_city(run: Callable[..., Run]) -> None:
    certificates = run("province", "province").of(CERTIFICATE)
    assert certificates["root"]["kind"] == "root"
    intermediates = {name for name, inputs in certificates.items() if inputs["kind"] == "intermediate"}
    assert intermediates == {"province-authority", "jinan-authority", "qingdao-authority"}
    assert all(certificates[name]["issuerKey"] == KEY.format("root") for name in intermediates)


def test_every_host_has_a_certificate_under_its_names_and_addresses(run: Callable[..., Run]) -> None:
    edge = run("province", "province").of(CERTIFICATE)["p-edge-certificate"]
    assert edge["kind"] == "server"
    assert edge["names"] == ["p-edge.sd.zwfw.example", "10.77.10.11", "fd77:0:0:10::11"]
    assert edge["issuerKey"] == KEY.format("province-authority")


def test_an_authority_is_bound_to_its_sites_domain_and_ranges(run: Callable[..., Run]) -> None:
    certificates = run("province", "province").of(CERTIFICATE)
    extranet = ["10.77.20.0/24", "fd77:0:0:20::/64"]
    assert certificates["jinan-authority"]["permitted"] == ["jinan.sd.zwfw.example", extranet[0], extranet[1]]
    assert certificates["province-authority"]["permitted"][:3] == ["sd.zwfw.example", "10.77.10.0/24", "10.77.20.0/24"]
    assert "permitted" not in certificates["root"]
    assert run("national", "national").of(CERTIFICATE)["national-authority"]["permitted"] == ["gjzwfw.example", *extranet]


def test_another_host_in_a_city_issues_no_authority_and_no_other_certificate_anew(run: Callable[..., Run], inventory: Path) -> None:
    before = run("province", "province").of(CERTIFICATE), run("city", "jinan", REFERENCE).of(CERTIFICATE)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    hosts["all"]["children"]["jinan"]["hosts"]["c-jinan-2"] = {"ansible_host": "10.77.20.29", "yiwang_zone": "extranet"}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    after = run("province", "province").of(CERTIFICATE), run("city", "jinan", REFERENCE).of(CERTIFICATE)
    assert after[0] == before[0]
    assert {name: after[1][name] for name in before[1]} == before[1]
    assert set(after[1]) - set(before[1]) == {"c-jinan-2-certificate"}


def test_hosts_get_what_was_made_for_them_and_nothing_of_others(run: Callable[..., Run]) -> None:
    role = run("province", "province").role
    assert set(role["hosts"]) == {"p-edge", "p-core", "p-data", "p-ops"}
    for name, host in role["hosts"].items():
        variables = host["variables"]
        assert variables["base_hostname"] == name
        assert variables["base_tls_key"] == KEY.format(f"{name}-certificate")
        assert variables["base_tls_certificate"] == CHAIN.format(f"{name}-certificate")
        assert variables["base_rescue_password"] == f"secret of {name}-rescue"
    assert role["variables"]["base_trust"] == {"province": "certificate of root"}
    assert role["variables"]["base_automation_public_keys"] == [PUBLIC_KEY]  # without the operator's name


@pytest.mark.parametrize(("program", "site"), [("province", "province"), ("city", "jinan"), ("national", "national")])
def test_keys_and_passwords_are_marked_secret_wherever_they_go(run: Callable[..., Run], program: str, site: str) -> None:
    seen = set().union(*(unmarked(resource.inputs) for resource in run(program, site, REFERENCE).resources))
    assert not {text for text in seen if text.startswith(("key of", "secret of"))}
    assert any(text.startswith("chain of") for text in seen)


def test_city_takes_its_issuer_from_the_province(run: Callable[..., Run]) -> None:
    made = run("city", "jinan", REFERENCE)
    assert set(made.of("pulumi:pulumi:StackReference")) == {"organization/province/province"}
    certificates = made.of(CERTIFICATE)
    assert set(certificates) == {"c-jinan-certificate"}
    assert certificates["c-jinan-certificate"]["issuerKey"] == KEY.format("jinan-authority")
    assert made.role["variables"]["base_trust"] == {"province": "certificate of root"}


def test_city_knows_its_own_and_the_provinces_hosts_but_no_other_city(run: Callable[..., Run]) -> None:
    known = {entry["names"][0] for entry in run("city", "jinan", REFERENCE).role["variables"]["base_names"]}
    assert known == {"c-jinan.jinan.sd.zwfw.example", *(f"{host}.sd.zwfw.example" for host in ("p-edge", "p-core", "p-data", "p-ops"))}


def test_a_new_city_changes_no_host_of_the_province(run: Callable[..., Run], inventory: Path) -> None:
    before = run("province", "province")
    facts = yaml.safe_load((inventory / "province.yml").read_text())
    facts["sites"]["yantai"] = {"stack": "city", "code": 370600, "title": {"zh": "烟台市", "en": "Yantai"}}
    (inventory / "province.yml").write_text(yaml.safe_dump(facts, allow_unicode=True))
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    hosts["all"]["children"]["yantai"] = {"hosts": {"c-yantai": {"ansible_host": "10.77.20.23", "yiwang_zone": "extranet"}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    after = run("province", "province")
    assert after.role == before.role
    assert {resource.name for resource in after.resources} - {resource.name for resource in before.resources} == {"yantai-authority"}


def test_national_stand_in_has_an_authority_of_its_own(run: Callable[..., Run]) -> None:
    made = run("national", "national")
    assert {name for name, inputs in made.of(CERTIFICATE).items() if inputs["kind"] != "server"} == {"root", "national-authority"}
    assert not made.of("pulumi:pulumi:StackReference")
    assert made.role["variables"]["base_trust"] == {"national": "certificate of root"}


@pytest.mark.parametrize(("program", "site"), [("province", "province"), ("city", "jinan"), ("national", "national")])
def test_two_runs_of_a_program_are_equal_to_the_byte(run: Callable[..., Run], program: str, site: str) -> None:
    first, second = (
        json.dumps(sorted((r.type, r.name, json.dumps(r.inputs, sort_keys=True)) for r in run(program, site, REFERENCE).resources))
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(("program", "site"), [("province", "jinan"), ("city", "nowhere")])
def test_a_stack_that_is_no_site_of_the_program_is_refused(run: Callable[..., Run], program: str, site: str) -> None:
    with pytest.raises(UserError) as refused:
        run(program, site)
    assert refused.value.code == ExitCode.INPUT
    assert site in refused.value.text


def test_without_an_inventory_the_variable_is_named(run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(context.VARIABLE)
    with pytest.raises(UserError, match=context.VARIABLE):
        run("province", "province")


def test_without_a_public_key_the_file_is_named(run: Callable[..., Run], inventory: Path) -> None:
    (inventory / ".state/ssh/id_ed25519.pub").unlink()
    with pytest.raises(UserError, match=r"id_ed25519\.pub") as missing:
        run("province", "province")
    assert "yiwang host key" in missing.value.fix


def test_without_its_public_half_a_private_key_is_never_to_be_made_anew(run: Callable[..., Run], inventory: Path) -> None:
    """`ssh-keygen -f KEY` asks whether to overwrite the key that opens every host."""
    key = inventory / ".state/ssh/id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "word", "-C", "me", "-f", inventory / "key"], check=True)
    (inventory / "key").rename(key)
    with pytest.raises(UserError) as other:
        run("province", "province")
    assert "not that of the private key" in other.value.text
    (key.parent / "id_ed25519.pub").unlink()
    with pytest.raises(UserError) as missing:
        run("province", "province")
    for found in (other, missing):
        assert f"ssh-keygen -y -f {key} > {key}.pub" in found.value.fix
        assert "ed25519 -f" not in found.value.fix.replace("-y -f", "")
    (inventory / "key.pub").rename(key.parent / "id_ed25519.pub")
    assert run("province", "province").role["variables"]["base_automation_public_keys"][0].startswith("ssh-ed25519 ")


SOURCES = [*sorted((ROOT / "yiwang/components").glob("*.py")), *sorted((ROOT / "stacks").glob("*/__main__.py"))]


def test_no_component_reads_clock_network_or_chance() -> None:
    """What two machines could see differently has no place in a program."""
    forbidden = {"time", "datetime", "random", "secrets", "uuid", "socket", "platform", "getpass", "urllib", "http", "subprocess"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found = {name.split(".")[0] for name in names} & forbidden
            assert not found, f"{path} imports {found}"


def asks_for_a_kind(text: str) -> bool:
    """Whether code decides by the kind of a site: compares a ``.stack``, looks it up in a table, or names a kind in a comparison."""
    for node in ast.walk(ast.parse(text)):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Match):
            parts = [node.subject]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        inner = [each for part in parts for each in ast.walk(part)]
        if any(isinstance(each, ast.Attribute) and each.attr == "stack" for each in inner):
            return True
        kinds = {"national", "province", "city"}
        if not isinstance(node, ast.Subscript) and any(isinstance(each, ast.Constant) and each.value in kinds for each in inner):
            return True
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_component_decides_by_the_kind_of_a_site(path: Path) -> None:
    """Sites differ by values. Only ``context.current`` may see whether a stack's site belongs to its program."""
    tree = ast.parse(path.read_text())
    if path.name == "context.py":
        tree.body = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == "current")]
    assert not asks_for_a_kind(ast.unparse(tree))


@pytest.mark.parametrize("code", ['site.stack != "city"', "x = {1: 2}[here.site.stack]", 'kind == "province"', "a in (1, site.stack)"])
def test_the_search_for_kinds_finds_them(code: str) -> None:
    assert asks_for_a_kind(code)


def test_the_top_is_found_over_any_number_of_sites(inventory: Path) -> None:
    province = load(inventory)
    district = dataclasses.replace(province.sites["jinan"], name="lixia", parent="jinan")
    sites = {**province.sites, "lixia": district}
    here = context.Context(dataclasses.replace(province, sites=sites), district)
    assert (here.top.name, here.parent.name, here.below) == ("province", "jinan", ())


def test_programs_are_short_tables_of_contents() -> None:
    programs = sorted((ROOT / "stacks").glob("*/__main__.py"))
    assert [path.parent.name for path in programs] == ["city", "national", "province"]
    for path in programs:
        assert len(path.read_text().splitlines()) < 80
        assert yaml.safe_load((path.parent / "Pulumi.yaml").read_text())["name"] == path.parent.name


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a program exports, as it exports it."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", found.__setitem__)
    return found


@pytest.fixture
def external(inventory: Path) -> Path:
    """The lab's inventory, whose province brings its storage along."""
    (inventory / ".state" / "word").write_text("a password\n")
    (inventory / ".state" / "word").chmod(0o600)
    (inventory / "ca.pem").write_text(CERTIFICATE_OF_AN_AUTHORITY)
    facts = yaml.safe_load((inventory / "province.yml").read_text())
    database = {"url": "postgresql://a@db1.example,db2.example/p?sslmode=verify-full", "password": {"file": ".state/word"}}
    bucket = {"endpoint": "https://s3.example:9000", "region": "cn-east", "bucket": "documents", "access_key": "AK1"}
    storage = {
        "databases": {"portal": {**database, "authority": "ca.pem"}},
        "buckets": {"files": {**bucket, "secret_key": {"command": ["echo", "a key"]}, "authority": "ca.pem"}},
    }
    facts["sites"]["province"] |= {"placement": {"storage": "external"}, "external": {"storage": storage}}
    (inventory / "province.yml").write_text(yaml.safe_dump(facts, allow_unicode=True))
    return inventory


def resolved(loop: asyncio.AbstractEventLoop, value: Any) -> tuple[Any, bool]:
    """The value of an output, and whether it is secret."""

    async def both() -> tuple[Any, bool]:
        output = pulumi.Output.from_input(value)
        return await output.future(), await output.is_secret()

    return loop.run_until_complete(both())


def test_what_is_brought_along_is_exported_as_the_kits_own_is(
    run: Callable[..., Run], external: Path, exported: dict[str, Any], loop: asyncio.AbstractEventLoop
) -> None:
    made = run("province", "province")
    assert {resource.name for resource in made.resources if resource.type == "yiwang:index:Role"} == {"base"}
    options = "target_session_attrs=read-write&connect_timeout=3&sslrootcert=/etc/yiwang/tls/external-database-portal.crt"
    assert resolved(loop, exported["databases"])[0]["portal"] == {
        "url": f"postgresql://a@db1.example:5432,db2.example:5432/p?{options}&sslmode=verify-full",
        "login": "a",
        "password": "a password",
    }
    assert resolved(loop, exported["buckets"])[0]["files"] == {
        "endpoint": "https://s3.example:9000",
        "region": "cn-east",
        "bucket": "documents",
        "access_key": "AK1",
        "secret_key": "a key",
    }
    secrets = {key for kind in ("databases", "buckets") for each in exported[kind].values() for key in each if resolved(loop, each[key])[1]}
    assert secrets == {"password", "secret_key"}
    run("city", "jinan", REFERENCE)
    assert set(resolved(loop, exported["databases"])[0]) == set(), "the cities keep what is on their servers"


def test_hosts_are_handed_the_authorities_of_what_is_brought_along(run: Callable[..., Run], external: Path) -> None:
    assert run("province", "province").role["variables"]["base_external_authorities"] == {
        "database-portal": CERTIFICATE_OF_AN_AUTHORITY,
        "bucket-files": CERTIFICATE_OF_AN_AUTHORITY,
    }
    assert run("city", "jinan", REFERENCE).role["variables"]["base_external_authorities"] == {}


def test_a_secret_that_cannot_be_read_is_refused_by_the_key_that_names_it(run: Callable[..., Run], external: Path) -> None:
    (external / ".state" / "word").unlink()
    with pytest.raises(UserError, match=r"sites\.province\.external\.storage\.databases\.portal\.password") as refused:
        run("province", "province")
    assert refused.value.code == ExitCode.INPUT


def test_a_component_that_is_placed_needs_its_database_among_them(external: Path, loop: asyncio.AbstractEventLoop) -> None:
    province = load(external)
    site = dataclasses.replace(province.sites["province"], placement={"storage": "external", "portal": "servers", "identity": "servers"})
    with pytest.raises(UserError, match="identity") as refused:
        ExternalStorage(context.Context(province, site))
    assert refused.value.code == ExitCode.INPUT
    assert "sites.province.external.storage.databases" in refused.value.fix


def test_a_component_that_keeps_needs_a_bucket_that_can(external: Path) -> None:
    province = load(external)
    site = dataclasses.replace(province.sites["province"], placement={"storage": "external", "portal": "servers"})
    storage = site.external.storage
    assert storage is not None
    (found,) = storage.buckets.values()
    for given, said in (({"documents"}, "audit, licences"), ({"documents", "licences", "audit"}, "keep what is locked")):
        brought = dataclasses.replace(storage, buckets=dict.fromkeys(given, found))
        with pytest.raises(UserError, match=said):
            ExternalStorage(context.Context(province, dataclasses.replace(site, external=External(brought))))
