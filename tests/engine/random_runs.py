"""Runs random programs: straight, and with kills and failures and again until they are through. Started as a script: SEED COUNT.

Each case runs in children of this process, which has everything loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from engine import random_programs, random_wire, random_world
from engine.random_place import Disturbed, Place, points, salt

from yiwang import engine

SMALLEST_TRIES = 400


def _one(place: Place, job: dict[str, Any]) -> dict[str, Any]:
    """One run in this process."""
    disturbed = Disturbed(place, job.get("disturbance"))
    world = place.world
    makers = {"box": random_world.Box, "pulumi-python": random_world.Dyn}
    random_wire.install(lambda package: makers[package](world, disturbed.gate))
    random_wire.Program.version = job["version"]
    continues = bool(disturbed.plan.get("continue"))
    options = engine.Options(
        refresh=job["version"]["refresh"] and job["verb"] == "up",
        continue_on_error=continues,
        control=disturbed.control,
        parallel=1 + disturbed._chance.randint(0, 5),
    )
    with points(disturbed):
        result = asyncio.run(_operation(place, job["verb"], options, disturbed))
    return {
        "ok": result.ok,
        "changes": result.changes,
        "in_flight": list(result.in_flight),
        "diagnostics": [f"{entry.severity} {entry.urn} {entry.message}" for entry in result.diagnostics],
        "outputs": result.outputs,
        "counts": disturbed.counts,
        "calls": disturbed.calls,
    }


async def _operation(place: Place, verb: str, options: engine.Options, disturbed: Disturbed) -> engine.Result:
    disturbed.loop = asyncio.get_running_loop()
    result: engine.Result = await getattr(engine, verb)(place.stack, options)
    return result


def child(place: Place, job: dict[str, Any]) -> dict[str, Any] | None:
    """One run in a child; None when it was killed."""
    answer = place.work / "answer.json"
    answer.unlink(missing_ok=True)
    pid = os.fork()
    if not pid:
        try:
            found = _one(place, job)
        except BaseException:  # noqa: BLE001 - told by the parent
            found = {"ok": False, "trace": traceback.format_exc()}
        answer.write_text(json.dumps(found, default=str))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    found_: dict[str, Any] = json.loads(answer.read_text())
    assert "trace" not in found_, found_.get("trace")
    return found_


def _finish(place: Place, job: dict[str, Any], what: str) -> dict[str, Any]:
    found = child(place, job)
    assert found is not None
    assert found["ok"], f"{what} failed: {found['diagnostics']}"
    return found


def straight(case: dict[str, Any], place: Place) -> list[dict[str, Any]]:
    """All versions without a disturbance: what is there after each."""
    found = []
    for number, version in enumerate([*case["versions"], None]):
        job: dict[str, Any] = {"verb": "up" if version else "destroy", "version": version or case["versions"][-1]}
        for name in version["vanish"] if version else ():
            place.world.vanish(name)
        result = _finish(place, job, f"straight: version {number}")
        found.append({"facts": place.facts(), "result": result})
    return found


def disturbed(case: dict[str, Any], place: Place, expected: list[dict[str, Any]]) -> None:
    """All versions with their disturbances; after each the facts are those of the straight run."""
    abandoned = False
    for number, version in enumerate(case["versions"]):
        abandoned |= version["abandon"]
        undisturbed = expected[number]["result"]
        for name in version["vanish"]:
            place.world.vanish(name)
        job = {"verb": "up", "version": version}
        if version["preview"]:
            _preview(place, job)
        for disturbance in version["disturb"]:
            child(place, {**job, "disturbance": aimed(disturbance, undisturbed, version)})
        if version["abandon"]:
            continue
        if version["preview"]:
            _preview(place, job)
        result = _finish(place, job, f"version {number} after its disturbances")
        assert result["outputs"] == undisturbed["outputs"], f"outputs of version {number}"
        _same(place.facts(), expected[number]["facts"], f"version {number}", counts=not abandoned)
    job = {"verb": "up", "version": {**case["versions"][-1], "refresh": False}}
    again = _finish(place, job, "once more")
    assert (again["changes"], again["in_flight"]) == ({}, []), "once more: not the same"
    for disturbance in case["versions"][-1]["disturb"]:
        aim = aimed(disturbance, expected[-1]["result"], case["versions"][-1])
        child(place, {"verb": "destroy", "version": case["versions"][-1], "disturbance": aim})
    _finish(place, {"verb": "destroy", "version": case["versions"][-1]}, "destroy")
    _same(place.facts(), expected[-1]["facts"], "destroy", counts=not abandoned)


def aimed(disturbance: dict[str, Any], undisturbed: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    """A disturbance of one of the points, or the calls, of the undisturbed run.

    Failures that leave something half made are of a provider that adopts.
    """
    at = disturbance["at"]
    if disturbance["kind"] != "fail":
        return {**disturbance, "number": 1 + int(at * undisturbed["counts"].get(disturbance["where"], 0))}
    kinds = {spec["label"]: spec["kind"] for spec in version["resources"]}
    calls = [
        (verb, name)
        for verb, name in undisturbed["calls"]
        if disturbance["how"] == "error" or (verb in {"create", "update"} and kinds.get(name) == "box")
    ]
    changes = [call for call in calls if call[0] != "check"] or calls
    return {**disturbance, "call": changes[min(int(at * len(changes)), len(changes) - 1)] if changes else None}


def _preview(place: Place, job: dict[str, Any]) -> None:
    before = {path: path.read_bytes() for path in sorted((place.work / "backend").rglob("*")) if path.is_file()}
    facts = place.world.facts()
    _finish(place, {**job, "verb": "preview"}, "preview")
    after = {path: path.read_bytes() for path in sorted((place.work / "backend").rglob("*")) if path.is_file()}
    assert (before, facts) == (after, place.world.facts()), "a preview changed something"


def _same(found: dict[str, Any], expected: dict[str, Any], where: str, *, counts: bool) -> None:
    """``counts`` False: what a version that was not finished would have made, and the ids of such objects, do not count."""
    if not counts:
        found, expected = map(_without_counts, (found, expected))
    if found == expected:
        return
    lines = [f"{where} differs from the straight run:"]
    worlds = ((key, found["world"][key], expected["world"][key]) for key in ("objects", "made", "removed"))
    lines += [f"  world {key}: {mine} and not {theirs}" for key, mine, theirs in worlds if mine != theirs]
    mine, theirs = ({(s["urn"], s["delete"]): s for s in facts["states"]} for facts in (found, expected))
    lines += [f"  {'more' if key in mine else 'less'}: {key}" for key in sorted(mine.keys() ^ theirs.keys())]
    for key in sorted(mine.keys() & theirs.keys()):
        lines += [
            f"  {key[0]} {name}: {mine[key][name]} and not {theirs[key][name]}"
            for name in mine[key]
            if mine[key][name] != theirs[key][name]
        ]
    raise AssertionError("\n".join(lines))


def _without_counts(facts: dict[str, Any]) -> dict[str, Any]:
    text = re.sub(r":#[0-9]+", ":#n", json.dumps(facts))
    found: dict[str, Any] = json.loads(text)
    found["world"].update(made={}, removed={})
    return found


def failure(case: dict[str, Any], base: Path) -> str:
    """Why a case fails; empty when it passes."""
    work = Path(tempfile.mkdtemp(prefix="case-", dir=base))
    tempfile.tempdir = str(work)
    try:
        expected = straight(case, Place(work / "straight"))
        disturbed(case, Place(work / "disturbed"), expected)
    except AssertionError as error:
        return str(error) or traceback.format_exc()
    finally:
        tempfile.tempdir = None
        shutil.rmtree(work, ignore_errors=True)
    return ""


def smallest(case: dict[str, Any], base: Path, why: str) -> tuple[dict[str, Any], str]:
    """A small case that fails in the same way: its first word is the same."""
    tries = 0
    progress = True
    while progress and tries < SMALLEST_TRIES:
        progress = False
        for candidate in random_programs.smaller(case):
            tries += 1
            found = ""
            with contextlib.suppress(Exception):  # a candidate that is no program
                found = failure(candidate, base)
            if found and found.partition(" ")[0] == why.partition(" ")[0]:
                case, why, progress = candidate, found, True
                break
    return case, why


def main(seed: int, count: int) -> int:
    """Run ``count`` cases from ``seed`` on; the first that fails is told in its smallest form."""
    salt()
    # The children live for a moment: what they do not touch need not be copied.
    gc.disable()
    gc.freeze()
    with tempfile.TemporaryDirectory() as base:
        for number in range(seed, seed + count):
            case = random_programs.make(number)
            why = failure(case, Path(base))
            if why:
                print(f"seed {number}: {why}\n", flush=True)
                case, why = smallest(case, Path(base), why)
                print(f"smallest: {why}\n{json.dumps(case, indent=1)}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
