"""Random programs as real ones: through the SDK, with the program and the plugin in processes of their own, killed from outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from engine import random_programs
from engine.box_case import Box, wait_for

pytestmark = pytest.mark.system

FEW, MANY = 2, 20
# Makes the resources of a version; `step` counts from 1.
_PROGRAM = """
import json
from pathlib import Path

version = json.loads((Path(__file__).parent / "case.json").read_text())["versions"][step - 1]
made = {}


class Shelf(pulumi.ComponentResource):
    def __init__(self, name, opts):
        super().__init__("box:index:Shelf", name, None, opts)
        self.register_outputs({"size": "small"})


def value_of(value):
    if isinstance(value, str):
        return value
    return pulumi.Output.secret(value["secret"]) if "secret" in value else getattr(made[value["from"]], value["out"])


def alias_of(entry):
    return entry["urn"] if "urn" in entry else pulumi.Alias(name=entry["name"])


for spec in version["resources"]:
    options = ResourceOptions(
        parent=made.get(spec["parent"]),
        depends_on=[made[label] for label in spec["depends_on"]],
        deleted_with=made.get(spec["deleted_with"]),
        provider=made.get(spec["provider"]),
        protect=spec["protect"],
        retain_on_delete=spec["retain"],
        delete_before_replace=spec["dbr"],
        ignore_changes=spec["ignore"],
        replace_on_changes=spec["replace_on"],
        additional_secret_outputs=spec["secret_outputs"],
        aliases=[alias_of(entry) for entry in spec["aliases"]],
    )
    props = {key: value_of(value) for key, value in spec["props"].items()}
    if spec["kind"] == "component":
        made[spec["label"]] = Shelf(spec["name"], options)
    elif spec["kind"] == "provider":
        made[spec["label"]] = pulumi.ProviderResource("box", spec["name"], props, options)
    elif spec["kind"] == "read":
        options = ResourceOptions.merge(options, ResourceOptions(id="seen:k0"))
        made[spec["label"]] = pulumi.CustomResource("box:index:Box", spec["name"], {}, options)
    else:
        made[spec["label"]] = Box(spec["name"], options, **{**props, "name": spec["label"]})
for label in version["exports"]:
    pulumi.export(label, made[label].label)
"""


def _cases(count: int) -> list[int]:
    """Seeds of cases whose objects the plugin can find again."""
    found: list[int] = []
    seed = 0
    while len(found) < count:
        kinds = {spec["kind"] for version in random_programs.make(seed)["versions"] for spec in version["resources"]}
        found += [] if "dyn" in kinds else [seed]
        seed += 1
    return found


def _place(work: Path, case: dict[str, Any]) -> Box:
    box = Box(work, program=_PROGRAM)
    (work / "prog" / "case.json").write_text(json.dumps(case))
    seen = {"name": "seen", "key": "k0", "text": "seen"}
    (work / "world-dev.json").write_text(json.dumps({"objects": {"seen:k0": seen}, "created": {}, "deleted": {}, "calls": []}))
    return box


def _facts(box: Box, result: Any) -> dict[str, Any]:
    world = box.world()
    return {"recorded": box.recorded(), "outputs": result.outputs, **{key: world[key] for key in ("objects", "created", "deleted")}}


def _disturbed(seed: int, tmp_path: Path) -> None:
    case = random_programs.make(seed)
    straight, box = _place(tmp_path / "straight", case), _place(tmp_path / "disturbed", case)
    for number, version in enumerate(case["versions"], 1):
        expected = straight.run("up", number)
        assert expected.ok, expected.diagnostics
        lines = 2 + 4 * len(version["resources"])
        for disturbance in version["disturb"]:
            process = box.child(number, delay=0.04)
            at = 1 + int(disturbance["at"] * lines)
            wait_for(lambda process=process, at=at: box.journal_lines() >= at or process.poll() is not None)
            process.kill()
            process.wait()
        result = box.run("up", number)
        assert result.ok, result.diagnostics
        assert _facts(box, result) == _facts(straight, expected), json.dumps(case)
    again = box.run("up", len(case["versions"]))
    assert (again.ok, again.changes, again.in_flight) == (True, {}, ())
    shutil.rmtree(tmp_path / "straight")


@pytest.mark.parametrize("seed", _cases(FEW))
def test_random_programs_in_processes(seed: int, tmp_path: Path) -> None:
    _disturbed(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", _cases(FEW + MANY)[FEW:])
def test_random_programs_in_processes_often(seed: int, tmp_path: Path) -> None:
    _disturbed(seed, tmp_path)
