"""What all data sets have in common: fields that know what the standard says of them, one error for whatever is wrong, JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import ErrorDetails, core_schema

from yiwang.standard.divisions import Divisions
from yiwang.standard.errors import CodeError, Finding, Problem
from yiwang.standard.labels import KIT, Confidence, Label, Source
from yiwang.standard.tables import Table

DOCUMENT = "GB/T 39046-2020"
# Where a name comes from: ``standard``, as read; ``composed``, an element of the standard under a name that this kit put together of the
# group and the element there; ``kit``, nothing of the standard.
Origin = Literal["standard", "composed", "kit"]
CONFIDENCE: dict[Origin, Confidence] = {"standard": "high", "composed": "medium", "kit": "low"}
_FORMAT = re.compile(r"(an|n|a)?(\.\.)?([0-9]+)(?:,([0-9]+))?")


# What halves of characters (surrogates) are not: no encoding can write them.
WHOLE = Label("完整的字符", "whole characters")


def whole(text: str) -> bool:
    """Whether ``text`` holds no half of a character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


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
    the codes of today. ``origin``: where the name comes from, and by that how sure it is that the standard has it so.
    """

    zh: str
    format: str | None = None
    row: int | None = None
    widened: str | None = None
    origin: Origin = "standard"

    @property
    def confidence(self) -> Confidence:
        """How sure it is that the standard has the element by this name: ``low`` for what is this kit's own."""
        return CONFIDENCE[self.origin]

    @property
    def limit(self) -> str | None:
        """The format that values are held to; None where none is known."""
        return self.widened or self.format

    def source(self, table: Label | None = None) -> Source:
        """Where the limit is written: a wider format, and one for want of any, is this kit's."""
        return Source(DOCUMENT, table) if self.format and not self.widened else KIT

    def told(self, name: str) -> Label:
        """What the field ``name`` is called where something is wrong with it."""
        return Label(self.zh, name.replace("_", " "))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """The field's own schema, and after it the format for texts."""
        return core_schema.no_info_after_validator_function(self._fit, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The field's own JSON Schema with the standard's words and the limits of the format."""
        found: dict[str, Any] = handler(schema)
        limits = Format.parse(self.limit) if self.limit else None
        for branch in (found, *found.get("anyOf", ())):
            if limits and branch.get("type") == "string" and "pattern" not in branch:
                branch.update(limits.json_schema())
        return found | {
            "x-name-zh": self.zh,
            "x-format": self.format,
            "x-widened": self.widened,
            "x-row": self.row,
            "x-origin": self.origin,
            "x-confidence": self.confidence,
        }

    def _fit(self, value: Any) -> Any:
        if isinstance(value, str) and not whole(value):
            raise CodeError(DOCUMENT, Finding(Problem.VALUE, KIT, None, {"part": self.zh, "expected": WHOLE, "found": value}))
        if isinstance(value, str) and self.limit and not Format.parse(self.limit).fits(value):
            values = {"part": self.zh, "expected": self.limit, "found": value}
            raise CodeError(DOCUMENT, Finding(Problem.FORMAT, self.source(), None, values))
        return value


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a data set: ``name`` for programs, ``label`` for people, and what the standard says of it.

    ``required`` is this kit's rule (``REQUIRED_BY``): which fields the standard asks for was not read.
    """

    name: str
    label: Label
    element: Element
    table: Label | None
    required: bool


# Under which name pydantic's context holds the divisions that codes are read by.
CONTEXT = "divisions"
# Who says which fields must be there, and that no others are.
REQUIRED_BY = KIT


class DataSet(BaseModel):
    """The base of the data sets. ``title`` and ``table`` are those of the standard; ``title_origin`` says whether it has the title so."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    kind: ClassVar[str] = ""
    title: ClassVar[Label] = Label("", "")
    table: ClassVar[Label | None] = None
    title_origin: ClassVar[Origin] = "standard"

    @classmethod
    def read(cls, data: Mapping[str, object], *, table: Divisions | None = None) -> Self:
        """The record in ``data``. Raises CodeError with everything that is wrong with single fields.

        What is wrong between fields is what ``findings`` says of the record: data of others is kept and told. ``table``: the divisions
        that codes are read by, the national ones else; where pydantic reads a record itself, they are its context's ``divisions``.
        """
        try:
            return cls.model_validate(data, context={CONTEXT: table})
        except ValidationError as error:
            raise CodeError(cls.kind, *(found for each in error.errors(include_url=False) for found in _findings(cls, each))) from None

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
        said = {"title": cls.title.en, "x-name-zh": cls.title.zh, "x-origin": cls.title_origin, "x-required-by": str(REQUIRED_BY)}
        return cls.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"} | said

    def plain(self) -> dict[str, Any]:
        """The record as texts and numbers: codes for members of tables, dates and times in the standard's first form."""
        return self.model_dump(mode="json")


# What pydantic misses, by its own names.
_TYPES = {
    "string_type": Label("文本", "a text"),
    "string_too_short": Label("非空文本", "a text that is not empty"),
    "tuple_type": Label("列表", "a list"),
    "model_type": Label("对象", "an object"),
    "model_attributes_type": Label("对象", "an object"),
}


def _findings(cls: type[DataSet], error: ErrorDetails) -> list[Finding]:
    """One error of pydantic in the words of this library."""
    owner, names, element = _place(cls, error["loc"])
    part = Label(*(".".join(names) for names in zip(*names, strict=True))) if names else cls.title
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "missing":
        return [Finding(Problem.REQUIRED, REQUIRED_BY, None, {"part": part})]
    if error["type"] in {"extra_forbidden", "invalid_key", "string_unicode"}:
        # The last is of a name that holds half a character; values that do come to `_fit`.
        name = error.get("input") if error["type"] == "string_unicode" else error["loc"][-1]
        return [Finding(Problem.UNKNOWN_FIELD, REQUIRED_BY, None, {"part": name})]
    if isinstance(cause, CodeError):
        return [_in_field(part, finding, owner, element) for finding in cause.findings]
    if error["type"] == "enum" and (of := _table(owner, error)):
        codes = ", ".join(member.code for member in of)
        return [Finding(Problem.CODE_OF_TABLE, of.source, None, {"part": part, "expected": codes, "found": error.get("input")})]
    found = repr(error.get("input"))
    if element and element.limit:
        return [Finding(Problem.FORMAT, element.source(owner.table), None, {"part": part, "expected": element.limit, "found": found})]
    expected = _TYPES.get(error["type"]) or Label("与该数据项相符的值", "a value for this field")
    return [Finding(Problem.VALUE, KIT, None, {"part": part, "expected": expected, "found": found})]


def _in_field(part: Label, finding: Finding, owner: type[DataSet], element: Element | None) -> Finding:
    """What is wrong with a value, said of the field that holds it: once where, and by one rule."""
    values = {**finding.values, "part": part}
    if finding.problem is Problem.FORMAT and element and element.limit:
        return Finding(Problem.FORMAT, element.source(owner.table), None, values | {"expected": element.limit})
    if finding.problem is Problem.FORMAT and finding.source != KIT:
        return Finding(Problem.FORMAT, owner.source(), None, values)
    if finding.problem in {Problem.FORMAT, Problem.VALUE} and finding.source == KIT:
        return Finding(Problem.VALUE, KIT, None, values)
    reason = Label(finding.words("zh"), finding.words("en"))
    return Finding(Problem.FIELD, finding.source, finding.position, {"part": part, "reason": reason})


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
            told = element.told(step)
            names.append((told.zh, told.en))
            cls = _inner(cls.model_fields[step].annotation) or cls
    return cls, names, element


def _inner(annotation: Any) -> type[DataSet] | None:
    """The data set that a field holds several of."""
    arguments = getattr(annotation, "__args__", ())
    found = [each for each in arguments if isinstance(each, type) and issubclass(each, DataSet)]
    return found[0] if found else None


def _table(cls: type[DataSet], error: ErrorDetails) -> type[Table] | None:
    """The table that the field of an error takes its codes from."""
    annotation = cls.model_fields[str(error["loc"][-1])].annotation
    tables = [each for each in (annotation, *getattr(annotation, "__args__", ())) if isinstance(each, type) and issubclass(each, Table)]
    return tables[0] if tables else None
