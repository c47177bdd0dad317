"""Data set of items (事项管理), GB/T 39046-2020 Table 4, with the materials that an item asks for.

Formats were read (confidence high), names where ``origin`` says so. Rows are known for one field only.
"""

from typing import Annotated

from yiwang.standard.datasets import rules
from yiwang.standard.datasets.base import DataSet, Element
from yiwang.standard.datasets.values import Basic, Content, Credit, Implementing, Number, Place
from yiwang.standard.errors import Finding
from yiwang.standard.labels import Label, numbered
from yiwang.standard.tables.bodies import BodyNature, ServiceObject
from yiwang.standard.tables.items import ExerciseLevel, HandlingWay, YesNo


class ItemMaterial(DataSet):
    """A material that an item asks for."""

    kind = "item_material"
    title_origin = "kit"
    title = Label("申请材料", "material of an item")
    table = numbered(4)

    name: Annotated[str, Element("材料名称", "an..200")]
    issuer: Annotated[str | None, Element("出具机构")] = None
    issue_time: Annotated[str | None, Element("出具时间要求")] = None
    handling_note: Annotated[str | None, Element("材料办理说明")] = None
    handling_place: Annotated[str | None, Element("材料办理地点")] = None
    use_note: Annotated[str | None, Element("材料使用说明")] = None
    originals: Annotated[str | None, Element("原件份数", "n..2")] = None
    copies: Annotated[str | None, Element("复印件份数", "n..2")] = None
    required: Annotated[YesNo | None, Element("是否必备材料", "n1")] = None


class Item(DataSet):
    """An item as one body implements it."""

    kind = "item"
    title = Label("事项管理", "item")
    table = numbered(4)

    name: Annotated[str, Element("事项名称", "an..200")]
    basic_code: Annotated[Basic | None, Element("基本编码", "an..10", widened="an..12")] = None
    implementing_code: Annotated[Implementing, Element("实施编码", "an..24", widened="an..36")]
    type_name: Annotated[str | None, Element("事项类型")] = None
    type_code: Annotated[str | None, Element("事项类型代码", "n2")] = None
    basis: Annotated[str | None, Element("设定依据", "..1000")] = None
    level_name: Annotated[str | None, Element("行使层级")] = None
    level_code: Annotated[ExerciseLevel | None, Element("行使层级代码", "n1", origin="composed")] = None
    division_of_powers: Annotated[str | None, Element("权限划分")] = None
    content: Annotated[str | None, Element("行使内容")] = None
    body_name: Annotated[str | None, Element("实施主体", "an..100")] = None
    body_code: Annotated[Credit | None, Element("实施主体代码", "an..18", origin="composed")] = None
    body_nature_name: Annotated[str | None, Element("实施主体性质")] = None
    body_nature_code: Annotated[BodyNature | None, Element("实施主体性质代码", "n1", origin="composed")] = None
    statutory_limit: Annotated[Number | None, Element("法定办结时限")] = None
    statutory_limit_unit: Annotated[str | None, Element("法定办结时限单位", origin="composed")] = None
    statutory_limit_note: Annotated[str | None, Element("法定办结时限说明", origin="composed")] = None
    promised_limit: Annotated[Number | None, Element("承诺办结时限")] = None
    promised_limit_unit: Annotated[str | None, Element("承诺办结时限单位", origin="composed")] = None
    promised_limit_note: Annotated[str | None, Element("承诺办结时限说明", origin="composed")] = None
    conditions: Annotated[str | None, Element("受理条件")] = None
    process: Annotated[str | None, Element("办理流程")] = None
    joint_department: Annotated[str | None, Element("共同实施部门")] = None
    joint_department_code: Annotated[str | None, Element("共同实施部门代码", origin="composed")] = None
    handling_organ: Annotated[str | None, Element("承办机构")] = None
    handling_organ_code: Annotated[str | None, Element("承办机构代码", origin="composed")] = None
    intermediary_service: Annotated[str | None, Element("中介服务")] = None
    quantity_limit: Annotated[str | None, Element("数量限制")] = None
    result_name: Annotated[str | None, Element("结果名称")] = None
    result_sample: Annotated[Content | None, Element("结果样本")] = None
    charged: Annotated[YesNo | None, Element("是否收费", "n1")] = None
    charge_basis: Annotated[str | None, Element("收费依据")] = None
    handling_range: Annotated[str | None, Element("通办范围代码", "n1", row=33)] = None
    service_object_name: Annotated[str | None, Element("服务对象")] = None
    service_object_code: Annotated[ServiceObject | None, Element("服务对象代码", origin="composed")] = None
    theme: Annotated[str | None, Element("服务主题")] = None
    legal_person_theme_code: Annotated[str | None, Element("法人服务主题代码")] = None
    natural_person_theme_code: Annotated[str | None, Element("自然人服务主题代码")] = None
    handling_way_name: Annotated[str | None, Element("办理形式")] = None
    handling_way_code: Annotated[HandlingWay | None, Element("办理形式代码", origin="composed")] = None
    special_procedure: Annotated[str | None, Element("特别程序")] = None
    jurisdiction: Annotated[str | None, Element("行政管辖")] = None
    jurisdiction_code: Annotated[Place | None, Element("行政管辖代码", origin="composed")] = None
    appointment: Annotated[YesNo | None, Element("是否支持预约", "n1")] = None
    online_payment: Annotated[YesNo | None, Element("是否支持网上支付", "n1", origin="composed")] = None
    express_delivery: Annotated[YesNo | None, Element("是否支持物流快递", "n1", origin="composed")] = None
    online: Annotated[YesNo | None, Element("是否网办", "n1")] = None
    online_address: Annotated[str | None, Element("网办地址")] = None
    system_level: Annotated[str | None, Element("运行系统层级")] = None
    place: Annotated[str | None, Element("办理地点")] = None
    hours: Annotated[str | None, Element("办理时间")] = None
    consultation_way: Annotated[str | None, Element("咨询方式")] = None
    consultation_telephone: Annotated[str | None, Element("咨询电话")] = None
    supervision_telephone: Annotated[str | None, Element("监督电话")] = None
    questions: Annotated[str | None, Element("常见问题")] = None
    materials: Annotated[tuple[ItemMaterial, ...], Element("申请材料", origin="kit")] = ()

    def findings(self) -> tuple[Finding, ...]:
        """The promised limit against the statutory one, names against their codes, codes against what longer codes hold."""
        return rules.item(self)
