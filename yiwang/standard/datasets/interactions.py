"""Data sets of what goes on around a case: consultation, complaint, e-supervision; GB/T 39046-2020 Tables 10 and 11.

Formats were read (confidence high), names where ``origin`` says so.
"""

from typing import Annotated

from yiwang.standard.datasets.base import DataSet, Element
from yiwang.standard.datasets.values import Case, Moment, Place
from yiwang.standard.labels import Label, numbered


class Consultation(DataSet):
    """A question and its answer."""

    kind = "consultation"
    title_origin = "composed"
    title = Label("办事互动：咨询", "consultation")
    table = numbered(10)

    code: Annotated[str, Element("咨询编码", origin="composed")]
    person: Annotated[str | None, Element("咨询人", origin="composed")] = None
    heading: Annotated[str | None, Element("咨询标题", origin="composed")] = None
    content: Annotated[str | None, Element("咨询内容", origin="composed")] = None
    time: Annotated[Moment | None, Element("咨询时间", origin="composed")] = None
    answer_time: Annotated[Moment | None, Element("处理时间")] = None
    answer_person: Annotated[str | None, Element("处理人")] = None
    answer: Annotated[str | None, Element("处理意见")] = None
    extension: Annotated[str | None, Element("延期时限")] = None
    extension_reason: Annotated[str | None, Element("延期原因", origin="composed")] = None
    days_overdue: Annotated[str | None, Element("超期天数")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None


class Complaint(DataSet):
    """A complaint and what came of it."""

    kind = "complaint"
    title_origin = "composed"
    title = Label("办事互动：投诉", "complaint")
    table = numbered(10)

    heading: Annotated[str, Element("投诉标题", origin="composed")]
    person: Annotated[str | None, Element("投诉人", origin="composed")] = None
    against_organ: Annotated[str | None, Element("被投诉单位")] = None
    against_person: Annotated[str | None, Element("被投诉人", origin="composed")] = None
    content: Annotated[str | None, Element("投诉内容", origin="composed")] = None
    origin: Annotated[str | None, Element("投诉来源", origin="composed")] = None
    time: Annotated[Moment | None, Element("投诉时间", origin="composed")] = None
    organ: Annotated[str | None, Element("承办单位")] = None
    organ_person: Annotated[str | None, Element("承办人", origin="composed")] = None
    organ_time: Annotated[Moment | None, Element("承办时间", origin="composed")] = None
    feedback: Annotated[str | None, Element("反馈信息")] = None
    feedback_time: Annotated[Moment | None, Element("反馈时间", origin="composed")] = None
    promised_limit: Annotated[str | None, Element("承诺时限")] = None
    extension: Annotated[str | None, Element("延期")] = None
    days_overdue: Annotated[str | None, Element("超期天数")] = None
    division: Annotated[Place | None, Element("行政区划", "n..9", widened="n..12")] = None


class Supervision(DataSet):
    """A finding of e-supervision on a case. The codes of rules and warnings are no national ones."""

    kind = "supervision"
    title = Label("电子监察", "e-supervision")
    table = numbered(11)

    case_number: Annotated[Case, Element("办件编号", "an..50")]
    instruction: Annotated[str | None, Element("督办内容")] = None
    organ_name: Annotated[str | None, Element("机构名称")] = None
    item_type_code: Annotated[str | None, Element("事项类型代码")] = None
    instruction_time: Annotated[Moment | None, Element("督办发出时间")] = None
    number: Annotated[str | None, Element("监察编号")] = None
    rule_number: Annotated[str | None, Element("监察规则编号")] = None
    warning_code: Annotated[str | None, Element("监察预警类型代码", "n1")] = None
    state_time: Annotated[Moment | None, Element("状态产生时间")] = None
    result: Annotated[str | None, Element("监察结果描述")] = None
    responsible: Annotated[str | None, Element("责任部门")] = None
