"""Tables about bodies and people."""

from __future__ import annotations

from yiwang.standard.labels import Confidence, Label, Source
from yiwang.standard.tables.base import Table, table

_CREDIT = Source("GB 32100-2015")
_INTERFACE = Source(Label("在用的接口", "vendor interface in use"))


@table("登记管理部门", "registering authority", _CREDIT)
class CreditAuthority(Table):
    """First character of a social credit code. Authorities were added later: one that is not here is not wrong."""

    ESTABLISHMENT = "1", "机构编制", "establishment of state organs"
    CIVIL_AFFAIRS = "5", "民政", "civil affairs"
    MARKET = "9", "工商(市场监管)", "market regulation (industry and commerce)", "工商", "市场监管"
    OTHER = "Y", "其他", "other"


@table("机构类别", "category of body", _CREDIT)
class CreditCategory(Table):
    """First two characters of a social credit code. Pairs were added later: one that is not here is not wrong.

    The words of 59, 99 and Y1 were not seen: they are read as those of 19 (confidence medium).
    """

    ORGAN = "11", "机关", "state organ"
    INSTITUTION = "12", "事业单位", "public institution"
    MASS_ORGANISATION = "13", "群众团体", "mass organisation", "编办管理的群众团体"
    ESTABLISHMENT_OTHER = "19", "其他", "other (establishment)"
    SOCIAL_ORGANISATION = "51", "社会团体", "social organisation"
    NON_ENTERPRISE = "52", "民办非企业", "private non-enterprise unit", "民办非企业单位"
    FOUNDATION = "53", "基金会", "foundation"
    CIVIL_AFFAIRS_OTHER = "59", "其他", "other (civil affairs)"
    ENTERPRISE = "91", "企业", "enterprise"
    SOLE_TRADER = "92", "个体工商户", "individual business"
    COOPERATIVE = "93", "农民专业合作社", "farmers' cooperative"
    MARKET_OTHER = "99", "其他", "other (market regulation)"
    OTHER = "Y1", "其他", "other"

    @property
    def confidence(self) -> Confidence:
        """How sure the words are."""
        return "medium" if self.value in {"59", "99", "Y1"} else super().confidence


@table("实施主体性质", "nature of the implementing body", Source("GB/T 39046-2020", "A.3"))
class BodyNature(Table):
    """Nature of the body that implements an item."""

    STATUTORY = "1", "法定机关", "statutory organ"
    AUTHORISED = "2", "授权组织", "authorised organisation"
    ENTRUSTED = "3", "受委托组织", "entrusted organisation"
    OTHER = "9", "其他", "other"


@table("服务对象", "service object", Source("GB/T 39046-2020", "A.4"))
class ServiceObject(Table):
    """Whom an item serves."""

    NATURAL_PERSON = "1", "自然人", "natural person"
    ENTERPRISE = "2", "企业法人", "enterprise"
    INSTITUTION = "3", "事业法人", "public institution"
    SOCIAL_ORGANISATION = "4", "社会组织法人", "social organisation"
    ADMINISTRATIVE_ORGAN = "5", "行政机关", "administrative organ"
    OTHER = "6", "其他组织", "other organisation"


@table("服务对象（接口写法）", "service object as vendors' interfaces write it", _INTERFACE)
class VendorServiceObject(Table):
    """Whom an item serves, in the codes of interfaces in use: alike to ``ServiceObject`` up to 4, other from 5 on."""

    NATURAL_PERSON = "1", "自然人", "natural person"
    ENTERPRISE = "2", "企业法人", "enterprise"
    INSTITUTION = "3", "事业法人", "public institution"
    SOCIAL_ORGANISATION = "4", "社会组织法人", "social organisation"
    UNINCORPORATED = "5", "非法人企业", "unincorporated enterprise"
    ADMINISTRATIVE_ORGAN = "6", "行政机关", "administrative organ"
    OTHER = "9", "其他组织", "other organisation"

    def standard(self) -> ServiceObject:
        """The code of the standard; an unincorporated enterprise has none of its own there and is another organisation."""
        return ServiceObject.OTHER if self is VendorServiceObject.UNINCORPORATED else ServiceObject[self.name]


@table("证件类型", "kind of identity document", Source("GA/T 2000.156", None, "medium"))
class DocumentKind(Table):
    """Kind of identity document: only the code that interfaces use by default is confirmed; other codes of three digits exist."""

    IDENTITY_CARD = "111", "居民身份证", "resident identity card"
