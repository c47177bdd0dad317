"""What can be wrong with a code, a table or a data set, told so that a program can act on it and a person can read it.

Everything that a parser says is a ``Finding``: which ``Problem``, at which character, with which values, by which rule. One that
cannot be accepted is raised in a ``CodeError``; one that can is kept as a warning beside the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from yiwang.standard.labels import KIT, Label, Language, Source

_SHOWN = 40
_LONGEST_PATH = 4096


class Severity(Enum):
    """What a finding means for the value: an error refuses it, a warning comes with it."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Enum):
    """All that can be wrong, each with its words in Chinese and English; ``{name}`` is filled from the finding's values.

    The value of a member is the name of the rule for programs.
    """

    label: Label

    def __new__(cls, rule: str, zh: str, en: str) -> Self:
        """A member with its words."""
        member = object.__new__(cls)
        member._value_ = rule
        member.label = Label(zh, en)
        return member

    EMPTY = ("empty", "值为空", "the value is empty")
    LENGTH = ("length", "应为 {expected} 个字符，实为 {found} 个", "expected {expected} characters, found {found}")
    STRAY = ("stray", "不应有字符 {found}", "the character {found} does not belong here")
    CHARACTER = ("character", "{part}应为 {expected}，实为 {found}", "{part}: expected {expected}, found {found}")
    CHECK = ("check", "{part}应为 {expected}，实为 {found}", "{part}: expected {expected}, found {found}")
    CHECK_FAULTY_LETTERS = (
        "check_faulty_letters",
        "{part}应为 {expected}，实为 {found}：由流传的有误程序算出（字母按 11–36 取值）",
        "{part}: expected {expected}, found {found}, which is what a faulty routine in circulation gives (it values letters 11 to 36)",
    )
    DATE = ("date", "{part} {found} 不是真实日期", "{part}: {found} is no date of the calendar")
    DATE_FUTURE = ("date_future", "{part} {found} 晚于今天", "{part}: {found} is later than today")
    NO_PROVINCE = ("no_province", "{found} 不是省级行政区划代码的前两位", "{found} is not how the code of a province begins")
    UNKNOWN_DIVISION = (
        "unknown_division",
        "行政区划 {found} 不在现行代码表中（可能已撤销，或为本省自设）",
        "division {found} is not in the table of today (it may be abolished, or the province's own)",
    )
    NO_ITEM_TYPE = ("no_item_type", "{found} 不是已知的事项类型代码", "{found} is no known type of items")
    RESIDENT_FORM = (
        "resident_form",
        "{found} 不是港澳台居民居住证的前六位",
        "{found} is not how a residence permit of Hong Kong, Macao or Taiwan begins",
    )
    PARTS = (
        "parts",
        "根代码之后应有 {expected} 个以点分隔的部分，实为 {found} 个",
        "expected {expected} parts between dots after the root, found {found}",
    )
    ROOT = ("root", "应以 {expected} 开头", "expected it to begin with {expected}")
    DIVISION_AS_BODY = (
        "division_as_body",
        "{part}应为 18 位统一社会信用代码，实为 6 位行政区划 {found}",
        "{part}: expected a social credit code of 18 characters, found the 6 digits of a division, {found}",
    )
    VERSION_ZERO = ("version_zero", "版本号从 001 开始", "versions begin with 001")
    TOO_LONG = ("too_long", "不应超过 {expected} 个字符，实为 {found} 个", "expected at most {expected} characters, found {found}")
    TOO_SHORT = ("too_short", "至少应有 {expected} 个字符，实为 {found} 个", "expected at least {expected} characters, found {found}")
    LAYOUT = (
        "layout",
        "长度与默认编号规则相符，但日期 {found} 不存在",
        "as long as a number of the usual layout, but there is no date {found}",
    )
    SERIAL = ("serial", "顺序号应在 1 到 {expected} 之间，实为 {found}", "expected a serial from 1 to {expected}, found {found}")
    VALUE = ("value", "{part}应为 {expected}，实为 {found}", "{part}: expected {expected}, found {found}")
    TABLE_ROW = ("table_row", "{part}应为 {expected}，实为 {found}", "{part}: expected {expected}, found {found}")
    TABLE_DUPLICATE = ("table_duplicate", "第 {line} 行：{found} 重复", "line {line}: {found} is there twice")
    NOT_TEXT_FILE = ("not_text_file", "不是 UTF-8 文本", "this is not UTF-8 text")
    NOT_PLAIN_FILE = ("not_plain_file", "不是普通文件", "this is not a plain file")
    FILE_TOO_LARGE = ("file_too_large", "文件超过 {expected} MiB", "the file is larger than {expected} MiB")
    NO_NOTICE = (
        "no_notice",
        "{found} 年的节假日安排尚无官方通知，不作推算（已有 {expected}）",
        "there is no official notice of the holidays of {found}, and none is guessed (there are {expected})",
    )
    NO_NOTICE_YET = (
        "no_notice_yet",
        "{found} 可能受 {year} 年节假日通知影响，该通知尚未收录，不作推算",
        "{found} may change by the notice for {year}, which is not in the calendar yet, and it is not guessed",
    )
    REQUIRED = ("required", "缺少{part}", "{part} is missing")
    UNKNOWN_PART = ("unknown_part", "没有名为 {part} 的部分，可用：{expected}", "there is no part {part}; known: {expected}")
    NOT_ISSUED = ("not_issued", "{part}不由本平台签发", "no {part} is issued here")
    SERIALS_UNUSABLE = (
        "serials_unusable",
        "顺序号文件 {found} 无法使用（{reason}）",
        "the file of serials {found} cannot be used ({reason})",
    )
    SERIALS_LOCKED = (
        "serials_locked",
        "顺序号文件 {found} 正被其他进程使用（已等待 {expected} 秒）",
        "others are using the file of serials {found} (after a wait of {expected} seconds)",
    )
    SERIALS_EXHAUSTED = (
        "serials_exhausted",
        "顺序号到 {expected} 为止，剩余 {found} 个",
        "serials end at {expected}, and {found} are left",
    )
    FIELD = ("field", "{part}：{reason}", "{part}: {reason}")
    UNKNOWN_FIELD = ("unknown_field", "没有名为 {part} 的数据项", "there is no field {part}")
    OWN_FIELD = ("own_field", "{part} 由事项和同步信息填写，不能另行给出", "{part} is filled by the item or the synchronisation")
    FORMAT = ("format", "{part}应符合格式 {expected}，实为 {found}", "{part}: expected the format {expected}, found {found}")
    CODE_OF_TABLE = ("code_of_table", "{part}应为 {expected} 之一，实为 {found}", "{part}: expected one of {expected}, found {found}")
    PROMISE_LONGER = (
        "promise_longer",
        "承诺办结时限 {found} 长于法定办结时限 {expected}",
        "the promised time limit of {found} is longer than the statutory one of {expected}",
    )
    PROMISE_UNIT = (
        "promise_unit",
        "承诺办结时限的单位“{found}”与法定办结时限的单位“{expected}”不同，无法比较",
        "the promised time limit is in {found} and the statutory one in {expected}: they cannot be compared",
    )
    SPECIAL_INCOMPLETE = ("special_incomplete", "特别程序须记录{part}", "a special procedure needs its {part}")
    TIMES_REVERSED = ("times_reversed", "{part}早于 {expected}", "{part} is earlier than {expected}")
    NAME_AND_CODE = ("name_and_code", "{part}“{found}”与其代码 {expected} 不符", "{part} {found} is not what its code {expected} means")
    NOT_AS_HELD = (
        "not_as_held",
        "{part}应为{holder}所含的 {expected}，实为 {found}",
        "{part}: expected {expected}, which the {holder} holds, found {found}",
    )
    NOT_IN_ITEM = ("not_in_item", "实施编码不含基本编码 {expected}", "the implementing code does not hold the basic code {expected}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a value.

    ``position`` counts characters from 1 and is None where the finding is about the whole. ``values`` fill the problem's words; a
    ``Label`` among them is said in the reader's language.
    """

    problem: Problem
    source: Source
    position: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    severity: Severity = Severity.ERROR

    def words(self, language: Language = "en") -> str:
        """What is wrong and where, without the rule."""
        words = self.problem.label.text(language).format(**{name: _shown(value, language) for name, value in self.values.items()})
        # What is wrong with a field says itself which character of the field it is.
        if self.position is None or self.problem is Problem.FIELD:
            return words
        return f"第 {self.position} 位：{words}" if language == "zh" else f"character {self.position}: {words}"

    def text(self, language: Language = "en") -> str:
        """What is wrong in one line: position, words, rule (none where it is the kit's own)."""
        words = self.words(language)
        if self.source.document == KIT.document:
            return words
        source = self.source.text(language)
        return f"{words}（{source}）" if language == "zh" else f"{words} ({source})"

    def __str__(self) -> str:
        """The line in English."""
        return self.text()


class CodeError(ValueError):
    """A value that is not what its kind asks for: the one error that parsers, tables and data sets raise.

    ``kind`` is the noun (``uscc``, ``item`` …); ``finding`` says what is wrong. ``findings`` holds all of them where several are known.
    ``file``: the file that is wrong, where it is one.
    """

    def __init__(self, kind: str, finding: Finding, *others: Finding) -> None:
        super().__init__(kind, finding, *others)
        self.kind = kind
        self.finding = finding
        self.findings = (finding, *others)
        self.file: str | None = None

    def text(self, language: Language = "en") -> str:
        """What is wrong, in one line."""
        file = "" if self.file is None else shown_path(self.file) + ("：" if language == "zh" else ": ")
        return file + ("；" if language == "zh" else "; ").join(finding.text(language) for finding in self.findings)

    def __str__(self) -> str:
        """Kind and findings in English."""
        return f"{self.kind}: {self.text()}"


def shown(text: str, longest: int = _SHOWN) -> str:
    """``text`` as a line can show it: what does not print is escaped, what is longer than ``longest`` characters is cut.

    A byte that is no text, which Python keeps as half a character, is shown as that byte.
    """
    cut = text if len(text) <= longest else f"{text[:longest]}…"
    return "".join(character if character.isprintable() else _escaped(character) for character in cut)


def shown_path(path: object) -> str:
    """A path as a line can show it, whole: a person is to find the file."""
    return shown(str(path), _LONGEST_PATH)


def quoted(character: str) -> str:
    """``character`` in quotes, as a line can show it."""
    return f"'{shown(character)}'"


def _escaped(character: str) -> str:
    return f"\\x{ord(character) - 0xDC00:02x}" if "\udc80" <= character <= "\udcff" else ascii(character)[1:-1]


def _shown(value: object, language: Language) -> str:
    return value.text(language) if isinstance(value, Label) else shown(str(value))
