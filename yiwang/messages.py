"""User-facing text in Chinese and English, from the catalogues in ``yiwang/locale``.

Each noun has a catalogue of its own, ``yiwang/locale/<noun>.yaml``: ``key: {zh: "...", en: "..."}``, with
``str.format`` placeholders. ``t("lab.ready", name="x")`` is the entry ``ready`` of ``lab.yaml``.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import yaml

Language = Literal["zh", "en"]

_CATALOGUES = Path(__file__).parent / "locale"


_english: contextvars.ContextVar[bool] = contextvars.ContextVar("english", default=False)


@contextlib.contextmanager
def english() -> Iterator[None]:
    """English whatever the locale, for what programs read: they know the words of the Pulumi CLI."""
    token = _english.set(True)
    try:
        yield
    finally:
        _english.reset(token)


def language() -> Language:
    """The language of the command line: ``YIWANG_LANG``, else the first locale variable that is set, else English."""
    if _english.get():
        return "en"
    for variable in ("YIWANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@functools.cache
def catalogue(noun: str) -> dict[str, dict[str, str]]:
    """All entries of one noun's catalogue; an empty one when there is no such file."""
    path = _CATALOGUES / f"{noun}.yaml"
    if not path.is_file():
        return {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - one of the two safe loaders
    return loaded or {}


def of(texts: object) -> str:
    """A text that comes in several languages (``{zh: …, en: …}``), in the one in use; any other value as text."""
    return str(texts.get(language(), texts)) if isinstance(texts, dict) else str(texts)


def t(key: str, /, **values: object) -> str:
    """The text of ``key`` (``noun.entry``) in the language in use, with ``values`` filled in.

    An unknown key or placeholder is shown as it is: a missing word must never hide an error.
    """
    noun, _, entry = key.partition(".")
    texts = catalogue(noun).get(entry)
    if texts is None:
        return f"{key} {values}" if values else key
    text = texts[language()]
    try:
        return text.format(**values) if values else text
    except (KeyError, IndexError, ValueError):
        return f"{text} {values}"
