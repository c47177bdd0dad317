"""The base of all code tables: an enum whose members carry their code, their words in both languages, and the table's source."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import ClassVar, Self, TypeVar

from yiwang.standard.labels import Confidence, Label, Source


class Table(Enum):
    """A code table. A member is written ``NAME = code, Chinese, English``; its value is the code.

    The Chinese is the source's own wording. What follows the English are other ways to write the same, which are in use and no error.
    ``title`` of the table in both languages, ``source`` of it, and ``coded``: whether the source gives codes. Where it does not, the
    values are its words.
    """

    source: ClassVar[Source]
    title: ClassVar[Label]
    coded: ClassVar[bool]
    label: Label
    synonyms: tuple[str, ...]

    def __new__(cls, code: str, zh: str, en: str, *synonyms: str) -> Self:
        """A member with its words."""
        member = object.__new__(cls)
        member._value_ = code
        member.label = Label(zh, en)
        member.synonyms = synonyms
        return member

    def means(self, name: str) -> bool:
        """Whether ``name`` says in Chinese what this member is: the source's wording or a synonym, brackets and slashes of any width."""
        return _alike(name) in map(_alike, (self.label.zh, *self.synonyms))

    @property
    def confidence(self) -> Confidence:
        """How sure the words of this member are: as the table, where nothing else is known."""
        return self.source.confidence

    @property
    def code(self) -> str:
        """The code, as text."""
        return str(self.value)

    @classmethod
    def of(cls, code: str) -> Self:
        """The member with this code. Raises ValueError where there is none."""
        member = cls._value2member_map_.get(code)
        if not isinstance(member, cls):
            message = f"{cls.__name__} has no code {code!r}"
            raise ValueError(message)  # noqa: TRY004 - it is the value that is wrong
        return member

    @classmethod
    def label_of(cls, code: str) -> Label | None:
        """The words for ``code``; None for one that is not in the table."""
        member = cls._value2member_map_.get(code)
        return member.label if isinstance(member, cls) else None


def _alike(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()


T = TypeVar("T", bound=type[Table])
TABLES: dict[str, type[Table]] = {}


def table(zh: str, en: str, source: Source, *, coded: bool = True) -> Callable[[T], T]:
    """Give a table its title and source, and list it in ``TABLES`` under its class name."""

    def named(cls: T) -> T:
        cls.title, cls.source, cls.coded = Label(zh, en), source, coded
        TABLES[cls.__name__] = cls
        return cls

    return named
