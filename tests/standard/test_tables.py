"""The code tables as the standard has them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from yiwang.standard.labels import Label
from yiwang.standard.tables import TABLES, Table, bodies, cases, exchange, items, resources

# Codes and Chinese words: of tables of the standard as its annex prints them.
EXPECTED: dict[type[Table], str] = {
    items.ItemType: "00 行政权力事项(总) 01 行政许可 02 行政处罚 03 行政强制 04 行政征收 05 行政给付 06 行政检查 07 行政确认 08 行政奖励 "
    "09 行政裁决 10 其他类别事项 20 公共服务事项",
    bodies.CreditAuthority: "1 机构编制 5 民政 9 工商(市场监管) Y 其他",
    bodies.CreditCategory: "11 机关 12 事业单位 13 群众团体 19 其他 51 社会团体 52 民办非企业 53 基金会 59 其他 91 企业 92 个体工商户 "
    "93 农民专业合作社 99 其他 Y1 其他",
    bodies.BodyNature: "1 法定机关 2 授权组织 3 受委托组织 9 其他",
    bodies.ServiceObject: "1 自然人 2 企业法人 3 事业法人 4 社会组织法人 5 行政机关 6 其他组织",
    bodies.VendorServiceObject: "1 自然人 2 企业法人 3 事业法人 4 社会组织法人 5 非法人企业 6 行政机关 9 其他组织",
    items.ExerciseLevel: "1 国家级/局(署、会) 2 省级/直属 3 市级/隶属 4 县级 5 镇(乡、街道) 6 村(社区) 7 分级管理",
    items.HandlingWay: "1 窗口 2 电脑端网上 3 移动端 4 快递申请 9 其他",
    items.CaseKind: "1 即办件 2 承诺件 9 其他",
    cases.SpecialProcedure: "1 延长审批 2 其他",
    cases.Satisfaction: "1 非常满意 2 满意 3 基本满意 4 不满意 5 非常不满意",
    items.YesNo: "1 是 0 否",
    cases.StepState: "1 待办 2 已办",
    cases.PushedState: "1 待受理 2 已受理 3 已办结",
    cases.CaseNetwork: "1 互联网办件 2 政务外网办件",
    cases.LicenceGrade: "A 由服务部门发放，可直接使用 B 经窗口人员核验，可复用 C 由用户上传，须在窗口核验原件 D 用户自有材料，由用户负责",
    bodies.DocumentKind: "111 居民身份证",
    exchange.Operation: "I 新增 U 修改 D 删除",
    resources.ResourceClass: "1 基础信息资源 2 主题信息资源 3 部门信息资源",
    resources.DepartmentItem: "301 党中央 302 全国人大常委会 303 国务院 304 全国政协 305 最高法 306 最高检 307 省及其下各级 308 计划单列市",
    resources.SharingKind: "1 无条件共享 2 有条件共享 3 不予共享",
}
WORDS: dict[type[Table], str] = {
    cases.StepAction: "通过 退回 其他",
    cases.EvaluationChannel: "PC端 移动服务端 二维码 政务大厅平板电脑 政务大厅其他终端 电话 短信",
    items.HandlingRange: "全国 跨省 跨市 跨县",
    resources.ProvisionChannel: "政务外网 互联网 部门专网",
    resources.ResourceForm: "库表 接口 文件",
    resources.UpdateCycle: "实时 每日 每周 每月 每季度 每年 按需 半年",
}


@pytest.mark.parametrize("table", EXPECTED, ids=lambda table: table.__name__)
def test_codes_and_words(table: type[Table]) -> None:
    assert " ".join(f"{member.code} {member.label.zh}" for member in table) == EXPECTED[table]
    assert table.coded


@pytest.mark.parametrize("table", WORDS, ids=lambda table: table.__name__)
def test_tables_without_codes_hold_the_words(table: type[Table]) -> None:
    assert " ".join(member.code for member in table) == WORDS[table]
    assert not table.coded


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_has_both_languages_and_a_source(table: type[Table]) -> None:
    assert table.title.zh
    assert table.title.en.isascii()
    assert table.source.document
    assert table.__doc__
    assert len(table) == len(table.__members__), "two members with one code"
    for member in table:
        assert member.label.zh
        assert member.label.en.isascii()
        assert table.of(member.code) is member
        assert table.label_of(member.code) == member.label


def test_what_was_not_seen_of_a_table_is_less_sure_than_the_table() -> None:
    assert cases.LicenceGrade.source.confidence == "high"
    category = bodies.CreditCategory
    unseen = {category.CIVIL_AFFAIRS_OTHER, category.MARKET_OTHER, category.OTHER}
    assert {member for member in category if member.confidence == "medium"} == unseen
    assert {member.confidence for member in category} == {"high", "medium"}
    assert bodies.DocumentKind.IDENTITY_CARD.confidence == "medium"


def test_every_table_of_the_library_is_listed() -> None:
    assert set(TABLES.values()) == set(Table.__subclasses__()) == EXPECTED.keys() | WORDS.keys()
    program = "from yiwang.standard.tables import TABLES; print(*TABLES)"
    alone = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert alone == list(TABLES)


def test_a_code_that_is_not_there() -> None:
    assert items.ItemType.label_of("99") is None
    with pytest.raises(ValueError, match="ItemType has no code '99'"):
        items.ItemType.of("99")


def test_further_types_of_items() -> None:
    assert items.type_label("15") == Label("行政权力事项（扩展类型）", "administrative power (further type)")
    assert items.type_label("21") == Label("公共服务事项（扩展类型）", "public service (further type)")
    assert items.type_label("20") == Label("公共服务事项", "public service")
    assert [items.type_label(code) for code in ("30", "99", "x", "")] == [None] * 4


def test_vendors_codes_are_mapped_and_not_mixed() -> None:
    vendor, ours = bodies.VendorServiceObject, bodies.ServiceObject
    assert [vendor.of(code).standard() for code in "1234569"] == [ours.of(code) for code in "1234656"]


@pytest.mark.parametrize(
    ("member", "names", "others"),
    [
        (items.HandlingWay.WINDOW, ["窗口", "窗口办理"], ["移动端", "", "window"]),
        (items.ExerciseLevel.CITY, ["市级/隶属", "市级／隶属", "市级", "市级（隶属）", " 市级 "], ["省级", "市"]),
        (items.ExerciseLevel.TOWNSHIP, ["镇（乡、街道）", "镇(乡、街道)", "街道"], ["村"]),
        (bodies.CreditCategory.MASS_ORGANISATION, ["群众团体"], ["社会团体"]),
    ],
)
def test_a_name_is_the_wording_of_the_source_or_another_way_to_write_it(member: Table, names: list[str], others: list[str]) -> None:
    assert [member.means(name) for name in names] == [True] * len(names)
    assert [member.means(name) for name in others] == [False] * len(others)


def test_no_name_means_two_codes_of_a_table_of_items() -> None:
    for table in (items.ItemType, items.ExerciseLevel, items.HandlingWay, items.CaseKind):
        for member in table:
            assert [other for other in table for name in (member.label.zh, *member.synonyms) if other.means(name)] == [member] * (
                1 + len(member.synonyms)
            )


def test_the_last_two_levels_are_bad_evaluations() -> None:
    assert [level.code for level in cases.Satisfaction if level.bad] == ["4", "5"]
