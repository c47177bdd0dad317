"""What all data sets have in common: fields that know what the standard says of them, one error for whatever is wrong, JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import ErrorDetails, core_schema

from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import Confidence, Label, Source
from yiwang.standard.tables import Table

DOCUMENT = "GB/T 39046-2020"
_FORMAT = re.compile(r"(an|n|a)?(\.\.)?([0-9]+)(?:,([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Format:
    """A format as the standard writes it: ``an..50`` up to 50 characters, ``n1`` one digit, ``n..16,2`` a number with two decimals.

    Lengths count characters (confidence medium: the standard speaks of GB 2312, this kit keeps UTF-8).
    """

    kind: str
    shortest: int
    longest: int
    decimals: int | None

    @classmethod
    def parse(cls, text: str) -> Format:
        """The format that ``text`` writes. Raises ValueError."""
        match = _FORMAT.fullmatch(text)
        if match is None:
            message = f"{text!r} is no format"
            raise ValueError(message)
        longest = int(match[3])
        return cls(match[1] or "", 1 if match[2] else longest, longest, int(match[4]) if match[4] else None)

    def fits(self, text: str) -> bool:
        """Whether ``text`` has the format."""
        return self.shortest <= len(text) <= self.longest and (self.kind != "n" or re.fullmatch("[0-9]+", text) is not None)

    def json_schema(self) -> dict[str, Any]:
        """The same as JSON Schema says it of a text."""
        limits: dict[str, Any] = {"minLength": self.shortest, "maxLength": self.longest}
        return limits | ({"pattern": "^[0-9]+$"} if self.kind == "n" else {})


@dataclass(frozen=True, slots=True)
class Element:
    """What the standard says of a field: its name, its format, its row in the table, and how sure that is.

    ``format`` and ``row`` are None where they are not known. ``widened`` is this kit's wider format where the standard's is too narrow for
    the codes of today.
    """

    zh: str
    format: str | None = None
    row: int | None = None
    widened: str | None = None
    confidence: Confidence = "high"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """The field's own schema, and after it the format for texts."""
        return core_schema.no_info_after_validator_function(self._fit, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The field's own JSON Schema with the standard's words and the limits of the format."""
        found: dict[str, Any] = handler(schema)
        limits = Format.parse(self.widened or self.format) if self.format else None
        for branch in (found, *found.get("anyOf", ())):
            if limits and branch.get("type") == "string" and "pattern" not in branch:
                branch.update(limits.json_schema())
        return found | {"x-name-zh": self.zh, "x-format": self.format, "x-row": self.row, "x-confidence": self.confidence}

    def _fit(self, value: Any) -> Any:
        if isinstance(value, str) and self.format and not Format.parse(self.widened or self.format).fits(value):
            values = {"part": self.zh, "expected": self.widened or self.format, "found": value}
            raise CodeError(DOCUMENT, Finding(Problem.FORMAT, Source(DOCUMENT), None, values))
        return value


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a data set: ``name`` for programs, ``label`` for people, and what the standard says of it."""

    name: str
    label: Label
    element: Element
    table: str | None
    required: bool


class DataSet(BaseModel):
    """The base of the data sets. ``title`` and ``table`` are those of the standard; None where the set is in no table that was seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ClassVar[str] = ""
    title: ClassVar[Label] = Label("", "")
    table: ClassVar[str | None] = None

    @classmethod
    def read(cls, data: Mapping[str, object]) -> Self:
        """The record in ``data``. Raises CodeError with everything that is wrong with single fields.

        What is wrong between fields is what ``findings`` says of the record: data of others is kept and told.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise CodeError(cls.kind, *(_finding(cls, each) for each in error.errors(include_url=False))) from None

    @classmethod
    def describe(cls) -> tuple[FieldInfo, ...]:
        """The fields in their order."""
        found = []
        for name, field in cls.model_fields.items():
            element = next(each for each in field.metadata if isinstance(each, Element))
            found.append(FieldInfo(name, Label(element.zh, name.replace("_", " ")), element, cls.table, field.is_required()))
        return tuple(found)

    @classmethod
    def source(cls) -> Source:
        """Where the set is written."""
        return Source(DOCUMENT, cls.table)

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong between the fields of this record; nothing for most sets."""
        return ()

    @classmethod
    def document(cls) -> dict[str, Any]:
        """The JSON Schema of the set."""
        found = cls.model_json_schema()
        return found | {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": cls.title.en, "x-name-zh": cls.title.zh}

    def plain(self) -> dict[str, Any]:
        """The record as texts and numbers: codes for members of tables, dates and times in the standard's first form."""
        return self.model_dump(mode="json")


def _finding(cls: type[DataSet], error: ErrorDetails) -> Finding:
    """One error of pydantic in the words of this library."""
    owner, names, element = _place(cls, error["loc"])
    part = Label(*(".".join(names) for names in zip(*names, strict=True))) if names else cls.title
    source, given = owner.source(), error.get("input")
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "missing":
        return Finding(Problem.REQUIRED, source, None, {"part": part})
    if error["type"] == "extra_forbidden":
        return Finding(Problem.UNKNOWN_FIELD, source, None, {"part": error["loc"][-1]})
    if isinstance(cause, CodeError) and cause.finding.problem is Problem.FORMAT:
        return Finding(Problem.FORMAT, source, None, {**cause.finding.values, "part": part})
    if isinstance(cause, CodeError):
        reason = Label(cause.text("zh"), cause.text("en"))
        return Finding(Problem.FIELD, cause.finding.source, cause.finding.position, {"part": part, "reason": reason})
    if error["type"] == "enum":
        return Finding(Problem.CODE_OF_TABLE, source, None, {"part": part, "expected": _codes(owner, error), "found": given})
    expected = (element.format if element else None) or Label("与该数据项相符的值", "a value for this field")
    return Finding(Problem.FORMAT, source, None, {"part": part, "expected": expected, "found": repr(given)})


def _place(cls: type[DataSet], location: tuple[int | str, ...]) -> tuple[type[DataSet], list[tuple[str, str]], Element | None]:
    """The set that a location of an error lies in, the names on the way in both languages, and the field's element."""
    names: list[tuple[str, str]] = []
    element = None
    for step in location:
        if isinstance(step, int):
            names.append((str(step + 1), str(step + 1)))
        elif step in cls.model_fields:
            info = next(each for each in cls.describe() if each.name == step)
            element = info.element
            names.append((info.label.zh, info.label.en))
            cls = _inner(cls.model_fields[step].annotation) or cls
    return cls, names, element


def _inner(annotation: Any) -> type[DataSet] | None:
    """The data set that a field holds several of."""
    arguments = getattr(annotation, "__args__", ())
    found = [each for each in arguments if isinstance(each, type) and issubclass(each, DataSet)]
    return found[0] if found else None


def _codes(cls: type[DataSet], error: ErrorDetails) -> str:
    """The codes of the table that the field of an error has."""
    annotation = cls.model_fields[str(error["loc"][-1])].annotation
    tables = [each for each in (annotation, *getattr(annotation, "__args__", ())) if isinstance(each, type) and issubclass(each, Table)]
    return ", ".join(member.code for member in tables[0]) if tables else str(error.get("ctx", {}).get("expected", ""))
