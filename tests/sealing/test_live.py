"""Sealed objects on a server of the lab: a real database, a real locked bucket, and what is erased stays erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sealing.live_case import Server, missing
from tests_support import Yiwang

pytestmark = pytest.mark.lab

# The one host of a city carries its database and its buckets, and is among those that may sign in to them.
HOST, SITE = "c-jinan", "jinan"

Does = Callable[[str], Any]


@pytest.fixture(scope="module")
def server(lab: Yiwang) -> Iterator[Server]:
    """The lab with a database and a locked bucket for it."""
    file = lab.inventory / "group_vars/data.yml"
    file.write_text("storage_databases: [vault]\nstorage_locked_buckets: [papers]\n")
    lab("up", "--site", SITE, "--yes")
    yield Server(lab, HOST, SITE)
    file.unlink()
    lab("up", "--site", SITE, "--yes")


@pytest.fixture(scope="module")
def does(server: Server) -> Does:
    """What a scenario of the driver says, with the tables made."""
    server.ship()
    settings = server.settings()

    def does(scenario: str) -> Any:
        return server.does(scenario, settings)

    made = does("tables")
    assert made.pop("again") == [[], [], []], "several at once, and again: nothing"
    assert made == {
        "before": "SchemaMissingError",
        "first": ["0001_tables.sql"],
        "inside": "OpenTransactionError",
        "newer": "SchemaNewerError",
        "public": False,
    }
    return does


def test_the_environment_of_storage_has_what_the_package_needs(server: Server) -> None:
    assert missing(server) == ""


def test_what_is_put_opens_and_in_the_bucket_nothing_tells_of_it(does: Does) -> None:
    assert does("put_and_get") == {
        "opened": True,
        "metadata": {"title": "张三"},
        "several": True,
        "empty": True,
        "plain": [False, False, False, False],
        "header": True,
        "locked": "COMPLIANCE",
        "versions": True,
        "undone": True,
        "unknown": "NotFoundError",
        "other_key": "KeyUnknownError",
        "refused": ["PersonalDataError", "ValueInvalidError", "ValueInvalidError"],
    }


def test_an_erased_object_lies_there_and_opens_for_nobody_and_its_proof_stays(does: Does) -> None:
    said = does("erase")
    proof = said["proof"]
    assert proof.items() >= {"bucket": "papers", "subject": "s-erase", "purpose": "licence", "by": "test", "clause": "PIPL 47(1)"}.items()
    assert (proof["chain"].rstrip("0123456789"), len(proof["sha256"]), len(proof["previous"])) == ("vault", 64, 64)
    assert said["row"] == {"wrapped_key": None, "kek": None, "name": None, "metadata": None}
    assert said["erased"]
    assert said["get"] == "ErasedError"
    assert said["object"], "it is locked: it lies there as it was put"
    assert said["delete"] == ["AccessDenied", "AccessDenied"], "object and proof"
    assert said["told"] == [False, False], "neither name nor person is in the proof"
    assert said["again"] == [0, True], "a second time it is said to be erased"
    assert said["back"] == "IntegrityConstraintViolation", "no key comes back"
    assert said["tampering"] == [*["IntegrityConstraintViolation"] * 4, "CheckViolation", "IntegrityConstraintViolation"]
    assert (said["inside"], said["nothing"], said["everything"]) == ("OpenTransactionError", "NotFoundError", "ValueInvalidError")


def test_all_of_a_subject_and_what_is_past_its_date(does: Does) -> None:
    assert does("erase_many") == {
        "overdue": True,
        "due": ["retention_over"],
        "later": True,
        "counts": [1, 2, 1],
        "none_due": 0,
        "found": [],
    }


def test_several_at_once_make_one_chain(does: Does) -> None:
    assert does("erase_at_once") == {"made": 8, "answers": 4, "found": []}


def test_killed_at_any_step_it_is_either_not_proved_or_finished_by_the_next_run(does: Does) -> None:
    said = does("kills")
    readable = {"key": True, "get": "UnderWayError", "found": ["unfinished"], "put": 0}
    assert {where: each["state"] for where, each in said.items()} == {
        "die_deciding": readable,
        "die_destroying": readable,
        "die_publishing": {"key": False, "get": "ErasedError", "found": ["unpublished"], "put": 0},
        "die_after_publishing": {"key": False, "get": "ErasedError", "found": [], "put": 1},
    }
    assert {each["code"] for each in said.values()} == {-9}
    assert [each["after"] for each in said.values()] == [{"key": False, "found": [], "put": 1}] * 4


def test_what_a_restore_brings_back_is_erased_again(does: Does) -> None:
    said = does("restores")
    assert said["alive"] == [True, True], "the restored database opens it; to ask what would be done changes nothing"
    assert said["found"] == ["proof_differs", "proof_differs", "revived", "revived"]
    assert said["blocked"] == ["ReplayNeededError", "ReplayNeededError"]
    assert said["dry"] == [2, 2, 0, 0]
    assert said["said"] == [0, ["2 proofs recorded, 2 erased again, 0 erasures finished"], True, ""]
    assert said["again"] == [0, 0, 0, 0]
    assert said["get"] == ["ErasedError", "ErasedError"]
    assert said["other"], "what was not erased opens"
    assert (said["after"], said["next"]) == ([], 1)


def test_another_key_encryption_key_opens_the_same_objects(does: Does) -> None:
    assert does("rotate") == {
        "code": -9,
        "half": [2, True],
        "unknown": "KeyUnknownError",
        "opened": [True] * 5,
        "former": "KeyUnknownError",
        "back": True,
        "found": [],
    }


def test_the_verbs_of_an_operator(does: Does) -> None:
    said = does("commands")
    assert said["migrate"] == [0, "applied: -"]
    assert said["sample"][0] == said["verify"][0] == 0
    assert "0 findings" in said["verify"][1]
    assert said["finish"] == said["due"] == [0, "0 erased"]
    assert said["rewrap"] == [0, "0 wrapped under the current key"]
    assert said["no_key"] == [3, "a key-encryption key has 64 hexadecimal digits"]
    assert said["no_keys"][0] == said["no_evidence"][0] == said["person"][0] == 3
    assert said["no_database"] == 1
    assert said["no_rights"][0] == 1
    assert "InvalidAccessKeyId" in said["no_rights"][1]


def test_whatever_was_done_behind_its_back_is_found(does: Does) -> None:
    said = does("damage")
    mine, proof = said["object"], f"evidence/{said['proof']}"
    assert said["before"] == []
    for column, trouble in (
        ("sha256", "altered"),
        ("size", "altered"),
        ("version", "missing"),
        ("wrapped_key", "unreadable"),
        ("kek", "kek_missing"),
    ):
        assert said[column] == [f"{trouble} {mine}"], column
    assert said["proof_number"] == [f"unproved {said['erased']}"]
    assert said["covered"] == said["hidden"] == [f"proof_covered {proof}"]
    assert said["replay"] == ["proof_covered"]
    old, following = f"chain_broken {proof}.old", said["following"]
    assert said["foreign"] == [old, f"chain_broken {following}", f"proof_covered {proof}"]
    assert said["stopped"] == ["proof_covered", "chain_broken", "chain_broken"]
    assert said["next"] == [1], "what lies in its place does not keep the next proof out"
    assert said["after"] == [old, f"proof_covered {proof}", f"proof_covered {following}"]
    assert {"proof_differs " + proof} < set(said["forged"])


def test_a_large_object_is_never_in_memory_as_a_whole(does: Does) -> None:
    assert does("large") == {"held": [True, True], "read": True, "found": [], "why": ""}
