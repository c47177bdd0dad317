"""Data sets of a case from application to evaluation, GB/T 39046-2020 Tables 5 to 9.

Formats were read (confidence high), names where ``origin`` says so. The case number is the key of each set; two of its rows are known.
"""

from typing import Annotated

from yiwang.standard.datasets import rules
from yiwang.standard.datasets.base import DataSet, Element
from yiwang.standard.datasets.values import Basic, Case, Content, Credit, Implementing, Moment, Place
from yiwang.standard.errors import Finding
from yiwang.standard.labels import Label, numbered
from yiwang.standard.tables.cases import EvaluationChannel, Satisfaction, SpecialProcedure, StepAction, StepState
from yiwang.standard.tables.items import CaseKind, YesNo


class ApplicationMaterial(DataSet):
    """A material that came with an application. Row 20 of the table repeats the case number, there as an..20."""

    kind = "application_material"
    title_origin = "kit"
    title = Label("申请材料", "material of an application")
    table = numbered(5)

    name: Annotated[str, Element("材料名称")]
    received: Annotated[str | None, Element("是否收取")] = None
    way: Annotated[str | None, Element("收取方式")] = None
    quantity: Annotated[str | None, Element("收取数量")] = None
    time: Annotated[Moment | None, Element("收取时间")] = None
    attachment: Annotated[Content | None, Element("附件实体")] = None


class Application(DataSet):
    """An application for an item."""

    kind = "application"
    title = Label("办事申请", "application")
    table = numbered(5)

    case_number: Annotated[Case, Element("办件编号", "an..50", row=1)]
    implementing_code: Annotated[Implementing | None, Element("实施编码", "an..24", widened="an..36")] = None
    item_name: Annotated[str | None, Element("事项名称")] = None
    case_kind_name: Annotated[str | None, Element("办件类型")] = None
    case_kind_code: Annotated[CaseKind | None, Element("办件类型代码", origin="composed")] = None
    applicant_name: Annotated[str | None, Element("申请者名称")] = None
    applicant_document_kind: Annotated[str | None, Element("申请者证件类型代码", "n3", origin="composed")] = None
    applicant_document_number: Annotated[str | None, Element("申请者证件号码", "an..18", origin="composed")] = None
    agent_name: Annotated[str | None, Element("联系人/代理人姓名")] = None
    agent_document_kind: Annotated[str | None, Element("联系人/代理人证件类型", origin="composed")] = None
    agent_document_number: Annotated[str | None, Element("联系人/代理人证件号码", origin="composed")] = None
    agent_mobile: Annotated[str | None, Element("联系人手机号码")] = None
    postcode: Annotated[str | None, Element("邮政编码", "n6")] = None
    address: Annotated[str | None, Element("通讯地址")] = None
    legal_representative: Annotated[str | None, Element("法定代表人")] = None
    origin_code: Annotated[str | None, Element("申报来源代码")] = None
    time: Annotated[Moment | None, Element("申请时间")] = None
    project_number: Annotated[str | None, Element("投资项目编号", "an..24")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None
    materials: Annotated[tuple[ApplicationMaterial, ...], Element("申请材料", origin="kit")] = ()

    def findings(self) -> tuple[Finding, ...]:
        """Names against their codes, identity numbers against their rules."""
        return rules.application(self)


class Acceptance(DataSet):
    """That a case was accepted."""

    kind = "acceptance"
    title = Label("事项受理", "acceptance")
    table = numbered(6)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    basic_code: Annotated[Basic | None, Element("基本编码", "an..10", widened="an..12")] = None
    implementing_code: Annotated[Implementing | None, Element("实施编码", "an..24", widened="an..36")] = None
    item_name: Annotated[str | None, Element("事项名称")] = None
    organ_name: Annotated[str | None, Element("受理单位名称")] = None
    organ_code: Annotated[Credit | None, Element("受理单位统一社会信用代码", origin="composed")] = None
    person: Annotated[str | None, Element("受理人员")] = None
    time: Annotated[Moment | None, Element("受理时间")] = None
    document_number: Annotated[str | None, Element("受理文书编号")] = None
    promised_time: Annotated[Moment | None, Element("承诺办结时间")] = None
    case_kind_name: Annotated[str | None, Element("办件类型")] = None
    case_kind_code: Annotated[CaseKind | None, Element("办件类型代码", origin="composed")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None

    def findings(self) -> tuple[Finding, ...]:
        """Names against their codes; the promised time against that of acceptance."""
        return rules.acceptance(self)


class Step(DataSet):
    """A step in the handling of a case, or a special procedure in it."""

    kind = "step"
    title = Label("事项办理", "step of handling")
    table = numbered(7)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    action: Annotated[StepAction | None, Element("业务动作")] = None
    step_name: Annotated[str | None, Element("环节名称")] = None
    step_person: Annotated[str | None, Element("环节处理人", origin="composed")] = None
    step_opinion: Annotated[str | None, Element("环节处理意见", origin="composed")] = None
    step_start: Annotated[Moment | None, Element("环节开始时间", origin="composed")] = None
    step_end: Annotated[Moment | None, Element("环节结束时间", origin="composed")] = None
    step_organ_name: Annotated[str | None, Element("处理单位")] = None
    step_organ_code: Annotated[Credit | None, Element("处理单位统一社会信用代码", origin="composed")] = None
    step_state: Annotated[StepState | None, Element("环节办理状态代码")] = None
    special_name: Annotated[str | None, Element("特别程序种类名称")] = None
    special_code: Annotated[SpecialProcedure | None, Element("特别程序种类代码", origin="composed")] = None
    special_start: Annotated[Moment | None, Element("特别程序开始时间", origin="composed")] = None
    special_reason: Annotated[str | None, Element("特别程序理由", origin="composed")] = None
    special_applicant: Annotated[str | None, Element("特别程序申请人", origin="composed")] = None
    special_end: Annotated[Moment | None, Element("特别程序结束时间", origin="composed")] = None
    special_result: Annotated[str | None, Element("特别程序结果", origin="composed")] = None
    special_opinion: Annotated[str | None, Element("特别程序办理意见", origin="composed")] = None
    organ_name: Annotated[str | None, Element("办理单位")] = None
    organ_code: Annotated[Credit | None, Element("办理单位统一社会信用代码", origin="composed")] = None
    person: Annotated[str | None, Element("办理人")] = None

    def findings(self) -> tuple[Finding, ...]:
        """A special procedure needs its start and its reason; ends do not come before starts."""
        return rules.step(self)


class Completion(DataSet):
    """That a case is done, and with which result."""

    kind = "completion"
    title = Label("事项办结", "completion")
    table = numbered(8)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    person: Annotated[str | None, Element("办理人姓名")] = None
    time: Annotated[Moment | None, Element("办结时间")] = None
    licence_name: Annotated[str | None, Element("结果证照名称")] = None
    licence_number: Annotated[str | None, Element("结果证照编号", origin="composed")] = None
    result: Annotated[str | None, Element("办件结果描述")] = None
    valid_until: Annotated[str | None, Element("证照有效期限")] = None
    issuer: Annotated[str | None, Element("发证/盖章单位")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None
    delivered: Annotated[YesNo | None, Element("是否快递寄送结果")] = None
    charged: Annotated[YesNo | None, Element("是否收费")] = None


class Evaluation(DataSet):
    """What an applicant said of a case."""

    kind = "evaluation"
    title = Label("绩效评价", "evaluation")
    table = numbered(9)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    channel: Annotated[EvaluationChannel | None, Element("评价渠道")] = None
    person: Annotated[str | None, Element("评价人")] = None
    time: Annotated[Moment | None, Element("评价时间")] = None
    count: Annotated[str | None, Element("评价次数", "n..2")] = None
    satisfaction_name: Annotated[str | None, Element("满意度")] = None
    satisfaction_code: Annotated[Satisfaction | None, Element("满意度代码", "n1", origin="composed")] = None
    text: Annotated[str | None, Element("文字评价")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None

    def findings(self) -> tuple[Finding, ...]:
        """The name of the level against its code."""
        return rules.evaluation(self)
