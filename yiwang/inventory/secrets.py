"""No secret and no template in an inventory: it is read by many people and kept in a repository."""

from __future__ import annotations

import re

from yiwang.inventory.document import Node
from yiwang.inventory.errors import HIDDEN, Finding, Findings, KeyPath, shown
from yiwang.inventory.sources import FACTS, Sources
from yiwang.messages import t

_NAMES = re.compile(
    r"(?:^|_)(?:pass|passwd|password|pwd|passphrase|secret|token|credential|bearer)s?(?:_|$)"
    r"|(?:^|_)(?:private|secret|access|api|encryption|signing|master|client|auth)_?keys?(?:_|$)"
)
# Names that hold such a word but say where a secret lies, or something about it.
_ABOUT = re.compile(r"_(?:file|path|dir|url|length|days|age|policy|source|name|user|id)s?$")
_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----|\$ANSIBLE_VAULT;|AGE-SECRET-KEY-1|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|[?&](?:ssl)?password=[^&\s]"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.|[a-z][a-z0-9+.-]*://[^\s/@:]*:[^\s/@]+@"
)
_PEM = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY")
_SOURCES = (("file",), ("command",))
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


def check(sources: Sources, findings: Findings) -> None:
    """Look at every key and value of every file; a secret's value is never shown."""
    for file, node in sources.documents.items():
        _Scanner(file, node, findings).scan()
    for file, raw in sources.raw.items():
        match = _PEM.search(raw)
        if match and not any(place == file for place, _ in findings.secret_places):
            line = raw[: match.start()].count(b"\n") + 1
            findings.add(Finding(file, line, (), HIDDEN, t("inventory.secret"), t("inventory.secret_fix")))


class _Scanner:
    def __init__(self, file: str, root: Node, findings: Findings) -> None:
        self.file = file
        self.root = root
        self.findings = findings

    def scan(self) -> None:
        for path, node in self.root.walk():
            text = node.written if self.is_external(path) and node.written else node.scalar
            if not isinstance(text, str) or not text:
                continue
            named = self.named(path)
            if named or (_VALUES.search(text) and not self.is_account(path)):
                place = named or path
                fix = t("inventory.external_secret_fix") if self.is_external(path) else t("inventory.secret_fix")
                self.findings.add_secret(self.file, self.root.line_of(place), place, fix=fix)
            elif self.file != FACTS and _TEMPLATE.search(text):
                expected, fix = t("inventory.no_template"), t("inventory.no_template_fix")
                self.findings.add_final(Finding(self.file, self.root.line_of(path), path, shown(text), expected, fix))

    def named(self, path: KeyPath) -> KeyPath:
        """The part of ``path`` up to the first key that names a secret; empty when none does."""
        # The section that says where the passphrase comes from is no secret; a text in its place is.
        first = 1 if self.file == FACTS and len(path) > 1 and path[0] == "passphrase" else 0
        for index, part in enumerate(path):
            if isinstance(part, str) and index >= first and not self.is_source(path, index):
                name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part).lower().replace("-", "_")
                if _NAMES.search(name) and not _ABOUT.search(name):
                    return path[: index + 1]
        return ()

    def is_external(self, path: KeyPath) -> bool:
        """Whether ``path`` lies in what a site brings along: the one place where a person has secrets to name."""
        return self.file == FACTS and path[:1] == ("sites",) and path[2:3] == ("external",)

    def is_account(self, path: KeyPath) -> bool:
        """Whether an access key lies there: the account's name, whatever it looks like."""
        return self.is_external(path) and path[6:] == ("access_key",)

    def is_source(self, path: KeyPath, index: int) -> bool:
        """Whether that part of ``path`` is the name of what is brought along, or says where its secret comes from."""
        return self.is_external(path) and (index == 5 or self.is_account(path[: index + 1]) or path[index + 1 : index + 2] in _SOURCES)
