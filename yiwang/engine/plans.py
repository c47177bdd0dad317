"""Plans: what a preview writes down for ``up`` (``DeploymentPlanV1`` of the CLI), and how ``up`` is held to it. No I/O."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from yiwang.engine import plandiff
from yiwang.engine.checkpoint import VERSION
from yiwang.engine.passphrase import Manager
from yiwang.engine.plandiff import PlanDiff
from yiwang.engine.planner import PlanError
from yiwang.engine.project import Config
from yiwang.engine.resource import Goal, Resource, now
from yiwang.engine.urn import name_of
from yiwang.engine.values import Properties
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# Not the CLI's, which keeps it elsewhere: a stack that is planned for the first time has no place for its salt yet.
SALT = "encryptionsalt"
# Steps that are no part of a plan: reads say what is there, they change nothing.
_UNPLANNED = frozenset({"read", "read-replacement", "refresh"})
# Planned step -> what may happen in its place besides itself.
_LESS = {
    "create": ("same",),
    "update": ("same",),
    "replace": ("same", "update"),
    "create-replacement": ("same", "update"),
    "delete-replaced": ("same", "update"),
}


@dataclass
class Entry:
    """The plan of one resource. ``goal`` None: it is deleted."""

    goal: dict[str, Any] | None = None
    steps: list[str] = field(default_factory=list)
    outputs: Properties | None = None
    seed: bytes = b""


class Draft:
    """The plan of a run, as it comes about."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def goal(self, urn: str, goal: Goal, old: Properties | None, new: Properties, seed: bytes) -> None:
        """A resource is to have the checked inputs ``new``. ``old``: those of the object it has now, if it is kept."""
        entry = self._entries.setdefault(urn, Entry())
        found = plandiff.between(old or {}, new)
        entry.goal, entry.seed = _goal(goal, found), seed

    def step(self, op: str, urn: str) -> None:
        """A step begins."""
        if op not in _UNPLANNED and (urn in self._entries or op != "same"):
            self._entries.setdefault(urn, Entry()).steps.append(op)

    def outputs(self, resource: Resource, registered: tuple[Properties, Properties] | None = None) -> None:
        """What a resource has after its step; ``registered``: the former and the new outputs that the program gave it."""
        entry = self._entries.get(resource.urn)
        if entry is None:
            return
        entry.outputs = resource.outputs
        if registered is not None and entry.goal is not None:
            entry.goal["outputDiff"] = plandiff.between(*registered)

    def dump(self, config: Config, secrets: Manager) -> dict[str, Any]:
        """The plan as the CLI saves it, with secrets encrypted."""
        manifest = {"time": now(), "magic": hashlib.sha256(VERSION.encode()).hexdigest(), "version": VERSION}
        values = {key: {"secure": secrets.encrypt(text)} if key in config.secret_keys else text for key, text in config.values.items()}
        plans = {urn: _dump_entry(urn, entry, secrets) for urn, entry in sorted(self._entries.items())}
        return {"manifest": manifest, **({"config": values} if values else {}), "resourcePlans": plans, SALT: secrets.state}


def _goal(goal: Goal, found: PlanDiff) -> dict[str, Any]:
    aliases = [
        {
            "URN": alias.urn,
            "Name": alias.name,
            "Type": alias.type,
            "Project": alias.project,
            "Stack": alias.stack,
            "Parent": alias.parent,
            "NoParent": alias.no_parent,
        }
        for alias in goal.aliases
    ]
    return {
        "type": goal.type,
        "name": goal.name,
        "custom": goal.custom,
        "inputDiff": found,
        "outputDiff": PlanDiff(),
        "parent": goal.parent,
        "protect": bool(goal.protect),
        "dependencies": list(goal.dependencies),
        "provider": goal.provider,
        "propertyDependencies": goal.property_dependencies,
        "deleteBeforeReplace": goal.delete_before_replace,
        "ignoreChanges": list(goal.ignore_changes),
        "additionalSecretOutputs": list(goal.additional_secret_outputs),
        "structuredAliases": aliases,
        "id": goal.import_id,
        "customTimeouts": goal.custom_timeouts,
    }


_ALWAYS = ("type", "name", "custom", "inputDiff", "outputDiff", "protect", "customTimeouts")


def _dump_entry(urn: str, entry: Entry, secrets: Manager) -> dict[str, Any]:
    written: dict[str, Any] = {}
    if entry.goal is not None:
        goal = {**entry.goal, **{key: entry.goal[key].dump(urn, secrets) for key in ("inputDiff", "outputDiff")}}
        written["goal"] = {key: value for key, value in goal.items() if key in _ALWAYS or value not in (None, "", [], {})}
    if entry.steps:
        written["steps"] = entry.steps
    written["state"] = None if entry.outputs is None else secrets.seal(entry.outputs, urn)
    if entry.seed:
        written["seed"] = base64.b64encode(entry.seed).decode()
    return written


class Constraint:
    """A plan that a run must keep to. Raises UserError for what is no plan, or one made with another key."""

    def __init__(self, plan: Mapping[str, Any], secrets: Manager) -> None:
        self._granted: list[tuple[str, str]] = []
        try:
            self._entries = {urn: _load_entry(urn, written, secrets) for urn, written in plan["resourcePlans"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(t("engine.bad_plan"), code=ExitCode.INPUT, fix=t("engine.bad_plan_fix")) from None

    def seed(self, urn: str) -> bytes | None:
        """What made the random parts of the planned inputs, so that they come out the same."""
        entry = self._entries.get(urn)
        return entry.seed if entry is not None and entry.seed else None

    def grant(self, op: str, urn: str) -> None:
        """Check a step that begins later. Raises PlanError."""
        self.step(op, urn)
        self._granted.append((op, urn))

    def step(self, op: str, urn: str) -> None:
        """A step begins. Raises PlanError when the plan does not allow it."""
        if op in _UNPLANNED:
            return
        if (op, urn) in self._granted:
            self._granted.remove((op, urn))
            return
        entry = self._entries.get(urn)
        if entry is None:
            if op != "same":
                raise PlanError(t("engine.plan_unexpected", op=op))
            return
        if not entry.steps:
            raise PlanError(t("engine.plan_used_up", op=op))
        planned = entry.steps.pop(0)
        if op != planned and op not in _LESS.get(planned, ()):
            raise PlanError(t("engine.plan_constrained", op=op, planned=planned))

    def goal(self, new: Resource, goal: Goal, old: Resource | None) -> None:
        """A registration with its inputs checked. Raises PlanError when it is not what was planned."""
        entry = self._entries.get(new.urn)
        wanted = entry.goal if entry is not None else None
        if entry is None:
            if old is None:
                # Its create is refused.
                return
            wanted = _as_it_is(old)
        if wanted is None:
            raise PlanError(t("engine.plan_violated", urn=new.urn, problem=t("engine.plan_not_deleted")))
        asked = _goal(goal, PlanDiff())
        problem = plandiff.options_differ(wanted, asked) or plandiff.violated(old.inputs if old else {}, new.inputs, wanted["inputDiff"])
        problem = problem or plandiff.sources_differ(wanted["propertyDependencies"], goal.property_dependencies)
        if problem:
            raise PlanError(t("engine.plan_violated", urn=new.urn, problem=problem))

    def outputs(self, urn: str, old: Properties, new: Properties) -> None:
        """Outputs the program gives a component or the stack. Raises PlanError when they are not what was planned."""
        entry = self._entries.get(urn)
        if entry is None or entry.goal is None:
            raise PlanError(t("engine.plan_none", urn=urn))
        problem = plandiff.violated(old, new, entry.goal["outputDiff"])
        if problem:
            raise PlanError(t("engine.plan_violated_outputs", problem=problem))

    def missed(self, recorded: Iterable[str]) -> list[str]:
        """URNs for which steps were planned that did not come; a delete of what was gone already is none. ``recorded``: before the run."""
        there = set(recorded)
        return sorted(urn for urn, entry in self._entries.items() if entry.steps and (entry.steps != ["delete"] or urn in there))


def _load_entry(urn: str, written: Mapping[str, Any], secrets: Manager) -> Entry:
    goal = written.get("goal")
    if goal is not None:
        goal = {**_EMPTY, **goal}
        for key in ("inputDiff", "outputDiff"):
            goal[key] = PlanDiff.load(goal[key] or {}, urn, secrets)
    return Entry(goal, list(written.get("steps") or ()), seed=base64.b64decode(written.get("seed") or ""))


_EMPTY: dict[str, Any] = {
    "inputDiff": {},
    "outputDiff": {},
    "parent": "",
    "protect": False,
    "dependencies": [],
    "provider": "",
    "propertyDependencies": {},
    "deleteBeforeReplace": None,
    "ignoreChanges": [],
    "additionalSecretOutputs": [],
    "structuredAliases": [],
    "id": "",
    "customTimeouts": {},
}


def _as_it_is(old: Resource) -> dict[str, Any]:
    """The goal of what is not planned: that nothing changes."""
    return {
        **_EMPTY,
        "type": old.type,
        "name": name_of(old.urn),
        "custom": old.custom,
        "inputDiff": PlanDiff(),
        "parent": old.parent,
        "protect": old.protect,
        "dependencies": old.dependencies,
        "provider": old.provider,
        "propertyDependencies": old.property_dependencies,
        "additionalSecretOutputs": old.additional_secret_outputs,
        "customTimeouts": old.custom_timeouts,
    }
