"""What people are told is in one language: no English in a Chinese line but names that are the same in both."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from yiwang import standard
from yiwang.standard.datasets import SETS, Item
from yiwang.standard.errors import CodeError
from yiwang.standard.item import ItemCode
from yiwang.standard.kinds import KINDS, Reading
from yiwang.standard.labels import Label, Source
from yiwang.standard.serials import SerialFile
from yiwang.standard.tables import TABLES

# Numbers of documents begin with these, and the kit has one name.
NAMES = {"GB", "GA", "ZWFW", "yiwang"}


def sources() -> Iterator[tuple[str, Source]]:
    for module in pkgutil.walk_packages(standard.__path__, "yiwang.standard."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Source):
                yield f"{module.name}.{name}", value
    for name, table in TABLES.items():
        yield name, table.source
    for name, each in SETS.items():
        yield name, each.source()


def english(text: str) -> set[str]:
    return set(re.findall("[A-Za-z]{2,}", text)) - NAMES


@pytest.mark.parametrize(("name", "source"), [pytest.param(*each, id=each[0]) for each in sources()])
def test_a_chinese_reader_is_told_a_source_in_chinese(name: str, source: Source) -> None:
    assert english(source.text("zh")) == set()
    assert source.text("en") == str(source)
    if isinstance(source.document, Label):
        assert source.document.en.isascii()


def test_a_source_is_told_in_both_languages() -> None:
    source = Source("GB/T 39046-2020", Label("表 4", "Table 4"))
    assert (source.text("zh"), source.text("en")) == ("GB/T 39046-2020 表 4", "GB/T 39046-2020, Table 4")
    assert Source("GB/T 39046-2020", "A.5").text("zh") == "GB/T 39046-2020 A.5"


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_that_making_asks_for_has_a_chinese_name(kind: str) -> None:
    parts = {**KINDS[kind].needs, **KINDS[kind].may}
    for key, label in parts.items():
        assert (english(label.zh), label.en) == ({key}, key)
        assert not label.zh.isascii()
    for key in KINDS[kind].needs:
        with pytest.raises(CodeError) as refused:
            KINDS[kind].generate({each: "1" for each in KINDS[kind].needs if each != key}, Reading(), lambda _: 1)
        assert refused.value.text("zh") == f"缺少{parts[key].zh}"
        assert refused.value.text("en") == f"{key} is missing"


def test_a_wrong_day_and_a_wrong_file_are_told_in_chinese(tmp_path: Path) -> None:
    item = {"implementing": "12441500196720244T3442199806003"}
    for parts, said in (({"date": "x"}, "日期（date）应为 YYYY-MM-DD 或 YYYYMMDD，实为 x"), ({}, "缺少日期（date）")):
        with pytest.raises(CodeError) as refused:
            KINDS["case"].generate(item | parts, Reading(), lambda _: 1)
        assert refused.value.text("zh") == said
    with pytest.raises(CodeError) as refused:
        SerialFile(tmp_path)("a")
    assert refused.value.text("zh").endswith("无法使用（不是普通文件）")
    assert refused.value.text("en").endswith("cannot be used (not a regular file)")


def test_the_place_in_a_document_is_told_in_chinese() -> None:
    with pytest.raises(CodeError) as refused:
        Item.read({"name": "", "implementing_code": "12441500196720244T3442199806003"})
    assert refused.value.text("zh").endswith("（GB/T 39046-2020 表 4）")
    with pytest.raises(CodeError) as refused:
        ItemCode.generate("370117002011", level="3")
    assert refused.value.text("zh").startswith("缺少实施主体代码")
