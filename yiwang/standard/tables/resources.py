"""Tables about government information resources (政务信息资源)."""

from __future__ import annotations

from yiwang.standard.labels import Label, Source
from yiwang.standard.tables.base import Table, table

GUIDE = Source("政务信息资源目录编制指南（试行）发改高技〔2017〕1272号")
_PRACTICE = Source(Label("在用的资源目录", "live catalogues"))


@table("信息资源类", "class of information resources", GUIDE)
class ResourceClass(Table):
    """First digit of a resource code (类)."""

    BASIC = "1", "基础信息资源", "basic resources"
    THEME = "2", "主题信息资源", "theme resources"
    DEPARTMENT = "3", "部门信息资源", "department resources"


@table("部门信息资源项", "item of department resources", Source(GUIDE.document, None, "medium"))
class DepartmentItem(Table):
    """First three digits of the code of a department resource: the order is the guide's, that it gives the numbers is not confirmed."""

    PARTY = "301", "党中央", "central organs of the Party"
    CONGRESS = "302", "全国人大常委会", "standing committee of the National People's Congress"
    STATE_COUNCIL = "303", "国务院", "State Council"
    CONSULTATIVE = "304", "全国政协", "national committee of the CPPCC"
    COURT = "305", "最高法", "Supreme People's Court", "最高人民法院"
    PROCURATORATE = "306", "最高检", "Supreme People's Procuratorate", "最高人民检察院"
    PROVINCE = "307", "省及其下各级", "provinces and the levels below"
    SEPARATE_PLAN_CITY = "308", "计划单列市", "cities with separate plans"


@table("共享类型", "kind of sharing", _PRACTICE)
class SharingKind(Table):
    """Whether a resource is shared. The three kinds are the guide's, the codes those of catalogues in use."""

    UNCONDITIONAL = "1", "无条件共享", "shared without conditions"
    CONDITIONAL = "2", "有条件共享", "shared on conditions"
    NONE = "3", "不予共享", "not shared"


@table("更新周期", "update cycle", GUIDE, coded=False)
class UpdateCycle(Table):
    """How often a resource is updated; the last two are of catalogues in use."""

    REAL_TIME = "实时", "实时", "real time"
    DAILY = "每日", "每日", "daily"
    WEEKLY = "每周", "每周", "weekly"
    MONTHLY = "每月", "每月", "monthly"
    QUARTERLY = "每季度", "每季度", "quarterly"
    YEARLY = "每年", "每年", "yearly"
    ON_DEMAND = "按需", "按需", "on demand"
    HALF_YEARLY = "半年", "半年", "half-yearly"


@table("提供渠道", "channel of provision", _PRACTICE, coded=False)
class ProvisionChannel(Table):
    """Through which network a resource is provided."""

    EXTRANET = "政务外网", "政务外网", "government extranet"
    INTERNET = "互联网", "互联网", "internet"
    PRIVATE = "部门专网", "部门专网", "department's private network"


@table("信息资源形态", "form of resource", _PRACTICE, coded=False)
class ResourceForm(Table):
    """In which form a resource is provided."""

    DATABASE = "库表", "库表", "database table"
    INTERFACE = "接口", "接口", "interface"
    FILE = "文件", "文件", "file"
