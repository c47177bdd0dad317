"""Random programs: sequences of versions of one graph of resources, as plain data, and the smaller ones of a failing one.

A case is ``{"seed": n, "versions": [version, ...]}``; a version has its ``resources`` in the order in which a program would make them
(each refers only to earlier ones), ``exports``, whether it runs with ``refresh``, which objects ``vanish`` before it, and its
``disturb``: the runs that are to go wrong before the one that is left alone. See ``Draft`` for a resource.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Case = dict[str, Any]
Version = dict[str, Any]
Spec = dict[str, Any]

KINDS = {"box": 12, "dyn": 4, "component": 3, "provider": 1, "read": 1}
OWN_TYPE = {
    "box": "box:index:Box",
    "dyn": "pulumi-python:dynamic/box:Thing",
    "component": "box:index:Shelf",
    "provider": "pulumi:providers:box",
    "read": "box:index:Box",
}
MANAGED = ("box", "dyn")


def urn(spec: Spec, by_label: dict[str, Spec]) -> str:
    """The URN a resource has in its version."""
    chain = [OWN_TYPE[spec["kind"]]]
    parent = spec["parent"]
    while parent:
        chain.insert(0, OWN_TYPE[by_label[parent]["kind"]])
        parent = by_label[parent]["parent"]
    return f"urn:pulumi:dev::box::{'$'.join(chain)}::{spec['name']}"


def labels(version: Version) -> dict[str, Spec]:
    return {spec["label"]: spec for spec in version["resources"]}


def references(spec: Spec) -> set[str]:
    """The labels a resource refers to, but for its parent."""
    found = {*spec["depends_on"], spec["deleted_with"], spec["provider"]}
    found |= {value["from"] for value in spec["props"].values() if isinstance(value, dict)}
    return found - {""}


class Draft:
    """Makes the versions of one case. A resource keeps its ``label`` for life; ``name`` is what a rename changes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.count = 0
        self.resources: list[Spec] = []
        # Objects that are found again only by what was recorded are not to be in doubt: half the cases have none.
        self.with_dyn = self.chance.random() < 0.5

    def case(self) -> Case:
        versions = []
        for number in range(self.chance.randint(2, 3)):
            if number == 0:
                for _ in range(self.chance.randint(2, 9)):
                    self.add()
            else:
                self.change()
            versions.append(self.version(first=number == 0))
        # What is left in the world on purpose is there only if it was made.
        leaves = any(spec["retain"] or spec["deleted_with"] for version in versions for spec in version["resources"])
        for version in versions:
            # The version after may know no more what a resource was called before this one.
            renamed = any(spec["aliases"] for spec in version["resources"])
            version["abandon"] = version["abandon"] and not leaves and not renamed and version is not versions[-1]
        for spec in versions[-1]["resources"]:
            # All of it is destroyed in the end.
            spec["protect"] = False
        return {"seed": self.seed, "versions": versions}

    def version(self, *, first: bool) -> Version:
        chance = self.chance
        refresh = not first and chance.random() < 0.15
        managed = [spec["label"] for spec in self.resources if spec["kind"] == "box" and not spec["retain"]]
        return {
            "resources": copy.deepcopy(self.resources),
            "exports": sorted(spec["label"] for spec in self.resources if spec["kind"] in MANAGED and chance.random() < 0.4),
            "refresh": refresh,
            "vanish": [chance.choice(managed)] if refresh and managed and chance.random() < 0.6 else [],
            "preview": chance.random() < 0.1,
            # The program changes again before a disturbed run is made good.
            "abandon": not first and chance.random() < 0.15,
            "disturb": [self.disturbance() for _ in range(chance.choice((1, 1, 2, 3)))],
        }

    def disturbance(self) -> dict[str, Any]:
        """One run that goes wrong. ``at`` is how far the undisturbed run would be then (0 to 1)."""
        chance = self.chance
        kind = chance.choices(("kill", "fail", "cancel", "terminate"), (12, 5, 1, 1))[0]
        if kind == "fail":
            how = chance.choice(("error", "error", "partial", "crash"))
            return {"kind": kind, "how": how, "at": round(chance.random(), 3), "continue": chance.random() < 0.25}
        where = "change" if kind == "terminate" or chance.random() < 0.6 else "point"
        return {"kind": kind, "where": where, "at": round(chance.random(), 3), "torn": round(chance.random(), 3)}

    def some(self, kinds: tuple[str, ...], *, before: int | None = None) -> list[Spec]:
        return [spec for spec in self.resources[:before] if spec["kind"] in kinds]

    def pick(self, found: list[Spec], share: float) -> str:
        return str(self.chance.choice(found)["label"]) if found and self.chance.random() < share else ""

    def add(self) -> None:
        chance = self.chance
        kinds = {kind: weight for kind, weight in KINDS.items() if kind != "dyn" or self.with_dyn}
        kind = chance.choices(list(kinds), list(kinds.values()))[0]
        label = f"r{self.count}"
        self.count += 1
        managed = kind in MANAGED
        dbr = chance.random() < 0.3
        spec: Spec = {
            "label": label,
            "kind": kind,
            "name": label,
            "parent": self.pick(self.some(("component", "box")), 0.4) if kind != "provider" else "",
            "depends_on": [self.pick(self.some(("component", *MANAGED)), 1.0)] if managed and chance.random() < 0.3 else [],
            "deleted_with": self.pick(self.some(("box",)), 0.12) if managed else "",
            "provider": self.pick(self.some(("provider",)), 0.5) if kind == "box" else "",
            "props": {},
            "protect": False,
            "retain": managed and chance.random() < 0.1,
            "dbr": dbr or None,
            "ignore": ["text"] if managed and chance.random() < 0.08 else [],
            "secret_outputs": ["label"] if kind == "box" and chance.random() < 0.1 else [],
            # Without delete before replace the replacement would be found as the same object.
            "replace_on": ["text"] if kind == "box" and dbr and chance.random() < 0.3 else [],
            "aliases": [],
        }
        if kind == "provider":
            spec["props"] = {"region": "here", **({"zone": "z0"} if chance.random() < 0.4 else {})}
        if managed:
            spec["props"] = {"text": "t0", "key": "k0"}
            spec["props"]["text"] = self.value("t0", 0.5)
            spec["props"]["key"] = self.value("k0", 0.2)
            spec["protect"] = chance.random() < 0.1 and self._may_protect(spec)
            if chance.random() < 0.2:
                spec["props"]["secret"] = {"secret": "hidden"}
        spec["depends_on"] = [entry for entry in spec["depends_on"] if entry]
        self.resources.append(spec)

    def value(self, plain: str, share: float) -> Any:
        """A value of its own, or what another resource gives."""
        source = self.pick(self.some(MANAGED), share)
        return {"from": source, "out": self.chance.choice(("label", "label", "text"))} if source else plain

    def change(self) -> None:
        """The next version: a few changes. Protection that is in the way is taken off in one version and used in the next."""
        before = copy.deepcopy({"resources": self.resources})
        for spec in self.resources:
            spec.pop("unprotected", None)
            spec["aliases"] = [] if self.chance.random() < 0.5 else spec["aliases"]
        moves = (self._text, self._key, self._remove, self.add, self._rename, self._reparent, self._flag, self._secret, self._provider)
        weights = (6, 5, 5, 4, 2, 2, 3, 1, 2)
        for _ in range(self.chance.randint(2, 8)):
            self.chance.choices(moves, weights)[0]()
        self._alias(before)

    def _one(self, kinds: tuple[str, ...] = MANAGED) -> Spec | None:
        found = self.some(kinds)
        return self.chance.choice(found) if found else None

    def _text(self) -> None:
        spec = self._one()
        if spec is not None:
            spec["props"]["text"] = f"t{self.chance.randint(1, 9)}"

    def _key(self) -> None:
        spec = self._one()
        if spec is not None and not spec["protect"] and "unprotected" not in spec:
            spec["props"]["key"] = f"k{self.chance.randint(1, 9)}"

    @staticmethod
    def _may_protect(spec: Spec) -> bool:
        """Whether nothing else can force a replacement on it. A parent may hand down what it is deleted with."""
        return isinstance(spec["props"]["key"], str) and not spec["deleted_with"] and not spec["replace_on"] and not spec["parent"]

    def _remove(self) -> None:
        spec = self._one(tuple(KINDS))
        if spec is None:
            return
        gone = {spec["label"]}
        for other in self.resources:
            if other["parent"] in gone:
                gone.add(other["label"])
        leaving = [entry for entry in self.resources if entry["label"] in gone]
        if any(entry["protect"] or "unprotected" in entry for entry in leaving):
            return
        if any(entry["kind"] == "provider" and "zone" in entry["props"] for entry in leaving):
            return
        self.resources = [entry for entry in self.resources if entry["label"] not in gone]
        for entry in self.resources:
            entry["depends_on"] = [label for label in entry["depends_on"] if label not in gone]
            for option in ("deleted_with", "provider"):
                entry[option] = "" if entry[option] in gone else entry[option]
            for key, value in entry["props"].items():
                if isinstance(value, dict) and value.get("from") in gone:
                    entry["props"][key] = f"{key[0]}0"

    def _rename(self) -> None:
        spec = self._one(("box", "dyn", "component", "provider"))
        if spec is not None:
            spec["name"] = f"{spec['label']}-{self.chance.randint(1, 99)}"

    def _reparent(self) -> None:
        spec = self._one(("box", "dyn", "component"))
        if spec is not None:
            position = self.resources.index(spec)
            parent = self.pick(self.some(("component", "box"), before=position), 0.7)
            spec["parent"] = "" if spec["protect"] or "unprotected" in spec else parent

    def _flag(self) -> None:
        spec = self._one()
        if spec is not None:
            flag = self.chance.choice(("protect", "retain", "dbr"))
            if flag == "dbr":
                spec["dbr"] = True if spec["replace_on"] else self.chance.choice((None, True, False))
            elif flag == "retain":
                spec["retain"] = not spec["retain"]
            elif spec["protect"]:
                spec["protect"] = False
                spec["unprotected"] = True
            elif self._may_protect(spec):
                spec["protect"] = True

    def _secret(self) -> None:
        spec = self._one()
        if spec is not None:
            spec["props"]["secret"] = self.chance.choice(({"secret": "hidden"}, {"secret": "other"}, "open"))

    def _provider(self) -> None:
        """Move to another provider of the same place, or change one."""
        spec = self._one(("box", "provider"))
        if spec is not None and spec["kind"] == "provider":
            spec["props"]["region"] = self.chance.choice(("here", "there"))
        elif spec is not None:
            position = self.resources.index(spec)
            places = {entry["label"]: entry["props"].get("zone") for entry in self.some(("provider",))}
            plain = [entry for entry in self.some(("provider",), before=position) if "zone" not in entry["props"]]
            if places.get(spec["provider"]) is None:
                spec["provider"] = self.pick(plain, 0.6)

    def _alias(self, before: Version) -> None:
        """Say what each resource was called in the version before, where that changed."""
        now, then = {spec["label"]: spec for spec in self.resources}, labels(before)
        for label, spec in now.items():
            if label in then and urn(spec, now) != urn(then[label], then):
                only_name = spec["parent"] == then[label]["parent"] and urn(spec, now) == urn({**then[label], "name": spec["name"]}, now)
                inherits = spec["name"] == then[label]["name"] and spec["parent"] == then[label]["parent"]
                if inherits and self.chance.random() < 0.7:
                    continue
                former = {"name": then[label]["name"]} if only_name and self.chance.random() < 0.7 else {"urn": urn(then[label], then)}
                spec["aliases"] = [former]


def make(seed: int) -> Case:
    """The case of a seed."""
    return Draft(seed).case()


def smaller(case: Case) -> Iterator[Case]:
    """Cases with one thing less."""
    for number in range(len(case["versions"])):
        if len(case["versions"]) > 1:
            yield _without(case, number)
    for number, version in enumerate(case["versions"]):
        for position in range(len(version["disturb"])):
            changed = copy.deepcopy(case)
            del changed["versions"][number]["disturb"][position]
            yield changed
    for label in dict.fromkeys(spec["label"] for version in case["versions"] for spec in version["resources"]):
        yield _without_label(case, label)
    yield from _simpler(case)


def _without(case: Case, number: int) -> Case:
    changed = copy.deepcopy(case)
    del changed["versions"][number]
    return changed


def _without_label(case: Case, label: str) -> Case:
    changed = copy.deepcopy(case)
    for version in changed["versions"]:
        version["resources"] = [spec for spec in version["resources"] if spec["label"] != label]
        version["exports"] = [entry for entry in version["exports"] if entry != label]
        version["vanish"] = [entry for entry in version["vanish"] if entry != label]
        for spec in version["resources"]:
            spec["depends_on"] = [entry for entry in spec["depends_on"] if entry != label]
            for option in ("deleted_with", "provider", "parent"):
                spec[option] = "" if spec[option] == label else spec[option]
            spec["props"] = {
                key: f"{key[0]}0" if isinstance(value, dict) and value.get("from") == label else value
                for key, value in spec["props"].items()
            }
    return changed


_PLAIN: dict[str, Any] = {
    "depends_on": [],
    "deleted_with": "",
    "provider": "",
    "parent": "",
    "protect": False,
    "retain": False,
    "dbr": None,
    "ignore": [],
}
_PLAIN |= {"secret_outputs": [], "replace_on": []}
_UNDISTURBED: dict[str, Any] = {"refresh": False, "vanish": [], "preview": False, "exports": [], "abandon": False}


def _simpler(case: Case) -> Iterator[Case]:
    for number, version in enumerate(case["versions"]):
        for option, value in _UNDISTURBED.items():
            if version[option] != value:
                changed = copy.deepcopy(case)
                changed["versions"][number][option] = value
                yield changed
    for label in dict.fromkeys(spec["label"] for version in case["versions"] for spec in version["resources"]):
        for option, value in _PLAIN.items():
            changed = copy.deepcopy(case)
            for version in changed["versions"]:
                for spec in version["resources"]:
                    if spec["label"] == label:
                        spec[option] = copy.copy(value)
            if changed != case:
                yield changed
