"""What the programs of objects and backups decide, without servers."""

from __future__ import annotations

import asyncio
import json
import os
import runpy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from yiwang.deployment import recovery
from yiwang.errors import ExitCode, UserError

FILES = Path(__file__).parent.parent.parent / "roles" / "storage" / "files"
FULL, INCREMENTAL = "20260101-020000F", "20260101-020000F_20260102-020000I"


def taken(label: str, time: str, lsn: str, timeline: int = 1, cluster: int = 1) -> dict[str, Any]:
    """A backup, as pgBackRest tells of it."""
    stop = int(datetime.fromisoformat(time).timestamp())
    return {
        "label": label,
        "timestamp": {"start": stop - 60, "stop": stop},
        "lsn": {"start": "0/1000000", "stop": lsn},
        "archive": {"start": f"{timeline:08X}0000000000000001", "stop": f"{timeline:08X}0000000000000001"},
        "database": {"id": cluster, "repo-key": 1},
    }


BACKUPS = [taken(FULL, "2026-01-01T02:00:00+08:00", "0/2000000"), taken(INCREMENTAL, "2026-01-02T02:00:00+08:00", "0/3000000")]


def record(*backups: dict[str, Any]) -> dict[str, Any]:
    """The record of the site's backups."""
    archive = [{"id": "15-1", "database": {"id": 1}}, {"id": "15-2", "database": {"id": 2}}]
    return {"name": "province", "archive": archive, "backup": list(backups)}


def at(time: str) -> list[str]:
    """The options of a moment."""
    return ["--type=time", f"--target={time}", "--target-action=promote"]


@pytest.mark.parametrize(
    ("to", "options"),
    [
        ("latest", [f"--set={INCREMENTAL}", "--target-timeline=1", "--type=default"]),
        (FULL, [f"--set={FULL}", "--type=immediate", "--target-timeline=current", "--target-action=promote"]),
        ("2026-01-01T12:00:00+08:00", [f"--set={FULL}", "--target-timeline=1", *at("2026-01-01 04:00:00.000000+00")]),
        ("2026-01-03T12:00:00.5+08:00", [f"--set={INCREMENTAL}", "--target-timeline=1", *at("2026-01-03 04:00:00.500000+00")]),
    ],
)
def test_where_a_restore_ends(program: Any, monkeypatch: pytest.MonkeyPatch, to: str, options: list[str]) -> None:
    targets, timelines = program("targets"), program("timelines")
    monkeypatch.setattr(targets, "info", lambda: record(*BACKUPS))
    monkeypatch.setattr(timelines, "known", {"archive/province/15-1": []}.__getitem__)
    assert targets.target(to) == options


# A member took over (2), somebody went back to where 2 had been at 0/5000000 (3), and from there another member took over (4).
CONTINUED, BACK = "no recovery target specified", "before 2026-01-05 03:00"
HISTORIES = [
    (2, "2026-01-04T00:00:00+08:00", f"1\t0/4000000\t{CONTINUED}\n"),
    (3, "2026-01-05T12:00:00+08:00", f"1\t0/4000000\t{CONTINUED}\n\n2\t0/5000000\t{BACK}\n"),
    (4, "2026-01-06T00:00:00+08:00", f"1\t0/4000000\t{CONTINUED}\n\n2\t0/5000000\t{BACK}\n\n3\t0/6000000\t{CONTINUED}\n"),
]
LEFT = taken("20260105-100000F", "2026-01-05T10:00:00+08:00", "0/5800000", 2)
ANEW = taken("20260107-100000F", "2026-01-07T10:00:00+08:00", "0/7000000", 4)
REBUILT = taken("20260108-100000F", "2026-01-08T10:00:00+08:00", "0/2000000", 1, 2)


@pytest.mark.parametrize(
    ("to", "backup", "timeline"),
    [
        # Of before a member took over: that one has it too.
        ("2026-01-03T12:00:00+08:00", INCREMENTAL, 2),
        # Just before it was known that it had taken over.
        ("2026-01-03T23:59:59+08:00", INCREMENTAL, 2),
        # What the restore has left is still there.
        ("2026-01-05T09:00:00+08:00", INCREMENTAL, 2),
        ("2026-01-05T11:00:00+08:00", "20260105-100000F", 2),
        # After it, the backup that was taken on what was left leads nowhere.
        ("2026-01-05T13:00:00+08:00", INCREMENTAL, 4),
        ("2026-01-06T12:00:00+08:00", INCREMENTAL, 4),
        ("2026-01-07T12:00:00+08:00", "20260107-100000F", 4),
        # A cluster that was made anew since.
        ("2026-01-08T12:00:00+08:00", "20260108-100000F", 1),
        ("latest", "20260108-100000F", 1),
    ],
)
def test_which_way_leads_to_a_moment(program: Any, monkeypatch: pytest.MonkeyPatch, to: str, backup: str, timeline: int) -> None:
    targets, timelines = program("targets"), program("timelines")
    lines = [timelines.parse(number, datetime.fromisoformat(began), text) for number, began, text in HISTORIES]
    monkeypatch.setattr(targets, "info", lambda: record(*BACKUPS, LEFT, ANEW, REBUILT))
    monkeypatch.setattr(timelines, "known", {"archive/province/15-1": lines, "archive/province/15-2": []}.__getitem__)
    assert targets.target(to)[:2] == [f"--set={backup}", f"--target-timeline={timeline}"]


AGAIN = taken("20260109-100000F", "2026-01-09T10:00:00+08:00", "0/8000000", 5, 3)


@pytest.mark.parametrize(
    ("to", "there", "refused"),
    [
        ("latest", (*BACKUPS, REBUILT), True),
        # Somebody who names a time or a backup knows what he wants.
        ("2026-01-08T12:00:00+08:00", (*BACKUPS, REBUILT), False),
        (FULL, (*BACKUPS, REBUILT), False),
        ("latest", (*BACKUPS, LEFT, ANEW), False),
        ("latest", (REBUILT,), False),
        # Gone back to the former cluster since: it goes on, under another number.
        ("latest", (*BACKUPS, REBUILT, AGAIN), False),
    ],
)
def test_the_newest_state_is_not_that_of_a_cluster_that_began_anew(
    program: Any, monkeypatch: pytest.MonkeyPatch, to: str, there: tuple[dict[str, Any], ...], refused: bool
) -> None:
    targets = program("targets")
    systems = [{"id": 1, "system-id": 71}, {"id": 2, "system-id": 72}, {"id": 3, "system-id": 71}]
    monkeypatch.setattr(targets, "info", lambda: record(*there) | {"db": systems})
    if not refused:
        targets.plain(to)
        return
    with pytest.raises(program("common").TargetError, match=f"the last one of the former cluster is {INCREMENTAL}"):
        targets.plain(to)


def test_a_restore_that_was_cut_short_leads_nobody_astray(program: Any) -> None:
    timelines = program("timelines")
    moment = datetime.fromisoformat("2026-01-05T03:00:00+08:00")
    cut = timelines.parse(2, datetime.fromisoformat("2026-01-05T03:05:00+08:00"), "1\t0/4000000\tbefore 2026-01-05 03:00:00.1+08\n")
    assert timelines.of(moment, [cut]) is None
    assert timelines.of(datetime.fromisoformat("2026-01-05T03:06:00+08:00"), [cut]) is cut


@pytest.mark.parametrize(
    ("to", "there", "said"),
    [
        ("latest", [], "there is no backup of the databases yet"),
        ("20250101-020000F", BACKUPS, "there is no backup 20250101-020000F"),
        ("2025-12-31T00:00:00+08:00", BACKUPS, "the oldest backup ended later"),
        ("2999-01-01T00:00:00+08:00", BACKUPS, "this time is yet to come"),
        ("yesterday", BACKUPS, "expected a time"),
        ("2026-01-01T12:00:00", BACKUPS, "expected a time with its zone"),
        ("2026-01-05T13:00:00+08:00", [LEFT], "no backup leads to what was written then"),
        ("20260101-020000F; rm", BACKUPS, "expected a time"),
    ],
)
def test_a_target_that_is_none(program: Any, monkeypatch: pytest.MonkeyPatch, to: str, there: list[Any], said: str) -> None:
    targets, timelines = program("targets"), program("timelines")
    lines = [timelines.parse(number, datetime.fromisoformat(began), text) for number, began, text in HISTORIES]
    monkeypatch.setattr(targets, "info", lambda: record(*there))
    monkeypatch.setattr(timelines, "known", lambda _place: lines)
    with pytest.raises(program("common").TargetError, match=said):
        targets.target(to)


@pytest.mark.parametrize(
    ("restored", "said"),
    [
        ({"a": {"t": 8, "same": 5, "empty": 0}}, ""),
        ({"a": {"t": 9, "same": 5, "empty": 0}}, ""),
        ({"a": {"t": 8, "same": 4, "empty": 0}}, "the table same of a came back with 4 rows, it had 5 and has 5"),
        ({"a": {"t": 2, "same": 5, "empty": 0}}, "the table t of a came back with 2 rows"),
        ({}, "the database a did not come back"),
        ({"a": {"empty": 0}}, "the table t of a did not come back"),
        ({"a": {"t": 0, "same": 5, "empty": 0}}, "the table t of a came back with 0 rows"),
    ],
)
def test_what_a_drill_misses(program: Any, restored: dict[str, dict[str, int]], said: str) -> None:
    drill = program("drill")
    before = {"a": {"t": 9, "same": 5, "empty": 0, "dropped": 3}}
    after = {"a": {"t": 8, "same": 5, "empty": 0}}
    if not said:
        drill.compare(before, after, restored)
        return
    with pytest.raises(program("common").RecoveryError, match=said):
        drill.compare(before, after, restored)


@pytest.mark.parametrize(
    ("segment", "end"),
    [
        ("000000010000000000000001", 0x2000000),
        ("0000000300000000000000FF", 0x100000000),
        ("000000010000000A00000002", 0xA03000000),
        ("00000002.history", 0),
        ("000000010000000000000001.00000028.backup", 0),
        ("000000010000000000000001.partial", 0),
        (None, 0),
    ],
)
def test_where_a_segment_of_the_log_ends(program: Any, segment: str | None, end: int) -> None:
    assert program("drill")._end(segment, 16 << 20) == end


def test_files_of_before_are_moved_beside_and_half_restored_ones_go(program: Any, tmp_path: Path) -> None:
    inplace = program("inplace")
    data = tmp_path / "postgresql-15"
    assert inplace.aside(data, tmp_path / "note") == ""
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    moved = Path(inplace.aside(data, tmp_path / "note"))
    assert (moved / "PG_VERSION").exists()
    assert moved.name.startswith("before-")
    assert not data.exists()
    data.mkdir()
    (data / "half").write_text("")
    mark = tmp_path / "postgresql-15.restoring"
    mark.write_text(str(data.stat().st_ino))
    assert inplace.aside(data, tmp_path / "note") == ""
    assert not data.exists()
    # Put back by hand: these are no half-restored files, whatever the mark beside them says.
    mark.write_text(str(moved.stat().st_ino + 1))
    moved.rename(data)
    assert Path(inplace.aside(data, tmp_path / "note")).joinpath("PG_VERSION").exists()
    assert not mark.exists()


def test_a_restore_is_under_way_with_the_files_it_was_begun_with(program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inplace = program("inplace")
    given = {"directory": str(tmp_path), "data": str(tmp_path / "postgresql-15")}
    assert not inplace.under_way(given)
    (tmp_path / "restore" / "catalogue").mkdir(parents=True)
    replaced, dump = tmp_path / "restore" / "replaced", tmp_path / "restore" / "catalogue" / "objects.dump"
    dump.touch()
    monkeypatch.setattr(inplace, "leads", lambda: False)
    assert inplace.under_way(given)
    monkeypatch.setattr(inplace, "leads", lambda: True)
    assert not inplace.under_way(given)
    (tmp_path / "postgresql-15").mkdir()
    replaced.write_text(str((tmp_path / "postgresql-15").stat().st_ino))
    assert inplace.under_way(given)
    replaced.write_text("1")
    assert not inplace.under_way(given)


@pytest.mark.parametrize(
    ("live", "saved", "lost"), [(0, 0, False), (0, 1, True), (5, 20, False), (10, 21, True), (11, 21, False), (30, 1, False)]
)
def test_a_bucket_that_was_emptied_empties_no_backup(program: Any, live: int, saved: int, lost: bool) -> None:
    assert program("objects").emptied(live, saved) is lost


def identities(**changes: Any) -> dict[str, Any]:
    """A wish with one identity."""
    one = {"name": "drafts", "access_key": "drafts-1", "secret_key": "s1", "buckets": ["drafts"], "kept": [], **changes}
    return {"administrator": {"access_key": "administrator", "secret_key": "s0"}, "identities": [one], "former_seconds": 30}


def test_a_former_key_stays_for_a_while_and_no_administrators() -> None:
    wished, pruned, credentials = (runpy.run_path(str(FILES / "identities.py"))[name] for name in ("wished", "pruned", "credentials"))
    first, ends = wished(identities(), {}, {}, 1000.0)
    assert (set(credentials(first)), ends) == ({"administrator", "drafts-1"}, {})
    assert wished(identities(), first, ends, 1001.0) == (first, ends)
    second, ends = wished(identities(access_key="drafts-2", secret_key="s2"), first, ends, 1010.0)
    assert set(credentials(second)) == {"administrator", "drafts-1", "drafts-2"}
    assert ends == {"drafts-1": 1040.0}
    assert pruned(second, ends, 1039.0) == (second, ends)
    third, ends = pruned(second, ends, 1041.0)
    assert (set(credentials(third)), ends) == ({"administrator", "drafts-2"}, {})
    gone, ends = wished({**identities(), "identities": []}, second, {"drafts-1": 1040.0}, 1011.0)
    assert (set(credentials(gone)), ends) == ({"administrator"}, {})
    other = {**identities(), "administrator": {"access_key": "another", "secret_key": "s9"}}
    assert set(credentials(wished(other, first, {}, 1000.0)[0])) == {"another", "drafts-1"}


@pytest.mark.parametrize(("kept", "deletes"), [([], True), (["drafts"], False)])
def test_an_identity_uses_its_buckets_and_changes_nothing_that_holds_there(kept: list[str], deletes: bool) -> None:
    wished = runpy.run_path(str(FILES / "identities.py"))["wished"]
    (policy,) = wished(identities(kept=kept), {}, {}, 0.0)[0]["policies"]
    statements = json.loads(policy["content"])["Statement"]
    actions = {action for each in statements for action in each["Action"]}
    assert {"s3:GetObject", "s3:PutObject", "s3:ListBucket"} <= actions
    assert ("s3:DeleteObjectVersion" in actions) == deletes
    assert not any(
        word in action for action in actions for word in ("*", "PutBucket", "DeleteBucket", "CreateBucket", "Bypass", "Policy", "Acl")
    )
    assert {place for each in statements for place in each["Resource"]} == {"arn:aws:s3:::drafts", "arn:aws:s3:::drafts/*"}


STEPS = ["state", "check", "quiet", "keep", "halt", "restore", "begin", "follow", "resume", "objects-restore", "finish"]


def steps(states: dict[str, dict[str, bool]] | None = None, **answers: dict[str, Any] | UserError) -> tuple[recovery.Done, list[str]]:
    """A restore of three members, ``b`` leading; what the steps named answer. What came of it, and the steps that were taken."""
    done, asked = asking(states, **answers)
    return done, [words[0] for number, (_, words) in enumerate(asked) if number == 0 or asked[number - 1][1][0] != words[0]]


def asking(
    states: dict[str, dict[str, bool]] | None = None, **answers: dict[str, Any] | UserError
) -> tuple[recovery.Done, list[tuple[str, tuple[str, ...]]]]:
    """The same, with each host that was asked, and what."""
    part = recovery.Part("province", "storage", ("a", "b", "c"), "/program")
    asked = recovery.Recovery.__new__(recovery.Recovery)
    taken: list[tuple[str, tuple[str, ...]]] = []

    async def ask(_part: recovery.Part, host: str, verb: str, *words: str) -> dict[str, Any]:
        taken.append((host, (verb, *words)))
        answer = answers.get(verb.replace("-", "_"), {})
        if isinstance(answer, UserError) and host in {"b", "c"}:
            raise answer
        if verb == "state":
            return {"restoring": False, "leads": host == "b", "quiet": False} | (states or {}).get(host, {})
        return dict(answer) if isinstance(answer, dict) else {}

    asked.ask = ask  # type: ignore[method-assign, assignment]
    return asyncio.run(asked.restore(part, "2026-11-01T00:00:00+08:00")), taken


def test_the_object_store_is_quiet_before_its_catalogue_is_kept() -> None:
    done, taken = steps()
    assert (done.error, done.host) == (None, "b")
    assert taken == STEPS


@pytest.mark.parametrize(
    ("verb", "further"),
    [
        # Nothing was stopped.
        ("state", []),
        ("check", []),
        # Nothing was replaced: the services go on.
        ("quiet", ["resume"]),
        ("keep", ["resume"]),
        ("halt", ["resume"]),
        # They stay ended until it is done again, and that is said.
        ("restore", None),
        ("begin", None),
        ("follow", None),
    ],
)
def test_a_restore_that_fails_leaves_the_services_as_they_were_or_says_so(verb: str, further: list[str] | None) -> None:
    done, taken = steps(None, **{verb: UserError("no", code=ExitCode.FAILED)})
    assert done.error is not None
    assert taken == [*STEPS[: STEPS.index(verb) + 1], *(further or [])]
    assert ("yiwang restore" in done.error.fix) == (further is None)


QUIET = {"quiet": True}


@pytest.mark.parametrize(
    ("states", "first", "words"),
    [
        # None was begun.
        ({}, "b", ("keep", "--anew")),
        # One was, and nothing has gone on since.
        ({"a": {"restoring": True, **QUIET}, "b": QUIET, "c": QUIET}, "a", ("keep",)),
        # The others went on without the one that has kept a catalogue, or has the restored files: theirs is the newer one.
        ({"a": {"restoring": True, **QUIET}}, "b", ("keep", "--anew")),
        ({"a": {"restoring": True, "leads": True, **QUIET}, "b": {"leads": False}}, "a", ("keep", "--anew")),
    ],
)
def test_a_catalogue_that_others_have_gone_on_from_is_not_put_back(
    states: dict[str, dict[str, bool]], first: str, words: tuple[str, ...]
) -> None:
    done, asked = asking(states)
    assert (done.error, done.host) == (None, first)
    assert [each for each in asked if each[1][0] == "keep"] == [(first, words)]
    checked = {host for host, (verb, *_) in asked if verb == "check"}
    assert checked == ({first} if words == ("keep",) else {"a", "b", "c"})


@pytest.mark.parametrize(("kept", "to", "lost"), [("now", "2026-11-01T00:00:00+08:00", False), ("nothing", "latest", True)])
def test_where_the_catalogue_went_back_too_all_objects_come_back(kept: str, to: str, lost: bool) -> None:
    done, asked = asking(keep={"kept": kept}, restore={"before": ""})
    assert ("b", ("objects-restore", to)) in asked
    assert done.answer is not None
    assert done.answer["catalogue_lost"] is lost


def test_where_nothing_could_be_restored_the_services_go_on() -> None:
    done, taken = steps(restore={"failed": "the disk is full"})
    assert done.error is not None
    assert "the disk is full" in done.error.text
    assert taken == [*STEPS[: STEPS.index("restore") + 1], "resume"]


def test_of_several_members_the_one_that_leads_has_the_answer() -> None:
    part = recovery.Part("province", "storage", ("a", "b", "c"), "/program")
    asked = recovery.Recovery.__new__(recovery.Recovery)

    def answers(**said: Any) -> recovery.Done:
        async def ask(_part: recovery.Part, host: str, *_words: str) -> dict[str, Any]:
            if isinstance(said[host], Exception):
                raise said[host]
            return dict(said[host])

        asked.ask = ask  # type: ignore[method-assign, assignment]
        return asyncio.run(asked.leader(part, "backup"))

    follows = {"skipped": "another member leads"}
    away = UserError("no answer", code=ExitCode.HOST)
    done = answers(a=follows, b={"x": 1}, c=away)
    assert (done.host, done.answer, done.error) == ("b", {"x": 1}, None)
    assert answers(a=follows, b=follows, c=away).error is away
    nobody = answers(a=follows, b=follows, c=follows).error
    assert nobody is not None
    assert "nobody leads" in nobody.text or "没有主库" in nobody.text


def test_the_newest_backup_is_on_record_for_who_counts_its_age(program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    databases = program("databases")
    newest = {"backup": INCREMENTAL, "type": "incr", "time": "2026-01-02T02:00:00+08:00", "bytes": 1}
    monkeypatch.setattr(databases, "backups", lambda: [newest])
    monkeypatch.setattr(databases, "pgbackrest", lambda *_: "")
    monkeypatch.setattr(databases, "NEWEST", tmp_path / "databases.json")
    before = os.umask(0o077)
    try:
        assert databases.backup(7, full=True) == newest
    finally:
        os.umask(before)
    assert json.loads((tmp_path / "databases.json").read_text()) == newest
    assert (tmp_path / "databases.json").stat().st_mode & 0o777 == 0o644
