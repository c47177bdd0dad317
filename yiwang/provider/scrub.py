"""Takes every known secret out of any text or value before it leaves the provider."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MASK = "********"
_SHORTEST = 6
"""Shorter secrets are not looked for: they would match by chance everywhere. Our own are longer."""


class Scrubber:
    """Replaces secrets by ``MASK``, also as they look inside JSON, URLs, base64, and line by line.

    Secrets are added as they become known and stay known for the life of the process.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, texts: Iterable[str]) -> None:
        """Know these secret texts from now on."""
        wanted = {form for text in texts for form in _forms(text)} - self._known
        if not wanted:
            return
        self._known |= wanted
        # The longest first, so that a secret that holds another one goes as a whole.
        self._pattern = re.compile("|".join(re.escape(form) for form in sorted(self._known, key=len, reverse=True)))

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, in keys as well."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and str(value) in self._known:
            return MASK
        return value


def _forms(secret: str) -> set[str]:
    """The spellings of one secret that are looked for; those too short to be told from chance are left out."""
    forms = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, safe="")}
    forms.add(base64.b64encode(secret.encode()).decode())
    # The frame of a PEM key is no secret, and must stay readable elsewhere.
    return {form for form in forms if len(form) >= _SHORTEST and (form == secret or not form.startswith("-----"))}
