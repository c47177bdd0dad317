"""Data sets of what all services share: identity, seal, payment, delivery, catalogue; GB/T 39046-2020 Tables 12 to 16.

Formats were read (confidence high), names where ``origin`` says so. Of Tables 14 and 15 only the fields below were seen.
"""

from typing import Annotated

from pydantic import Field

from yiwang.standard.datasets.base import DataSet, Element
from yiwang.standard.datasets.values import Case, Credit, Day, Moment, Number
from yiwang.standard.labels import Label, numbered
from yiwang.standard.tables.items import YesNo
from yiwang.standard.tables.resources import ProvisionChannel, UpdateCycle


class NaturalPerson(DataSet):
    """The account of a natural person. The password is what is kept of it, never the word itself."""

    kind = "natural_person"
    title_origin = "composed"
    title = Label("身份认证：自然人", "natural person")
    table = numbered(12)

    user_code: Annotated[str, Element("用户编码")]
    name: Annotated[str | None, Element("姓名")] = None
    document_kind: Annotated[str | None, Element("证件类型")] = None
    document_number: Annotated[str | None, Element("身份证件号码")] = None
    ethnicity: Annotated[str | None, Element("民族")] = None
    post: Annotated[str | None, Element("职务")] = None
    user_name: Annotated[str | None, Element("用户名")] = None
    password: Annotated[str | None, Element("密码", "an..60")] = None
    mobile: Annotated[str | None, Element("移动电话")] = None
    mail: Annotated[str | None, Element("邮箱")] = None
    verified: Annotated[YesNo | None, Element("是否实名认证", "n1")] = None
    sex_code: Annotated[str | None, Element("性别代码")] = None


class LegalPerson(DataSet):
    """The account of a legal person."""

    kind = "legal_person"
    title_origin = "composed"
    title = Label("身份认证：法人", "legal person")
    table = numbered(12)

    credit_code: Annotated[Credit, Element("统一社会信用代码", "an18")]
    organisation_name: Annotated[str | None, Element("机构名称")] = None
    organisation_address: Annotated[str | None, Element("机构地址")] = None
    workplace: Annotated[str | None, Element("工作单位")] = None
    representative: Annotated[str | None, Element("法定代表人/负责人")] = None
    verified: Annotated[YesNo | None, Element("是否实名认证", "n1")] = None
    registered_address: Annotated[str | None, Element("注册地址")] = None
    registered_on: Annotated[Day | None, Element("注册日期")] = None
    business_scope: Annotated[str | None, Element("经营范围")] = None


class Seal(DataSet):
    """An e-seal and its use."""

    kind = "seal"
    title = Label("印章", "e-seal")
    table = numbered(13)

    signature_version: Annotated[str | None, Element("电子签章版本")] = None
    signer: Annotated[str | None, Element("签章人")] = None
    signed_at: Annotated[Moment | None, Element("签章时间")] = None
    seal_type: Annotated[str | None, Element("印章类型")] = None
    seal_name: Annotated[str, Element("印章名称")]
    made_on: Annotated[Day | None, Element("制作日期")] = None
    issued_on: Annotated[Day | None, Element("发放日期")] = None


class Payment(DataSet):
    """A payment for a case, in yuan."""

    kind = "payment"
    title = Label("支付", "payment")
    table = numbered(14)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    amount: Annotated[Number | None, Field(max_digits=16, decimal_places=2, ge=0), Element("支付金额", "n..16,2")] = None


class Delivery(DataSet):
    """A delivery for a case: the key alone was seen."""

    kind = "delivery"
    title = Label("物流", "delivery")
    table = numbered(15)

    case_number: Annotated[Case, Element("办件编号", "an..50")]


class CatalogueEntry(DataSet):
    """An entry of the catalogue of data that services need and give."""

    kind = "catalogue_entry"
    title = Label("数据目录", "catalogue entry")
    table = numbered(16)

    item_name: Annotated[str, Element("事项名称")]
    result_name: Annotated[str | None, Element("办结结果名称")] = None
    is_licence: Annotated[YesNo | None, Element("是否电子证照")] = None
    scene: Annotated[str | None, Element("应用场景")] = None
    provider: Annotated[str | None, Element("提供方")] = None
    summary: Annotated[str | None, Element("摘要")] = None
    channel: Annotated[ProvisionChannel | None, Element("提供渠道")] = None
    field_of_work: Annotated[str | None, Element("所属领域")] = None
    update_cycle: Annotated[UpdateCycle | None, Element("更新周期")] = None
