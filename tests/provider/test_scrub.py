"""The scrubber: no known secret leaves, in no spelling."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from yiwang.provider.events import EventLog
from yiwang.provider.scrub import MASK, Scrubber

SECRET = 'pa"ss/wörd\\1'


@pytest.fixture
def scrubber() -> Scrubber:
    made = Scrubber()
    made.add([SECRET, "short", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"])
    return made


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_every_spelling_goes(scrubber: Scrubber, text: str) -> None:
    cleaned = scrubber.text(f"before {text} after")
    assert cleaned.startswith("before ")
    assert MASK in cleaned
    assert text.strip('"') not in cleaned


def test_lines_of_a_key_go_one_by_one_and_its_frame_stays(scrubber: Scrubber) -> None:
    assert scrubber.text("+MIGHAgEAMBMGByqGSM49") == f"+{MASK}"
    assert scrubber.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_short_texts_are_left_alone(scrubber: Scrubber) -> None:
    assert scrubber.text("a short text") == "a short text"


def test_the_longer_of_two_secrets_goes_as_a_whole() -> None:
    scrubber = Scrubber()
    scrubber.add(["abcdef", "abcdef-and-more"])
    assert scrubber.text("abcdef-and-more") == MASK


def test_values_are_cleaned_in_keys_lists_and_numbers(scrubber: Scrubber) -> None:
    scrubber.add(["1234567"])
    assert scrubber.value({SECRET: [SECRET, 1234567, 1, True, None]}) == {MASK: [MASK, MASK, 1, True, None]}


def test_events_are_clean_whole_lines(tmp_path: Path, scrubber: Scrubber) -> None:
    log = EventLog(tmp_path / "events", scrubber)
    log.write("host_result", host="one", message=f"it said {SECRET}\nand more")
    log.write("role_finished", ok=True)
    first, second = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert (first["event"], first["message"]) == ("host_result", f"it said {MASK}\nand more")
    assert second["ok"] is True
    assert (tmp_path / "events").stat().st_mode & 0o777 == 0o600
