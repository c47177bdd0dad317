"""The words and flags of the command line, as data, and the parser for them. Anything else is refused by name.

Flags are taken as the CLI takes them: anywhere behind their command, ``--flag value`` or ``--flag=value``, ``--flag=false`` for switches,
short ones joined, and nothing behind ``--``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from yiwang.engine.commandline.failure import CommandError, unavailable

# A switch; text; text several times; a number; text that may be left out (`--refresh`, `--refresh=true`).
Kind = Literal["switch", "text", "texts", "number", "optional"]


@dataclass(frozen=True)
class Flag:
    """One flag: its name, its letter (or none), and what follows it."""

    name: str
    letter: str = ""
    kind: Kind = "switch"


@dataclass(frozen=True)
class Command:
    """One command: its flags, and how many words may follow it."""

    flags: tuple[Flag, ...] = ()
    most: int | None = 0
    least: int = 0


@dataclass(frozen=True)
class Call:
    """A parsed command line."""

    words: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    flags: dict[str, Any] = field(default_factory=dict, repr=False)

    def text(self, name: str) -> str:
        """A flag's text, empty when it was not given."""
        return str(self.flags.get(name) or "")

    def texts(self, name: str) -> tuple[str, ...]:
        """All texts of a flag that may be given several times."""
        return tuple(self.flags.get(name) or ())

    def given(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self.flags.get(name))


def _flag(text: str, kind: Kind = "switch") -> Flag:
    name, _, letter = text.partition("/")
    return Flag(name, letter, kind)


def _switches(*names: str) -> tuple[Flag, ...]:
    return tuple(map(_flag, names))


def _texts(*names: str) -> tuple[Flag, ...]:
    return tuple(_flag(name, "text") for name in names)


# Of every command. What none of them changes here is how much is shown on a terminal.
GLOBAL = (
    *_switches("help/h", "non-interactive", "logtostderr", "logflow", "emoji/e", "fully-qualify-stack-names/Q"),
    *_texts("cwd/C", "color"),
    Flag("verbose", "v", "number"),
)
_STACK = _texts("stack/s")
_JSON = _switches("json/j")
_YES = _switches("yes/y")
_CONFIG = (*_STACK, *_texts("config-file"))
# What only changes how a run is shown.
_SHOWN = _switches(
    "debug/d",
    "diff",
    "show-config",
    "show-full-output",
    "show-reads",
    "show-replacement-steps",
    "show-sames",
    "show-secrets",
    "suppress-outputs",
    "suppress-progress",
    "urns",
)
_RUN = (
    *_CONFIG,
    *_JSON,
    *_SHOWN,
    Flag("suppress-permalink", "", "optional"),
    *_texts("message/m", "event-log", "exec-kind", "exec-agent", "client"),
    Flag("parallel", "p", "number"),
    Flag("target", "t", "texts"),
    Flag("exclude", "", "texts"),
    *_switches("target-dependents", "exclude-dependents", "run-program", "skip-config-validation"),
    Flag("config", "c", "texts"),
    *_switches("config-path", "expect-no-changes"),
)
_CHANGE = (*_YES, *_switches("skip-preview/f"))
_REPLACE = (Flag("replace", "", "texts"), Flag("target-replace", "", "texts"))
_REFRESH = (Flag("refresh", "r", "optional"),)
_PATH = _switches("path")

COMMANDS: dict[tuple[str, ...], Command] = {
    (): Command(),
    ("version",): Command(),
    ("whoami",): Command(_JSON),
    ("preview",): Command((*_RUN, *_REFRESH, *_REPLACE, *_texts("save-plan"))),
    ("up",): Command((*_RUN, *_CHANGE, *_REFRESH, *_REPLACE, *_switches("continue-on-error"), *_texts("plan"))),
    ("refresh",): Command((*_RUN, *_CHANGE, *_switches("preview-only", "clear-pending-creates"))),
    ("destroy",): Command((*_RUN, *_CHANGE, *_REFRESH, *_switches("preview-only", "continue-on-error", "remove"))),
    ("cancel",): Command((*_STACK, *_YES), most=1),
    ("stack",): Command((*_STACK, *_switches("show-ids/i", "show-urns/u", "show-secrets", "show-name"))),
    ("stack", "init"): Command((*_STACK, *_YES, *_switches("no-select"), *_texts("secrets-provider")), most=1),
    ("stack", "select"): Command((*_STACK, *_switches("create/c"), *_texts("secrets-provider")), most=1),
    ("stack", "ls"): Command((*_JSON, *_switches("all/a"), *_texts("project/p"))),
    ("stack", "rm"): Command((*_STACK, *_YES, *_switches("force/f", "preserve-config")), most=1),
    ("stack", "export"): Command((*_STACK, *_switches("show-secrets"), *_texts("file"))),
    ("stack", "import"): Command((*_STACK, *_switches("force/f"), *_texts("file"))),
    ("stack", "output"): Command((*_STACK, *_JSON, *_switches("show-secrets", "shell")), most=1),
    ("stack", "history"): Command(
        (*_STACK, *_JSON, *_switches("show-secrets", "full-dates"), Flag("page-size", "", "number"), Flag("page", "", "number"))
    ),
    ("config",): Command((*_CONFIG, *_JSON, *_switches("show-secrets", "open"))),
    ("config", "get"): Command((*_CONFIG, *_JSON, *_PATH, *_switches("open")), most=1, least=1),
    ("config", "set"): Command((*_CONFIG, *_PATH, *_switches("secret", "plaintext", "raw"), *_texts("type")), most=2, least=1),
    ("config", "rm"): Command((*_CONFIG, *_PATH), most=1, least=1),
    ("config", "set-all"): Command((*_CONFIG, *_PATH, Flag("secret", "", "texts"), Flag("plaintext", "", "texts"), *_texts("json"))),
    ("config", "rm-all"): Command((*_CONFIG, *_PATH), most=None, least=1),
    ("plugin",): Command(),
    ("plugin", "ls"): Command((*_JSON, *_switches("project"))),
}
# The CLI's other names for the same command.
ALIASES: dict[tuple[str, ...], str] = {
    ("pre",): "preview",
    ("update",): "up",
    ("down",): "destroy",
    ("dn",): "destroy",
    ("plugins",): "plugin",
    ("stack", "new"): "init",
    ("stack", "list"): "ls",
    ("stack", "remove"): "rm",
    ("stack", "delete"): "rm",
    ("stack", "hist"): "history",
    ("plugin", "list"): "ls",
    ("config", "remove"): "rm",
    ("config", "delete"): "rm",
    ("config", "remove-all"): "rm-all",
    ("config", "delete-all"): "rm-all",
}
# The program decides by its own words which of them it takes, so that nothing is taken for another command's word.
_GROUPS = frozenset(words[:-1] for words in COMMANDS if words)


def parse(arguments: Sequence[str]) -> Call:
    """The call that ``arguments`` ask for. Raises CommandError naming the first word or flag that is not known."""
    words: tuple[str, ...] = ()
    rest: list[str] = []
    flags: dict[str, Any] = {}
    waiting = list(arguments)
    while waiting:
        token = waiting.pop(0)
        if token == "--":  # noqa: S105 - no password
            rest += waiting
            break
        if token.startswith("--"):
            _long(token, words, flags, waiting)
        elif token.startswith("-") and len(token) > 1:
            _short(token, words, flags, waiting)
        elif words in _GROUPS and not rest:
            words = _descend(words, token)
        else:
            rest.append(token)
    # A flag may stand before a word that makes another command of it.
    for name in flags:
        if name not in {flag.name for flag in _flags(words)}:
            raise unavailable(" ".join((*words, f"--{name}")))
    if not flags.get("help"):
        _count(words, rest)
    return Call(words, tuple(rest), flags)


def _descend(words: tuple[str, ...], token: str) -> tuple[str, ...]:
    found = (*words, ALIASES.get((*words, token), token))
    if found not in COMMANDS:
        raise unavailable(" ".join((*words, token)))
    return found


def _count(words: tuple[str, ...], rest: list[str]) -> None:
    command = COMMANDS[words]
    if len(rest) < command.least:
        raise CommandError(f"accepts at least {command.least} arg(s), received {len(rest)}")
    if command.most is not None and len(rest) > command.most:
        # Templates, remote programs and the like: words that some command of the CLI takes here.
        raise unavailable(" ".join((*words, rest[command.most])))


def _flags(words: tuple[str, ...]) -> tuple[Flag, ...]:
    return (*COMMANDS[words].flags, *GLOBAL)


def _long(token: str, words: tuple[str, ...], flags: dict[str, Any], waiting: list[str]) -> None:
    name, joined, value = token[2:].partition("=")
    flag = next((flag for flag in _flags(words) if flag.name == name), None)
    if flag is None:
        raise unavailable(" ".join((*words, f"--{name}")))
    _take(flag, value if joined else None, f"--{name}", flags, waiting)


def _short(token: str, words: tuple[str, ...], flags: dict[str, Any], waiting: list[str]) -> None:
    letters = token[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = next((flag for flag in _flags(words) if flag.letter == letter), None)
        if flag is None:
            raise unavailable(" ".join((*words, f"-{letter}")))
        if flag.kind in {"switch", "optional"} and not letters.startswith("="):
            _take(flag, None, f"-{letter}", flags, waiting)
            continue
        _take(flag, letters.removeprefix("=") if letters else None, f"-{letter}", flags, waiting)
        return


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


def _take(flag: Flag, value: str | None, written: str, flags: dict[str, Any], waiting: list[str]) -> None:
    """Keep a flag with its value, which is the next word where it needs one."""
    if flag.kind in {"switch", "optional"}:
        if value is not None and value not in _TRUE | _FALSE:
            raise CommandError(f'invalid argument "{value}" for "{written}" flag: it is true or false')
        flags[flag.name] = value is None or value in _TRUE
        return
    if value is None:
        if not waiting:
            raise CommandError(f"flag needs an argument: {written}")
        value = waiting.pop(0)
    if flag.kind == "number":
        try:
            flags[flag.name] = int(value)
        except ValueError:
            raise CommandError(f'invalid argument "{value}" for "{written}" flag: it is a number') from None
    elif flag.kind == "texts":
        flags.setdefault(flag.name, []).append(value)
    else:
        flags[flag.name] = value
