"""Tables about items (政务服务事项)."""

from __future__ import annotations

from yiwang.standard.labels import Label, Source, numbered
from yiwang.standard.tables.base import Table, table

_CODING = Source("GB/T 39554.1-2020 / ZWFW C0109.1-2018")


@table("事项类型", "type of item", Source("GB/T 39046-2020", "A.1"))
class ItemType(Table):
    """Type of an item, digits 3 and 4 of the basic code. 11 and on, 21 and on are for further types."""

    POWER = "00", "行政权力事项(总)", "administrative power", "行政权力事项"
    LICENCE = "01", "行政许可", "administrative licence"
    PENALTY = "02", "行政处罚", "administrative penalty"
    COERCION = "03", "行政强制", "administrative coercion"
    LEVY = "04", "行政征收", "administrative levy"
    PAYMENT = "05", "行政给付", "administrative payment"
    INSPECTION = "06", "行政检查", "administrative inspection"
    CONFIRMATION = "07", "行政确认", "administrative confirmation"
    REWARD = "08", "行政奖励", "administrative reward"
    RULING = "09", "行政裁决", "administrative ruling"
    OTHER_POWER = "10", "其他类别事项", "other power"
    PUBLIC_SERVICE = "20", "公共服务事项", "public service"


def type_label(code: str) -> Label | None:
    """The words for the type ``code`` of a basic code; None where there is no such type.

    The table leaves 11 and on, 21 and on for further types. This kit reads that as 11-19 and 21-29 (confidence medium).
    """
    known = ItemType.label_of(code)
    if known is not None:
        return known
    if "11" <= code <= "19":
        return Label("行政权力事项（扩展类型）", "administrative power (further type)")
    if "21" <= code <= "29":
        return Label("公共服务事项（扩展类型）", "public service (further type)")
    return None


@table("行使层级", "level of exercise", _CODING)
class ExerciseLevel(Table):
    """Level at which an item is exercised, digit 19 of an implementing code."""

    NATIONAL = "1", "国家级/局(署、会)", "national", "国家级"
    PROVINCE = "2", "省级/直属", "province", "省级", "直属", "省级(直属)"
    CITY = "3", "市级/隶属", "city", "市级", "隶属", "市级(隶属)"
    COUNTY = "4", "县级", "county"
    TOWNSHIP = "5", "镇(乡、街道)", "township or street", "镇", "乡", "街道"
    VILLAGE = "6", "村(社区)", "village or community", "村", "社区"
    GRADED = "7", "分级管理", "by grade"


@table("办理形式", "way of handling", Source("GB/T 39046-2020", "A.5"))
class HandlingWay(Table):
    """How an item can be applied for."""

    WINDOW = "1", "窗口", "at the window", "窗口办理"
    COMPUTER = "2", "电脑端网上", "online by computer", "电脑端网上办理"
    MOBILE = "3", "移动端", "by mobile", "移动端办理"
    EXPRESS = "4", "快递申请", "by express mail"
    OTHER = "9", "其他", "other"


@table("办件类型", "kind of case", Source("GB/T 39046-2020", "A.6"))
class CaseKind(Table):
    """Whether a case is done on the spot or within a promised limit."""

    IMMEDIATE = "1", "即办件", "done on the spot"
    PROMISED = "2", "承诺件", "within a promised limit"
    OTHER = "9", "其他", "other"


@table("是否", "yes or no", Source("GB/T 39046-2020", numbered(4)))
class YesNo(Table):
    """Answer of a yes-or-no field."""

    YES = "1", "是", "yes"
    NO = "0", "否", "no"


@table("通办范围", "range of handling", Source("GB/T 39046-2020", Label("表 4 第 33 项", "Table 4 no. 33")), coded=False)
class HandlingRange(Table):
    """Where an item can be handled besides its own place. The words are the standard's; its codes, one digit each, were not seen."""

    NATION = "全国", "全国", "whole country"
    PROVINCES = "跨省", "跨省", "across provinces"
    CITIES = "跨市", "跨市", "across cities"
    COUNTIES = "跨县", "跨县", "across counties"
