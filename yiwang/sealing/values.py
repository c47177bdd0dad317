"""What callers may say of an object: how long, of which characters, and that it names nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from yiwang.sealing.errors import PersonalDataError, ValueInvalidError
from yiwang.standard.errors import CodeError
from yiwang.standard.idcard import IdCard

LONGEST_NAME = 1024
LONGEST_WORD = 200
LONGEST_METADATA = 16 * 1024
_numbers = re.compile(r"(?<![0-9A-Za-z])[0-9]{17}[0-9Xx](?![0-9A-Za-z])").finditer
_mobile = re.compile(r"(?<![0-9A-Za-z])1[3-9][0-9]{9}(?![0-9A-Za-z])").search


def name(text: Any) -> str:
    """The caller's name of an object. It stays in the database alone, and goes with the erasure."""
    return _line("name", text, LONGEST_NAME)


def word(part: str, text: Any) -> str:
    """Purpose, subject or person in charge: these stand in the proof, which stays. PersonalDataError for a number that names a person."""
    line = _line(part, text, LONGEST_WORD)
    if _mobile(line) or any(_is_identity(match.group().upper()) for match in _numbers(line)):
        raise PersonalDataError(part=part)
    return line


def metadata(given: Mapping[str, str] | None) -> str:
    """As JSON. It stays in the database alone, and goes with the erasure."""
    found = dict(given or {})
    if not all(isinstance(each, str) and "\0" not in each for pair in found.items() for each in pair):
        raise ValueInvalidError(part="metadata", expected="str: str")
    text = json.dumps(found, ensure_ascii=False)
    if len(text) > LONGEST_METADATA:
        raise ValueInvalidError(part="metadata", expected=f"1-{LONGEST_METADATA}")
    return text


def moment(part: str, given: Any) -> datetime | None:
    """A time with its zone, or none."""
    if given is not None and (not isinstance(given, datetime) or given.tzinfo is None):
        raise ValueInvalidError(part=part, expected="datetime + tzinfo")
    return given


def _line(part: str, text: Any, longest: int) -> str:
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
        raise ValueInvalidError(part=part, expected=f"1-{longest}")
    return text


def _is_identity(text: str) -> bool:
    """Whether digits are an identity number (GB 11643): date and check character fit."""
    try:
        IdCard.parse(text)
    except CodeError:
        return False
    return True
