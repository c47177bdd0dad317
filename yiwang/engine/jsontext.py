"""JSON as the state has it: without the numbers that Python knows and JSON does not."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def parsed(text: str | bytes) -> Any:
    """What a JSON text says. Raises ValueError for what is none, also for ``NaN`` and for numbers beyond a double (``1e999``)."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(text)
    return found


def compact_json(value: Any) -> str:
    """JSON as Go writes it: no spaces, sorted keys, ``<``, ``>``, ``&`` escaped. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
