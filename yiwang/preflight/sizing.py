"""Whether a host has the disk and the memory that storage will need there, and how that number comes about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Literal

from yiwang.messages import t
from yiwang.preflight import expected, formula
from yiwang.preflight.formula import Term
from yiwang.preflight.model import Finding, Seen, Sizing, Storage

CHECK = "sizing"


def sizing(seen: Seen) -> Iterator[Finding]:
    """For what the province expects; where it has not said what, that is said."""
    storage = seen.needs.storage
    if storage is None:
        return
    if not any(site.given for site in storage.sites):
        yield seen.finding(CHECK, "skip", t("preflight.sizing_not_given"))
        return
    yield _disk(seen, storage)
    yield _memory(seen, storage)


def _disk(seen: Seen, storage: Storage) -> Finding:
    """The file system of the data: what it has to hold, what else lies there already, and how large it is."""
    size, free, place = _file_system(seen, storage.directory)
    stored = seen.facts.get(f"stored {storage.directory}") or None
    others = max(size - free - int(stored or 0), 0)
    own = (*_base(seen, storage, place), *_data(seen, storage))
    terms = (*own, *formula.present((formula.plain("other_files", others),)))
    found = _sized(storage, "disk", place, size, terms, storage.free_percent)
    missing = found.needed - size
    if missing <= 0:
        return seen.finding(CHECK, "ok", _text(found, place), sizing=found)
    if stored is None and formula.needed(own, storage.free_percent) <= size:
        fix = t("preflight.sizing_not_measured_fix", directory=storage.directory)
        return seen.finding(CHECK, "warn", _text(found, place), fix, found)
    fix = t("preflight.sizing_disk_fix", place=place, missing=formula.at_least(missing))
    return seen.finding(CHECK, "fail", _text(found, place), fix, found)


def _file_system(seen: Seen, directory: str) -> tuple[int, int, str]:
    """Its size, what is free of it, and where it is mounted."""
    size, free, *mounted = seen.facts.get(f"file_system {directory}", "").split(" ", 2) + [""] * 2
    return int(size or 0), int(free or 0), mounted[0] or directory


def _base(seen: Seen, storage: Storage, mounted: str) -> tuple[Term, ...]:
    """What the component needs without any data; its programs too where they will lie there and do not yet."""
    there = "environment storage" in seen.facts
    beside = [amount for place, amount in storage.programs.items() if seen.facts.get(f"room {place}", "").partition(" ")[2] == mounted]
    return formula.present((formula.plain("base", storage.base), formula.plain("programs", 0 if there else sum(beside))))


def _data(seen: Seen, storage: Storage) -> tuple[Term, ...]:
    if not storage.data:
        return formula.backup_disk(storage.sites)
    log = expected.settings(_counted(seen, storage), storage.connections)["max_wal_size"]
    return formula.data_disk(storage.sites[0], storage.hosts, log, storage.wal_times)


def _total(seen: Seen) -> int:
    return int(float(seen.facts.get("memory_total") or 0))


def _counted(seen: Seen, storage: Storage) -> int:
    """The memory that the databases may count on, as the role has it."""
    return storage.memory or _total(seen)


def _memory(seen: Seen, storage: Storage) -> Finding:
    """A busy hour of the databases, beside what else the host carries."""
    others = (
        formula.plain("other_components", seen.needs.memory - storage.own_memory),
        formula.plain("object_store", storage.store_memory),
    )
    databases = expected.settings(_counted(seen, storage), storage.connections) if storage.data else None
    terms = formula.present((*others, *(formula.data_memory(databases, storage.connections) if databases is not None else ())))
    place = t("preflight.sizing_memory")
    found = _sized(storage, "memory", "", _total(seen), terms)
    if found.needed <= found.has:
        return seen.finding(CHECK, "ok", _text(found, place), sizing=found)
    missing = formula.at_least(found.needed - found.has)
    fix = t("preflight.sizing_memory_fix", missing=missing) if storage.data else t("preflight.memory_fix", missing=missing)
    return seen.finding(CHECK, "fail", _text(found, place), fix, found)


def _sized(storage: Storage, resource: Literal["disk", "memory"], place: str, has: int, terms: tuple[Term, ...], free: int = 0) -> Sizing:
    """In words: one sum, or, where backups of several sites lie there, a sum of theirs with a line for each."""
    several = len({term.site for term in terms if term.site}) > 1
    parts: list[str] = []
    details: list[str] = []
    for site, own in groupby(terms, lambda term: term.site):
        group = tuple(own)
        words = " + ".join(map(_words, group))
        if site and several:
            amount = f"{site} {formula.text(formula.total(group))}"
            details.append(f"{amount} = {words}")
            words = amount
        parts.append(words)
    silent = [site.site for site in storage.sites if not site.given]
    if silent and resource == "disk":
        details.append(t("preflight.sizing_silent", sites=", ".join(silent)))
    shown = " + ".join(parts)
    shown = f"({shown}) / {(100 - free) / 100:g}" if free else shown
    return Sizing(resource, place, formula.needed(terms, free), has, shown, terms, free, tuple(details))


def _words(term: Term) -> str:
    return f"{t(f'preflight.size_{term.name}')} {term.formula}"


def _text(found: Sizing, place: str) -> str:
    values: dict[str, str] = {"needed": formula.text(found.needed), "formula": found.formula, "has": formula.text(found.has)}
    return t("preflight.sizing", place=place, **values)
