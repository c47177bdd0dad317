"""What is wrong with a command line, in the language in use: Typer says it in English alone.

Typer keeps its kinds of errors to itself, so they are told apart by the names of their classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from yiwang.messages import language, t

# What pydantic calls what is wrong with a value, and the words for it with the name of what it says was expected.
_VALUES = {
    "int_parsing": ("core.usage_integer", ""),
    "greater_than_equal": ("core.usage_at_least", "ge"),
    "less_than_equal": ("core.usage_at_most", "le"),
}


def is_help(error: Exception) -> bool:
    """Whether the error is a group without a verb: its text is its help."""
    return type(error).__name__ == "NoArgsIsHelpError"


def command_path(error: Any, root: Any, given: Iterable[str]) -> str:
    """The command that an error is about. Where Typer does not say, it is as many words of ``given`` as name one below ``root``."""
    context = getattr(error, "ctx", None)
    if context is not None:
        return str(context.command_path)
    words, command = ["yiwang"], root
    for word in given:
        command = command.get_command(None, word) if hasattr(command, "get_command") else None
        if command is None:
            break
        words.append(word)
    return " ".join(words)


def message(error: Any) -> str:
    """What is wrong, without a full stop."""
    kind, said = type(error).__name__, str(error.format_message()).rstrip(".")
    if language() == "en":
        return said
    names = re.findall("'(-?[^']*)'", said)
    if kind == "NoSuchOption":
        near = ", ".join(sorted(error.possibilities or ()))
        text = t("core.usage_no_option", option=error.option_name)
        return text + (t("core.usage_near", names=near) if near else "")
    if kind == "MissingParameter":
        return t(f"core.usage_missing_{error.param.param_type_name}", name=names[0]) if error.param and names else said
    if kind == "BadParameter" and names:
        return t("core.usage_bad_value", name=names[0], reason=_reason(error))
    if kind == "BadOptionUsage":
        return t("core.usage_needs_value" if "requires" in said else "core.usage_takes_no_value", option=error.option_name)
    if kind == "UsageError" and (found := re.fullmatch(r"No such command '(.*)'", said)):
        return t("core.usage_no_verb", name=found[1])
    if kind == "UsageError" and (found := re.fullmatch(r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", said)):
        return t("core.usage_too_many", names=found[1])
    return said


def _reason(error: Any) -> str:
    """What is wrong with the value of an option."""
    first: dict[str, Any] = next(iter(getattr(error.__cause__, "errors", list)()), {})
    key, limit = _VALUES.get(first.get("type", ""), ("", ""))
    return t(key, limit=first.get("ctx", {}).get(limit, "")) if key else str(error.message).rstrip(".")
