"""The lines of a journal as they are read back; what they say is in ``journal``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yiwang.engine import shape
from yiwang.engine.jsontext import parsed
from yiwang.errors import ExitCode, UserError
from yiwang.messages import t

# What a line is about -> the kind of the value.
_KINDS = {"put": int, "drop": int, "begin": int, "done": int, "forget": int, "folded": str}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal, those written together one by one; a torn last one, from a kill while it was written, is left out.

    Raises UserError for any other that does not say what a line can say: what it and those behind it did would be done again.
    """
    found: list[dict[str, Any]] = []
    if path.is_dir():
        raise UserError(t("engine.journal_directory", path=path), code=ExitCode.INPUT, fix=t("engine.journal_directory_fix"))
    try:
        texts = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        # Folded meanwhile.
        return []
    for number, text in enumerate(texts, 1):
        line = _parsed(text)
        if line is None and number > 1 and all(_parsed(later) is None for later in texts[number:]):
            break
        if line is None or not (_is_header(line) if number == 1 else _is_line(line)):
            fix = t("engine.journal_header_fix") if number == 1 else t("engine.journal_damaged_fix", line=number)
            raise UserError(t("engine.journal_damaged", path=path, line=number), code=ExitCode.INPUT, fix=fix)
        found += line.get("together", [line])
    return found


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A line; None for what is no JSON, as when it was torn."""
    try:
        found = parsed(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else {}


def _is_header(line: dict[str, Any]) -> bool:
    return all(isinstance(line.get(key), str) for key in ("base", "secrets"))


def _is_line(line: dict[str, Any]) -> bool:
    several = line.get("together", [line])
    return isinstance(several, list) and all(map(_is_entry, several))


def _is_entry(line: Any) -> bool:
    if not isinstance(line, dict) or not any(isinstance(line.get(key), kind) for key, kind in _KINDS.items()):
        return False
    if "begin" in line and line.get("type") not in shape.PENDING:
        return False
    return not {"put", "begin"} & set(line) or shape.of_resource(line.get("resource"), "resource") is None
