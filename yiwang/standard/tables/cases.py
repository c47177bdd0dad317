"""Tables about cases (办件), their evaluation and their documents."""

from __future__ import annotations

from yiwang.standard.labels import Label, Source, numbered
from yiwang.standard.tables.base import Table, table

_INTERFACE = Source(Label("在用的接口", "vendor interface in use"))


@table("特别程序种类", "kind of special procedure", Source("GB/T 39046-2020", "A.7"))
class SpecialProcedure(Table):
    """What stops or extends the time limit of a case."""

    EXTENSION = "1", "延长审批", "extension of the limit"
    OTHER = "2", "其他", "other"


@table("满意度", "satisfaction", Source("GB/T 39046-2020", "A.8"))
class Satisfaction(Table):
    """How satisfied an applicant is; the last two levels are 差评 (国办发〔2019〕51号)."""

    VERY_SATISFIED = "1", "非常满意", "very satisfied"
    SATISFIED = "2", "满意", "satisfied"
    BASICALLY_SATISFIED = "3", "基本满意", "basically satisfied"
    DISSATISFIED = "4", "不满意", "dissatisfied"
    VERY_DISSATISFIED = "5", "非常不满意", "very dissatisfied"

    @property
    def bad(self) -> bool:
        """Whether it is a 差评, which asks for a visit back, correction and feedback."""
        return self in {Satisfaction.DISSATISFIED, Satisfaction.VERY_DISSATISFIED}


@table("环节办理状态", "state of a step", Source("GB/T 39046-2020", numbered(7)))
class StepState(Table):
    """Whether a step of a case is done."""

    PENDING = "1", "待办", "to do"
    DONE = "2", "已办", "done"


@table("业务动作", "action of a step", Source("GB/T 39046-2020", numbered(7)), coded=False)
class StepAction(Table):
    """What was done in a step; the standard gives the words and no codes."""

    PASS = "通过", "通过", "passed"
    RETURN = "退回", "退回", "returned"
    OTHER = "其他", "其他", "other"


@table("评价渠道", "channel of evaluation", Source("GB/T 39046-2020", numbered(9)), coded=False)
class EvaluationChannel(Table):
    """Where an applicant evaluated; the standard gives the words and no codes."""

    COMPUTER = "PC端", "PC端", "computer"
    MOBILE = "移动服务端", "移动服务端", "mobile service"
    QR_CODE = "二维码", "二维码", "QR code"
    HALL_TABLET = "政务大厅平板电脑", "政务大厅平板电脑", "tablet in the hall"
    HALL_TERMINAL = "政务大厅其他终端", "政务大厅其他终端", "other terminal in the hall"
    TELEPHONE = "电话", "电话", "telephone"
    SHORT_MESSAGE = "短信", "短信", "short message"


@table("好差评推送的办理状态", "state of a case pushed for evaluation", _INTERFACE)
class PushedState(Table):
    """State of a case when it is pushed for evaluation, as implemented for the national model."""

    TO_ACCEPT = "1", "待受理", "to be accepted"
    ACCEPTED = "2", "已受理", "accepted"
    FINISHED = "3", "已办结", "finished"


@table("电子证照信息分级", "grade of e-licence information", Source("国办函〔2016〕108号"))
class LicenceGrade(Table):
    """How far an electronic material can be relied on. The grades and what they mean are the guide's, the words are this kit's."""

    ISSUED = "A", "由服务部门发放，可直接使用", "issued by a service body: used directly"
    CHECKED = "B", "经窗口人员核验，可复用", "checked by window staff: can be used again"
    UPLOADED = "C", "由用户上传，须在窗口核验原件", "uploaded by the user: the original must be checked at the window"
    OWN = "D", "用户自有材料，由用户负责", "the user's own material: the user vouches for it"


@table("互联网或政务外网办件", "where a case was made", _INTERFACE)
class CaseNetwork(Table):
    """Through which network a case was made, in the message pushed for evaluation."""

    INTERNET = "1", "互联网办件", "internet"
    EXTRANET = "2", "政务外网办件", "government extranet"
